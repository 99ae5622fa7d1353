/* SPDX-License-Identifier: MIT */
/*
 * What is done later: entries of nodes that have ended are removed, ancestors with one child are
 * merged with it. Each step does one region, and what spaces show is the same after each: a page
 * stands at either place, and the search comes by both.
 *
 * Down: an entry of the ancestor goes to the child, unless that has one of its own. The ancestor,
 * empty, is then taken out of the tree. Up: an entry of the child goes to the ancestor, in place of
 * what that has. The child, empty, is then taken out and the ancestor has its place. Both are right
 * at any time, also mixed: each step takes the way on which less is left to move.
 */
#include "hpt/space_node.h"

static struct hpt_key key_in(uint16_t asid, uint64_t region, unsigned int page, enum hpt_size size)
{
	return hpt_key(asid, (region << HPT_SPACE_REGION) + page, size);
}

/* The entry under a node's own identifier, or 0. */
static uint64_t own_entry(const struct hpt_spaces *spaces, struct hpt_key key)
{
	uint64_t entry;

	return hpt_lookup(spaces->config.table, key, &entry, NULL) ? 0 : entry;
}

/* An entry of `from` goes to the child `to`, or is given to it as well (`copying`). */
static int give_down(struct hpt_spaces *spaces, struct hpt_key from, uint16_t to, uint64_t entry,
		     bool copying)
{
	struct hpt_key key = hpt_key(to, from.vpn, (enum hpt_size)from.size);
	uint64_t copied = entry & HPT_COMMON ? entry : entry | HPT_COPIED;
	int error;

	if (is_hole(entry))
		return space_hole_needed(spaces, from.asid, key.vpn >> HPT_SPACE_REGION)
			       ? space_entry_hide(spaces, key)
			       : 0;
	if (!copying)
		return space_entry_add(spaces, key, entry);
	error = copied == entry ? 0 : space_entry_replace(spaces, from, copied);
	if (!error)
		error = space_entry_add(spaces, key, copied);
	if (!error)
		space_entry_taken(spaces, copied);
	return error;
}

static int merge_size_down(struct hpt_spaces *spaces, uint16_t from, uint16_t to, uint64_t region,
			   enum hpt_size size, bool copying)
{
	int error = space_region_collect(spaces, from, region, size);

	for (unsigned int i = 0; !error && i < HPT_LARGE_PAGES; i++) {
		uint64_t entry = spaces->region[i];
		struct hpt_key key = key_in(from, region, i, size);
		bool hidden;

		if (!entry)
			continue;
		hidden = space_region_opaque(spaces, to, region, NULL) ||
			 own_entry(spaces, key_in(to, region, i, size));
		if (!hidden)
			error = give_down(spaces, key, to, entry, copying);
		if (error || copying)
			continue;
		if (!hidden)
			space_entry_moved(spaces, key, entry);
		else
			error = space_entry_remove(spaces, key);
		if (!error && hidden)
			space_entry_dropped(spaces, entry);
	}
	return error;
}

/* A region of an ancestor goes to its child `to`; where `copying`, `from` keeps it. */
static int merge_down(struct hpt_spaces *spaces, uint16_t from, uint16_t to, uint64_t region,
		      bool copying)
{
	bool opaque = space_hole_needed(spaces, to, region) &&
		      space_region_opaque(spaces, from, region, NULL) &&
		      node_of(spaces, from)->parent;
	int error = merge_size_down(spaces, from, to, region, HPT_4K, copying);

	if (!error)
		error = merge_size_down(spaces, from, to, region, HPT_2M, copying);
	if (!error && opaque)
		error = space_region_note(spaces, to, region, 0);
	if (!error && opaque)
		error = space_region_make_opaque(spaces, to, region);
	return error;
}

/* An entry of the only child goes to its ancestor. */
static int give_up(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry)
{
	uint64_t there = own_entry(spaces, key);
	int error;

	if (!is_hole(entry))
		error = there ? space_entry_replace(spaces, key, entry)
			      : space_entry_add(spaces, key, entry);
	else if (!there)
		error = space_entry_hide(spaces, key);
	else if (space_hole_needed(spaces, key.asid, key.vpn >> HPT_SPACE_REGION))
		error = space_entry_replace(spaces, key, entry);
	else
		error = space_entry_remove(spaces, key);
	if (!error && there)
		space_entry_dropped(spaces, there);
	return error;
}

static int merge_size_up(struct hpt_spaces *spaces, uint16_t from, uint16_t to, uint64_t region,
			 enum hpt_size size)
{
	int error = space_region_collect(spaces, from, region, size);

	for (unsigned int i = 0; !error && i < HPT_LARGE_PAGES; i++) {
		uint64_t entry = spaces->region[i];

		if (!entry)
			continue;
		error = give_up(spaces, key_in(to, region, i, size), entry);
		if (!error)
			error = space_entry_remove(spaces, key_in(from, region, i, size));
	}
	return error;
}

static int merge_up(struct hpt_spaces *spaces, uint16_t from, uint16_t to, uint64_t region)
{
	int error = 0;

	if (space_region_opaque(spaces, from, region, NULL)) {
		error = space_region_note(spaces, to, region, 0);
		if (!error)
			error = space_region_clear(spaces, to, region);
		if (!error && node_of(spaces, to)->parent)
			error = space_region_make_opaque(spaces, to, region);
	}
	if (!error)
		error = merge_size_up(spaces, from, to, region, HPT_4K);
	if (!error)
		error = merge_size_up(spaces, from, to, region, HPT_2M);
	return error;
}

