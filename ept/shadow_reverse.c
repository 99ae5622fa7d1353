/* SPDX-License-Identifier: MIT */
/* See shadow_reverse.h. */
#include <errno.h>

#include "ept/shadow_reverse.h"
#include "hpt/lines.h"

/*
 * Nine bits among the flags: all but those that say something to the tables (LARGE, SWAPPED), and
 * SHADOW_SOLE.
 */
#define NUMBER_BITS 9

static uint64_t place_number(uint64_t number)
{
	return (number & 0x3f) << 1 | (number >> 6 & 1) << 8 | number >> 7 << 10;
}

static uint64_t number_of(uint64_t entry)
{
	return (entry >> 1 & 0x3f) | (entry >> 8 & 1) << 6 | (entry >> 10 & 3) << 7;
}

static uint64_t size_flag(struct hpt_key key)
{
	return key.size == HPT_2M ? HPT_LARGE : 0;
}

static bool fits_sole(struct hpt_key key)
{
	return !(key.vpn >> HPT_FRAME_BITS) && !(key.asid >> NUMBER_BITS);
}

static uint64_t sole_frame(struct hpt_key key, uint64_t gfn)
{
	return hpt_entry(gfn, SHADOW_SOLE | size_flag(key));
}

static uint64_t sole_page(struct hpt_key key)
{
	return hpt_entry(key.vpn, SHADOW_SOLE | size_flag(key) | place_number(key.asid));
}

struct hpt_key shadow_sole_page(uint64_t entry)
{
	return hpt_key((uint16_t)number_of(entry), hpt_frame(entry),
		       entry & HPT_LARGE ? HPT_2M : HPT_4K);
}

static uint64_t node_entry(struct hpt_key key, uint64_t address)
{
	uint64_t slot = address % HPT_PAGE_SIZE / sizeof(struct shadow_node);

	return hpt_entry(address >> HPT_PAGE_SHIFT, size_flag(key) | place_number(slot));
}

uint64_t shadow_node_address(uint64_t entry)
{
	return hpt_frame(entry) << HPT_PAGE_SHIFT | number_of(entry) * sizeof(struct shadow_node);
}

/* The first node of a page is none: its first word names the next page. */
static int more_nodes(struct shadow_reverse *reverse)
{
	const struct hpt_memory *memory = &reverse->by_page.memory;
	uint64_t page;
	int error = memory->get(memory->context, HPT_PAGE_SIZE, &page);

	if (error)
		return error;
	shadow_node(reverse, page)->tag = reverse->node_pages;
	reverse->node_pages = page;
	reverse->page_count++;
	for (uint64_t i = SHADOW_NODES; i; i--) {
		uint64_t address = page + i * sizeof(struct shadow_node);

		shadow_node(reverse, address)->next = reverse->free;
		reverse->free = address;
	}
	return 0;
}

static void put_node_pages(struct shadow_reverse *reverse)
{
	const struct hpt_memory *memory = &reverse->by_page.memory;

	while (reverse->node_pages) {
		uint64_t page = reverse->node_pages;

		reverse->node_pages = shadow_node(reverse, page)->tag;
		memory->put(memory->context, page, HPT_PAGE_SIZE);
	}
	reverse->page_count = 0;
	reverse->free = 0;
	reverse->nodes = 0;
}

/* A node that is in no list; 0 without memory. */
static uint64_t get_node(struct shadow_reverse *reverse, struct hpt_key key, uint64_t gfn)
{
	uint64_t address;

	if (!reverse->free && more_nodes(reverse))
		return 0;
	address = reverse->free;
	reverse->free = shadow_node(reverse, address)->next;
	*shadow_node(reverse, address) = (struct shadow_node){.tag = hpt_tag(key), .gfn = gfn};
	reverse->nodes++;
	reverse->updates++;
	return address;
}

