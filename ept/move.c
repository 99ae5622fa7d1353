/* SPDX-License-Identifier: MIT */
/* Blocks that move to one layer as a whole, where mappings for their pages are spent (part.h). */
#include <errno.h>
#include <string.h>

#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/origin.h"
#include "ept/part.h"

#define FLAGS (HPT_PRESENT | HPT_WRITE | HPT_SOFT | HPT_ACCESSED)

struct move {
	struct ept *ept;
	uint64_t first; /* page */
	unsigned int pages;
	unsigned int layer;
	uint64_t frame;			   /* of the first page in that layer */
	uint64_t entries[EPT_BLOCK_PAGES]; /* as they are; 0: none */
	bool is_claimed[EPT_BLOCK_PAGES];  /* the frame in the layer was not the page's before */
	unsigned int taken;		   /* frames that were counted for pages without one */
};

/* The pages of the block in the range of guest memory that the page is in. */
static void find_pages(struct move *move, uint64_t gfn)
{
	const struct ept_range *range = move->ept->config.ranges;
	uint64_t start = ept_block_start(gfn), end = start + EPT_BLOCK_PAGES;
	uint64_t range_start, range_end;

	while ((range->start + range->size) >> HPT_PAGE_SHIFT <= gfn)
		range++;
	range_start = range->start >> HPT_PAGE_SHIFT;
	range_end = (range->start + range->size) >> HPT_PAGE_SHIFT;
	move->first = start < range_start ? range_start : start;
	move->pages = (unsigned int)((end < range_end ? end : range_end) - move->first);
}

static uint64_t note_entry(void *context, struct hpt_key key, uint64_t entry)
{
	struct move *move = context;

	move->entries[key.vpn - move->first] = entry;
	return entry;
}

static bool has_frame(const struct move *move, unsigned int page, uint64_t frame)
{
	return hpt_resident(move->entries[page]) && hpt_frame(move->entries[page]) == frame;
}

