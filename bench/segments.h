/* SPDX-License-Identifier: MIT */
/*
 * A fragmented address space: pages in segments of 64 MiB, the segments in random order, each in a
 * slot of 512 MiB and at one of the eight places there. The last segment may be a part of one.
 */
#ifndef BENCH_SEGMENTS_H
#define BENCH_SEGMENTS_H

#include "bench/permutation.h"

#define SEGMENT_PAGES	 16384 /* 64 MiB */
#define SEGMENTS_IN_SLOT 8
#define SLOT_PAGES	 (SEGMENTS_IN_SLOT * SEGMENT_PAGES)
#define SEGMENTS_NOTHING UINT64_MAX

struct segments {
	uint64_t pages;
	struct permutation slots;
};

/* Of so many pages, at least one. */
static inline struct segments segments_of(uint64_t pages, uint64_t key)
{
	return (struct segments){
		.pages = pages,
		.slots = permutation_of((pages + SEGMENT_PAGES - 1) / SEGMENT_PAGES, key),
	};
}

/* The first page of the segment in this slot. */
static inline uint64_t segments_start(const struct segments *segments, uint64_t slot)
{
	uint64_t place = mix64(slot + segments->slots.key);

	return slot * SLOT_PAGES + place % SEGMENTS_IN_SLOT * SEGMENT_PAGES;
}

/* Where page i lies, as a page number: in as many slots as there are segments. */
static inline uint64_t segments_page(const struct segments *segments, uint64_t i)
{
	uint64_t slot = permutation_at(&segments->slots, i / SEGMENT_PAGES);

	return segments_start(segments, slot) + i % SEGMENT_PAGES;
}

/* Which page lies there; SEGMENTS_NOTHING if none does. */
static inline uint64_t segments_find(const struct segments *segments, uint64_t page)
{
	uint64_t slot = page / SLOT_PAGES;
	uint64_t i;

	if (slot >= segments->slots.count || page < segments_start(segments, slot))
		return SEGMENTS_NOTHING;
	page -= segments_start(segments, slot);
	if (page >= SEGMENT_PAGES)
		return SEGMENTS_NOTHING;
	i = permutation_find(&segments->slots, slot) * SEGMENT_PAGES + page;
	return i < segments->pages ? i : SEGMENTS_NOTHING;
}

#endif
