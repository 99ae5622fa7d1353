/* SPDX-License-Identifier: MIT */
/* Pages that part from those of a clone (see part.h). */
#include <errno.h>
#include <string.h>

#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/part.h"

static gpa_t gpa_of(uint64_t gfn)
{
	return gfn << HPT_PAGE_SHIFT;
}

static uint8_t *layer_of(const struct ept *ept, uint64_t gfn)
{
	return ept_window_layer(&ept->window, gpa_of(gfn));
}

/* A page's frame in a layer. */
static uint64_t frame_in(const struct ept *ept, uint64_t gfn, unsigned int layer)
{
	return ept_window_frame_in(&ept->window, gpa_of(gfn), layer);
}

/* Takes the page's frame in the member's own layer, or else in one where nobody has it. */
static unsigned int claim_elsewhere(struct ept *ept, uint64_t gfn)
{
	struct ept_family *family = ept->family;
	unsigned int layer = ept->layer;

	pthread_mutex_lock(&family->lock);
	for (unsigned int i = 0; family->users[frame_in(ept, gfn, layer)]; i++)
		layer = i; /* members have at most one each, and layers are more */
	__atomic_store_n(&family->users[frame_in(ept, gfn, layer)], 1, __ATOMIC_RELAXED);
	family->live[layer]++;
	pthread_mutex_unlock(&family->lock);
	return layer;
}

/* The mappings of the page and what lies beside it. */
static int pieces_beside(const struct ept *ept, uint64_t gfn)
{
	const struct ept_range *range = ept->config.ranges;
	gpa_t start = gpa_of(gfn), end = start + HPT_PAGE_SIZE;

	while (range->start + range->size <= start)
		range++;
	start -= start > range->start ? HPT_PAGE_SIZE : 0;
	end += end < range->start + range->size ? HPT_PAGE_SIZE : 0;
	return (int)ept_window_pieces(&ept->window, start, end - start);
}

int ept_place_claim(struct ept *ept, uint64_t gfn, struct ept_place *place)
{
	uint8_t *layer;
	int pieces;

	*place = (struct ept_place){.frame = ept_window_frame(&ept->window, gpa_of(gfn))};
	if (ept_frames_claim(ept, gfn, 1))
		return 0;
	layer = layer_of(ept, gfn);
	place->is_moved = true;
	place->before = *layer;
	pieces = pieces_beside(ept, gfn);
	*layer = (uint8_t)claim_elsewhere(ept, gfn);
	place->frame = ept_window_frame(&ept->window, gpa_of(gfn));
	if (ept_family_map(ept, pieces_beside(ept, gfn) - pieces))
		return 0;
	ept_frames_drop(ept, place->frame, 1);
	*layer = place->before;
	return -ENOSPC;
}

void ept_place_give_up(struct ept *ept, uint64_t gfn, const struct ept_place *place)
{
	int pieces;

	ept_frames_drop(ept, place->frame, 1);
	if (!place->is_moved)
		return;
	pieces = pieces_beside(ept, gfn);
	*layer_of(ept, gfn) = place->before;
	ept_family_map_back(ept, pieces_beside(ept, gfn) - pieces);
}

int ept_place_show(struct ept *ept, uint64_t gfn, const struct ept_place *place)
{
	if (!place->is_moved || ept_window_show(&ept->window, ept->pool.fd, gpa_of(gfn), 1) == 0)
		return 0;
	ept_close_block(ept, gpa_of(gfn));
	return -EIO;
}

/* Accesses for which a common page would have to part. */
static bool wants_own(const struct ept *ept, enum ept_access access)
{
	return access == EPT_WRITE || access == EPT_MISS_WRITE ||
	       (access == EPT_MISS && ept_window_protects_late(&ept->window));
}

void ept_split_common(struct ept *ept, uint64_t gfn, enum ept_access access, uint64_t *entry)
{
	uint64_t first = hpt_frame(*entry) - (gfn - ept_block_start(gfn));

	if (wants_own(ept, access) && ept_block_is_common(ept->family, first) &&
	    ept_block_split(ept, gfn) == 0)
		*entry &= ~HPT_LARGE;
}

bool ept_must_part(const struct ept *ept, uint64_t entry, enum ept_access access)
{
	uint64_t frame = hpt_frame(entry);

	if (!hpt_resident(entry) || frame >= ept_pool_size(&ept->pool) || !wants_own(ept, access))
		return false;
	/* One of a whole block that could not be split would be written with all of it. */
	return entry & HPT_LARGE
		       ? ept_block_is_common(ept->family, frame & ~(uint64_t)(EPT_BLOCK_PAGES - 1))
		       : ept_frame_is_common(ept->family, frame);
}

/* A copy of a frame that nobody writes, in one that nobody has seen. */
static int copy_frame(const struct ept *ept, uint64_t from, uint64_t to, const char **reason)
{
	*reason = EPT_NO_FRAME;
	if (ept_pool_populate(&ept->pool, to, 1) < 0)
		return -ENOMEM;
	memcpy(ept_pool_frame(&ept->pool, to), ept_pool_frame(&ept->pool, from), HPT_PAGE_SIZE);
	return 0;
}

/* What an entry says of a page that the window shows in a new frame. */
static uint64_t shown(const struct ept *ept, uint64_t entry, uint64_t frame)
{
	return hpt_entry(frame, (entry & HPT_FLAGS_MASK) | HPT_WRITE | HPT_SOFT | HPT_ACCESSED |
					(ept->config.track ? HPT_DIRTY : 0));
}

/* Copies the page to its place, where nobody sees it yet, and changes its entry. */
static int move_page(struct ept *ept, uint64_t gfn, const struct ept_place *place, uint64_t *entry,
		     const char **reason)
{
	uint64_t old = hpt_frame(*entry);
	int ret;

	/* Others read the old frame at most, and this page keeps it meanwhile. */
	pthread_mutex_unlock(&ept->lock);
	ret = copy_frame(ept, old, place->frame, reason);
	pthread_mutex_lock(&ept->lock);
	if (ret < 0)
		return ret;
	*reason = EPT_NO_TABLE_MEMORY;
	ret = ept_set_entry(ept, gfn, shown(ept, *entry, place->frame));
	if (ret < 0)
		return ret;
	*entry = shown(ept, *entry, place->frame);
	ept_frames_drop(ept, old, 1);
	ept->counts.parted++;
	return 0;
}

int ept_part(struct ept *ept, struct ept_fill *fill, const char **reason)
{
	struct ept_place place;
	int ret;

	fill->found = EPT_UNSHARED;
	*reason = EPT_NO_TABLE_MEMORY;
	if (fill->entry & HPT_LARGE) /* it could not be split */
		return -ENOMEM;
	ret = ept_place_claim(ept, fill->gfn, &place);
	if (ret == -ENOSPC) {
		ret = ept_block_move(ept, fill->gfn, reason);
		return ret < 0 ? ret : ept_find(ept, fill->gfn, &fill->entry, NULL);
	}
	ret = move_page(ept, fill->gfn, &place, &fill->entry, reason);
	if (ret < 0) {
		ept_place_give_up(ept, fill->gfn, &place);
		return ret;
	}
	*reason = EPT_NOT_EXCHANGED;
	return ept_place_show(ept, fill->gfn, &place);
}
