/* SPDX-License-Identifier: MIT */
/*
 * Which frame a page has (ept_fill).
 *
 * A page's frame is the one in the table. A page without an entry gets the frame that lies in its
 * window block's pool block where the page lies in the window block, because that is what one
 * UFFDIO_CONTINUE installs. An entry that somebody gave another frame is followed all the same,
 * with a mapping of its own for that page. A page that is swapped out gets that frame again. Where
 * there are clones a page may have to take its place in another layer of the pool (part.h).
 */
#include <errno.h>
#include <time.h>

#include "ept/ahead.h"
#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/fault.h"
#include "ept/part.h"

/* Entries of stage 2: all of guest RAM may be read, written and executed. */
#define FLAGS	  (HPT_PRESENT | HPT_WRITE)
#define IN_WINDOW (HPT_SOFT | HPT_ACCESSED)

uint64_t ept_nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What an entry says of a page that is being given to the window. */
static uint64_t in_window(const struct ept *ept, const struct ept_fill *fill)
{
	return IN_WINDOW | (ept->config.track && fill->is_write ? HPT_DIRTY : 0);
}

uint64_t ept_pages_behind(const struct ept *ept, uint64_t gfn, uint64_t wanted)
{
	uint64_t end = ept_block_start(gfn) + EPT_BLOCK_PAGES;

	for (unsigned int i = 0; i < ept->config.range_count; i++) {
		const struct ept_range *range = &ept->config.ranges[i];
		uint64_t range_end = (range->start + range->size) >> HPT_PAGE_SHIFT;

		if (gfn >= range->start >> HPT_PAGE_SHIFT && gfn < range_end && range_end < end)
			end = range_end;
	}
	return end - gfn < wanted ? end - gfn : wanted;
}

/*
 * How many pages a first touch of `gfn` shall get. None of them costs another page its frame, and
 * none seems to be used while that is tracked.
 */
static uint64_t width_of(const struct ept *ept, uint64_t gfn, const struct ept_stream *stream)
{
	uint64_t width = ept_around_width(stream, ept->config.around);
	uint64_t left = ept->pool.limit - ept->pool.frames;

	if (ept->config.track)
		return 1;
	return ept_pages_behind(ept, gfn, width < left ? width : left);
}

static void set_run(struct ept_fill *fill, uint64_t first, uint64_t pages)
{
	fill->first = first;
	fill->pages = (unsigned int)pages;
}

/* Maps the page and those behind it that have no entry either, up to `width`. */
static int map_run(struct ept *ept, struct ept_fill *fill, uint64_t width)
{
	struct hpt_key key = hpt_key(0, fill->gfn, HPT_4K);
	int ret = -EEXIST;

	for (; width > 1 && ret == -EEXIST; width /= 2) {
		if (!ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, width))
			continue;
		ret = hpt_map_range(&ept->table, key, width, fill->entry);
		set_run(fill, fill->gfn, width);
	}
	if (ret != -EEXIST)
		return ret;
	(void)ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, 1);
	set_run(fill, fill->gfn, 1);
	return hpt_map(&ept->table, key, fill->entry);
}

/* Takes the frames of a whole block, if nobody else has any. */
static bool claim_whole(struct ept *ept, uint64_t start)
{
	uint64_t frame = ept_window_frame(&ept->window, start << HPT_PAGE_SHIFT);
	unsigned int count = ept_frames_claim(ept, start, EPT_BLOCK_PAGES);

	if (count < EPT_BLOCK_PAGES && count)
		ept_frames_drop(ept, frame, count);
	return count == EPT_BLOCK_PAGES;
}

/* Maps the page's whole block, if that may be: then *ret says how that went. */
static bool map_whole(struct ept *ept, struct ept_fill *fill, uint64_t flags, int *ret)
{
	uint64_t start = ept_block_start(fill->gfn);
	uint64_t frame = ept_window_frame(&ept->window, start << HPT_PAGE_SHIFT);

	if (!ept_block_is_free(ept, fill->gfn) ||
	    ept_transit_has_others(&ept->transit, fill->gfn, start, EPT_BLOCK_PAGES) ||
	    !claim_whole(ept, start))
		return false;
	(void)ept_transit_widen(&ept->transit, fill->gfn, start, EPT_BLOCK_PAGES);
	set_run(fill, start, EPT_BLOCK_PAGES);
	*ret = hpt_map(&ept->table, hpt_key(0, start, HPT_2M), hpt_entry(frame, flags) | HPT_LARGE);
	fill->entry = hpt_entry(frame + (fill->gfn - start), flags) | HPT_LARGE;
	if (*ret < 0)
		ept_frames_drop(ept, frame, EPT_BLOCK_PAGES);
	return true;
}

