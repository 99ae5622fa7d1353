/* SPDX-License-Identifier: MIT */
/* Sharing of frames (see dedup.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ept/clock.h"
#include "ept/dedup.h"
#include "ept/evict.h"
#include "ept/fault.h"
#include "ept/pinned.h"
#include "ept/sum.h"

#define IS_FRAME (UINT64_C(1) << 63)

int ept_dedup_create(struct ept_dedup *dedup, uint64_t pages, uint64_t first, uint64_t count)
{
	*dedup = (struct ept_dedup){.first = first, .count = count, .bits = 1};
	while (dedup->bits < 40 && UINT64_C(1) << dedup->bits < pages)
		dedup->bits++;
	dedup->places = calloc((size_t)1 << dedup->bits, sizeof(*dedup->places));
	dedup->sharers = calloc(count, sizeof(*dedup->sharers));
	if (dedup->places && dedup->sharers)
		return 0;
	ept_dedup_destroy(dedup);
	return -ENOMEM;
}

void ept_dedup_destroy(struct ept_dedup *dedup)
{
	free(dedup->places);
	free(dedup->sharers);
	*dedup = (struct ept_dedup){0};
}

static int free_frame(struct ept_dedup *dedup, uint64_t *frame)
{
	for (uint64_t i = 0; i < dedup->count; i++) {
		uint64_t number = (dedup->next_free + i) % dedup->count;

		if (!dedup->sharers[number]) {
			dedup->next_free = number + 1;
			*frame = dedup->first + number;
			return 0;
		}
	}
	return -ENOSPC;
}

static uint32_t *sharers_of(struct ept_dedup *dedup, uint64_t frame)
{
	return &dedup->sharers[frame - dedup->first];
}

/* One sharer less: the last one gives the frame back. */
static void leave(struct ept *ept, uint64_t frame)
{
	struct ept_dedup *dedup = &ept->dedup;

	if (--*sharers_of(dedup, frame))
		return;
	ept_pool_drop(&ept->pool, frame, 1);
	ept_pool_give_back(&ept->pool, 1);
	if (dedup->zero == frame + 1)
		dedup->zero = 0;
	ept->counts.shared_frames--;
}

/* Whether a page can be shared: it has its own frame, which is not pinned, and nobody is at it. */
static bool own_frame(struct ept *ept, uint64_t gfn, uint64_t *frame)
{
	uint64_t entry;

	if (ept_is_pinned(ept, gfn) || ept_transit_has(&ept->transit, gfn, 1) ||
	    hpt_lookup(&ept->table, hpt_key(0, gfn, HPT_4K), &entry, NULL) < 0 ||
	    !hpt_resident(entry))
		return false;
	*frame = hpt_frame(entry);
	return *frame == ept_window_frame(&ept->window, gfn << HPT_PAGE_SHIFT);
}

/* A page that could not be shared shows its own frame again, once it is touched. */
static void show_own(struct ept *ept, gpa_t gpa, uint64_t own)
{
	if (ept_window_unshare(&ept->window, ept->pool.fd, gpa, own) < 0 ||
	    ept_window_take_out(&ept->window, gpa, HPT_PAGE_SIZE) < 0)
		ept_close_block(ept, gpa);
}

/* Puts a page on a shared frame with the same content. */
static int share(struct ept *ept, uint64_t gfn, uint64_t frame)
{
	gpa_t gpa = gfn << HPT_PAGE_SHIFT;
	uint64_t own = ept_window_frame(&ept->window, gpa);
	uint64_t flags = HPT_PRESENT | HPT_SOFT | HPT_ACCESSED;
	int ret = ept_window_share(&ept->window, ept->pool.fd, gpa, frame);

	if (ret == -ENOSPC) /* there is no mapping for it: nothing has changed */
		return ret;
	if (ret == 0 && ept_set_entry(ept, gfn, hpt_entry(frame, flags)) < 0)
		ret = -ENOMEM; /* of the table: the page keeps its frame */
	if (ret < 0) {
		show_own(ept, gpa, own);
		return ret;
	}
	++*sharers_of(&ept->dedup, frame);
	ept_pool_drop(&ept->pool, own, 1);
	ept_pool_give_back(&ept->pool, 1);
	ept_block_note(ept, gfn, -1, 0);
	ept->counts.shared++;
	return 0;
}

/*
 * A new shared frame with the content of a page, or of zeros for NULL. For it the first page that
 * shares it gives a frame back before the lock is: only until then they may be one too many.
 */
static int make_frame(struct ept *ept, const void *page, uint64_t *frame)
{
	int ret = free_frame(&ept->dedup, frame);

	if (ret == 0)
		ret = ept_pool_populate(&ept->pool, *frame, 1);
	if (ret < 0)
		return ret;
	if (page)
		memcpy(ept_pool_frame(&ept->pool, *frame), page, HPT_PAGE_SIZE);
	ept->pool.frames++;
	ept->counts.shared_frames++;
	return 0;
}