/* The ancestor is empty: its child has its place below what is above. */
static void finish_down(struct hpt_spaces *spaces, uint16_t ancestor, uint16_t child)
{
	uint16_t above = node_of(spaces, ancestor)->parent;

	space_node_unlink(spaces, child);
	space_node_unlink(spaces, ancestor);
	if (above)
		space_node_adopt(spaces, above, child);
	space_node_end(spaces, ancestor);
}

/* The child is empty: the ancestor is what it was, a space or the ancestor of its children. */
static void finish_up(struct hpt_spaces *spaces, uint16_t ancestor, uint16_t child)
{
	struct space_node *node = node_of(spaces, child);
	struct space_node *above = node_of(spaces, ancestor);

	space_node_unlink(spaces, child);
	while (node->first_child) {
		uint16_t next = node->first_child;

		space_node_unlink(spaces, next);
		space_node_adopt(spaces, ancestor, next);
	}
	if (node->state == NODE_SPACE) {
		above->state = NODE_SPACE;
		above->space = node->space;
		above->space->asid = ancestor;
	}
	space_node_end(spaces, child);
}

/* A step of merging an ancestor with its only child: 0, or -ENOMEM. */
static int merge_step(struct hpt_spaces *spaces, uint16_t ancestor)
{
	struct space_node *above = node_of(spaces, ancestor);
	uint16_t child = above->first_child;
	struct space_node *below = node_of(spaces, child);
	bool down = above->entries < below->entries;
	uint16_t from = down ? ancestor : child;
	uint64_t region = node_of(spaces, from)->first_region;
	int error;

	if (region == NO_REGION && down)
		finish_down(spaces, ancestor, child);
	else if (region == NO_REGION)
		finish_up(spaces, ancestor, child);
	if (region == NO_REGION)
		return 0;
	error = down ? merge_down(spaces, ancestor, child, region, false)
		     : merge_up(spaces, child, ancestor, region);
	if (!error)
		space_region_remove_first(spaces, from);
	return error;
}

static int removal_step(struct hpt_spaces *spaces, uint16_t asid)
{
	int error;

	if (node_of(spaces, asid)->first_region == NO_REGION) {
		space_node_unqueue_first(spaces);
		space_node_put(spaces, asid);
		return 0;
	}
	error = space_region_clear(spaces, asid, node_of(spaces, asid)->first_region);
	if (!error)
		space_region_remove_first(spaces, asid);
	return error;
}

int hpt_spaces_reap(struct hpt_spaces *spaces, uint64_t budget)
{
	uint16_t failed = 0; /* the first in line for which there was no memory */

	while (spaces->queue && budget) {
		uint16_t asid = spaces->queue;
		struct space_node *node = node_of(spaces, asid);
		int error = 0;

		if (asid == failed)
			return -ENOMEM;
		if (node->state == NODE_DYING)
			error = removal_step(spaces, asid);
		else if (node->state == NODE_FROZEN && node->children == 1)
			error = merge_step(spaces, asid);
		else
			space_node_unqueue_first(spaces);
		if (error) {
			failed = failed ? failed : asid;
			space_node_unqueue_first(spaces);
			space_node_queue(spaces, asid);
			continue;
		}
		budget--;
	}
	return spaces->queue != 0;
}

/* Of the ancestors on the way up from a node: one with a single child, or the smallest. */
static uint16_t pick_ancestor(const struct hpt_spaces *spaces, uint16_t asid, uint16_t *below)
{
	uint64_t least = UINT64_MAX;
	uint16_t picked = 0;
	uint16_t child = asid;

	while ((asid = node_of(spaces, child)->parent)) {
		const struct space_node *node = node_of(spaces, asid);
		uint64_t cost = node->children == 1 ? 0 : node->entries + 1;

		if (cost < least) {
			least = cost;
			picked = asid;
			*below = child;
		}
		child = asid;
	}
	return picked;
}

/* What the ancestor has is given to the child as well, which then needs it no more. */
static int copy_down(struct hpt_spaces *spaces, uint16_t ancestor, uint16_t child)
{
	const struct space_node *node = node_of(spaces, ancestor);
	uint64_t region = node->first_region;
	uint16_t above = node->parent;

	while (region != NO_REGION) {
		int error = merge_down(spaces, ancestor, child, region, true);

		if (error)
			return error;
		region = space_region_next(spaces, ancestor, region);
	}
	space_node_unlink(spaces, child);
	if (above)
		space_node_adopt(spaces, above, child);
	space_node_bereaved(spaces, ancestor);
	return 0;
}

int space_shorten(struct hpt_space *space)
{
	struct hpt_spaces *spaces = space->spaces;
	unsigned int depth = space_node_depth(spaces, space->asid);
	uint16_t below = 0;
	uint16_t ancestor = pick_ancestor(spaces, space->asid, &below);
	int error = 0;

	if (node_of(spaces, ancestor)->children > 1)
		return copy_down(spaces, ancestor, below);
	while (!error && space_node_depth(spaces, space->asid) == depth)
		error = merge_step(spaces, ancestor);
	return error;
}