/* Maps the page, and those behind it as far as they may be, up to `width`. */
static int map_small(struct ept *ept, struct ept_fill *fill, uint64_t width, uint64_t flags,
		     const char **reason)
{
	unsigned int count = ept_frames_claim(ept, fill->gfn, (unsigned int)width);
	unsigned int kept;
	int ret;

	fill->place.frame = ept_window_frame(&ept->window, fill->gfn << HPT_PAGE_SHIFT);
	if (!count && ept_place_claim(ept, fill->gfn, &fill->place) < 0) {
		ret = ept_block_move(ept, fill->gfn, reason);
		return ret < 0 ? ret : ept_find(ept, fill->gfn, &fill->entry, NULL);
	}
	fill->entry = hpt_entry(fill->place.frame, flags | (fill->place.is_moved ? IN_WINDOW : 0));
	ret = map_run(ept, fill, count ? count : 1);
	kept = ret < 0 ? 0 : fill->pages;
	if (ret < 0 && !count)
		ept_place_give_up(ept, fill->gfn, &fill->place);
	else if (ept->family->users && count > kept)
		ept_frames_drop(ept, fill->place.frame + kept, count - kept);
	if (ret < 0)
		return -ENOMEM;
	ept_block_note(ept, fill->gfn, (int)fill->pages, 0);
	(void)ept_pool_take(&ept->pool, fill->pages); /* there is room */
	ept_clock_arrived(ept, fill->first, fill->pages);
	return 0;
}

/* A page without an entry gets its frame, and others beside it may. */
static int assign(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	struct ept_stream *stream;
	uint64_t begin = ept_nanoseconds();
	int ret = ept_make_room(ept, 1, reason);
	uint64_t flags;

	fill->waited_ns = ept_nanoseconds() - begin;
	if (ret < 0)
		return ret;
	*reason = EPT_NO_TABLE_MEMORY;
	flags = FLAGS | (to_window ? in_window(ept, fill) : 0);
	if (map_whole(ept, fill, flags, &ret)) {
		if (ret < 0)
			return -ENOMEM;
		(void)ept_pool_take(&ept->pool, fill->pages); /* there is room */
		ept_clock_arrived(ept, fill->first, fill->pages);
		return 0;
	}
	stream = ept_around_stream(&ept->around, fill->gfn);
	ret = map_small(ept, fill, to_window ? width_of(ept, fill->gfn, stream) : 1, flags, reason);
	if (ret == 0)
		ept_around_note(stream, fill->pages);
	return ret;
}

/* Notes that the window has the page, or with its entry the whole block. */
static int mark(struct ept *ept, struct ept_fill *fill)
{
	uint64_t start = ept_block_start(fill->gfn);
	bool whole = fill->entry & HPT_LARGE;
	struct hpt_key key = whole ? hpt_key(0, start, HPT_2M) : hpt_key(0, fill->gfn, HPT_4K);

	if (!(in_window(ept, fill) & ~fill->entry))
		return 0;
	if (whole && ept_transit_widen(&ept->transit, fill->gfn, start, EPT_BLOCK_PAGES))
		set_run(fill, start, EPT_BLOCK_PAGES);
	return hpt_change(&ept->table, key, 0, in_window(ept, fill));
}

/* A page with a frame. */
static int find(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	uint64_t entry = fill->entry;

	if (!(entry & HPT_PRESENT) || hpt_frame(entry) >= ept_pool_size(&ept->pool)) {
		*reason = "the stage-2 table names a frame that the pool does not have";
		return -EIO;
	}
	fill->found = !(entry & HPT_SOFT)    ? EPT_LOADED
		      : entry & HPT_ACCESSED ? EPT_INSTALLED
					     : EPT_RESCUED;
	if (to_window && mark(ept, fill) == -ENOMEM) {
		*reason = EPT_NO_TABLE_MEMORY;
		return -ENOMEM;
	}
	fill->is_common = fill->pages > 1 ? ept_block_is_common(ept->family, ept_fill_frame(fill))
					  : ept_frame_is_common(ept->family, hpt_frame(entry));
	return 0;
}

