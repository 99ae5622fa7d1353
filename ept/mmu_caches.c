/* SPDX-License-Identifier: MIT */
#include "ept/mmu_caches.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[MMU_KINDS] = {
	[MMU_L1_TLB] = "l1-tlb",
	[MMU_L2_TLB] = "l2-tlb",
	[MMU_NESTED_TLB] = "nested-tlb",
	[MMU_GUEST_WALK] = "guest-walk-pde",
	[MMU_GUEST_WALK + 1] = "guest-walk-pdpte",
	[MMU_GUEST_WALK + 2] = "guest-walk-pml4e",
	[MMU_HOST_WALK] = "host-walk-pde",
	[MMU_HOST_WALK + 1] = "host-walk-pdpte",
	[MMU_HOST_WALK + 2] = "host-walk-pml4e",
	[MMU_GUEST_CUCKOO] = "guest-cuckoo-pmd",
	[MMU_GUEST_CUCKOO + 1] = "guest-cuckoo-pud",
	[MMU_HOST_CUCKOO] = "host-cuckoo-pmd",
	[MMU_HOST_CUCKOO + 1] = "host-cuckoo-pud",
	[MMU_L1_DATA] = "data-l1",
	[MMU_L2_DATA] = "data-l2",
	[MMU_L3_DATA] = "data-l3",
};

static const char *const ablation_names[] = {
	"l1-tlb",    "l2-tlb",	     "nested-tlb",  "guest-walk",
	"host-walk", "guest-cuckoo", "host-cuckoo", "data",
};

const char *mmu_kind_name(enum mmu_kind kind)
{
	return (unsigned int)kind < MMU_KINDS ? kind_names[kind] : NULL;
}

const char *mmu_ablation_name(unsigned int number)
{
	return number < sizeof(ablation_names) / sizeof(ablation_names[0]) ? ablation_names[number]
									   : NULL;
}

int mmu_caches_create(struct mmu_caches *caches, enum mmu_profile profile)
{
	const struct mmu_core *core = mmu_core_of(profile);

	memset(caches, 0, sizeof(*caches));
	if (!core)
		return -EINVAL;
	caches->core = core;
	for (int i = 0; i < MMU_ARRAYS; i++) {
		int error = core->arrays[i].ways
				    ? mmu_cache_create(&caches->arrays[i], core->arrays[i])
				    : 0;

		if (error) {
			mmu_caches_destroy(caches);
			return error;
		}
	}
	for (int kind = 0; kind < MMU_KINDS; kind++)
		for (int size = 0; size < HPT_SIZES; size++)
			if (core->array_of[kind][size])
				caches->units[kind].holds[size] =
					&caches->arrays[core->array_of[kind][size]];
	return 0;
}

void mmu_caches_destroy(struct mmu_caches *caches)
{
	for (int i = 0; i < MMU_ARRAYS; i++)
		mmu_cache_destroy(&caches->arrays[i]);
	memset(caches, 0, sizeof(*caches));
}

/* Whether a name is that of a kind, or of a group of kinds that it belongs to. */
static bool name_covers(const char *name, const char *kind)
{
	size_t length = strlen(name);

	return length && !strncmp(name, kind, length) &&
	       (kind[length] == '\0' || kind[length] == '-');
}

int mmu_caches_without(struct mmu_caches *caches, const char *name)
{
	int error = -EINVAL;

	for (int kind = 0; kind < MMU_KINDS; kind++) {
		if (!name_covers(name, kind_names[kind]))
			continue;
		memset(caches->units[kind].holds, 0, sizeof(caches->units[kind].holds));
		error = 0;
	}
	return error;
}

void mmu_caches_report(const struct mmu_caches *caches, struct mmu_report rows[MMU_KINDS])
{
	for (int kind = 0; kind < MMU_KINDS; kind++)
		rows[kind] = (struct mmu_report){.name = kind_names[kind],
						 .lookups = caches->units[kind].lookups,
						 .hits = caches->units[kind].hits};
}

void mmu_caches_reset_counts(struct mmu_caches *caches)
{
	for (int kind = 0; kind < MMU_KINDS; kind++)
		caches->units[kind].lookups = caches->units[kind].hits = 0;
	for (int i = 0; i < MMU_ARRAYS; i++)
		caches->arrays[i].hits = caches->arrays[i].misses = 0;
}
