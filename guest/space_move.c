/* SPDX-License-Identifier: MIT */
/* See space.h: pages that are moved to another place in their space. */
#include <errno.h>
#include <stddef.h>

#include "guest/process.h"
#include "guest/space.h"
#include "guest/stage1.h"
#include "guest/window.h"

/* Pages that are moved at once, at most. */
#define MOVE_PAGES 1024

struct moved_pages {
	uint64_t count; /* may be more than there is room for: then these are not all */
	uint64_t vpn[MOVE_PAGES];
	uint64_t entry[MOVE_PAGES];
};

static uint64_t note_page(void *context, struct hpt_key key, uint64_t entry)
{
	struct moved_pages *moved = context;
	uint64_t at = moved->count++;

	if (at < MOVE_PAGES) {
		moved->vpn[at] = key.vpn;
		moved->entry[at] = entry;
	}
	return entry;
}

/* The same for a space that is not alone: page by page. */
static void note_shared(struct space *space, struct moved_pages *moved, uint64_t at, uint64_t pages)
{
	uint64_t entry;

	for (uint64_t vpn = at; vpn < at + pages; vpn++) {
		if (space_lookup(space, vpn, &entry))
			note_page(moved, hpt_key(0, vpn, HPT_4K), entry);
	}
}

/*
 * Notes the pages of [at, at + pages), or of the first part that has no more than there is room
 * for: returns how long that is. What is nearly empty is noted at once, however long it is.
 */
static uint64_t note_pages(struct space *space, struct moved_pages *moved, uint64_t at,
			   uint64_t pages)
{
	for (;; pages /= 2) {
		moved->count = 0;
		if (!space_is_alone(space))
			note_shared(space, moved, at, pages);
		else if (hpt_visit_range(&stage1, hpt_key(space->pages.asid, at, HPT_4K), pages,
					 note_page, moved))
			process_out_of_memory();
		if (moved->count <= MOVE_PAGES)
			return pages;
	}
}

/* Enters a page at another place as well. There, too, it is copied before it is written. */
static int map_again(struct space *space, uint64_t vpn, uint64_t entry)
{
	if (space_is_alone(space))
		return hpt_map(&stage1, hpt_key(space->pages.asid, vpn, HPT_4K), entry);
	return hpt_space_map(&space->pages, vpn, HPT_4K, entry | HPT_COPIED);
}

static uint64_t forget_page(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	(void)key;
	(void)entry;
	return 0;
}

/* Takes entries away, of which the frames have others. */
static void forget(struct space *space, uint64_t start, uint64_t end)
{
	int error = space_is_alone(space)
			    ? hpt_visit_range(&stage1, hpt_key(space->pages.asid, start, HPT_4K),
					      end - start, forget_page, NULL)
			    : hpt_space_unmap(&space->pages, start, HPT_4K, end - start);

	if (error)
		process_out_of_memory();
}

int space_move(struct space *space, uint64_t start, uint64_t end, uint64_t to)
{
	static struct moved_pages moved;
	uint64_t part = end - start;
	int error = 0;

	window_harvest(space, start, end);
	window_settle();
	moved.count = 0;
	for (uint64_t at = start; at < end && !error; at += part) {
		if (moved.count <= MOVE_PAGES / 2)
			part *= 2;
		if (part > end - at)
			part = end - at;
		part = note_pages(space, &moved, at, part);
		for (unsigned int i = 0; i < moved.count && !error; i++)
			error = map_again(space, moved.vpn[i] - start + to, moved.entry[i]);
	}
	if (error)
		forget(space, to, to + (end - start));
	else
		forget(space, start, end);
	return error;
}
