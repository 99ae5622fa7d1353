/* SPDX-License-Identifier: MIT */
/*
 * One cache of an MMU, as a model: set-associative, {tag -> value} of 64 bits each, true LRU within
 * a set. What the tag is of is its owner's affair (mmu_caches.h).
 *
 *      set   = tag mod sets, or in a folded cache (tag ^ tag >> log2(sets)) mod sets
 *      entry = set * ways + way
 *
 * A folded cache has the two lowest groups of log2(sets) bits of the tag XORed, so that a stride of
 * a power of two does not stay in one set (Gras et al., "Translation Leak-aside Buffer", USENIX
 * Security'18, found this in the second-level TLBs of Intel). A cache of one set is fully
 * associative.
 *
 * LRU is true: each use notes the time, a count of 64 bits, and the entry with the lowest goes.
 * Real caches of many ways only come near to it.
 *
 * What is asked within a walk is inline, takes no memory and computes no floating point. A cache
 * has one user at a time.
 */
#ifndef EPT_MMU_CACHE_H
#define EPT_MMU_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for a last-level cache of 64 MiB by lines; TLBs have a few thousand. */
#define MMU_CACHE_ENTRIES_MAX (UINT32_C(1) << 20)

struct mmu_shape {
	uint32_t sets; /* a power of two; 1: fully associative */
	uint32_t ways; /* 1 or more */
	bool folded;
};

struct mmu_cache {
	uint64_t *tags;	  /* one allocation for all three */
	uint64_t *used;	  /* when an entry was last used; 0: it is empty */
	uint64_t *values; /* the owner's words */
	uint64_t clock;
	uint64_t hits;
	uint64_t misses;
	uint64_t set_mask;
	uint64_t fold_mask; /* all ones in a folded cache */
	uint64_t recent;    /* the entry of the last hit or mmu_cache_put() */
	uint32_t ways;
	uint32_t fold_shift;
};

/*
 * Makes an empty cache, which holds memory until mmu_cache_destroy(). -EINVAL for a shape that
 * cannot be or has more than MMU_CACHE_ENTRIES_MAX entries, -ENOMEM; then there is nothing to
 * destroy, and mmu_cache_destroy() does no harm.
 */
int mmu_cache_create(struct mmu_cache *cache, struct mmu_shape shape);
void mmu_cache_destroy(struct mmu_cache *cache);

/* Empties the cache; its counts stay. */
void mmu_cache_flush(struct mmu_cache *cache);

/*
 * Drops each entry whose tag has in the bits of `mask` what `bits` has there, and says how many
 * these were. Looks at every entry.
 */
uint32_t mmu_cache_drop_matching(struct mmu_cache *cache, uint64_t mask, uint64_t bits);

static inline uint64_t mmu_cache_entries(const struct mmu_cache *cache)
{
	return (cache->set_mask + 1) * cache->ways;
}

/* The first entry of the set that the tag belongs to. */
static inline uint64_t mmu_cache_set(const struct mmu_cache *cache, uint64_t tag)
{
	uint64_t folded = tag >> cache->fold_shift & cache->fold_mask;

	return ((tag ^ folded) & cache->set_mask) * cache->ways;
}

static inline bool mmu_cache_holds(const struct mmu_cache *cache, uint64_t entry, uint64_t tag)
{
	return cache->tags[entry] == tag && cache->used[entry];
}

#define MMU_CACHE_NONE UINT64_MAX

/* The entry that has the tag, or MMU_CACHE_NONE; nothing is counted. */
static inline uint64_t mmu_cache_entry(const struct mmu_cache *cache, uint64_t tag)
{
	uint64_t entry, end;

	/* In a run of neighbours most lookups end here, whatever the ways. */
	if (mmu_cache_holds(cache, cache->recent, tag))
		return cache->recent;
	entry = mmu_cache_set(cache, tag);
	for (end = entry + cache->ways; entry < end; entry++)
		if (mmu_cache_holds(cache, entry, tag))
			return entry;
	return MMU_CACHE_NONE;
}

static inline void mmu_cache_use(struct mmu_cache *cache, uint64_t entry)
{
	cache->used[entry] = ++cache->clock;
	cache->recent = entry;
}

/*
 * Looks the tag up, counts a hit or a miss, and makes an entry that is hit its set's most recent.
 * *value stays as it is on a miss.
 */
static inline bool mmu_cache_find(struct mmu_cache *cache, uint64_t tag, uint64_t *value)
{
	uint64_t entry = mmu_cache_entry(cache, tag);

	if (entry == MMU_CACHE_NONE) {
		cache->misses++;
		return false;
	}
	cache->hits++;
	mmu_cache_use(cache, entry);
	*value = cache->values[entry];
	return true;
}

/*
 * The entry of the tag's set that was used longest ago, an empty one if there is one. Without
 * branches: in which way it is cannot be predicted.
 */
static inline uint64_t mmu_cache_eldest(const struct mmu_cache *cache, uint64_t tag)
{
	uint64_t entry = mmu_cache_set(cache, tag);
	uint64_t end = entry + cache->ways;
	uint64_t eldest = entry;
	uint64_t used = cache->used[entry];

	while (++entry < end) {
		uint64_t other = cache->used[entry];
		bool elder = other < used;

		eldest = elder ? entry : eldest;
		used = elder ? other : used;
	}
	return eldest;
}

/*
 * Enters the tag as its set's most recent, with this value also if it was there. If another one had
 * to go, returns true and its tag in *evicted, unless that is NULL.
 */
static inline bool mmu_cache_put(struct mmu_cache *cache, uint64_t tag, uint64_t value,
				 uint64_t *evicted)
{
	uint64_t entry = mmu_cache_entry(cache, tag);
	bool full = false;

	if (entry == MMU_CACHE_NONE) {
		entry = mmu_cache_eldest(cache, tag);
		full = cache->used[entry] != 0;
		if (full && evicted)
			*evicted = cache->tags[entry];
		cache->tags[entry] = tag;
	}
	cache->values[entry] = value;
	mmu_cache_use(cache, entry);
	return full;
}

/* Takes the tag out, and says whether it was there. */
static inline bool mmu_cache_drop(struct mmu_cache *cache, uint64_t tag)
{
	uint64_t entry = mmu_cache_entry(cache, tag);

	if (entry == MMU_CACHE_NONE)
		return false;
	cache->used[entry] = 0;
	return true;
}

#endif
