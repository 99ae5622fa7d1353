/* SPDX-License-Identifier: MIT */
/*
 * The hands of the clock (evict.h) and where they are: which pages lie between them, and how many
 * of those have frames. What a hand does where it comes by is evict.c's.
 *
 * A hand goes through all of guest RAM, range after range, and never passes the other. The lead,
 * the pages between the hands that have frames, is kept by counting; where the hands meet it is
 * known, and set to that, so that what was counted wrongly does not stay for ever.
 *
 * All functions are called with ept->lock held.
 */
#ifndef EPT_CLOCK_H
#define EPT_CLOCK_H

#include "ept/ept.h"

/* The page where a hand is. */
uint64_t ept_clock_page(const struct ept *ept, const struct ept_hand *hand);

/* Of `pages` pages from `hand` on those before the other hand, or all of them. */
uint64_t ept_clock_up_to(const struct ept_hand *hand, const struct ept_hand *other, uint64_t pages);

/*
 * The part of guest memory where a hand is: up to the next multiple of `stride` pages, the end of
 * the range or the other hand. At least 1.
 */
uint64_t ept_clock_part(const struct ept *ept, const struct ept_hand *hand,
			const struct ept_hand *other, uint64_t stride);

/* A hand goes on by so many pages, of which `frames` have frames. */
void ept_clock_move_front(struct ept *ept, uint64_t pages, uint64_t frames);
void ept_clock_move_back(struct ept *ept, uint64_t pages, uint64_t frames);

/*
 * Pages from `gfn` on have got frames: where they lie between the hands, the back hand will come by
 * them though the front hand did not.
 */
void ept_clock_arrived(struct ept *ept, uint64_t gfn, unsigned int pages);

/* Pages of guest RAM. */
uint64_t ept_clock_pages(const struct ept *ept);

#endif
