/* SPDX-License-Identifier: MIT */
/* shadow_check(): the three tables and the nodes, held against each other. */
#include "ept/shadow.h"
#include "hpt/lines.h"

struct checking {
	struct shadow *shadow;
	const char *broken; /* the first */
	uint64_t large;
	uint64_t users; /* pages that frames name */
	uint64_t nodes; /* of these, by nodes */
};

static void expect(struct checking *checking, bool holds, const char *invariant)
{
	if (!holds && !checking->broken)
		checking->broken = invariant;
}

static uint64_t entry_of(const struct hpt *table, struct hpt_key key)
{
	uint64_t entry;

	return hpt_lookup(table, key, &entry, NULL) ? 0 : entry;
}

static uint64_t check_combined(void *context, struct hpt_key key, uint64_t entry)
{
	struct checking *checking = context;

	checking->large += key.size == HPT_2M;
	expect(checking, hpt_resident(entry), "a combined page is present");
	expect(checking, entry_of(&checking->shadow->reverse.by_page, key),
	       "a combined page has a guest frame");
	return entry;
}

static uint64_t check_page(void *context, struct hpt_key key, uint64_t entry)
{
	struct checking *checking = context;
	struct shadow_reverse *reverse = &checking->shadow->reverse;
	const struct shadow_node *node;
	uint64_t frame;

	expect(checking, entry_of(&checking->shadow->table, key),
	       "a page with a guest frame is in the combined table");
	if (!(entry & SHADOW_SOLE)) {
		node = shadow_node(reverse, shadow_node_address(entry));
		expect(checking, node->tag == hpt_tag(key), "a page's node is its own");
		return entry;
	}
	frame = entry_of(&reverse->by_frame, shadow_frame_key(hpt_frame(entry), key.size));
	expect(checking, frame & SHADOW_SOLE && hpt_tag(shadow_sole_page(frame)) == hpt_tag(key),
	       "a page's guest frame names the page");
	return entry;
}

/* A list is as long as it has nodes: a ring ends where there cannot be more. */
static void check_list(struct checking *checking, struct hpt_key frame, uint64_t first)
{
	struct shadow_reverse *reverse = &checking->shadow->reverse;
	uint64_t previous = 0;

	for (uint64_t address = first; address && !checking->broken;) {
		const struct shadow_node *node = shadow_node(reverse, address);
		struct hpt_key key = hpt_tag_key(node->tag);
		uint64_t entry = entry_of(&reverse->by_page, key);

		expect(checking, ++checking->nodes <= reverse->nodes, "lists have no ring");
		checking->users++;
		expect(checking, node->gfn == frame.vpn && key.size == frame.size,
		       "a node is in the list of its guest frame");
		expect(checking, node->previous == previous, "a node knows the one before");
		expect(checking,
		       entry && !(entry & SHADOW_SOLE) && shadow_node_address(entry) == address,
		       "a node's page names the node");
		previous = address;
		address = node->next;
	}
}

static uint64_t check_frame(void *context, struct hpt_key frame, uint64_t entry)
{
	struct checking *checking = context;
	uint64_t page;

	if (!(entry & SHADOW_SOLE)) {
		check_list(checking, frame, shadow_node_address(entry));
		return entry;
	}
	checking->users++;
	page = entry_of(&checking->shadow->reverse.by_page, shadow_sole_page(entry));
	expect(checking, page & SHADOW_SOLE && hpt_frame(page) == frame.vpn,
	       "a guest frame's page names the frame");
	return entry;
}

static uint64_t free_nodes(const struct shadow_reverse *reverse)
{
	uint64_t most = reverse->page_count * SHADOW_NODES;
	uint64_t count = 0;

	for (uint64_t address = reverse->free; address && count <= most;
	     address = shadow_node(reverse, address)->next)
		count++;
	return count;
}

static void check_counts(struct checking *checking)
{
	const struct shadow *shadow = checking->shadow;
	const struct shadow_reverse *reverse = &shadow->reverse;

	expect(checking, checking->large == shadow->large, "`large` counts pages of 2 MiB");
	expect(checking, checking->users == shadow->table.counts.entries,
	       "each page has one guest frame");
	expect(checking, checking->nodes == reverse->nodes, "each node is in a list");
	expect(checking, reverse->nodes + free_nodes(reverse) == reverse->page_count * SHADOW_NODES,
	       "each node is in use or free");
	expect(checking, !reverse->lost, "nothing was lost");
}

const char *shadow_check(struct shadow *shadow)
{
	struct checking checking = {.shadow = shadow};
	struct hpt *tables[] = {&shadow->table, &shadow->reverse.by_page,
				&shadow->reverse.by_frame};
	const hpt_visitor visitors[] = {check_combined, check_page, check_frame};

	for (unsigned int i = 0; i < 3 && !checking.broken; i++)
		checking.broken = hpt_check(tables[i]);
	for (unsigned int i = 0; i < 3 && !checking.broken; i++) {
		if (hpt_visit(tables[i], visitors[i], &checking))
			expect(&checking, false, "there is memory for a visit");
	}
	if (!checking.broken)
		check_counts(&checking);
	return checking.broken;
}
