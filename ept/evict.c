/* SPDX-License-Identifier: MIT */
/* Making room (see evict.h). */
#include <errno.h>

#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/origin.h"
#include "ept/part.h"
#include "ept/pinned.h"

/* Pages that a hand looks at in one go: eight lines of a clustered table. */
#define STRIDE UINT64_C(64)

/* The least that the front hand leads, in pages. */
#define LEAD_MIN 64

/* Pages that lose their frames together. */
struct batch {
	struct ept *ept;
	uint64_t slots; /* the first of those in a row that are taken for them */
	unsigned int room;
	unsigned int written; /* of them, so many are used */
	unsigned int zeros;
	uint64_t gfns[EPT_SWAP_RUN]; /* of pages that are written */
	void *pages[EPT_SWAP_RUN];
	uint64_t zero_gfns[EPT_SWAP_RUN];
};

/* What a hand finds on its way: a bit a page, from `first` on. */
struct stride {
	struct batch *batch;
	struct ept *ept;
	uint64_t first;
	uint64_t frames; /* pages that have frames */
	uint64_t going;	 /* those that lose them now */
	uint64_t left;	 /* those that would, but for the batch, which is full */
};

static uint64_t bit_of(const struct stride *stride, struct hpt_key key)
{
	return UINT64_C(1) << (key.vpn - stride->first);
}

/* Whether the page has its own frame: one with another is never taken, and stays. */
static bool can_go(const struct ept *ept, struct hpt_key key, uint64_t entry)
{
	return hpt_resident(entry) &&
	       hpt_frame(entry) == ept_window_frame(&ept->window, key.vpn << HPT_PAGE_SHIFT);
}

static uint64_t look(void *context, struct hpt_key key, uint64_t entry)
{
	struct stride *stride = context;

	if (can_go(stride->ept, key, entry))
		stride->frames |= bit_of(stride, key);
	return entry;
}

static uint64_t clear_accessed(void *context, struct hpt_key key, uint64_t entry)
{
	struct stride *stride = context;
	struct ept *ept = stride->ept;

	if (!can_go(ept, key, entry) || ept_transit_has(&ept->transit, key.vpn, 1))
		return entry;
	return entry & ~HPT_ACCESSED;
}

/* The whole block where a hand is, if it is one: true, and its pages up to the other hand. */
static bool at_whole(const struct ept *ept, const struct ept_hand *hand,
		     const struct ept_hand *other, uint64_t *entry, uint64_t *count)
{
	uint64_t gfn = ept_clock_page(ept, hand);
	struct hpt_key key = hpt_key(0, ept_block_start(gfn), HPT_2M);

	if (ept->config.host_pages == EPT_4K || hpt_lookup(&ept->table, key, entry, NULL) < 0)
		return false;
	*count = ept_clock_up_to(hand, other, key.vpn + HPT_LARGE_PAGES - gfn);
	return true;
}

/* A whole block goes out of the window as one. */
static int pass_whole(struct ept *ept, uint64_t gfn)
{
	uint64_t start = ept_block_start(gfn);

	if (ept_transit_has(&ept->transit, start, HPT_LARGE_PAGES))
		return 0;
	if (ept_window_take_out(&ept->window, start << HPT_PAGE_SHIFT, EPT_BLOCK_SIZE) < 0)
		return -EIO;
	return hpt_change(&ept->table, hpt_key(0, start, HPT_2M), HPT_ACCESSED, 0);
}

/* The same for pages. None that is still in the window loses its A: it could be written there. */
static int pass_pages(struct ept *ept, struct stride *stride, uint64_t count)
{
	struct hpt_key key = hpt_key(0, stride->first, HPT_4K);

	if (hpt_visit_range(&ept->table, key, count, look, stride) < 0)
		return -ENOMEM; /* cannot be: it changes nothing */
	if (!stride->frames)
		return 0;
	if (ept_window_take_out(&ept->window, stride->first << HPT_PAGE_SHIFT,
				count << HPT_PAGE_SHIFT) < 0)
		return -EIO;
	return hpt_visit_range(&ept->table, key, count, clear_accessed, stride) < 0 ? -ENOMEM : 0;
}

