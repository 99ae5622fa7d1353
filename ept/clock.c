/* SPDX-License-Identifier: MIT */
/* The hands of the clock (see clock.h). */
#include "ept/clock.h"

uint64_t ept_clock_page(const struct ept *ept, const struct ept_hand *hand)
{
	return (ept->config.ranges[hand->range].start >> HPT_PAGE_SHIFT) + hand->page;
}

uint64_t ept_clock_up_to(const struct ept_hand *hand, const struct ept_hand *other, uint64_t pages)
{
	if (other->range == hand->range && other->page > hand->page &&
	    other->page - hand->page < pages)
		return other->page - hand->page;
	return pages;
}

uint64_t ept_clock_part(const struct ept *ept, const struct ept_hand *hand,
			const struct ept_hand *other, uint64_t stride)
{
	const struct ept_range *range = &ept->config.ranges[hand->range];
	uint64_t end = (range->start + range->size) >> HPT_PAGE_SHIFT;
	uint64_t gfn = ept_clock_page(ept, hand);
	uint64_t stop = (gfn / stride + 1) * stride;

	return ept_clock_up_to(hand, other, (stop < end ? stop : end) - gfn);
}

static void move_hand(const struct ept *ept, struct ept_hand *hand, uint64_t pages)
{
	hand->page += pages;
	if (hand->page < ept->config.ranges[hand->range].size >> HPT_PAGE_SHIFT)
		return;
	hand->page = 0;
	hand->range = (hand->range + 1) % ept->config.range_count;
}

static bool hands_meet(const struct ept *ept)
{
	return ept->front.range == ept->back.range && ept->front.page == ept->back.page;
}

void ept_clock_move_front(struct ept *ept, uint64_t pages, uint64_t frames)
{
	ept->lead += frames;
	move_hand(ept, &ept->front, pages);
	if (hands_meet(ept)) /* all of memory is between them */
		ept->lead = ept->pool.frames;
}

void ept_clock_move_back(struct ept *ept, uint64_t pages, uint64_t frames)
{
	ept->lead -= ept->lead < frames ? ept->lead : frames;
	move_hand(ept, &ept->back, pages);
	if (pages && hands_meet(ept))
		ept->lead = 0;
}

static uint64_t pages_before(const struct ept *ept, unsigned int range)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < range; i++)
		pages += ept->config.ranges[i].size >> HPT_PAGE_SHIFT;
	return pages;
}

uint64_t ept_clock_pages(const struct ept *ept)
{
	return pages_before(ept, ept->config.range_count);
}

/* How far it is from the back hand to a page, in the order in which hands go. */
static uint64_t behind_back(const struct ept *ept, unsigned int range, uint64_t page)
{
	uint64_t back = pages_before(ept, ept->back.range) + ept->back.page;
	uint64_t place = pages_before(ept, range) + page;

	return place >= back ? place - back : place + ept_clock_pages(ept) - back;
}

void ept_clock_arrived(struct ept *ept, uint64_t gfn, unsigned int pages)
{
	const struct ept_range *ranges = ept->config.ranges;
	uint64_t between, start;
	unsigned int range = 0;

	if (!ept->swap->slots || !ept->lead)
		return;
	while ((ranges[range].start + ranges[range].size) >> HPT_PAGE_SHIFT <= gfn)
		range++;
	start = ranges[range].start >> HPT_PAGE_SHIFT;
	between = behind_back(ept, ept->front.range, ept->front.page);
	for (unsigned int i = 0; i < pages; i++)
		ept->lead += !between || behind_back(ept, range, gfn - start + i) < between;
}
