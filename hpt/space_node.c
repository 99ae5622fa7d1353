/* SPDX-License-Identifier: MIT */
/* Identifiers and their tree, and the table's entries under them. See space_node.h. */
#include "hpt/space_node.h"

#include "hpt/probe.h"

static enum hpt_organisation organisation_of(const struct hpt_spaces *spaces)
{
	return (enum hpt_organisation)spaces->config.table->desc.organisation;
}

int hpt_spaces_create(struct hpt_spaces *spaces, const struct hpt_spaces_config *config)
{
	struct hpt_config index = {.organisation = HPT_CLUSTERED,
				   .hash = config->hash,
				   .salt = config->salt,
				   .memory = config->table->memory};

	/* Not one initialiser: a compiler may build it on the stack first. */
	*spaces = (struct hpt_spaces){0};
	spaces->config = *config;
	spaces->fresh = 1;
	return hpt_create(&spaces->index, &index);
}

int hpt_spaces_destroy(struct hpt_spaces *spaces)
{
	const struct hpt_memory *memory = &spaces->config.table->memory;

	/* What is left over and belongs to nobody is ends and merges; merges alone need memory. */
	for (uint32_t asid = 1; asid < spaces->fresh; asid++) {
		enum node_state state = (enum node_state)node_of(spaces, (uint16_t)asid)->state;

		if (state == NODE_SPACE || state == NODE_SEGMENT)
			return -EBUSY;
	}
	while (hpt_spaces_reap(spaces, UINT64_MAX) > 0)
		continue;
	if (spaces->used)
		return -ENOMEM;
	for (uint32_t i = 0; i < HPT_SPACE_NODE_PAGES; i++) {
		if (spaces->node_pages[i])
			memory->put(memory->context, spaces->node_pages[i], HPT_PAGE_SIZE);
	}
	hpt_destroy(&spaces->index);
	return 0;
}

uint64_t hpt_spaces_bytes(const struct hpt_spaces *spaces)
{
	uint64_t bytes = spaces->index.counts.bytes;

	for (uint32_t i = 0; i < HPT_SPACE_NODE_PAGES; i++)
		bytes += spaces->node_pages[i] ? HPT_PAGE_SIZE : 0;
	return bytes;
}

/* An identifier that was never used, or -ENOSPC, -ENOMEM. */
static int take_fresh(struct hpt_spaces *spaces, uint16_t *asid)
{
	const struct hpt_memory *memory = &spaces->config.table->memory;
	uint64_t *page;

	if (spaces->fresh >> hpt_asid_bits(organisation_of(spaces)))
		return -ENOSPC;
	page = &spaces->node_pages[spaces->fresh >> HPT_SPACE_NODES_LOG2];
	if (!*page) {
		int error = memory->get(memory->context, HPT_PAGE_SIZE, page);

		if (error) {
			*page = 0;
			return error;
		}
	}
	*asid = (uint16_t)spaces->fresh++;
	return 0;
}

/* Where no identifier is fresh, the line is worked off until one is free. */
static int take(struct hpt_spaces *spaces, uint16_t *asid)
{
	int error = 0;

	if (!spaces->free)
		error = take_fresh(spaces, asid);
	if (!spaces->free && error != -ENOSPC)
		return error;
	while (!spaces->free) {
		if (hpt_spaces_reap(spaces, 1) <= 0 && !spaces->free)
			return -ENOSPC;
	}
	*asid = spaces->free;
	spaces->free = node_of(spaces, *asid)->next_queued;
	return 0;
}

int space_node_get(struct hpt_spaces *spaces, enum node_state state, uint16_t *asid)
{
	int error = take(spaces, asid);

	if (error)
		return error;
	*node_of(spaces, *asid) = (struct space_node){
		.first_region = NO_REGION, .noted = NO_REGION, .state = (uint8_t)state};
	spaces->used++;
	return 0;
}

void space_node_put(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);

	node->state = NODE_FREE;
	node->next_queued = spaces->free;
	spaces->free = asid;
	spaces->used--;
}

void space_node_queue(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);

	if (node->queued)
		return;
	node->queued = true;
	node->next_queued = 0;
	if (spaces->queue)
		node_of(spaces, spaces->queue_last)->next_queued = asid;
	else
		spaces->queue = asid;
	spaces->queue_last = asid;
}