static void put_node(struct shadow_reverse *reverse, uint64_t address)
{
	*shadow_node(reverse, address) = (struct shadow_node){.next = reverse->free};
	reverse->free = address;
	reverse->updates++;
	if (!--reverse->nodes)
		put_node_pages(reverse);
}

/* Behind the first of a list, so that by_frame stays as it is. */
static void link_node(struct shadow_reverse *reverse, uint64_t first, uint64_t address)
{
	struct shadow_node *node = shadow_node(reverse, address);
	struct shadow_node *before = shadow_node(reverse, first);

	node->next = before->next;
	node->previous = first;
	if (node->next) {
		shadow_node(reverse, node->next)->previous = address;
		reverse->updates++;
	}
	before->next = address;
	reverse->updates++;
}

static int map(struct shadow_reverse *reverse, struct hpt *table, struct hpt_key key,
	       uint64_t entry)
{
	int error = hpt_map(table, key, entry);

	reverse->updates += !error;
	return error;
}

static void unmap(struct shadow_reverse *reverse, struct hpt *table, struct hpt_key key)
{
	if (hpt_unmap(table, key, NULL))
		reverse->lost = true;
	reverse->updates++;
}

static uint64_t visit_to_replace(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	(void)entry;
	return *(const uint64_t *)context;
}

static void replace(struct shadow_reverse *reverse, struct hpt *table, struct hpt_key key,
		    uint64_t entry)
{
	if (hpt_visit_range(table, key, 1, visit_to_replace, &entry))
		reverse->lost = true;
	reverse->updates++;
}

int shadow_reverse_create(struct shadow_reverse *reverse, const struct hpt_config *config)
{
	int error;

	/* Not one initialiser: a compiler may build it on the stack first. */
	reverse->node_pages = 0;
	reverse->free = 0;
	reverse->page_count = 0;
	reverse->nodes = 0;
	reverse->updates = 0;
	reverse->lost = false;
	error = hpt_create(&reverse->by_page, config);
	if (error)
		return error;
	error = hpt_create(&reverse->by_frame, config);
	if (error)
		hpt_destroy(&reverse->by_page);
	return error;
}

void shadow_reverse_destroy(struct shadow_reverse *reverse)
{
	put_node_pages(reverse);
	hpt_destroy(&reverse->by_frame);
	hpt_destroy(&reverse->by_page);
}

void shadow_reverse_clear(struct shadow_reverse *reverse)
{
	put_node_pages(reverse);
	hpt_unmap_all(&reverse->by_frame);
	hpt_unmap_all(&reverse->by_page);
	reverse->lost = false;
}

int shadow_reverse_frame(const struct shadow_reverse *reverse, struct hpt_key key, uint64_t *gfn)
{
	uint64_t entry;

	if (hpt_lookup(&reverse->by_page, key, &entry, NULL))
		return -ENOENT;
	*gfn = entry & SHADOW_SOLE ? hpt_frame(entry)
				   : shadow_node(reverse, shadow_node_address(entry))->gfn;
	return 0;
}

/* The first page of a frame. */
static int add_first(struct shadow_reverse *reverse, struct hpt_key key, uint64_t gfn)
{
	uint64_t node = fits_sole(key) ? 0 : get_node(reverse, key, gfn);
	int error;

	if (!node && !fits_sole(key))
		return -ENOMEM;
	error = map(reverse, &reverse->by_page, key,
		    node ? node_entry(key, node) : sole_frame(key, gfn));
	if (!error) {
		error = map(reverse, &reverse->by_frame, shadow_frame_key(gfn, key.size),
			    node ? node_entry(key, node) : sole_page(key));
		if (error)
			unmap(reverse, &reverse->by_page, key);
	}
	if (error && node)
		put_node(reverse, node);
	return error;
}

/* Another one of a frame that has a list, whose first node this is. */
static int add_to_list(struct shadow_reverse *reverse, struct hpt_key key, uint64_t gfn,
		       uint64_t first)
{
	uint64_t node = get_node(reverse, key, gfn);
	int error;

	if (!node)
		return -ENOMEM;
	error = map(reverse, &reverse->by_page, key, node_entry(key, node));
	if (error)
		put_node(reverse, node);
	else
		link_node(reverse, first, node);
	return error;
}

