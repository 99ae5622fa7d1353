/* SPDX-License-Identifier: MIT */
/* See region.h. */
#include "guest/region.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/boot.h"
#include "guest/frames.h"
#include "guest/publish.h"

#define REGIONS	   4096
#define RAM_SHARE  64
#define PLACES_MIN (HPT_PAGE_SIZE / sizeof(struct region))

static size_t size_of(unsigned int places)
{
	return places * sizeof(struct region);
}

static struct region *get_store(unsigned int places)
{
	uint64_t gpa;

	return frames_get_kernel(NULL, size_of(places), &gpa) ? NULL : direct(gpa);
}

static void put_store(struct region *store, unsigned int places)
{
	frames_put_kernel(NULL, (uint64_t)store - DIRECT_BASE, size_of(places));
}

/* As many as there may ever be, if that is no more than a small part of RAM. */
static unsigned int first_places(void)
{
	unsigned int places = REGIONS;

	while (places > PLACES_MIN && size_of(places) > boot.ram_pages * HPT_PAGE_SIZE / RAM_SHARE)
		places /= 2;
	return places;
}

int regions_create(struct regions *set, bool is_first)
{
	*set = (struct regions){.places = is_first ? first_places() : PLACES_MIN};
	set->store = get_store(set->places);
	set->last = set->before = set->first = set->store;
	return set->store ? 0 : -ENOMEM;
}

void regions_destroy(struct regions *set)
{
	if (set->store)
		put_store(set->store, set->places);
	set->store = NULL;
}

int regions_copy(struct regions *set, const struct regions *from)
{
	unsigned int places = PLACES_MIN;
	struct region *store;

	while (places < from->count)
		places *= 2;
	store = get_store(places);
	if (!store)
		return -ENOMEM;
	regions_destroy(set);
	*set = *from;
	set->places = places;
	set->store = store;
	set->first = store + (places - from->count) / 2;
	memcpy(set->first, from->first, size_of(from->count));
	set->last = set->before = set->first;
	return 0;
}

/* Twice as many places, those in use in the middle. */
static int grow(struct regions *set)
{
	unsigned int places = 2 * set->places;
	struct region *store = get_store(places);

	if (!store)
		return -ENOMEM;
	memcpy(store + (places - set->count) / 2, set->first, size_of(set->count));
	put_store(set->store, set->places);
	set->store = store;
	set->places = places;
	set->first = store + (places - set->count) / 2;
	set->last = set->before = set->first;
	return 0;
}