/* The front hand takes its stride out of the window. Pages in transit there only miss once more. */
static int advance_front(struct ept *ept)
{
	struct stride stride = {.ept = ept, .first = ept_clock_page(ept, &ept->front)};
	uint64_t entry, count;
	int ret;

	if (ept_is_pinned(ept, stride.first)) { /* it stays, whatever happens */
		count = ept_clock_part(ept, &ept->front, &ept->back, EPT_BLOCK_PAGES);
		ept_clock_move_front(ept, count, 0);
		return 0;
	}
	if (at_whole(ept, &ept->front, &ept->back, &entry, &count)) {
		ret = pass_whole(ept, stride.first);
		if (ret == 0)
			ept_clock_move_front(ept, count, count);
		return ret;
	}
	count = ept_clock_part(ept, &ept->front, &ept->back, STRIDE);
	ret = pass_pages(ept, &stride, count);
	if (ret == 0)
		ept_clock_move_front(ept, count, (unsigned int)__builtin_popcountll(stride.frames));
	return ret;
}

/* Notes a page that goes: it is in transit from now on. No entry changes yet. */
static uint64_t send_off(void *context, struct hpt_key key, uint64_t entry)
{
	struct stride *stride = context;
	struct batch *batch = stride->batch;
	struct ept *ept = stride->ept;
	unsigned int room;
	bool is_zero;
	void *page;

	if (!can_go(ept, key, entry))
		return entry;
	stride->frames |= bit_of(stride, key);
	if (entry & HPT_ACCESSED || ept_transit_has(&ept->transit, key.vpn, 1))
		return entry;
	page = ept_pool_frame(&ept->pool, hpt_frame(entry));
	is_zero = ept_swap_is_zero(page);
	room = is_zero ? EPT_SWAP_RUN : batch->room;
	if (!room) /* the swap file is full */
		return entry;
	if ((is_zero ? batch->zeros : batch->written) == room ||
	    ept_transit_add(&ept->transit, key.vpn, 1) < 0) {
		stride->left |= bit_of(stride, key);
		return entry;
	}
	stride->going |= bit_of(stride, key);
	if (is_zero) {
		batch->zero_gfns[batch->zeros++] = key.vpn;
	} else {
		batch->pages[batch->written] = page;
		batch->gfns[batch->written++] = key.vpn;
	}
	return entry;
}

/*
 * The back hand marks the pages of its stride that go. It stops at the first that the batch has no
 * room for: were it passed, it would keep its frame, which nobody uses, for another round.
 */
static int advance_back(struct ept *ept, struct batch *batch)
{
	struct stride stride = {
		.batch = batch, .ept = ept, .first = ept_clock_page(ept, &ept->back)};
	uint64_t entry, count;

	if (ept_is_pinned(ept, stride.first)) {
		count = ept_clock_part(ept, &ept->back, &ept->front, EPT_BLOCK_PAGES);
		ept_clock_move_back(ept, count, 0);
		return 0;
	}
	if (at_whole(ept, &ept->back, &ept->front, &entry, &count) &&
	    (entry & HPT_ACCESSED ||
	     ept_transit_has(&ept->transit, ept_block_start(stride.first), HPT_LARGE_PAGES) ||
	     ept_block_split(ept, stride.first) < 0)) {
		ept_clock_move_back(ept, count, count);
		return 0;
	}
	count = ept_clock_part(ept, &ept->back, &ept->front, STRIDE);
	if (hpt_visit_range(&ept->table, hpt_key(0, stride.first, HPT_4K), count, send_off,
			    &stride) < 0)
		return -ENOMEM; /* cannot be: it changes nothing */
	if (stride.left) {
		count = (unsigned int)__builtin_ctzll(stride.left);
		stride.frames &= ((UINT64_C(1) << count) - 1) | stride.going;
	}
	ept_clock_move_back(ept, count, (unsigned int)__builtin_popcountll(stride.frames));
	return 0;
}

/* Pages that lie side by side give their frames back together. */
static void drop_frames(struct ept *ept, const uint64_t *gfns, unsigned int count)
{
	for (unsigned int i = 0, end; i < count; i = end) {
		uint64_t frame = ept_window_frame(&ept->window, gfns[i] << HPT_PAGE_SHIFT);

		for (end = i + 1; end < count && gfns[end] == gfns[end - 1] + 1; end++) {
			if (ept_window_frame(&ept->window, gfns[end] << HPT_PAGE_SHIFT) !=
			    frame + (end - i))
				break;
		}
		ept_frames_drop(ept, frame, end - i);
	}
}

/*
 * Gives entries their swap locations, if `is_written`. A page whose entry cannot be changed, since
 * the table has no memory to part it from its neighbours, stays with its frame. How many go: those
 * come first in gfns then.
 */
