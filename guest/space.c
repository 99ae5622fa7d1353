/* SPDX-License-Identifier: MIT */
/* See space.h. */
#include "guest/space.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/boot.h"
#include "guest/frames.h"
#include "guest/layout.h"
#include "guest/process.h"
#include "guest/publish.h"
#include "guest/rights.h"
#include "guest/segment.h"
#include "guest/share.h"
#include "guest/stage1.h"
#include "guest/swap.h"
#include "guest/window.h"

/* What a change of rights changes: a page stays present, for nobody if need be. */
#define CHANGED (RIGHTS_MASK & ~HPT_PRESENT)

struct space *space_first;

void space_start(void)
{
	const struct hpt_spaces_config config = {
		.table = &stage1,
		.taken = share_taken,
		.dropped = share_dropped,
		.references = share_references,
	};

	if (hpt_spaces_create(&spaces, &config))
		window_refuse();
}

static struct space *get_space(void)
{
	struct space *space;
	uint64_t gpa;

	if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
		return NULL;
	space = direct(gpa);
	space->users = 1;
	space->way = SPACE_SHARED;
	return space;
}

static void put_space(struct space *space)
{
	regions_destroy(&space->regions);
	frames_put_kernel(NULL, (uint64_t)space - DIRECT_BASE, HPT_PAGE_SIZE);
}

static void enter_list(struct space *space)
{
	space->next = space_first;
	space_first = space;
}

struct space *space_create(void)
{
	struct space *space = get_space();

	if (!space)
		return NULL;
	space->way = stage1_way;
	if (regions_create(&space->regions, !space_first) ||
	    hpt_space_create(&spaces, &space->pages)) {
		put_space(space);
		return NULL;
	}
	enter_list(space);
	return space;
}

/* What the fault path has mapped becomes known to hpt/space.h. */
static int adopt(struct space *space)
{
	int error = 0;

	hpt_space_adopt_start(&space->pages);
	for (struct region *region = region_from(&space->regions, 0); region && !error;
	     region = region_next(&space->regions, region))
		error = hpt_space_adopt(&space->pages, region->start, region->end - region->start);
	return error;
}

int space_share(struct space *space)
{
	int error = space_is_alone(space) ? adopt(space) : 0;

	if (!error)
		space->way = SPACE_SHARED;
	return error;
}

struct space *space_fork(struct space *parent)
{
	struct space *space;

	swap_prepare();
	space = get_space();

	if (!space)
		return NULL;
	if (share_start() || regions_copy(&space->regions, &parent->regions) ||
	    space_share(parent)) {
		put_space(space);
		return NULL;
	}
	window_protect(parent);
	window_settle();
	stage1_moved++;
	if (hpt_space_fork(&parent->pages, &space->pages, NULL)) {
		put_space(space);
		return NULL;
	}
	if (segment_copy(space, parent)) {
		hpt_space_destroy(&space->pages);
		put_space(space);
		return NULL;
	}
	for (struct region *region = region_from(&space->regions, 0); region;
	     region = region_next(&space->regions, region))
		region->first_touches = 0;
	space->heap_start = parent->heap_start;
	space->heap_end = parent->heap_end;
	enter_list(space);
	return space;
}

static uint64_t drop_page(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	(void)key;
	if (entry & HPT_SWAPPED)
		swap_dropped(entry);
	else
		frames_put(hpt_frame(entry) << HPT_PAGE_SHIFT);
	return 0;
}

/* Of a space that is alone. All at once nothing is cut in two, so it needs no memory. */
static void unmap_all(struct space *space)
{
	struct hpt_key key = hpt_key(space->pages.asid, 0, HPT_4K);
	int error = 0;

	for (struct region *region = region_from(&space->regions, 0); region && !error;
	     region = region_next(&space->regions, region)) {
		key.vpn = region->start;
		error = hpt_visit_range(&stage1, key, region->end - region->start, drop_page, NULL);
	}
	key.vpn = 0;
	if (error)
		hpt_visit_range(&stage1, key, USER_END >> HPT_PAGE_SHIFT, drop_page, NULL);
}

static void leave_list(const struct space *space)
{
	struct space **link = &space_first;

	while (*link != space)
		link = &(*link)->next;
	*link = space->next;
}

void space_put(struct space *space)
{
	if (--space->users)
		return;
	window_drop(space, 0, USER_END >> HPT_PAGE_SHIFT);
	window_forget(space);
	if (space_is_alone(space))
		unmap_all(space);
	segment_detach(space, 0, UINT64_MAX);
	hpt_space_destroy(&space->pages);
	/* Merges that have no memory are done with the next one that ends. */
	hpt_spaces_reap(&spaces, UINT64_MAX);
	stage1_moved++;
	leave_list(space);
	put_space(space);
}

