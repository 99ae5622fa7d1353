/* SPDX-License-Identifier: MIT */
/* See region.h: a sorted array, which may grow at both ends. */
#include "guest/region.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/publish.h"

#define REGIONS 4096

#define PLACES (REGIONS + REGIONS / 4) /* room on both sides of them */

static struct region store[PLACES];
static struct region *regions = store;
static unsigned int count;
struct region *region_last = store, *region_before = store;

/*
 * What the last search for a gap has found out: there is none of so many pages in [low, high). So
 * the next one need not look at all regions there again.
 */
static struct searched {
	uint64_t pages;
	uint64_t low;
	uint64_t high;
} searched;

static void remember(struct region *region)
{
	region_before = region_last;
	region_last = region;
}

/* The index of the first region that ends after `vpn`. */
static unsigned int index_from(uint64_t vpn)
{
	unsigned int low = 0, high = count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (regions[middle].end > vpn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct region *region_search(uint64_t vpn)
{
	struct region *region = regions;

	/* The last region that starts at or before vpn: without a branch that depends on it. */
	for (unsigned int rest = count; rest > 1;) {
		unsigned int half = rest / 2;

		region = region[half].start <= vpn ? region + half : region;
		rest -= half;
	}
	if (!region_has(region, vpn))
		return NULL;
	remember(region);
	return region;
}

struct region *region_from(uint64_t vpn)
{
	unsigned int at = index_from(vpn);

	return at < count ? &regions[at] : NULL;
}

struct region *region_next(const struct region *region)
{
	unsigned int at = (unsigned int)(region - regions) + 1;

	return at < count ? &regions[at] : NULL;
}

/*
 * Makes room for a record at index `at`: by moving those before it or those from it on, whichever
 * are fewer, since mmap goes downwards and puts each new one before nearly all others.
 */
static void open_gap(unsigned int at)
{
	bool is_low = at < count / 2;

	if (is_low && regions == store) {
		regions = store + PLACES - count;
		memmove(regions, store, count * sizeof(*regions));
	}
	if (regions > store && (is_low || regions + count == store + PLACES)) {
		regions--;
		memmove(regions, regions + 1, at * sizeof(*regions));
	} else {
		memmove(&regions[at + 1], &regions[at], (count - at) * sizeof(*regions));
	}
}

static int insert(unsigned int at, const struct region *region)
{
	if (count == REGIONS)
		return -ENOMEM;
	open_gap(at);
	regions[at] = *region;
	count++;
	/* Others have moved. */
	region_last = region_before = &regions[at];
	return 0;
}

/* Whether `upper` begins where `lower` ends and is more of the same. */
static bool continues(const struct region *lower, const struct region *upper)
{
	return lower->end == upper->start && lower->rights == upper->rights &&
	       region_frame(lower, lower->end) == upper->frame;
}

static void absorb(struct region *lower, const struct region *upper)
{
	lower->end = upper->end;
	lower->first_touches += upper->first_touches;
}

/* Takes the regions from index `first` to before `past` out of the array. */
static void take_out(unsigned int first, unsigned int past)
{
	unsigned int gone = past - first;

	if (!gone)
		return;
	if (first < count - past) {
		memmove(&regions[gone], regions, first * sizeof(*regions));
		regions += gone;
	} else {
		memmove(&regions[first], &regions[past], (count - past) * sizeof(*regions));
	}
	count -= gone;
	/* No stale copy is taken for a region, not even where none is left. */
	if (!count)
		*regions = (struct region){0};
	region_last = region_before = regions;
}

void region_join(uint64_t start, uint64_t end)
{
	unsigned int into = index_from(start - 1);
	unsigned int at = into + 1;

	if (into >= count)
		return;
	for (; at < count && regions[at].start <= end; at++) {
		if (continues(&regions[into], &regions[at]))
			absorb(&regions[into], &regions[at]);
		else
			regions[++into] = regions[at];
	}
	take_out(into + 1, at);
}

int region_add(const struct region *region)
{
	unsigned int at = index_from(region->start);
	struct region *upper = &regions[at];
	struct region whole = *region;

	if (at && continues(upper - 1, region)) {
		absorb(upper - 1, region);
		region_join(region->end, region->end);
		return 0;
	}
	if (at == count || !continues(region, upper))
		return insert(at, region);
	absorb(&whole, upper);
	*upper = whole;
	return 0;
}

int region_split(uint64_t vpn)
{
	struct region *region = region_find(vpn);
	struct region upper;
	unsigned int at;
	int error;

	if (!region || region->start == vpn)
		return 0;
	upper = *region;
	upper.start = vpn;
	upper.first_touches = 0;
	upper.frame = region_frame(region, vpn);
	at = (unsigned int)(region - regions) + 1;
	error = insert(at, &upper);
	if (!error)
		regions[at - 1].end = vpn;
	return error;
}

void region_remove(uint64_t start, uint64_t end)
{
	unsigned int first = index_from(start);
	unsigned int past = first;

	while (past < count && regions[past].end <= end)
		past++;
	take_out(first, past);
	/* There may be one now that ends where the next region starts. */
	end = first < count ? regions[first].start : searched.high;
	if (searched.low < end)
		searched.low = end < searched.high ? end : searched.high;
}

bool region_is_free(uint64_t start, uint64_t end)
{
	unsigned int at = index_from(start);

	return at == count || regions[at].start >= end;
}

uint64_t region_find_gap(uint64_t pages, uint64_t low, uint64_t high)
{
	uint64_t top = high;
	unsigned int at;

	if (top == searched.high && pages >= searched.pages)
		high = searched.low;
	at = index_from(high);
	at += at < count && regions[at].start < high;
	/* Gaps from the highest on: the regions from index `at` on lie above `high`. */
	for (; high >= low && high - low >= pages; high = regions[--at].start) {
		uint64_t below = at && regions[at - 1].end > low ? regions[at - 1].end : low;

		if (below <= high && high - below >= pages) {
			searched = (struct searched){.pages = pages, .low = high, .high = top};
			return high - pages;
		}
		if (!at)
			break;
	}
	return 0;
}

static void publish_one(const struct region *region)
{
	struct abi_region *shown = published.regions;
	unsigned int at = ABI_REGIONS;

	while (at && shown[at - 1].pages < region->end - region->start) {
		if (at < ABI_REGIONS)
			shown[at] = shown[at - 1];
		at--;
	}
	if (at < ABI_REGIONS)
		shown[at] = (struct abi_region){.start = region->start << HPT_PAGE_SHIFT,
						.pages = region->end - region->start,
						.first_touches = region->first_touches};
}

void region_publish(void)
{
	for (unsigned int i = 0; i < ABI_REGIONS; i++)
		published.regions[i] = (struct abi_region){0};
	for (unsigned int i = 0; i < count; i++)
		publish_one(&regions[i]);
}