static unsigned int change_entries(struct ept *ept, struct batch *batch, bool is_written)
{
	unsigned int going = 0;

	for (unsigned int i = 0; i < batch->written; i++) {
		uint64_t gfn = batch->gfns[i];

		if (is_written &&
		    !hpt_swap_out(&ept->table, hpt_key(0, gfn, HPT_4K), batch->slots + i, NULL)) {
			ept_block_note(ept, gfn, -1, 1);
			batch->gfns[going++] = gfn;
			continue;
		}
		ept_swap_free(ept->swap, batch->slots + i);
		ept_transit_remove(&ept->transit, gfn);
	}
	return going;
}

static unsigned int change_zero_entries(struct ept *ept, struct batch *batch)
{
	unsigned int going = 0;

	for (unsigned int i = 0; i < batch->zeros; i++) {
		uint64_t gfn = batch->zero_gfns[i];

		if (hpt_swap_out(&ept->table, hpt_key(0, gfn, HPT_4K), EPT_SWAP_ZERO, NULL) < 0) {
			ept_transit_remove(&ept->transit, gfn);
			continue;
		}
		ept_block_note(ept, gfn, -1, 1);
		batch->zero_gfns[going++] = gfn;
	}
	return going;
}

static void arrive(struct ept *ept, const uint64_t *gfns, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		ept_transit_remove(&ept->transit, gfns[i]);
}

/*
 * Writes a batch out, changes its entries, drops its frames. I/O is done without the lock. The
 * error of the device, or -ENOMEM if none of the pages could go.
 */
static int write_out(struct ept *ept, struct batch *batch)
{
	int ret = 0;

	ept->leaving++;
	pthread_mutex_unlock(&ept->lock);
	if (batch->written)
		ret = ept_swap_write(ept->swap, batch->slots, batch->written, batch->pages,
				     batch->gfns);
	if (ret == -ENOMEM) /* the device's, not the table's */
		ret = -EIO;
	pthread_mutex_lock(&ept->lock);
	batch->written = change_entries(ept, batch, ret == 0);
	batch->zeros = change_zero_entries(ept, batch);
	pthread_mutex_unlock(&ept->lock);
	drop_frames(ept, batch->gfns, batch->written);
	drop_frames(ept, batch->zero_gfns, batch->zeros);
	pthread_mutex_lock(&ept->lock);

	ept->leaving--;
	ept_pool_give_back(&ept->pool, batch->written + batch->zeros);
	ept->counts.swaps_out += batch->written;
	ept->counts.zeros_out += batch->zeros;
	arrive(ept, batch->gfns, batch->written);
	arrive(ept, batch->zero_gfns, batch->zeros);
	if (batch->zeros) /* there is room, whatever the device says */
		return 0;
	return ret == 0 && !batch->written ? -ENOMEM : ret;
}

static uint64_t lead_wanted(const struct ept *ept)
{
	uint64_t frames = ept->pool.frames - ept_pinned_pages(ept);
	uint64_t lead = (ept->pool.limit - ept_pinned_pages(ept)) / EPT_LEAD;

	if (lead < LEAD_MIN)
		lead = LEAD_MIN;
	return lead < frames ? lead : frames;
}

/* Finds pages that can go: their number is 0 if there is none in all of guest memory. */
static int choose(struct ept *ept, struct batch *batch)
{
	uint64_t total = ept_clock_pages(ept);

	/* Twice round: a page that was in the window when the front hand first passed may stay. */
	for (uint64_t strides = 0; strides < 4 * (total / STRIDE + EPT_RANGES_MAX); strides++) {
		int ret = ept->lead < lead_wanted(ept) ? advance_front(ept)
						       : advance_back(ept, batch);

		if (ret < 0 || batch->written || batch->zeros)
			return ret;
	}
	return 0;
}