/* Turns a frame's only page into a list; 0 without memory. */
static uint64_t make_list(struct shadow_reverse *reverse, struct hpt_key sole, uint64_t gfn)
{
	uint64_t node = get_node(reverse, sole, gfn);

	if (!node)
		return 0;
	replace(reverse, &reverse->by_page, sole, node_entry(sole, node));
	replace(reverse, &reverse->by_frame, shadow_frame_key(gfn, sole.size),
		node_entry(sole, node));
	return reverse->lost ? 0 : node;
}

int shadow_reverse_add(struct shadow_reverse *reverse, struct hpt_key key, uint64_t gfn)
{
	uint64_t first, entry;

	if (hpt_lookup(&reverse->by_frame, shadow_frame_key(gfn, key.size), &entry, NULL))
		return add_first(reverse, key, gfn);
	if (entry & SHADOW_SOLE)
		first = make_list(reverse, shadow_sole_page(entry), gfn);
	else
		first = shadow_node_address(entry);
	return first ? add_to_list(reverse, key, gfn, first) : -ENOMEM;
}

static void unlink_node(struct shadow_reverse *reverse, struct hpt_key key, uint64_t address)
{
	struct shadow_node node = *shadow_node(reverse, address);

	if (node.next) {
		shadow_node(reverse, node.next)->previous = node.previous;
		reverse->updates++;
	}
	if (node.previous) {
		shadow_node(reverse, node.previous)->next = node.next;
		reverse->updates++;
	} else if (node.next) {
		replace(reverse, &reverse->by_frame, shadow_frame_key(node.gfn, key.size),
			node_entry(key, node.next));
	} else {
		unmap(reverse, &reverse->by_frame, shadow_frame_key(node.gfn, key.size));
	}
	put_node(reverse, address);
}

static uint64_t forget_page(void *context, struct hpt_key key, uint64_t entry)
{
	struct shadow_reverse *reverse = context;

	if (entry & SHADOW_SOLE)
		unmap(reverse, &reverse->by_frame, shadow_frame_key(hpt_frame(entry), key.size));
	else
		unlink_node(reverse, key, shadow_node_address(entry));
	reverse->updates++;
	return 0;
}

void shadow_reverse_forget(struct shadow_reverse *reverse, struct hpt_key key, uint64_t count)
{
	if (hpt_visit_range(&reverse->by_page, key, count, forget_page, reverse))
		reverse->lost = true;
}

struct forget_frames {
	struct shadow_reverse *reverse;
	void (*gone)(void *context, struct hpt_key key);
	void *context;
};

static uint64_t forget_frame(void *context, struct hpt_key frame, uint64_t entry)
{
	const struct forget_frames *forget = context;
	struct shadow_reverse *reverse = forget->reverse;
	uint64_t next;

	(void)frame;
	reverse->updates++;
	if (entry & SHADOW_SOLE) {
		unmap(reverse, &reverse->by_page, shadow_sole_page(entry));
		forget->gone(forget->context, shadow_sole_page(entry));
		return 0;
	}
	for (uint64_t address = shadow_node_address(entry); address; address = next) {
		struct hpt_key key = hpt_tag_key(shadow_node(reverse, address)->tag);

		next = shadow_node(reverse, address)->next;
		put_node(reverse, address);
		unmap(reverse, &reverse->by_page, key);
		forget->gone(forget->context, key);
	}
	return 0;
}

void shadow_reverse_forget_frames(struct shadow_reverse *reverse, struct hpt_key frames,
				  uint64_t count, void (*gone)(void *context, struct hpt_key key),
				  void *context)
{
	struct forget_frames forget = {reverse, gone, context};

	if (hpt_visit_range(&reverse->by_frame, frames, count, forget_frame, &forget))
		reverse->lost = true;
}