bool space_lookup(const struct space *space, uint64_t vpn, uint64_t *entry)
{
	struct hpt_space_found found;

	if (space_is_alone(space))
		return !hpt_lookup(&stage1, hpt_key(space->pages.asid, vpn, HPT_4K), entry, NULL);
	if (hpt_space_lookup(&space->pages, vpn, HPT_4K, &found, NULL))
		return false;
	*entry = found.entry;
	return true;
}

/* Of the page's entry in the table: an ancestor's, if the space has none of its own. */
static struct hpt_key key_of(const struct space *space, uint64_t vpn)
{
	struct hpt_space_found found;

	if (!space_is_alone(space) && !hpt_space_lookup(&space->pages, vpn, HPT_4K, &found, NULL))
		return found.key;
	return hpt_key(space->pages.asid, vpn, HPT_4K);
}

static int change(struct space *space, uint64_t vpn, uint64_t clear, uint64_t set)
{
	return hpt_change(&stage1, key_of(space, vpn), clear, set);
}

void space_note_dirty(struct space *space, uint64_t vpn)
{
	struct hpt_key key = key_of(space, vpn);

	/* A run of pages that has no memory to be one no more is dirty as a whole. */
	if (hpt_change(&stage1, key, 0, HPT_DIRTY) == -ENOMEM)
		hpt_mark(&stage1, key, HPT_DIRTY);
}

static int map(struct space *space, uint64_t vpn, uint64_t entry)
{
	int error;

	if (space_is_alone(space))
		return hpt_map(&stage1, hpt_key(space->pages.asid, vpn, HPT_4K), entry);
	share_first(entry);
	error = hpt_space_map(&space->pages, vpn, HPT_4K, entry);
	share_first(0);
	return error;
}

/* What may be done there is each space's own matter. */
static int map_shared(struct space *space, uint64_t vpn, uint64_t entry)
{
	int error;

	share_first(entry);
	error = segment_map(space, vpn,
			    (entry & ~RIGHTS_MASK) | HPT_PRESENT | HPT_USER | HPT_WRITE | HPT_SOFT);
	share_first(0);
	return error;
}

/*
 * A page that is nowhere yet. A write to one of a module gets a copy at once, and so does any
 * access to one that lies across two frames of it.
 */
static int make(struct space *space, struct region *region, uint64_t vpn, enum access access)
{
	uint64_t frame = region->frame ? region_source(region, vpn) : 0;
	uint64_t entry = (region->rights & RIGHTS_MASK) | rights_of[access].leave;
	uint64_t gpa = frame;
	int error;

	if (!frame || access == ACCESS_WRITE || region_is_copied(region)) {
		gpa = frames_get();
		if (!gpa)
			return -ENOMEM;
		if (frame)
			frames_copy_module(gpa, frame);
	} else {
		entry &= ~HPT_WRITE;
	}
	if (region->rights & REGION_SHARED)
		error = map_shared(space, vpn, gpa | entry);
	else
		error = map(space, vpn, gpa | entry);
	if (error && gpa != frame)
		frames_put(gpa);
	else if (!error)
		region->first_touches++;
	return error;
}

/* A page of a module is written for the first time. */
static int copy_of_module(struct space *space, const struct region *region, uint64_t vpn,
			  uint64_t entry)
{
	uint64_t gpa = frames_get();
	int error;

	if (!gpa)
		return -ENOMEM;
	memcpy(direct(gpa), direct(entry & HPT_FRAME_MASK), HPT_PAGE_SIZE);
	error = space_is_alone(space)
			? hpt_unmap(&stage1, hpt_key(space->pages.asid, vpn, HPT_4K), NULL)
			: hpt_space_unmap(&space->pages, vpn, HPT_4K, 1);
	if (!error)
		error = map(space, vpn,
			    gpa | (region->rights & RIGHTS_MASK) | HPT_ACCESSED | HPT_DIRTY);
	if (error)
		frames_put(gpa);
	return error;
}

/* The page has an entry of its own then, which can be written, in a frame of its own. */
static int own_page(struct space *space, uint64_t vpn, uint64_t entry)
{
	uint64_t gpa;
	int wrote = hpt_space_write(&space->pages, vpn, HPT_4K, HPT_SPACE_NO_FRAME);

	if (wrote < 0 || wrote == HPT_SPACE_OWN)
		return wrote;
	if (wrote == HPT_SPACE_TAKEN) {
		published.pages_taken++;
		stage1_moved++;
		return 0;
	}
	gpa = frames_get();
	if (!gpa)
		return -ENOMEM;
	memcpy(direct(gpa), direct(entry & HPT_FRAME_MASK), HPT_PAGE_SIZE);
	share_first(gpa);
	wrote = hpt_space_write(&space->pages, vpn, HPT_4K, gpa >> HPT_PAGE_SHIFT);
	share_first(0);
	stage1_moved++;
	if (wrote != HPT_SPACE_COPIED) {
		frames_put(gpa);
		return wrote < 0 ? wrote : 0;
	}
	published.pages_copied++;
	return 0;
}

