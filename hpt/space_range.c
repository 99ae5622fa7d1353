/* SPDX-License-Identifier: MIT */
/*
 * Ranges of a space's pages, unmapped and protected. Region by region: those of a list, or of the
 * range, whichever are fewer. What may lack memory is done first for all of a range, and does not
 * change what the space shows, or is undone.
 */
#include "hpt/space_node.h"

struct range {
	struct hpt_spaces *spaces;
	uint16_t asid;
	enum hpt_size size;
	uint64_t first; /* 4 KiB pages */
	uint64_t last;
	uint64_t clear;
	uint64_t set;
};

typedef int (*range_step)(const struct range *range, uint64_t region);

/* Takes a step for each region in which a node, the range's own or an ancestor, has entries. */
static int each_region_of(const struct range *range, uint16_t asid, range_step step)
{
	const struct space_node *node = node_of(range->spaces, asid);
	uint64_t first = range->first >> HPT_SPACE_REGION;
	uint64_t last = range->last >> HPT_SPACE_REGION;
	int error = 0;

	if (last - first < node->regions) {
		for (uint64_t region = first; !error && region <= last; region++) {
			if (space_region_flags(range->spaces, asid, region, NULL))
				error = step(range, region);
		}
		return error;
	}
	for (uint64_t region = node->first_region; !error && region != NO_REGION;
	     region = space_region_next(range->spaces, asid, region)) {
		if (region >= first && region <= last)
			error = step(range, region);
	}
	return error;
}

static int each_region_above(const struct range *range, range_step step)
{
	uint16_t asid = range->asid;
	int error = 0;

	while (!error && (asid = node_of(range->spaces, asid)->parent))
		error = each_region_of(range, asid, step);
	return error;
}

static int visit_own(const struct range *range, uint64_t region, hpt_visitor visit)
{
	struct hpt_key key = hpt_key(range->asid, region << HPT_SPACE_REGION, range->size);
	uint64_t last = key.vpn + HPT_LARGE_PAGES - 1;

	if (key.vpn < range->first)
		key.vpn = range->first;
	if (last > range->last)
		last = range->last;
	return hpt_visit_range(range->spaces->config.table, key,
			       (last - key.vpn) / hpt_pages_in(range->size) + 1, visit,
			       (void *)range);
}

static uint64_t *collected(const struct range *range, uint64_t vpn)
{
	return &range->spaces->region[vpn % HPT_LARGE_PAGES];
}

static uint64_t forget_collected(void *context, struct hpt_key key, uint64_t entry)
{
	*collected(context, key.vpn) = 0;
	return entry;
}

/* Collects what only the space's ancestors show in the range's part of a region. */
static int collect_inherited(const struct range *range, uint64_t region)
{
	uint64_t start = region << HPT_SPACE_REGION;
	int error = space_region_collect_shown(range->spaces, range->asid, region, range->size);

	for (unsigned int i = 0; i < HPT_LARGE_PAGES; i++) {
		if (start + i < range->first || start + i > range->last)
			range->spaces->region[i] = 0;
	}
	return error ? error : visit_own(range, region, forget_collected);
}

static int add_holes(const struct range *range, uint64_t region)
{
	int error = collect_inherited(range, region);

	for (unsigned int i = 0; !error && i < HPT_LARGE_PAGES; i++) {
		uint64_t vpn = (region << HPT_SPACE_REGION) + i;

		if (range->spaces->region[i])
			error = space_entry_add(range->spaces,
						hpt_key(range->asid, vpn, range->size),
						hole_of(range->size) | HOLE_UNDONE);
	}
	return error;
}

static uint64_t remove_new_hole(void *context, struct hpt_key key, uint64_t entry)
{
	const struct range *range = context;

	(void)key;
	if (!is_hole(entry) || !(entry & HOLE_UNDONE))
		return entry;
	node_of(range->spaces, range->asid)->entries--;
	return 0;
}

static int remove_new_holes(const struct range *range, uint64_t region)
{
	return visit_own(range, region, remove_new_hole);
}

/* A page becomes a hole where ancestors show one. */
static uint64_t unmap(void *context, struct hpt_key key, uint64_t entry)
{
	const struct range *range = context;

	if (is_hole(entry))
		return entry & ~HOLE_UNDONE;
	space_entry_dropped(range->spaces, entry);
	if (*collected(range, key.vpn))
		return hole_of(range->size);
	node_of(range->spaces, range->asid)->entries--;
	return 0;
}

static int unmap_own(const struct range *range, uint64_t region)
{
	int error = space_region_collect_shown(range->spaces, range->asid, region, range->size);

	return error ? error : visit_own(range, region, unmap);
}

int space_node_unmap(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		     uint64_t count)
{
	const struct range range = {.spaces = spaces,
				    .asid = asid,
				    .size = size,
				    .first = vpn,
				    .last = vpn + count * hpt_pages_in(size) - 1};
	int error;

	if (!space_range_fits(spaces, vpn, size, count))
		return -EINVAL;
	if (!count)
		return 0;
	error = each_region_above(&range, add_holes);
	if (error) {
		each_region_of(&range, asid, remove_new_holes);
		return error;
	}
	return each_region_of(&range, asid, unmap_own);
}

int hpt_space_unmap(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t count)
{
	return space_node_unmap(space->spaces, space->asid, vpn, size, count);
}

static uint64_t changed(const struct range *range, uint64_t entry)
{
	uint64_t next = (entry & ~range->clear) | range->set;

	return next & HPT_FLAGS_MASK & ~HPT_LARGE ? next : entry;
}

/* An entry of the space's own for a page that an ancestor has, with the same frame. */
static int inherit(const struct range *range, uint64_t vpn)
{
	struct hpt_spaces *spaces = range->spaces;
	struct space_place place;
	uint64_t entry;
	int error = space_find(spaces, range->asid, vpn, range->size, &place, NULL);

	if (error)
		return error;
	entry = place.entry & HPT_COMMON ? place.entry : place.entry | HPT_COPIED;
	if (entry != place.entry)
		error = space_entry_replace(spaces, place.key, entry);
	if (!error)
		error = space_entry_add(spaces, hpt_key(range->asid, vpn, range->size), entry);
	if (!error)
		space_entry_taken(spaces, entry);
	return error;
}

static int inherit_region(const struct range *range, uint64_t region)
{
	int error = collect_inherited(range, region);

	for (unsigned int i = 0; !error && i < HPT_LARGE_PAGES; i++) {
		uint64_t entry = range->spaces->region[i];

		if (entry && changed(range, entry) != entry)
			error = inherit(range, (region << HPT_SPACE_REGION) + i);
	}
	return error;
}

static uint64_t change(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	return is_hole(entry) ? entry : changed(context, entry);
}

static int change_own(const struct range *range, uint64_t region)
{
	return visit_own(range, region, change);
}

int space_node_protect(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		       uint64_t count, uint64_t clear, uint64_t set)
{
	const struct range range = {.spaces = spaces,
				    .asid = asid,
				    .size = size,
				    .first = vpn,
				    .last = vpn + count * hpt_pages_in(size) - 1,
				    .clear = clear,
				    .set = set};
	int error;

	if (!space_range_fits(spaces, vpn, size, count) || (clear | set) & ~HPT_SPACE_FLAGS)
		return -EINVAL;
	if (!count)
		return 0;
	error = each_region_above(&range, inherit_region);
	return error ? error : each_region_of(&range, asid, change_own);
}

int hpt_space_protect(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t count,
		      uint64_t clear, uint64_t set)
{
	return space_node_protect(space->spaces, space->asid, vpn, size, count, clear, set);
}