/* Sends some pages away, or waits for those that another thread is sending. */
static int evict(struct ept *ept, const char **reason)
{
	struct batch batch = {.ept = ept};
	int taken = ept_swap_take(ept->swap, EPT_SWAP_RUN, &batch.slots);
	int ret;

	batch.room = taken > 0 ? (unsigned int)taken : 0;
	ret = choose(ept, &batch);
	for (unsigned int i = batch.room; i-- > batch.written;)
		ept_swap_free(ept->swap, batch.slots + i);
	if (ret == 0 && !batch.written && !batch.zeros) {
		if (ept->leaving) {
			ept_transit_wait(&ept->transit, &ept->lock);
			return 0;
		}
		*reason = taken > 0 ? "host memory exhausted: no page can go, all are in use"
				    : "host memory exhausted: all frames of --host-mem and all "
				      "of the swap file are in use";
		return -ENOMEM;
	}
	if (ret < 0) {
		*reason = ret == -EIO ? EPT_NOT_TAKEN_OUT : EPT_NO_TABLE_MEMORY;
		return ret;
	}
	ret = write_out(ept, &batch);
	switch (ret) {
	case 0:
		return 0;
	case -ENOMEM:
		*reason = EPT_NO_TABLE_MEMORY;
		return ret;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		*reason = "host memory exhausted: the swap file's device is full; fix: a larger "
			  "--host-mem, or --swap on another device";
		return -ENOSPC;
	default:
		*reason = "the swap file cannot be written: its device fails; fix: --swap on "
			  "another device";
		return -EIO;
	}
}

/*
 * The front hand sets out before the last frame is taken, so that when it is, pages have had time
 * to be touched since it passed: free frames and lead together are never less than what is wanted.
 */
static void set_out(struct ept *ept)
{
	uint64_t left = ept->pool.limit - ept->pool.frames;

	if (left + ept->lead < lead_wanted(ept))
		(void)advance_front(ept); /* without memory it does so later */
}

int ept_make_room(struct ept *ept, unsigned int frames, const char **reason)
{
	if (ept->swap->slots)
		set_out(ept);
	while (ept->pool.frames + frames > ept->pool.limit) {
		int ret = -ENOMEM;

		*reason = "host memory exhausted: all frames of --host-mem are in use";
		if (ept->swap->slots)
			ret = evict(ept, reason);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int fill_frame(struct ept *ept, uint64_t frame, uint64_t gfn, uint64_t location,
		      const char **reason)
{
	int ret = ept_pool_populate(&ept->pool, frame, 1);

	*reason = EPT_NO_FRAME;
	if (ret < 0 || location == EPT_SWAP_ZERO)
		return ret;
	return ept_away_read(ept, location, gfn, 1, ept_pool_frame(&ept->pool, frame), reason);
}

void ept_count_return(struct ept *ept, uint64_t location)
{
	if (ept_in_origin(location)) {
		ept->counts.restored++;
		return;
	}
	ept_swap_free(ept->swap, location);
	if (location == EPT_SWAP_ZERO)
		ept->counts.zeros_in++;
	else
		ept->counts.swaps_in++;
}

/* The page is in its frame. Where the window is going to show that, the entry says that it does. */
static int change_entry(struct ept *ept, uint64_t gfn, const struct ept_place *place)
{
	uint64_t flags = HPT_PRESENT | HPT_WRITE | HPT_SOFT | HPT_ACCESSED;

	return place->is_moved ? ept_set_entry(ept, gfn, hpt_entry(place->frame, flags))
			       : hpt_swap_in(&ept->table, hpt_key(0, gfn, HPT_4K), place->frame);
}

static int bring_to(struct ept *ept, uint64_t gfn, uint64_t location, struct ept_place *place,
		    const char **reason)
{
	int ret;

	(void)ept_pool_take(&ept->pool, 1); /* there is room */
	pthread_mutex_unlock(&ept->lock);
	ret = fill_frame(ept, place->frame, gfn, location, reason);
	pthread_mutex_lock(&ept->lock);
	if (ret == 0 && change_entry(ept, gfn, place) < 0) {
		*reason = EPT_NO_TABLE_MEMORY;
		ret = -ENOMEM;
	}
	if (ret < 0) {
		ept_pool_give_back(&ept->pool, 1);
		ept_place_give_up(ept, gfn, place);
		return ret;
	}
	ept_block_note(ept, gfn, 1, -1);
	ept_count_return(ept, location);
	ept_clock_arrived(ept, gfn, 1);
	*reason = EPT_NOT_EXCHANGED;
	return ept_place_show(ept, gfn, place);
}

int ept_bring_back(struct ept *ept, uint64_t gfn, uint64_t *entry, const char **reason)
{
	struct ept_place place;
	int ret = ept_make_room(ept, 1, reason);

	if (ret < 0)
		return ret;
	if (ept_place_claim(ept, gfn, &place) < 0)
		ret = ept_block_move(ept, gfn, reason);
	else
		ret = bring_to(ept, gfn, hpt_swap_location(*entry), &place, reason);
	return ret < 0 ? ret : hpt_lookup(&ept->table, hpt_key(0, gfn, HPT_4K), entry, NULL);
}
