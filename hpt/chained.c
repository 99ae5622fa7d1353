/* SPDX-License-Identifier: MIT */
/* Buckets and nodes: see chained.h for heads, nodes and invariants. */
#include "hpt/shared.h"
#include "hpt/single.h"

/*
 * The first node of a block of nodes is its header: the next block in the list of all of them, and
 * its size. Blocks double as the table grows, from a page to the most that may be asked for.
 */
enum block_word { BLOCK_NEXT, BLOCK_SIZE };

#define BLOCK_MAX (UINT64_C(1) << HPT_CHUNK_SHIFT)

static uint64_t *node_at(const struct hpt *table, uint64_t address)
{
	return hpt_pointer(table, address);
}

static uint64_t address_of(const struct hpt *table, const uint64_t *word)
{
	return (uint64_t)(uintptr_t)word - table->memory.offset;
}

/* What a link names, and what it is to name: a node's address, or 0. */
static uint64_t link_of(const struct hpt *table, const uint64_t *link)
{
	return hpt_open_link(&table->desc, address_of(table, link), *link);
}

static void set_link(struct hpt *table, uint64_t *link, uint64_t address)
{
	shared_hold(table, link);
	HPT_STORE(*link, hpt_seal_link(&table->desc, address_of(table, link), address));
}

static uint64_t *head_of(const struct hpt *table, uint64_t tag)
{
	return hpt_pointer(table, chained_head(&table->desc, hpt_spot(&table->desc, tag)));
}

/* The head of the old generation where the tag may be as well; NULL if there is none. */
static uint64_t *old_head_of(const struct hpt *table, uint64_t tag)
{
	uint64_t head = chained_old_head(&table->desc, tag);

	return head ? hpt_pointer(table, head) : NULL;
}

static int more_nodes(struct hpt *table)
{
	uint64_t last = table->nodes.blocks;
	uint64_t size = last ? node_at(table, last)[BLOCK_SIZE] * 2 : HPT_PAGE_SIZE;
	uint64_t block;
	int error;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	error = hpt_get(table, size, &block);
	if (error)
		return error;
	set_link(table, &node_at(table, block)[BLOCK_NEXT], last);
	node_at(table, block)[BLOCK_SIZE] = size;
	table->nodes.blocks = block;
	table->nodes.fresh = block + CHAINED_NODE_SIZE;
	table->nodes.fresh_end = block + size;
	return 0;
}

/* A node's address, or 0. */
static uint64_t get_node(struct hpt *table)
{
	uint64_t node = table->nodes.free;

	if (node) {
		table->nodes.free = link_of(table, &node_at(table, node)[CHAINED_NEXT]);
		return node;
	}
	if (table->nodes.fresh == table->nodes.fresh_end && more_nodes(table))
		return 0;
	node = table->nodes.fresh;
	table->nodes.fresh += CHAINED_NODE_SIZE;
	return node;
}

static void set_node(struct hpt *table, uint64_t address, uint64_t tag, uint64_t entry,
		     uint64_t next)
{
	uint64_t *node = node_at(table, address);

	shared_hold(table, node);
	HPT_STORE(node[CHAINED_TAG], tag);
	HPT_STORE(node[CHAINED_ENTRY], entry);
	set_link(table, &node[CHAINED_NEXT], next);
}

static void put_node(struct hpt *table, uint64_t address)
{
	set_node(table, address, 0, 0, table->nodes.free);
	table->nodes.free = address;
}

static void chained_destroy(struct hpt *table)
{
	while (table->nodes.blocks) {
		uint64_t block = table->nodes.blocks;

		table->nodes.blocks = link_of(table, &node_at(table, block)[BLOCK_NEXT]);
		hpt_put(table, block, node_at(table, block)[BLOCK_SIZE]);
	}
	generation_destroy(table);
}

static int add_page(struct hpt *table, struct hpt_key key, uint64_t entry)
{
	uint64_t address = get_node(table);
	uint64_t *head = head_of(table, hpt_tag(key));

	if (!address)
		return -ENOMEM;
	set_node(table, address, hpt_tag(key), entry, link_of(table, head));
	set_link(table, head, address);
	table->counts.used++;
	return 0;
}

/* Takes the node that `link` names out of its chain. */
static void unlink_node(struct hpt *table, uint64_t *link)
{
	uint64_t address = link_of(table, link);

	set_link(table, link, link_of(table, &node_at(table, address)[CHAINED_NEXT]));
	put_node(table, address);
	table->counts.used--;
	table->counts.entries--;
}

/* The link of a chain that names the node of an entry's word; NULL if the chain has it not. */
static uint64_t *link_to(const struct hpt *table, uint64_t *link, const uint64_t *word)
{
	while (*link && node_at(table, link_of(table, link)) != word - CHAINED_ENTRY)
		link = &node_at(table, link_of(table, link))[CHAINED_NEXT];
	return *link ? link : NULL;
}

