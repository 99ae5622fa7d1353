/* SPDX-License-Identifier: MIT */
/*
 * A program's regions: which parts of its address space it has asked for, and with which rights.
 * They say what a page may become; what it is stands in the stage-1 table. An entry never has more
 * rights than the region; it may have fewer, until an access asks for them.
 */
#ifndef GUEST_REGION_H
#define GUEST_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hpt/entry.h"

/* Pages [start, end), sorted and disjoint. */
struct region {
	uint64_t start;
	uint64_t end;
	uint64_t rights; /* HPT_PRESENT and HPT_USER, HPT_WRITE, HPT_NOEXEC; 0: none */
	/*
	 * Of page `start`, for pages that lie in a module; 0: fresh ones. What does not begin at a
	 * page there is copied when it is touched: then REGION_OFFSET and what is above it say how
	 * far into the frame.
	 */
	uint64_t frame;
	uint64_t first_touches;
} __attribute__((aligned(64)));

/* The regions of one space: a sorted array, which may grow at both ends. */
struct regions {
	struct region *last, *before; /* found last: most faults are in one of them again */
	struct region *first;
	unsigned int count;
	unsigned int places;  /* that `store` has */
	struct region *store; /* NULL: none yet */
	/*
	 * What the last search for a gap has found out: there is none of so many pages in [low,
	 * high). So the next one need not look at all regions there again.
	 */
	struct {
		uint64_t pages;
		uint64_t low;
		uint64_t high;
	} searched;
};

#define REGION_OFFSET 48

/* For `frame`: where in a module a region's first page is. */
static inline uint64_t region_place(uint64_t gpa)
{
	return gpa >> HPT_PAGE_SHIFT | (gpa & (HPT_PAGE_SIZE - 1)) << REGION_OFFSET;
}

/* In a region's rights: its pages are those of a segment (segment.h), which forks share. */
#define REGION_SHARED HPT_SOFT

/*
 * An empty set, and its end. The first program's has room for all that there may ever be from the
 * start, where RAM has: later there may be memory for no more than pages. -ENOMEM.
 */
int regions_create(struct regions *set, bool is_first);
void regions_destroy(struct regions *set);

/* The same regions in another set, which is empty. -ENOMEM. */
int regions_copy(struct regions *set, const struct regions *from);

static inline bool region_has(const struct region *region, uint64_t vpn)
{
	return vpn >= region->start && vpn < region->end;
}

/* Inline, since its caller in the fault path has all registers in use. */
static inline struct region *region_search(struct regions *set, uint64_t vpn)
{
	struct region *region = set->first;

	/*
	 * The last region that starts at or before vpn: without a branch that depends on it, and
	 * counted in bytes, which is an instruction less a step.
	 */
	for (uint64_t rest = set->count * sizeof(*region); rest > sizeof(*region);) {
		uint64_t half = rest / 2 & ~(sizeof(*region) - 1);
		struct region *upper = (struct region *)((uint64_t)region + half);

		region = upper->start <= vpn ? upper : region;
		rest -= half;
	}
	if (!region_has(region, vpn))
		return NULL;
	set->before = set->last;
	set->last = region;
	return region;
}

/* The region of a page, or NULL. */
static inline struct region *region_find(struct regions *set, uint64_t vpn)
{
	if (region_has(set->last, vpn))
		return set->last;
	if (region_has(set->before, vpn))
		return set->before;
	return region_search(set, vpn);
}

/* The frame of a page of the region, or of one behind it; 0 where pages are fresh ones. */
static inline uint64_t region_frame(const struct region *region, uint64_t vpn)
{
	return region->frame ? region->frame + (vpn - region->start) : 0;
}

/* Whether what `frame` says is no frame that could be mapped. */
static inline bool region_is_copied(const struct region *region)
{
	return region->frame >> REGION_OFFSET;
}

/* Where a page of a region in a module lies there, gPA. */
static inline uint64_t region_source(const struct region *region, uint64_t vpn)
{
	uint64_t frame = region_frame(region, vpn);

	return (frame & ((UINT64_C(1) << REGION_OFFSET) - 1)) << HPT_PAGE_SHIFT |
	       frame >> REGION_OFFSET;
}

/*
 * Enters a region where there is none: as more of a neighbour that is alike, if there is one.
 * -ENOMEM where there are too many.
 */
int region_add(struct regions *set, const struct region *region);

/*
 * Makes sure that a region begins (or one ends) at `vpn`, if one covers it: so that a range can be
 * changed region by region. -ENOMEM where there are too many.
 */
int region_split(struct regions *set, uint64_t vpn);

/* Makes one region of neighbours in [start, end], its edges included, that have become alike. */
void region_join(struct regions *set, uint64_t start, uint64_t end);

/* The first region that ends after `vpn`, or NULL; and the one behind a region, or NULL. */
struct region *region_from(struct regions *set, uint64_t vpn);
struct region *region_next(const struct regions *set, const struct region *region);

/* Takes out all regions in [start, end), whose edges have been split. */
void region_remove(struct regions *set, uint64_t start, uint64_t end);

/* Whether no region touches [start, end). */
bool region_is_free(struct regions *set, uint64_t start, uint64_t end);

/* The highest run of `pages` free pages in [low, high), or 0. */
uint64_t region_find_gap(struct regions *set, uint64_t pages, uint64_t low, uint64_t high);

/* Copies the largest regions to what is published. */
void region_publish(const struct regions *set);

#endif
