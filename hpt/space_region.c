/* SPDX-License-Identifier: MIT */
/* Regions: where a node has entries, and what it has there. See space_node.h. */
#include "hpt/space_node.h"

static struct hpt_key index_key(uint16_t asid, uint64_t region)
{
	return hpt_key(asid, region, HPT_4K);
}

uint64_t space_region_flags(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			    struct hpt_ledger *ledger)
{
	uint64_t word;

	if (hpt_lookup(&spaces->index, index_key(asid, region), &word, ledger))
		return 0;
	return word & HPT_FLAGS_MASK;
}

bool space_region_opaque(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			 struct hpt_ledger *ledger)
{
	return node_of(spaces, asid)->opaque &&
	       space_region_flags(spaces, asid, region, ledger) & REGION_OPAQUE;
}

uint64_t space_region_next(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region)
{
	uint64_t word;

	if (hpt_lookup(&spaces->index, index_key(asid, region), &word, NULL) ||
	    hpt_frame(word) == region)
		return NO_REGION;
	return hpt_frame(word);
}

static struct hpt_key region_key(uint16_t asid, uint64_t region, enum hpt_size size)
{
	return hpt_key(asid, region << HPT_SPACE_REGION, size);
}

static uint64_t region_pages(enum hpt_size size)
{
	return HPT_LARGE_PAGES / hpt_pages_in(size);
}

int space_region_visit(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
		       enum hpt_size size, hpt_visitor visit, void *context)
{
	uint64_t flag = size == HPT_2M ? REGION_HAS_2M : REGION_HAS_4K;

	if (!(space_region_flags(spaces, asid, region, NULL) & flag))
		return 0;
	return hpt_visit_range(spaces->config.table, region_key(asid, region, size),
			       region_pages(size), visit, context);
}

/* What a visit does to holes and pages of a node. */
struct clearing {
	struct hpt_spaces *spaces;
	struct space_node *node;
	bool holes_only;
};

static uint64_t clear(void *context, struct hpt_key key, uint64_t entry)
{
	struct clearing *clearing = context;

	(void)key;
	if (clearing->holes_only && !is_hole(entry))
		return entry;
	space_entry_dropped(clearing->spaces, entry);
	clearing->node->entries--;
	return 0;
}

static int clear_both_sizes(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			    bool holes_only)
{
	struct clearing clearing = {
		.spaces = spaces, .node = node_of(spaces, asid), .holes_only = holes_only};
	int error = space_region_visit(spaces, asid, region, HPT_4K, clear, &clearing);

	return error ? error : space_region_visit(spaces, asid, region, HPT_2M, clear, &clearing);
}

int space_region_clear(struct hpt_spaces *spaces, uint16_t asid, uint64_t region)
{
	return clear_both_sizes(spaces, asid, region, false);
}

int space_region_make_opaque(struct hpt_spaces *spaces, uint16_t asid, uint64_t region)
{
	struct space_node *node = node_of(spaces, asid);

	if (space_region_flags(spaces, asid, region, NULL) & REGION_OPAQUE)
		return 0;
	/* Opaque first: at no time is there less that hides. */
	hpt_change(&spaces->index, index_key(asid, region), 0, REGION_OPAQUE);
	node->opaque++;
	node->noted = NO_REGION;
	return clear_both_sizes(spaces, asid, region, true);
}

struct kinds {
	bool holes;
	bool pages;
};

static uint64_t note_kind(void *context, struct hpt_key key, uint64_t entry)
{
	struct kinds *kinds = context;

	(void)key;
	if (is_hole(entry))
		kinds->holes = true;
	else
		kinds->pages = true;
	return entry;
}

/* What a node has of a size in a region. */
static struct kinds kinds_of(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			     enum hpt_size size)
{
	struct kinds kinds = {false, false};

	space_region_visit(spaces, asid, region, size, note_kind, &kinds);
	return kinds;
}

/* A region that is in the list: flags that are new. */
static void add_flags(struct hpt_spaces *spaces, uint16_t asid, uint64_t region, uint64_t flags)
{
	uint64_t had = space_region_flags(spaces, asid, region, NULL);

	if (flags & ~had)
		hpt_change(&spaces->index, index_key(asid, region), 0, flags);
	node_of(spaces, asid)->noted = hpt_entry(region, had | flags);
}

int space_region_note(struct hpt_spaces *spaces, uint16_t asid, uint64_t region, uint64_t flags)
{
	struct space_node *node = node_of(spaces, asid);
	const uint64_t both = REGION_HAS_4K | REGION_HAS_2M;
	uint64_t next, noted = node->noted;
	int error;

	if (noted != NO_REGION && hpt_frame(noted) == region && (noted & flags) == flags &&
	    ((noted & both) != both || noted & REGION_OPAQUE))
		return 0;
	next = node->first_region == NO_REGION ? region : node->first_region;
	error = hpt_map(&spaces->index, index_key(asid, region),
			hpt_entry(next, HPT_PRESENT | flags));
	if (!error) {
		node->first_region = region;
		node->regions++;
		node->noted = hpt_entry(region, flags);
	} else if (error == -EEXIST) {
		enum hpt_size other = flags & REGION_HAS_2M ? HPT_4K : HPT_2M;

		error = 0;
		add_flags(spaces, asid, region, flags);
		if (flags && kinds_of(spaces, asid, region, other).holes)
			error = space_region_make_opaque(spaces, asid, region);
	}
	return error;
}

void space_region_remove_first(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);
	uint64_t region = node->first_region;

	if (space_region_flags(spaces, asid, region, NULL) & REGION_OPAQUE)
		node->opaque--;
	node->first_region = space_region_next(spaces, asid, region);
	hpt_unmap(&spaces->index, index_key(asid, region), NULL);
	node->regions--;
	node->noted = NO_REGION;
}

bool space_hole_needed(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region)
{
	return node_of(spaces, asid)->parent && !space_region_opaque(spaces, asid, region, NULL);
}

int space_entry_hide(struct hpt_spaces *spaces, struct hpt_key key)
{
	enum hpt_size other = key.size == HPT_2M ? HPT_4K : HPT_2M;
	uint64_t region = key.vpn >> HPT_SPACE_REGION;

	if (!space_hole_needed(spaces, key.asid, region))
		return 0;
	if (kinds_of(spaces, key.asid, region, other).pages)
		return space_region_make_opaque(spaces, key.asid, region);
	return space_entry_add(spaces, key, hole_of((enum hpt_size)key.size));
}

static uint64_t collect(void *context, struct hpt_key key, uint64_t entry)
{
	uint64_t *slot = &((uint64_t *)context)[key.vpn % HPT_LARGE_PAGES];

	if (!*slot)
		*slot = entry;
	return entry;
}

static void clear_collected(struct hpt_spaces *spaces)
{
	for (unsigned int i = 0; i < HPT_LARGE_PAGES; i++)
		spaces->region[i] = 0;
}

int space_region_collect(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			 enum hpt_size size)
{
	clear_collected(spaces);
	return space_region_visit(spaces, asid, region, size, collect, spaces->region);
}

int space_region_collect_shown(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			       enum hpt_size size)
{
	int error = 0;

	clear_collected(spaces);
	while (!error && space_hole_needed(spaces, asid, region)) {
		asid = node_of(spaces, asid)->parent;
		error = space_region_visit(spaces, asid, region, size, collect, spaces->region);
	}
	for (unsigned int i = 0; i < HPT_LARGE_PAGES; i++) {
		if (is_hole(spaces->region[i]))
			spaces->region[i] = 0;
	}
	return error;
}
