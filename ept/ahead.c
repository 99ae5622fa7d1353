/* SPDX-License-Identifier: MIT */
/* Read-ahead (see ahead.h). */
#include "ept/ahead.h"

#include <string.h>

#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/origin.h"

/* Pages in a row, behind the one that came back. */
struct ahead {
	struct ept *ept;
	uint64_t gfn; /* of the first */
	uint64_t frame;
	uint64_t location;
	unsigned int pages;
};

/* Whether a page is at the place that goes on where the one before it is. */
static bool follows(const struct ahead *ahead, unsigned int i)
{
	const struct ept *ept = ahead->ept;
	uint64_t gfn = ahead->gfn + i, entry;

	return hpt_lookup(&ept->table, hpt_key(0, gfn, HPT_4K), &entry, NULL) == 0 &&
	       entry & HPT_SWAPPED && hpt_swap_location(entry) == ahead->location + i &&
	       hpt_swap_location(entry) != EPT_SWAP_ZERO &&
	       ept_window_frame(&ept->window, gfn << HPT_PAGE_SHIFT) == ahead->frame + i;
}

/* How many may come, of those that are wanted. */
static unsigned int count_pages(const struct ahead *ahead, uint64_t wanted)
{
	const struct ept *ept = ahead->ept;
	uint64_t left = ept->pool.limit - ept->pool.frames;
	unsigned int count = 0;

	if (wanted > left)
		wanted = left;
	while (count < wanted && follows(ahead, count) &&
	       !ept_transit_has(&ept->transit, ahead->gfn + count, 1))
		count++;
	return count;
}

/* Reads them without the lock: they are in transit. */
static bool read_pages(const struct ahead *ahead)
{
	struct ept *ept = ahead->ept;
	const char *reason;
	bool is_read;

	pthread_mutex_unlock(&ept->lock);
	is_read = ept_pool_populate(&ept->pool, ahead->frame, ahead->pages) == 0 &&
		  ept_away_read(ept, ahead->location, ahead->gfn, ahead->pages,
				ept_pool_frame(&ept->pool, ahead->frame), &reason) == 0;
	pthread_mutex_lock(&ept->lock);
	return is_read;
}

/* Their entries name their frames: of how many, as each may need memory. */
static unsigned int change_entries(const struct ahead *ahead)
{
	struct ept *ept = ahead->ept;
	uint64_t flags = HPT_PRESENT | HPT_WRITE | HPT_SOFT | HPT_ACCESSED;
	unsigned int done = 0;

	for (; done < ahead->pages; done++) {
		uint64_t gfn = ahead->gfn + done;

		if (ept_set_entry(ept, gfn, hpt_entry(ahead->frame + done, flags)) < 0)
			break;
		ept_block_note(ept, gfn, 1, -1);
		ept_count_return(ept, ahead->location + done);
	}
	ept->counts.ahead += done;
	if (done)
		ept_clock_arrived(ept, ahead->gfn, done);
	return done;
}

/* The number that came. */
static unsigned int bring(const struct ahead *ahead)
{
	struct ept *ept = ahead->ept;
	unsigned int done = 0;

	(void)ept_pool_take(&ept->pool, ahead->pages); /* there is room */
	if (read_pages(ahead))
		done = change_entries(ahead);
	if (done < ahead->pages) {
		ept_frames_drop(ept, ahead->frame + done, ahead->pages - done);
		ept_pool_give_back(&ept->pool, ahead->pages - done);
	}
	return done;
}

void ept_read_ahead(struct ept *ept, struct ept_fill *fill, uint64_t location)
{
	struct ept_stream *stream = ept_around_stream(&ept->ahead, fill->gfn);
	uint64_t width = ept_around_width(stream, ept->config.around);
	uint64_t wanted = ept_pages_behind(ept, fill->gfn, width) - 1;
	struct ahead ahead = {.ept = ept,
			      .gfn = fill->gfn + 1,
			      .frame = hpt_frame(fill->entry) + 1,
			      .location = location + 1};

	if (wanted > EPT_SWAP_RUN)
		wanted = EPT_SWAP_RUN;
	ahead.pages = count_pages(&ahead, wanted);
	if (ahead.pages)
		ahead.pages = ept_frames_claim(ept, ahead.gfn, ahead.pages);
	if (ahead.pages) {
		(void)ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, 1 + ahead.pages);
		ahead.pages = bring(&ahead);
		(void)ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, 1 + ahead.pages);
		fill->pages = 1 + ahead.pages;
	}
	ept_around_note(stream, fill->pages);
}
