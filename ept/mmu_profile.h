/* SPDX-License-Identifier: MIT */
/*
 * Which caches the MMU of a core has, and of what shape. The sizes, each with where it is from,
 * stand in mmu_profile.c.
 */
#ifndef EPT_MMU_PROFILE_H
#define EPT_MMU_PROFILE_H

#include "ept/mmu_cache.h"
#include "hpt/desc.h"

enum mmu_profile {
	MMU_NONE, /* no cache at all */
	MMU_ZEN4,
	MMU_SKYLAKE,
	MMU_PROFILES,
	/*
	 * No core's: walk caches that a walker in software has for itself, larger than a core's and
	 * direct-mapped, since there a way is a compare. It has no name.
	 */
	MMU_SOFTWARE
};

/* The levels at which the tree has nodes below the root. */
#define MMU_WALK_LEVELS (HPT_RADIX_LEVELS - 1)

/*
 * What a cache answers. Each kind is counted, and can be left out, by itself, also where the core
 * keeps two kinds in one array.
 */
enum mmu_kind {
	MMU_L1_TLB,
	MMU_L2_TLB,
	MMU_NESTED_TLB,
	MMU_GUEST_WALK, /* of nodes at level 0 (the PDE cache of x86); then at 1 and 2 */
	MMU_HOST_WALK = MMU_GUEST_WALK + MMU_WALK_LEVELS,
	MMU_GUEST_CUCKOO = MMU_HOST_WALK + MMU_WALK_LEVELS, /* PMD level; then PUD level */
	MMU_HOST_CUCKOO = MMU_GUEST_CUCKOO + 2,
	MMU_L1_DATA = MMU_HOST_CUCKOO + 2,
	MMU_L2_DATA,
	MMU_L3_DATA,
	MMU_KINDS
};

/* How many arrays a core can have; number 0 is none. */
#define MMU_ARRAYS 19

struct mmu_core {
	const char *name;
	const struct mmu_shape *arrays; /* MMU_ARRAYS; without ways: the core does not have it */
	/* Where each kind has its entries, for pages of either size; other kinds have no sizes. */
	const uint8_t (*array_of)[HPT_SIZES];
	/* The L3 takes what the L2 evicts, and the L1 is part of the L2; if not, both are part of
	 * the L3. */
	bool victim_l3;
};

/* The core of a profile, or NULL if there is none such. */
const struct mmu_core *mmu_core_of(enum mmu_profile profile);

/* Its name ("zen4"), and back: a negative value if there is none such. */
const char *mmu_profile_name(enum mmu_profile profile);
int mmu_profile_find(const char *name);

#endif