/* A page that is swapped out. */
static int bring_back(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	uint64_t location = hpt_swap_location(fill->entry);
	uint64_t begin = ept_nanoseconds();
	int ret = ept_bring_back(ept, fill->gfn, &fill->entry, reason);

	fill->waited_ns = ept_nanoseconds() - begin;
	if (ret == 0)
		ret = find(ept, fill, to_window, reason);
	fill->found = EPT_RETURNED;
	if (ret == 0 && to_window && ept->config.around > 1 && !ept->config.track) {
		begin = ept_nanoseconds();
		ept_read_ahead(ept, fill, location);
		fill->waited_ns += ept_nanoseconds() - begin;
	}
	return ret;
}

/* A page whose frame a clone has as well, and that has to have its own. */
static int part(struct ept *ept, struct ept_fill *fill, const char **reason)
{
	uint64_t begin = ept_nanoseconds();
	int ret = ept_part(ept, fill, reason);

	fill->waited_ns = ept_nanoseconds() - begin;
	return ret;
}

/*
 * A page that shares its frame and is written. A miss on one is a write: reads are not watched.
 */
static int make_own(struct ept *ept, struct ept_fill *fill, const char **reason)
{
	uint64_t begin = ept_nanoseconds();
	int ret = ept_unshare(ept, fill->gfn, &fill->entry, reason);

	fill->found = EPT_UNSHARED;
	fill->waited_ns = ept_nanoseconds() - begin;
	return ret;
}

/* Puts the page in transit, once it is not. */
static void claim(struct ept *ept, uint64_t gfn)
{
	while (ept_transit_has(&ept->transit, gfn, 1) || ept_transit_add(&ept->transit, gfn, 1) < 0)
		ept_transit_wait(&ept->transit, &ept->lock);
}

static int merge(struct ept *ept, uint64_t gfn, const char **reason)
{
	int ret = ept_block_merge(ept, gfn);

	if (ret < 0)
		*reason = EPT_NO_TABLE_MEMORY;
	return ret;
}

static int fill_once(struct ept *ept, uint64_t gfn, enum ept_access access, struct ept_fill *fill,
		     const char **reason)
{
	bool to_window = access == EPT_MISS || access == EPT_MISS_WRITE;
	struct hpt_ledger *ledger = to_window ? &ept->ledger : NULL;
	uint64_t begin;
	int ret;

	*fill = (struct ept_fill){.gfn = gfn,
				  .found = EPT_NEW,
				  .first = gfn,
				  .pages = 1,
				  .is_write = access == EPT_MISS_WRITE};
	claim(ept, gfn);
	begin = ept_nanoseconds();
	ret = ept_find(ept, gfn, &fill->entry, ledger);
	if (ret == 0 && fill->entry & HPT_LARGE && access != EPT_READ)
		ept_split_common(ept, gfn, access, &fill->entry);
	if (ret < 0)
		ret = assign(ept, fill, to_window, reason);
	else if (fill->entry & HPT_SWAPPED)
		ret = bring_back(ept, fill, to_window, reason);
	else if (ept_must_part(ept, fill->entry, access))
		ret = part(ept, fill, reason);
	else if (access != EPT_READ && ept_is_shared_frame(&ept->dedup, hpt_frame(fill->entry)))
		ret = make_own(ept, fill, reason);
	else
		ret = find(ept, fill, to_window, reason);
	if (ret == 0 &&
	    (fill->found == EPT_NEW || fill->found == EPT_RETURNED || fill->found == EPT_UNSHARED))
		ret = merge(ept, gfn, reason);
	fill->lookup_ns = ept_nanoseconds() - begin - fill->waited_ns;
	if (ret < 0)
		ept_filled(ept, fill);
	return ret;
}

/* Who had to wait for others, having nothing in transit, begins again. */
int ept_fill(struct ept *ept, uint64_t gfn, enum ept_access access, struct ept_fill *fill,
	     const char **reason)
{
	int ret;

	while ((ret = fill_once(ept, gfn, access, fill, reason)) == -EAGAIN)
		ept_transit_wait(&ept->transit, &ept->lock);
	return ret;
}

void ept_filled(struct ept *ept, const struct ept_fill *fill)
{
	ept_transit_remove(&ept->transit, fill->first);
}
