/* SPDX-License-Identifier: MIT */
#include "ept/mmu_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mmu_cache_create(struct mmu_cache *cache, struct mmu_shape shape)
{
	uint64_t entries = (uint64_t)shape.sets * shape.ways;

	memset(cache, 0, sizeof(*cache));
	if (!entries || shape.sets & (shape.sets - 1) || entries > MMU_CACHE_ENTRIES_MAX)
		return -EINVAL;
	cache->tags = calloc(3 * entries, sizeof(*cache->tags));
	if (!cache->tags)
		return -ENOMEM;
	cache->used = cache->tags + entries;
	cache->values = cache->used + entries;
	cache->set_mask = shape.sets - 1;
	cache->ways = shape.ways;
	cache->fold_mask = shape.folded ? UINT64_MAX : 0;
	cache->fold_shift = (uint32_t)__builtin_ctz(shape.sets);
	return 0;
}

void mmu_cache_destroy(struct mmu_cache *cache)
{
	free(cache->tags);
	memset(cache, 0, sizeof(*cache));
}

void mmu_cache_flush(struct mmu_cache *cache)
{
	memset(cache->used, 0, mmu_cache_entries(cache) * sizeof(*cache->used));
}

uint32_t mmu_cache_drop_matching(struct mmu_cache *cache, uint64_t mask, uint64_t bits)
{
	uint64_t entries = mmu_cache_entries(cache);
	uint32_t dropped = 0;

	for (uint64_t entry = 0; entry < entries; entry++) {
		if (cache->used[entry] && !((cache->tags[entry] ^ bits) & mask)) {
			cache->used[entry] = 0;
			dropped++;
		}
	}
	return dropped;
}