static void chained_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	uint64_t tag = hpt_tag(key);
	uint64_t *link = link_to(table, head_of(table, tag), word);

	if (!link)
		link = link_to(table, old_head_of(table, tag), word);
	unlink_node(table, link);
}

/* Moves chains of a line of heads: links change, nodes stay. */
static bool chained_move(struct hpt *table, const struct hpt_step *step)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++) {
		while (step->lines[i]) {
			uint64_t *link = &step->lines[i];
			uint64_t address = link_of(table, link);
			uint64_t *node = node_at(table, address);
			uint64_t *head = head_of(table, node[CHAINED_TAG]);

			if (moved++ == CHAINED_STEP)
				return false;
			set_link(table, link, link_of(table, &node[CHAINED_NEXT]));
			set_link(table, &node[CHAINED_NEXT], link_of(table, head));
			set_link(table, head, address);
			table->counts.moves++;
		}
	}
	return true;
}

static void scan_chain(struct hpt *table, uint64_t *link, const struct single_scan *scan)
{
	while (*link) {
		uint64_t *node = node_at(table, link_of(table, link));

		if (single_scanned(table, &node[CHAINED_ENTRY], hpt_tag_key(node[CHAINED_TAG]),
				   scan)) {
			link = &node[CHAINED_NEXT];
		} else {
			unlink_node(table, link);
			shared_done(table);
		}
	}
}

static void chained_scan(struct hpt *table, const struct single_scan *scan)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
			scan_chain(table, &line[i], scan);
	}
}

static const char *check_chain(const struct hpt *table, const uint64_t *head,
			       struct hpt_counts *seen)
{
	for (const uint64_t *link = head; *link;) {
		const uint64_t *node = node_at(table, link_of(table, link));
		struct hpt_found found;
		const char *broken;

		if (!(node[CHAINED_TAG] & HPT_TAG_USED))
			return "a tag says that it is used";
		if (!HPT_LOAD(node[CHAINED_ENTRY]) ||
		    HPT_LOAD(node[CHAINED_ENTRY]) & ~HPT_ENTRY_MASK)
			return "a node has an entry";
		if (head_of(table, node[CHAINED_TAG]) != head &&
		    old_head_of(table, node[CHAINED_TAG]) != head)
			return "a node is in the chain of its tag";
		if (!hpt_find(table, hpt_tag_key(node[CHAINED_TAG]), &found) ||
		    found.word != &node[CHAINED_ENTRY])
			return "a node is the one that its tag finds";
		broken = hpt_check_overlap(table, hpt_tag_key(node[CHAINED_TAG]));
		if (broken)
			return broken;
		/* Also what ends the walk of a chain that is a circle. */
		if (++seen->used > table->counts.used)
			return "counts.used is the number of places that are taken";
		seen->entries++;
		link = &node[CHAINED_NEXT];
	}
	return NULL;
}

/* Every node is in a chain, free or fresh. Adds what the blocks hold, in bytes. */
static const char *check_nodes(const struct hpt *table, uint64_t used, uint64_t *bytes)
{
	const struct hpt_nodes *nodes = &table->nodes;
	uint64_t left = 0;
	uint64_t unused = (nodes->fresh_end - nodes->fresh) / CHAINED_NODE_SIZE;

	for (uint64_t block = nodes->blocks; block;
	     block = link_of(table, &node_at(table, block)[BLOCK_NEXT])) {
		*bytes += node_at(table, block)[BLOCK_SIZE];
		left += node_at(table, block)[BLOCK_SIZE] / CHAINED_NODE_SIZE - 1;
		if (*bytes > table->counts.bytes)
			return "counts.bytes is the memory of generations and spill";
	}
	for (uint64_t next = nodes->free; next && unused <= left; unused++)
		next = link_of(table, &node_at(table, next)[CHAINED_NEXT]);
	return used + unused == left ? NULL : "every node is in a chain, free or fresh";
}

static const char *chained_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct hpt_counts seen = {0};
	const char *broken = NULL;
	uint64_t bytes = 0;
	uint64_t *line;

	while (!broken && (line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < HPT_LINE_WORDS && !broken; i++)
			broken = check_chain(table, &line[i], &seen);
	}
	if (!broken)
		broken = check_nodes(table, seen.used, &bytes);
	return broken ? broken : generation_check(table, &seen, bytes);
}

static const struct single_places places = {.add = add_page, .scan = chained_scan};

const struct hpt_operations hpt_chained_operations = {
	.name = "chained",
	.place_pages = 1,
	.line_places = HPT_LINE_WORDS,
	.load = 64,
	.step_lines = 1,
	.places = &places,
	.move = chained_move,
	.create = generation_create,
	.destroy = chained_destroy,
	.map = single_map,
	.forget = chained_forget,
	.visit_range = single_visit_range,
	.visit = single_visit,
	.check = chained_check,
};