/* The index of the first region that ends after `vpn`. */
static unsigned int index_from(const struct regions *set, uint64_t vpn)
{
	unsigned int low = 0, high = set->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (set->first[middle].end > vpn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct region *region_from(struct regions *set, uint64_t vpn)
{
	unsigned int at = index_from(set, vpn);

	return at < set->count ? &set->first[at] : NULL;
}

struct region *region_next(const struct regions *set, const struct region *region)
{
	unsigned int at = (unsigned int)(region - set->first) + 1;

	return at < set->count ? &set->first[at] : NULL;
}

/*
 * Makes room for a record at index `at`: by moving those before it or those from it on, whichever
 * are fewer, since mmap goes downwards and puts each new one before nearly all others.
 */
static void open_gap(struct regions *set, unsigned int at)
{
	bool is_low = at < set->count / 2;

	if (is_low && set->first == set->store) {
		set->first = set->store + set->places - set->count;
		memmove(set->first, set->store, set->count * sizeof(*set->first));
	}
	if (set->first > set->store &&
	    (is_low || set->first + set->count == set->store + set->places)) {
		set->first--;
		memmove(set->first, set->first + 1, at * sizeof(*set->first));
	} else {
		memmove(&set->first[at + 1], &set->first[at],
			(set->count - at) * sizeof(*set->first));
	}
}

static int insert(struct regions *set, unsigned int at, const struct region *region)
{
	if (set->count == REGIONS || (set->count == set->places && grow(set)))
		return -ENOMEM;
	open_gap(set, at);
	set->first[at] = *region;
	set->count++;
	/* Others have moved. */
	set->last = set->before = &set->first[at];
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
static void take_out(struct regions *set, unsigned int first, unsigned int past)
{
	unsigned int gone = past - first;

	if (!gone)
		return;
	if (first < set->count - past) {
		memmove(&set->first[gone], set->first, first * sizeof(*set->first));
		set->first += gone;
	} else {
		memmove(&set->first[first], &set->first[past],
			(set->count - past) * sizeof(*set->first));
	}
	set->count -= gone;
	/* No stale copy is taken for a region, not even where none is left. */
	if (!set->count)
		*set->first = (struct region){0};
	set->last = set->before = set->first;
}

void region_join(struct regions *set, uint64_t start, uint64_t end)
{
	unsigned int into = index_from(set, start - 1);
	unsigned int at = into + 1;

	if (into >= set->count)
		return;
	for (; at < set->count && set->first[at].start <= end; at++) {
		if (continues(&set->first[into], &set->first[at]))
			absorb(&set->first[into], &set->first[at]);
		else
			set->first[++into] = set->first[at];
	}
	take_out(set, into + 1, at);
}

int region_add(struct regions *set, const struct region *region)
{
	unsigned int at = index_from(set, region->start);
	struct region *upper = &set->first[at];
	struct region whole = *region;

	if (at && continues(upper - 1, region)) {
		absorb(upper - 1, region);
		region_join(set, region->end, region->end);
		return 0;
	}
	if (at == set->count || !continues(region, upper))
		return insert(set, at, region);
	absorb(&whole, upper);
	*upper = whole;
	return 0;
}

int region_split(struct regions *set, uint64_t vpn)
{
	struct region *region = region_find(set, vpn);
	struct region upper;
	unsigned int at;
	int error;

	if (!region || region->start == vpn)
		return 0;
	upper = *region;
	upper.start = vpn;
	upper.first_touches = 0;
	upper.frame = region_frame(region, vpn);
	at = (unsigned int)(region - set->first) + 1;
	error = insert(set, at, &upper);
	if (!error)
		set->first[at - 1].end = vpn;
	return error;
}

void region_remove(struct regions *set, uint64_t start, uint64_t end)
{
	unsigned int first = index_from(set, start);
	unsigned int past = first;

	while (past < set->count && set->first[past].end <= end)
		past++;
	take_out(set, first, past);
	/* There may be one now that ends where the next region starts. */
	end = first < set->count ? set->first[first].start : set->searched.high;
	if (set->searched.low < end)
		set->searched.low = end < set->searched.high ? end : set->searched.high;
}

bool region_is_free(struct regions *set, uint64_t start, uint64_t end)
{
	unsigned int at = index_from(set, start);

	return at == set->count || set->first[at].start >= end;
}

uint64_t region_find_gap(struct regions *set, uint64_t pages, uint64_t low, uint64_t high)
{
	uint64_t top = high;
	unsigned int at;

	if (top == set->searched.high && pages >= set->searched.pages)
		high = set->searched.low;
	at = index_from(set, high);
	at += at < set->count && set->first[at].start < high;
	/* Gaps from the highest on: the set->first from index `at` on lie above `high`. */
	for (; high >= low && high - low >= pages; high = set->first[--at].start) {
		uint64_t below = at && set->first[at - 1].end > low ? set->first[at - 1].end : low;

		if (below <= high && high - below >= pages) {
			set->searched.pages = pages;
			set->searched.low = high;
			set->searched.high = top;
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

void region_publish(const struct regions *set)
{
	for (unsigned int i = 0; i < ABI_REGIONS; i++)
		published.regions[i] = (struct abi_region){0};
	for (unsigned int i = 0; i < set->count; i++)
		publish_one(&set->first[i]);
}