void space_node_unqueue_first(struct hpt_spaces *spaces)
{
	struct space_node *node = node_of(spaces, spaces->queue);

	node->queued = false;
	spaces->queue = node->next_queued;
}

void space_node_adopt(struct hpt_spaces *spaces, uint16_t parent, uint16_t child)
{
	struct space_node *node = node_of(spaces, child);
	struct space_node *above = node_of(spaces, parent);

	node->parent = parent;
	node->previous_sibling = 0;
	node->next_sibling = above->first_child;
	if (above->first_child)
		node_of(spaces, above->first_child)->previous_sibling = child;
	above->first_child = child;
	above->children++;
}

void space_node_unlink(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);
	struct space_node *above = node_of(spaces, node->parent);

	if (!node->parent)
		return;
	if (node->previous_sibling)
		node_of(spaces, node->previous_sibling)->next_sibling = node->next_sibling;
	else
		above->first_child = node->next_sibling;
	if (node->next_sibling)
		node_of(spaces, node->next_sibling)->previous_sibling = node->previous_sibling;
	above->children--;
	node->parent = 0;
}

void space_node_bereaved(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);

	if (node->children == 1)
		space_node_queue(spaces, asid);
	else if (!node->children)
		space_node_end(spaces, asid);
}

void space_node_end(struct hpt_spaces *spaces, uint16_t asid)
{
	struct space_node *node = node_of(spaces, asid);
	uint16_t parent = node->parent;

	node->state = NODE_DYING;
	node->space = NULL;
	space_node_queue(spaces, asid);
	if (parent) {
		space_node_unlink(spaces, asid);
		/* Not deeper than HPT_SPACE_DEPTH. */
		space_node_bereaved(spaces, parent);
	}
}

unsigned int space_node_depth(const struct hpt_spaces *spaces, uint16_t asid)
{
	unsigned int depth = 0;

	while ((asid = node_of(spaces, asid)->parent))
		depth++;
	return depth;
}

bool space_range_fits(const struct hpt_spaces *spaces, uint64_t vpn, enum hpt_size size,
		      uint64_t count)
{
	uint64_t end = UINT64_C(1) << hpt_vpn_bits(organisation_of(spaces));

	return size < HPT_SIZES && vpn < end && vpn % hpt_pages_in(size) == 0 &&
	       count <= (end - vpn) / hpt_pages_in(size);
}

int space_find(const struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
	       struct space_place *place, struct hpt_ledger *ledger)
{
	for (place->searches = 0;; place->searches++) {
		const struct space_node *node;

		place->key = hpt_key(asid, vpn, size);
		if (!hpt_lookup(spaces->config.table, place->key, &place->entry, ledger))
			return is_hole(place->entry) ? -ENOENT : 0;
		node = node_of(spaces, asid);
		if (!node->parent ||
		    space_region_opaque(spaces, asid, vpn >> HPT_SPACE_REGION, ledger))
			return -ENOENT;
		asid = node->parent;
	}
}

int space_entry_add(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry)
{
	uint64_t flag = key.size == HPT_2M ? REGION_HAS_2M : REGION_HAS_4K;
	int error = space_region_note(spaces, key.asid, key.vpn >> HPT_SPACE_REGION, flag);

	if (!error)
		error = hpt_map(spaces->config.table, key, entry);
	if (!error)
		node_of(spaces, key.asid)->entries++;
	return error;
}

struct replacement {
	uint64_t entry;
	bool done;
};

static uint64_t replace(void *context, struct hpt_key key, uint64_t entry)
{
	struct replacement *replacement = context;

	(void)key;
	(void)entry;
	replacement->done = true;
	return replacement->entry;
}

int space_entry_replace(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry)
{
	struct replacement replacement = {.entry = entry};
	int error;

	key.vpn -= key.vpn % hpt_pages_in((enum hpt_size)key.size);
	error = hpt_visit_range(spaces->config.table, key, 1, replace, &replacement);
	return replacement.done ? 0 : error;
}

int space_entry_remove(struct hpt_spaces *spaces, struct hpt_key key)
{
	int error = hpt_unmap(spaces->config.table, key, NULL);

	if (!error)
		node_of(spaces, key.asid)->entries--;
	return error;
}

void space_entry_moved(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry)
{
	if (space_entry_remove(spaces, key))
		space_entry_taken(spaces, entry);
}
