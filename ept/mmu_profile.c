/* SPDX-License-Identifier: MIT */
/*
 * The caches of two cores. How well each number is known:
 *
 *   [C] CPUID of a Zen 4 (family 19h, model 11h) says so: leaves 8000_0005, 8000_0006, 8000_001D
 *   [R] read in the source named, or in a text that quotes it
 *   [N] from the source named, as it is known; its text was not at hand to check it again
 *   [A] assumed: no vendor says anything
 *
 * AMD: "Software Optimization Guide for the AMD Zen4 Microarchitecture" (57647), and where [R] its
 * forerunners for 17h and 19h as WikiChip, Chips and Cheese and 7-cpu.com quote them. Intel:
 * "64 and IA-32 Architectures Optimization Reference Manual" (248966), Skylake client, as WikiChip
 * quotes it. RevAnC: van Schaik et al., "Reverse Engineering Hardware Page Table Caches Using
 * Side-Channel Attacks on the MMU", EuroSec'17. DMT: the artifact of Zhang et al., ASPLOS'24.
 * ECPT: Skarlatos et al., ASPLOS'20. Nested ECPT: Stojkovic et al., ASPLOS'22.
 *
 * Cuckoo-walk caches are of no real core. ECPT has 16 rows of PMD level and 2 of PUD level, fully
 * associative [N]; later comparisons with it have 16 as well (LVM's table of parameters) [R].
 * Nested ECPT has these for the guest [N], for the host beside them caches of PTE level, which it
 * switches off where they do not hit, and for the addresses of its own walk tables a "shortcut
 * translation cache" of 10 entries [R]. Here the host has what the guest has [A], PTE level is left
 * out, and the nested TLB is what translates addresses of the guest's tables.
 *
 * Not modelled, for both: instruction TLBs; pages of 1 GiB, which tables here do not have; and
 * replacement that is not LRU. For Zen 4: four neighbouring 4 KiB pages in one TLB entry. Caches
 * that threads or cores share (L3) are had alone.
 */
#include "ept/mmu_profile.h"

#include "hpt/name.h"

#include <errno.h>

enum {
	NOWHERE,
	L1_TLB,
	L1_TLB_2M,
	L2_TLB,
	NESTED_TLB,
	PAGE_DIRECTORY,
	GUEST_PDE,
	GUEST_PDPTE,
	GUEST_PML4E,
	HOST_PDE,
	HOST_PDPTE,
	HOST_PML4E,
	GUEST_CUCKOO_PMD,
	GUEST_CUCKOO_PUD,
	HOST_CUCKOO_PMD,
	HOST_CUCKOO_PUD,
	L1_DATA,
	L2_DATA,
	L3_DATA,
	ARRAYS
};

_Static_assert((int)ARRAYS == MMU_ARRAYS, "as many arrays as the header says");

/* {sets, ways, folded} */
static const struct mmu_shape zen4_arrays[MMU_ARRAYS] = {
	/* 72 entries, fully associative, all sizes [C] */
	[L1_TLB] = {1, 72, false},
	/*
	 * 3072 entries [C]; unified, 24-way [N], so 128 sets. CPUID names 8 ways for 4 KiB pages
	 * and 6 for 2 MiB ones [C], since the real array is skewed: a size has some of the ways.
	 * Here each has all. Folded [A].
	 */
	[L2_TLB] = {128, 24, true},
	/*
	 * No guide says. 16 entries, fully associative, had the Opteron of Bhargava et al.,
	 * ASPLOS'08 [N]; a Zen 4 will have more.
	 */
	[NESTED_TLB] = {1, 16, false},
	/*
	 * The "page directory cache": 64 entries, PML4Es and PDPEs [R, 17h and 19h]; PDEs are in
	 * the L2 TLB, beside pages [R, 17h]. Fully associative, guest's and host's entries together
	 * [A], as they were in Bhargava's page walk cache of 24 entries [N]; but that was tagged by
	 * the address of the entry, this is by what it translates [A].
	 */
	[PAGE_DIRECTORY] = {1, 64, false},
	[GUEST_CUCKOO_PMD] = {1, 16, false},
	[GUEST_CUCKOO_PUD] = {1, 2, false},
	[HOST_CUCKOO_PMD] = {1, 16, false},
	[HOST_CUCKOO_PUD] = {1, 2, false},
	/* 32 KiB, 8-way; 1 MiB, 8-way; 32 MiB a complex, 16-way [C]; folded [A] */
	[L1_DATA] = {64, 8, false},
	[L2_DATA] = {2048, 8, false},
	[L3_DATA] = {32768, 16, true},
};

static const uint8_t zen4_array_of[MMU_KINDS][HPT_SIZES] = {
	[MMU_L1_TLB] = {L1_TLB, L1_TLB},
	[MMU_L2_TLB] = {L2_TLB, L2_TLB},
	[MMU_NESTED_TLB] = {NESTED_TLB, NESTED_TLB},
	[MMU_GUEST_WALK] = {L2_TLB},
	[MMU_GUEST_WALK + 1] = {PAGE_DIRECTORY},
	[MMU_GUEST_WALK + 2] = {PAGE_DIRECTORY},
	[MMU_HOST_WALK] = {L2_TLB},
	[MMU_HOST_WALK + 1] = {PAGE_DIRECTORY},
	[MMU_HOST_WALK + 2] = {PAGE_DIRECTORY},
	[MMU_GUEST_CUCKOO] = {GUEST_CUCKOO_PMD},
	[MMU_GUEST_CUCKOO + 1] = {GUEST_CUCKOO_PUD},
	[MMU_HOST_CUCKOO] = {HOST_CUCKOO_PMD},
	[MMU_HOST_CUCKOO + 1] = {HOST_CUCKOO_PUD},
	[MMU_L1_DATA] = {L1_DATA},
	[MMU_L2_DATA] = {L2_DATA},
	[MMU_L3_DATA] = {L3_DATA},
};

