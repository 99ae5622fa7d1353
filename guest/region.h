/* SPDX-License-Identifier: MIT */
/*
 * The program's regions: which parts of its address space it has asked for, and with which rights.
 * They say what a page may become; what it is stands in the stage-1 table.
 */
#ifndef GUEST_REGION_H
#define GUEST_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/entry.h"

/* Pages [start, end), sorted and disjoint. */
struct region {
	uint64_t start;
	uint64_t end;
	uint64_t rights; /* HPT_PRESENT, HPT_WRITE, HPT_NOEXEC, REGION_COPY; 0: none at all */
	uint64_t frame;	 /* of page `start`, for pages that lie in the module; 0: fresh ones */
	uint64_t first_touches;
} __attribute__((aligned(64)));

/*
 * In place of HPT_WRITE, in the rights of a region whose pages lie in the module and in the entries
 * of such pages: the first write makes a copy. No entry that can be written names the module.
 */
#define REGION_COPY HPT_SOFT

/* The two regions that were found last: most faults are in one of them again. (region.c) */
extern struct region *region_last, *region_before;

struct region *region_search(uint64_t vpn);

static inline bool region_has(const struct region *region, uint64_t vpn)
{
	return vpn >= region->start && vpn < region->end;
}

/* The region of a page, or NULL. */
static inline struct region *region_find(uint64_t vpn)
{
	if (region_has(region_last, vpn))
		return region_last;
	if (region_has(region_before, vpn))
		return region_before;
	return region_search(vpn);
}

/* The frame of a page of the region, or of one behind it; 0 where pages are fresh ones. */
static inline uint64_t region_frame(const struct region *region, uint64_t vpn)
{
	return region->frame ? region->frame + (vpn - region->start) : 0;
}

/*
 * Enters a region where there is none: as more of a neighbour that is alike, if there is one.
 * -ENOMEM where there are too many.
 */
int region_add(const struct region *region);

/*
 * Makes sure that a region begins (or one ends) at `vpn`, if one covers it: so that a range can be
 * changed region by region. -ENOMEM where there are too many.
 */
int region_split(uint64_t vpn);

/* Makes one region of neighbours in [start, end], its edges included, that have become alike. */
void region_join(uint64_t start, uint64_t end);

/* The first region that ends after `vpn`, or NULL; and the one behind a region, or NULL. */
struct region *region_from(uint64_t vpn);
struct region *region_next(const struct region *region);

/* Takes out all regions in [start, end), whose edges have been split. */
void region_remove(uint64_t start, uint64_t end);

/* Whether no region touches [start, end). */
bool region_is_free(uint64_t start, uint64_t end);

/* The highest run of `pages` free pages in [low, high), or 0. */
uint64_t region_find_gap(uint64_t pages, uint64_t low, uint64_t high);

/* Copies the largest regions to what is published. */
void region_publish(void);

#endif
