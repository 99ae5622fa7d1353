/* SPDX-License-Identifier: MIT */
/* hpt_spaces_check(): the invariants of nodes, regions and entries together. */
#include "hpt/space_node.h"

struct check {
	struct hpt_spaces *spaces;
	const char *broken;
};

static bool in_use(const struct hpt_spaces *spaces, uint16_t asid)
{
	return asid && asid < spaces->fresh && node_of(spaces, asid)->state != NODE_FREE;
}

static uint64_t check_entry(void *context, struct hpt_key key, uint64_t entry)
{
	struct check *check = context;
	uint64_t flag = key.size == HPT_2M ? REGION_HAS_2M : REGION_HAS_4K;
	uint64_t flags;

	if (!key.asid)
		return entry;
	if (!in_use(check->spaces, key.asid)) {
		check->broken = "no entry has an identifier that is free";
		return entry;
	}
	node_of(check->spaces, key.asid)->seen++;
	flags = space_region_flags(check->spaces, key.asid, key.vpn >> HPT_SPACE_REGION, NULL);
	if (!(flags & flag))
		check->broken = "every entry lies in a region of its identifier's list";
	else if (is_hole(entry) && flags & REGION_OPAQUE)
		check->broken = "no hole lies in an opaque region";
	else if (is_hole(entry) && (entry & ~HPT_LARGE) != HOLE)
		check->broken = "a hole has its two flags and nothing else";
	return entry;
}

static const char *check_regions(const struct hpt_spaces *spaces, uint16_t asid)
{
	const struct space_node *node = node_of(spaces, asid);
	uint64_t region = node->first_region;
	uint32_t regions = 0, opaque = 0;

	for (; region != NO_REGION && regions <= node->regions; regions++) {
		uint64_t flags = space_region_flags(spaces, asid, region, NULL);

		if (!flags)
			return "every region of a list is in the index";
		opaque += !!(flags & REGION_OPAQUE);
		region = space_region_next(spaces, asid, region);
	}
	if (regions != node->regions || opaque != node->opaque)
		return "a node's counts of regions are those of its list";
	if (node->entries != node->seen)
		return "a node's count of entries is that of the table";
	return NULL;
}

static const char *check_relations(const struct hpt_spaces *spaces, uint16_t asid)
{
	const struct space_node *node = node_of(spaces, asid);
	uint16_t child = node->first_child;
	uint16_t before = 0;
	unsigned int children = 0;

	for (; child && children <= node->children; children++) {
		const struct space_node *below = node_of(spaces, child);

		if (below->parent != asid || below->previous_sibling != before)
			return "children and siblings name each other";
		before = child;
		child = below->next_sibling;
	}
	if (children != node->children)
		return "a node's count of children is exact";
	if ((node->state == NODE_FROZEN) != !!children)
		return "ancestors have children, and nothing else has";
	if (children == 1 && !node->queued)
		return "an ancestor with one child is in line to be merged";
	if (node->state == NODE_DYING && (node->parent || !node->queued))
		return "what has ended is in line to be removed";
	if (node->state == NODE_SPACE && node->space->asid != asid)
		return "a space and its node name each other";
	if (space_node_depth(spaces, asid) > HPT_SPACE_DEPTH)
		return "no node has more than HPT_SPACE_DEPTH ancestors";
	return NULL;
}

static const char *check_queue(const struct hpt_spaces *spaces)
{
	uint32_t queued = 0;
	uint16_t asid;

	for (uint32_t i = 1; i < spaces->fresh; i++)
		queued += in_use(spaces, (uint16_t)i) && node_of(spaces, (uint16_t)i)->queued;
	for (asid = spaces->queue; asid && queued; asid = node_of(spaces, asid)->next_queued)
		queued--;
	return queued || asid ? "those in line are those that are marked so" : NULL;
}

const char *hpt_spaces_check(struct hpt_spaces *spaces)
{
	struct check check = {.spaces = spaces};
	uint64_t regions = 0;
	uint32_t used = 0;

	for (uint32_t asid = 1; asid < spaces->fresh; asid++)
		node_of(spaces, (uint16_t)asid)->seen = 0;
	hpt_visit(spaces->config.table, check_entry, &check);
	for (uint32_t i = 1; !check.broken && i < spaces->fresh; i++) {
		uint16_t asid = (uint16_t)i;

		if (!in_use(spaces, asid))
			continue;
		used++;
		regions += node_of(spaces, asid)->regions;
		check.broken = check_regions(spaces, asid);
		if (!check.broken)
			check.broken = check_relations(spaces, asid);
	}
	if (check.broken)
		return check.broken;
	if (used != spaces->used)
		return "the count of identifiers is exact";
	if (regions != spaces->index.counts.entries)
		return "the index has the regions of the lists, and no others";
	check.broken = check_queue(spaces);
	return check.broken ? check.broken : hpt_check(&spaces->index);
}