/* A frame that nobody took after all. */
static void unmake_frame(struct ept *ept, uint64_t frame)
{
	*sharers_of(&ept->dedup, frame) = 1;
	leave(ept, frame);
}

static int share_zero(struct ept *ept, uint64_t gfn)
{
	struct ept_dedup *dedup = &ept->dedup;
	uint64_t frame;
	int ret;

	if (dedup->zero)
		return share(ept, gfn, dedup->zero - 1);
	ret = make_frame(ept, NULL, &frame);
	if (ret < 0)
		return ret;
	dedup->zero = frame + 1;
	ret = share(ept, gfn, frame);
	if (ret < 0)
		unmake_frame(ept, frame);
	return ret;
}

static bool same_content(const struct ept *ept, uint64_t one, uint64_t other)
{
	return !memcmp(ept_pool_frame(&ept->pool, one), ept_pool_frame(&ept->pool, other),
		       HPT_PAGE_SIZE);
}

/* Two pages with frames of their own and the same content. */
static int share_two(struct ept *ept, uint64_t gfn, uint64_t other, uint64_t *place)
{
	uint64_t own = ept_window_frame(&ept->window, gfn << HPT_PAGE_SHIFT);
	uint64_t frame;
	int ret = make_frame(ept, ept_pool_frame(&ept->pool, own), &frame);

	if (ret < 0)
		return ret;
	ret = share(ept, gfn, frame);
	if (ret < 0) {
		unmake_frame(ept, frame);
		return ret;
	}
	*place = (frame + 1) | IS_FRAME;
	return share(ept, other, frame);
}

/* One page: shared with one like it, or remembered. */
static int look_at(struct ept *ept, uint64_t gfn)
{
	struct ept_dedup *dedup = &ept->dedup;
	uint64_t frame, other, number;
	uint64_t *place;
	void *page;

	if (!own_frame(ept, gfn, &frame))
		return 0;
	page = ept_pool_frame(&ept->pool, frame);
	if (ept_swap_is_zero(page))
		return share_zero(ept, gfn);
	/* It only proposes: what is equal is said by comparing. */
	place = &dedup->places[ept_sum(page, HPT_PAGE_SIZE, 0, 0) >> (64 - dedup->bits)];
	number = (*place & ~IS_FRAME) - 1;
	if (*place & IS_FRAME) {
		if (*sharers_of(dedup, number) && same_content(ept, frame, number))
			return share(ept, gfn, number);
	} else if (*place && number != gfn && own_frame(ept, number, &other) &&
		   same_content(ept, frame, other)) {
		return share_two(ept, gfn, number, place);
	}
	*place = gfn + 1;
	return 0;
}

int ept_dedup_step(struct ept *ept, uint64_t pages)
{
	struct ept_dedup *dedup = &ept->dedup;
	int ret = 0;

	pthread_mutex_lock(&ept->lock);
	for (; dedup->count && pages && ret == 0; pages--) {
		const struct ept_range *range = &ept->config.ranges[dedup->range];

		ret = look_at(ept, (range->start >> HPT_PAGE_SHIFT) + dedup->page);
		if (++dedup->page == range->size >> HPT_PAGE_SHIFT) {
			dedup->page = 0;
			dedup->range = (dedup->range + 1) % ept->config.range_count;
		}
	}
	pthread_mutex_unlock(&ept->lock);
	return ret == -ENOSPC || ret == -ENOMEM ? 0 : ret;
}

int ept_unshare(struct ept *ept, uint64_t gfn, uint64_t *entry, const char **reason)
{
	gpa_t gpa = gfn << HPT_PAGE_SHIFT;
	uint64_t own = ept_window_frame(&ept->window, gpa);
	uint64_t shared = hpt_frame(*entry);
	int ret = 0;

	/* The last one gives a frame back. */
	if (*sharers_of(&ept->dedup, shared) > 1)
		ret = ept_make_room(ept, 1, reason);
	if (ret < 0)
		return ret;
	*reason = EPT_NO_FRAME;
	if (ept_pool_populate(&ept->pool, own, 1) < 0)
		return -ENOMEM;
	ept->pool.frames++;
	memcpy(ept_pool_frame(&ept->pool, own), ept_pool_frame(&ept->pool, shared), HPT_PAGE_SIZE);
	*entry = hpt_entry(own, HPT_PRESENT | HPT_WRITE | HPT_SOFT | HPT_ACCESSED);
	*reason = EPT_NO_TABLE_MEMORY;
	ret = ept_set_entry(ept, gfn, *entry);
	if (ret < 0) {
		ept_pool_drop(&ept->pool, own, 1);
		ept_pool_give_back(&ept->pool, 1);
		return ret;
	}
	leave(ept, shared);
	ept_block_note(ept, gfn, 1, 0);
	ept_clock_arrived(ept, gfn, 1);
	ept->counts.unshared++;
	*reason = EPT_NOT_EXCHANGED;
	if (ept_window_unshare(&ept->window, ept->pool.fd, gpa, own) == 0)
		return 0;
	ept_close_block(ept, gpa);
	return -EIO;
}
