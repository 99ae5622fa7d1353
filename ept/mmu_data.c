/* SPDX-License-Identifier: MIT */
/* The data caches: where lines go. */
#include "ept/mmu_caches.h"

static bool put_line(struct mmu_caches *caches, enum mmu_kind kind, uint64_t line,
		     uint64_t *evicted)
{
	struct mmu_cache *cache = caches->units[kind].holds[0];

	return cache && mmu_cache_put(cache, line, 0, evicted);
}

static void drop_line(struct mmu_caches *caches, enum mmu_kind kind, uint64_t line)
{
	if (caches->units[kind].holds[0])
		mmu_cache_drop(caches->units[kind].holds[0], line);
}

/* L1 and L2 are part of the L3. */
static void fill_inclusive(struct mmu_caches *caches, uint64_t line, enum mmu_data_level found)
{
	uint64_t evicted;

	if (found > MMU_DATA_L3 && put_line(caches, MMU_L3_DATA, line, &evicted)) {
		drop_line(caches, MMU_L2_DATA, evicted);
		drop_line(caches, MMU_L1_DATA, evicted);
	}
	if (found > MMU_DATA_L2)
		put_line(caches, MMU_L2_DATA, line, NULL);
	put_line(caches, MMU_L1_DATA, line, NULL);
}

/* The L1 is part of the L2; the L3 has what these had. Without an L2 the L1 stands for it. */
static void fill_victim(struct mmu_caches *caches, uint64_t line, enum mmu_data_level found)
{
	bool has_l2 = caches->units[MMU_L2_DATA].holds[0];
	uint64_t evicted;

	if (found == MMU_DATA_L3)
		drop_line(caches, MMU_L3_DATA, line);
	if (found > MMU_DATA_L2 && put_line(caches, MMU_L2_DATA, line, &evicted)) {
		drop_line(caches, MMU_L1_DATA, evicted);
		put_line(caches, MMU_L3_DATA, evicted, NULL);
	}
	if (put_line(caches, MMU_L1_DATA, line, &evicted) && !has_l2)
		put_line(caches, MMU_L3_DATA, evicted, NULL);
	if (!has_l2 && !caches->units[MMU_L1_DATA].holds[0])
		put_line(caches, MMU_L3_DATA, line, NULL);
}

enum mmu_data_level mmu_data_access(struct mmu_caches *caches, uint64_t line)
{
	enum mmu_data_level found = MMU_DATA_L1;
	uint64_t value;

	while (found < MMU_DATA_MEMORY &&
	       !mmu_unit_find(&caches->units[MMU_L1_DATA + found], line, &value))
		found++;
	if (found == MMU_DATA_L1)
		return found;
	if (caches->core->victim_l3)
		fill_victim(caches, line, found);
	else
		fill_inclusive(caches, line, found);
	return found;
}