static const struct mmu_shape skylake_arrays[MMU_ARRAYS] = {
	/* 64 entries of 4 KiB, 32 of 2 MiB, 4-way [R] */
	[L1_TLB] = {16, 4, false},
	[L1_TLB_2M] = {8, 4, false},
	/* 1536 entries of both sizes, 12-way [R]; folded: Gras et al. (mmu_cache.h) [N] */
	[L2_TLB] = {128, 12, true},
	/*
	 * Intel says that guest-physical mappings are cached, but not where. 24 entries, as nested
	 * ECPT gives the nested radix tables that it compares with [N].
	 */
	[NESTED_TLB] = {1, 24, false},
	/*
	 * 32 PDEs and 4 PDPTEs: RevAnC [N]. DMT has these, with 4 ways each, and 2 PML4Es, and all
	 * of it again for the host [R]; that the PML4Es are one set is ours [A].
	 */
	[GUEST_PDE] = {8, 4, false},
	[GUEST_PDPTE] = {1, 4, false},
	[GUEST_PML4E] = {1, 2, false},
	[HOST_PDE] = {8, 4, false},
	[HOST_PDPTE] = {1, 4, false},
	[HOST_PML4E] = {1, 2, false},
	[GUEST_CUCKOO_PMD] = {1, 16, false},
	[GUEST_CUCKOO_PUD] = {1, 2, false},
	[HOST_CUCKOO_PMD] = {1, 16, false},
	[HOST_CUCKOO_PUD] = {1, 2, false},
	/*
	 * 32 KiB, 8-way; 256 KiB, 4-way; 2 MiB a core, 16-way [R], here for four cores, which is
	 * what DMT simulates too [R]. A hash chooses the slice of the L3; folded here [A].
	 */
	[L1_DATA] = {64, 8, false},
	[L2_DATA] = {1024, 4, false},
	[L3_DATA] = {8192, 16, true},
};

static const uint8_t skylake_array_of[MMU_KINDS][HPT_SIZES] = {
	[MMU_L1_TLB] = {L1_TLB, L1_TLB_2M},
	[MMU_L2_TLB] = {L2_TLB, L2_TLB},
	[MMU_NESTED_TLB] = {NESTED_TLB, NESTED_TLB},
	[MMU_GUEST_WALK] = {GUEST_PDE},
	[MMU_GUEST_WALK + 1] = {GUEST_PDPTE},
	[MMU_GUEST_WALK + 2] = {GUEST_PML4E},
	[MMU_HOST_WALK] = {HOST_PDE},
	[MMU_HOST_WALK + 1] = {HOST_PDPTE},
	[MMU_HOST_WALK + 2] = {HOST_PML4E},
	[MMU_GUEST_CUCKOO] = {GUEST_CUCKOO_PMD},
	[MMU_GUEST_CUCKOO + 1] = {GUEST_CUCKOO_PUD},
	[MMU_HOST_CUCKOO] = {HOST_CUCKOO_PMD},
	[MMU_HOST_CUCKOO + 1] = {HOST_CUCKOO_PUD},
	[MMU_L1_DATA] = {L1_DATA},
	[MMU_L2_DATA] = {L2_DATA},
	[MMU_L3_DATA] = {L3_DATA},
};

static const struct mmu_shape software_arrays[MMU_ARRAYS] = {
	[GUEST_PDE] = {1024, 1, false}, [GUEST_PDPTE] = {64, 1, false},
	[GUEST_PML4E] = {8, 1, false},	[HOST_PDE] = {1024, 1, false},
	[HOST_PDPTE] = {64, 1, false},	[HOST_PML4E] = {8, 1, false},
};

static const uint8_t software_array_of[MMU_KINDS][HPT_SIZES] = {
	[MMU_GUEST_WALK] = {GUEST_PDE},	      [MMU_GUEST_WALK + 1] = {GUEST_PDPTE},
	[MMU_GUEST_WALK + 2] = {GUEST_PML4E}, [MMU_HOST_WALK] = {HOST_PDE},
	[MMU_HOST_WALK + 1] = {HOST_PDPTE},   [MMU_HOST_WALK + 2] = {HOST_PML4E},
};

static const struct mmu_shape no_arrays[MMU_ARRAYS];
static const uint8_t nowhere[MMU_KINDS][HPT_SIZES];

/* A Zen's L3 is a victim cache [R, Zen 2]; that of Skylake client is inclusive [N]. */
static const struct mmu_core cores[] = {
	[MMU_NONE] = {"none", no_arrays, nowhere, false},
	[MMU_ZEN4] = {"zen4", zen4_arrays, zen4_array_of, true},
	[MMU_SKYLAKE] = {"skylake", skylake_arrays, skylake_array_of, false},
	[MMU_SOFTWARE] = {NULL, software_arrays, software_array_of, false},
};

const struct mmu_core *mmu_core_of(enum mmu_profile profile)
{
	bool exists = (unsigned int)profile < MMU_PROFILES || profile == MMU_SOFTWARE;

	return exists ? &cores[profile] : NULL;
}

const char *mmu_profile_name(enum mmu_profile profile)
{
	const struct mmu_core *core = mmu_core_of(profile);

	return core ? core->name : NULL;
}

int mmu_profile_find(const char *name)
{
	for (int i = 0; i < MMU_PROFILES; i++)
		if (hpt_name_is(cores[i].name, name))
			return i;
	return -EINVAL;
}