/* A first write: the windows lose the page, which will be another or have another right. */
static int reach_write(struct space *space, const struct region *region, uint64_t vpn,
		       uint64_t entry)
{
	int error = 0;

	window_harvest(space, vpn, vpn + 1);
	window_settle();
	if (frames_in_module(entry & HPT_FRAME_MASK, 1))
		return copy_of_module(space, region, vpn, entry);
	if (space_is_alone(space))
		return change(space, vpn, 0, HPT_WRITE | HPT_ACCESSED | HPT_DIRTY);
	error = own_page(space, vpn, entry);
	if (error == -EACCES) {
		/* The region allows it, since a change of rights. */
		error = hpt_space_protect(&space->pages, vpn, HPT_4K, 1, 0, HPT_WRITE);
		if (!error)
			error = own_page(space, vpn, entry);
	}
	return error ? error : change(space, vpn, 0, HPT_ACCESSED | HPT_DIRTY);
}

/* As far as there are frames for it. */
static int reach(struct space *space, struct region *region, uint64_t vpn, enum access access,
		 uint64_t *entry)
{
	uint64_t leave = rights_of[access].leave;
	bool known = space_lookup(space, vpn, entry);
	int error = 0;

	if (known && *entry & HPT_SWAPPED) {
		published.swapped_lookups++;
		error = swap_in(key_of(space, vpn), *entry);
		if (error)
			return error;
		space_lookup(space, vpn, entry);
	}
	if (!known)
		error = make(space, region, vpn, access);
	else if (access == ACCESS_WRITE && !(*entry & HPT_WRITE) &&
		 !(region->rights & REGION_SHARED))
		error = reach_write(space, region, vpn, *entry);
	else if ((*entry & leave) != leave)
		error = change(space, vpn, 0, leave);
	if (error)
		return error;
	if (!space_lookup(space, vpn, entry))
		return -EFAULT;
	if (region->rights & REGION_SHARED)
		*entry = (*entry & ~RIGHTS_MASK) | (region->rights & RIGHTS_MASK);
	return 0;
}

int space_reach(struct space *space, uint64_t vpn, enum access access, uint64_t *entry)
{
	struct region *region = region_find(&space->regions, vpn);
	int error;

	if (!region || !rights_allow(region->rights & RIGHTS_MASK, access))
		return -EFAULT;
	do
		error = reach(space, region, vpn, access, entry);
	while (error == -ENOMEM && !frames_left() && swap_make_room());
	return error;
}

void space_unmap(struct space *space, uint64_t start, uint64_t end)
{
	struct hpt_key key = hpt_key(space->pages.asid, start, HPT_4K);
	int error;

	if (start >= end)
		return;
	window_drop(space, start, end);
	window_settle();
	error = space_is_alone(space) ? hpt_visit_range(&stage1, key, end - start, drop_page, NULL)
				      : hpt_space_unmap(&space->pages, start, HPT_4K, end - start);
	/* A table may have no memory for what is left: that is the end of the program, too. */
	if (error || segment_detach(space, start, end))
		process_out_of_memory();
}

static uint64_t protect_page(void *context, struct hpt_key key, uint64_t entry)
{
	uint64_t rights = *(const uint64_t *)context;

	(void)key;
	if (hpt_resident(entry) && frames_in_module(entry & HPT_FRAME_MASK, 1))
		rights &= ~HPT_WRITE;
	return (entry & ~CHANGED) | (rights & CHANGED);
}

void space_protect(struct space *space, uint64_t start, uint64_t end, uint64_t rights)
{
	struct hpt_key key = hpt_key(space->pages.asid, start, HPT_4K);
	int error;

	if (start >= end)
		return;
	window_harvest(space, start, end);
	window_settle();
	if (space_is_alone(space))
		error = hpt_visit_range(&stage1, key, end - start, protect_page, &rights);
	else
		error = hpt_space_protect(&space->pages, start, HPT_4K, end - start, CHANGED,
					  rights & CHANGED & ~HPT_WRITE);
	stage1_moved += !space_is_alone(space);
	if (error)
		process_out_of_memory();
}