/* Takes the block's frames in a layer, if no other member has any of them. */
static bool claim_layer(struct move *move, unsigned int layer)
{
	struct ept *ept = move->ept;
	struct ept_family *family = ept->family;
	bool is_free = true;

	move->frame = ept_window_frame_in(&ept->window, move->first << HPT_PAGE_SHIFT, layer);
	pthread_mutex_lock(&family->lock);
	for (unsigned int i = 0; i < move->pages && is_free; i++)
		is_free = family->users[move->frame + i] == has_frame(move, i, move->frame + i);
	for (unsigned int i = 0; i < move->pages && is_free; i++) {
		move->is_claimed[i] = !family->users[move->frame + i];
		family->live[layer] += move->is_claimed[i];
		__atomic_store_n(&family->users[move->frame + i], 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&family->lock);
	move->layer = layer;
	return is_free;
}

static bool claim(struct move *move)
{
	if (claim_layer(move, move->ept->layer))
		return true;
	for (unsigned int layer = 0; layer < EPT_LAYERS; layer++) {
		if (claim_layer(move, layer))
			return true;
	}
	return false;
}

/* Counts frames for the pages that have none. */
static int take_frames(struct move *move, const char **reason)
{
	struct ept *ept = move->ept;
	int ret = 0;

	for (unsigned int i = 0; i < move->pages && ret == 0; i++) {
		if (hpt_resident(move->entries[i]))
			continue;
		ret = ept_make_room(ept, 1, reason);
		if (ret == 0) {
			(void)ept_pool_take(&ept->pool, 1); /* there is room */
			move->taken++;
		}
	}
	return ret;
}

/* Without the lock: nobody else is at the block. */
static int fill_frames(const struct move *move, const char **reason)
{
	const struct ept *ept = move->ept;
	int ret = ept_pool_populate(&ept->pool, move->frame, move->pages);

	*reason = EPT_NO_FRAME;
	for (unsigned int i = 0; i < move->pages && ret == 0; i++) {
		uint64_t entry = move->entries[i];
		void *page = ept_pool_frame(&ept->pool, move->frame + i);

		if (!move->is_claimed[i] || !entry)
			continue;
		if (hpt_resident(entry))
			memcpy(page, ept_pool_frame(&ept->pool, hpt_frame(entry)), HPT_PAGE_SIZE);
		else if (hpt_swap_location(entry) != EPT_SWAP_ZERO)
			ret = ept_away_read(ept, hpt_swap_location(entry), move->first + i, 1, page,
					    reason);
	}
	return ret;
}

/* One page of the block has its new frame: the table says so. */
static int change_entry(struct move *move, unsigned int page, uint64_t gfn)
{
	struct ept *ept = move->ept;
	uint64_t old = move->entries[page];
	struct hpt_key key = hpt_key(0, move->first + page, HPT_4K);
	uint64_t entry = hpt_entry(move->frame + page, (old & HPT_DIRTY) | FLAGS);
	int ret = old ? ept_set_entry(ept, key.vpn, entry) : hpt_map(&ept->table, key, entry);

	if (ret < 0)
		return ret;
	if (hpt_resident(old)) {
		if (move->is_claimed[page]) {
			ept_frames_drop(ept, hpt_frame(old), 1);
			ept->counts.parted++;
		}
		return 0;
	}
	move->taken--;
	ept_block_note(ept, key.vpn, 1, old ? -1 : 0);
	if (old)
		ept_count_return(ept, hpt_swap_location(old));
	else
		ept->counts.around += key.vpn != gfn;
	ept_clock_arrived(ept, key.vpn, 1);
	return 0;
}

static void give_up(struct move *move)
{
	for (unsigned int i = 0; i < move->pages; i++) {
		if (move->is_claimed[i])
			ept_frames_drop(move->ept, move->frame + i, 1);
	}
	ept_pool_give_back(&move->ept->pool, move->taken);
}

/* Everything that may fail without harm. */
static int prepare(struct move *move, const char **reason)
{
	struct ept *ept = move->ept;
	int ret = take_frames(move, reason);

	if (ret < 0)
		return ret;
	*reason = EPT_NOT_TAKEN_OUT;
	if (ept_window_take_out(&ept->window, move->first << HPT_PAGE_SHIFT,
				move->pages * HPT_PAGE_SIZE) < 0)
		return -EIO;
	pthread_mutex_unlock(&ept->lock);
	ret = fill_frames(move, reason);
	pthread_mutex_lock(&ept->lock);
	return ret;
}

/* The window shows the new layer, in one piece. */
static int show(struct move *move)
{
	struct ept *ept = move->ept;
	gpa_t start = move->first << HPT_PAGE_SHIFT;
	uint64_t size = move->pages * HPT_PAGE_SIZE;
	int pieces = (int)ept_window_pieces(&ept->window, start, size);

	memset(ept_window_layer(&ept->window, start), (int)move->layer, move->pages);
	ept_family_map_back(ept, 1 - pieces); /* the neighbours may be a piece with it, or not */
	return ept_window_show(&ept->window, ept->pool.fd, start, move->pages);
}

static int change(struct move *move, uint64_t gfn, const char **reason)
{
	struct ept *ept = move->ept;
	int ret = 0;

	*reason = EPT_NO_TABLE_MEMORY;
	for (unsigned int i = 0; i < move->pages && ret == 0; i++) {
		ret = change_entry(move, i, gfn);
		if (ret == 0)
			move->is_claimed[i] = false; /* it is the page's */
	}
	if (ret == 0) {
		*reason = EPT_NOT_EXCHANGED;
		ret = show(move) < 0 ? -EIO : 0;
	}
	if (ret < 0)
		ept_close_block(ept, gfn << HPT_PAGE_SHIFT);
	return ret;
}

int ept_block_move(struct ept *ept, uint64_t gfn, const char **reason)
{
	struct move move = {.ept = ept};
	int ret;

	find_pages(&move, gfn);
	if (!ept_transit_widen(&ept->transit, gfn, move.first, move.pages))
		return -EAGAIN;
	(void)hpt_visit_range(&ept->table, hpt_key(0, move.first, HPT_4K), move.pages, note_entry,
			      &move);
	*reason = EPT_NO_MAPPING;
	ret = claim(&move) ? prepare(&move, reason) : -ENOSPC;
	if (ret == 0)
		ret = change(&move, gfn, reason);
	if (ret < 0)
		give_up(&move);
	(void)ept_transit_widen(&ept->transit, move.first, gfn, 1);
	return ret;
}

struct alone {
	const struct ept *ept;
	unsigned int pages;
};

static uint64_t look(void *context, struct hpt_key key, uint64_t entry)
{
	struct alone *alone = context;
	uint64_t frame = ept_window_frame(&alone->ept->window, key.vpn << HPT_PAGE_SHIFT);

	alone->pages += hpt_resident(entry) && hpt_frame(entry) == frame &&
			!ept_frame_is_common(alone->ept->family, frame);
	return entry;
}

bool ept_block_is_alone(struct ept *ept, uint64_t start)
{
	struct alone alone = {.ept = ept};

	if (ept_window_pieces(&ept->window, start << HPT_PAGE_SHIFT, EPT_BLOCK_SIZE) > 1)
		return false;
	(void)hpt_visit_range(&ept->table, hpt_key(0, start, HPT_4K), HPT_LARGE_PAGES, look,
			      &alone);
	return alone.pages == HPT_LARGE_PAGES;
}
