/* SPDX-License-Identifier: MIT */
/*
 * Nodes: the identifiers behind address spaces, their tree, and where each has entries. For the
 * files of space.h.
 *
 * A node is an identifier in use. Those of spaces and segments have no children; a frozen one, an
 * ancestor, has at least one. The nodes without parent are the roots of trees.
 *
 * The regions in which a node has entries are a list in the index: the entry of (identifier,
 * region) has the next region of the list in its frame field, the last one itself, and flags. A
 * region stays in the list until its node ends or is merged, whatever is unmapped.
 *
 * An opaque region hides everything that ancestors have there. It takes the place of holes where
 * the node has pages of the other size, with which holes would overlap (a hole of 2 MiB and a page
 * of 4 KiB in it cannot both stand in one radix tree). A lookup asks for it only in nodes that have
 * opaque regions. That a region is made opaque never hides what was seen: a hole stands only where
 * an ancestor shows a page of its size, then no page of the other size is shown there, and the
 * pages of its own size are hidden by holes already.
 */
#ifndef HPT_SPACE_NODE_H
#define HPT_SPACE_NODE_H

#include <errno.h>

#include "hpt/space.h"

enum node_state { NODE_FREE, NODE_SPACE, NODE_SEGMENT, NODE_FROZEN, NODE_DYING };

struct space_node {
	struct hpt_space *space; /* whose it is: NODE_SPACE */
	uint64_t first_region;	 /* NO_REGION: there is none */
	uint64_t entries;	 /* in the table, holes as well */
	uint64_t noted;	  /* the index's word of a region, its flags known; frame: the region */
	uint64_t seen;	  /* for hpt_spaces_check() */
	uint32_t regions; /* in the list */
	uint32_t opaque;  /* of them */
	uint16_t parent;  /* 0: none */
	uint16_t children;
	uint16_t first_child;
	uint16_t next_sibling;
	uint16_t previous_sibling;
	uint16_t next_queued; /* or free */
	uint8_t state;
	bool queued; /* for hpt_spaces_reap() */
};

_Static_assert(sizeof(struct space_node) << HPT_SPACE_NODES_LOG2 == HPT_PAGE_SIZE,
	       "nodes fill pages");

#define NO_REGION UINT64_MAX

/* Flags of the index's entries, which are not read as permissions. */
#define REGION_HAS_4K HPT_WRITE
#define REGION_HAS_2M HPT_USER
#define REGION_OPAQUE HPT_SOFT

/* A hole: both flags, which no page has. */
#define HOLE	    (HPT_COMMON | HPT_COPIED)
#define HOLE_UNDONE HPT_ACCESSED /* of one that goes if the operation that made it fails */

static inline bool is_hole(uint64_t entry)
{
	return (entry & HOLE) == HOLE;
}

static inline uint64_t hole_of(enum hpt_size size)
{
	return size == HPT_2M ? HOLE | HPT_LARGE : HOLE;
}

static inline struct space_node *node_of(const struct hpt_spaces *spaces, uint16_t asid)
{
	uint64_t page = spaces->node_pages[asid >> HPT_SPACE_NODES_LOG2];
	struct space_node *nodes = (void *)(uintptr_t)(page + spaces->config.table->memory.offset);

	return &nodes[asid & ((1u << HPT_SPACE_NODES_LOG2) - 1)];
}

/* A free identifier, as a node without relations; reaps if there is none. -ENOSPC, -ENOMEM. */
int space_node_get(struct hpt_spaces *spaces, enum node_state state, uint16_t *asid);

/* Back to the free ones: without entries, regions and relations. */
void space_node_put(struct hpt_spaces *spaces, uint16_t asid);

void space_node_adopt(struct hpt_spaces *spaces, uint16_t parent, uint16_t child);

void space_node_unlink(struct hpt_spaces *spaces, uint16_t asid);

/* An ancestor has lost a child: without any it ends, with one it is in line to be merged. */
void space_node_bereaved(struct hpt_spaces *spaces, uint16_t asid);

/* Takes a node without children from its parent: its entries are in line to be removed. */
void space_node_end(struct hpt_spaces *spaces, uint16_t asid);

/* How many ancestors it has. */
unsigned int space_node_depth(const struct hpt_spaces *spaces, uint16_t asid);

/* The line for hpt_spaces_reap(): in at the end, unless it is in; out at the front. */
void space_node_queue(struct hpt_spaces *spaces, uint16_t asid);
void space_node_unqueue_first(struct hpt_spaces *spaces);

/* Flags of a region of a node; 0 if it is not in the list. */
uint64_t space_region_flags(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			    struct hpt_ledger *ledger);

/* Whether the node has an opaque region there. */
bool space_region_opaque(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			 struct hpt_ledger *ledger);

/* The region that follows in the list, or NO_REGION. */
uint64_t space_region_next(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region);

/* Enters a region into the list, and flags that it has now. 0 or -ENOMEM. */
int space_region_note(struct hpt_spaces *spaces, uint16_t asid, uint64_t region, uint64_t flags);

/* Makes a region that is in the list opaque, and removes its holes: 0 or -ENOMEM. */
int space_region_make_opaque(struct hpt_spaces *spaces, uint16_t asid, uint64_t region);

/* Takes the first region, which has no entries any more, from the list. */
void space_region_remove_first(struct hpt_spaces *spaces, uint16_t asid);

/* Visits the node's entries of one size in a region. */
int space_region_visit(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
		       enum hpt_size size, hpt_visitor visit, void *context);

/* Copies the node's entries of one size in a region to spaces->region; elsewhere it has 0. */
int space_region_collect(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			 enum hpt_size size);

/* The same for what a node's ancestors show there. */
int space_region_collect_shown(struct hpt_spaces *spaces, uint16_t asid, uint64_t region,
			       enum hpt_size size);

/* Removes the node's entries in a region, and drops their references. 0 or -ENOMEM. */
int space_region_clear(struct hpt_spaces *spaces, uint16_t asid, uint64_t region);

/* Whether the node can hide what ancestors show there only by a hole. */
bool space_hole_needed(const struct hpt_spaces *spaces, uint16_t asid, uint64_t region);

/* An entry under a node's identifier: new, other, gone. References are the caller's matter. */
int space_entry_add(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry);
int space_entry_replace(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry);
int space_entry_remove(struct hpt_spaces *spaces, struct hpt_key key);

/*
 * Removes an entry that has another place now, with its reference. Where the table has no memory
 * to remove it, it stays, hidden by the other, with a reference of its own.
 */
void space_entry_moved(struct hpt_spaces *spaces, struct hpt_key key, uint64_t entry);

/* Hides what ancestors of key.asid show of a page that the node has no entry for. 0 or -ENOMEM. */
int space_entry_hide(struct hpt_spaces *spaces, struct hpt_key key);

static inline void space_entry_taken(struct hpt_spaces *spaces, uint64_t entry)
{
	if (!is_hole(entry))
		spaces->config.taken(spaces->config.context, entry);
}

static inline void space_entry_dropped(struct hpt_spaces *spaces, uint64_t entry)
{
	if (!is_hole(entry))
		spaces->config.dropped(spaces->config.context, entry);
}

/* Where a node and its ancestors have an entry for a page: the nearest. */
struct space_place {
	struct hpt_key key;
	uint64_t entry; /* as it is stored; no hole */
	unsigned int searches;
};

/* 0 or -ENOENT; place->searches counts those beside the first. */
int space_find(const struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
	       struct space_place *place, struct hpt_ledger *ledger);

/* Whether `count` pages from vpn on can be. */
bool space_range_fits(const struct hpt_spaces *spaces, uint64_t vpn, enum hpt_size size,
		      uint64_t count);

/* hpt_space_map() and the like for any node without children. */
int space_node_map(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		   uint64_t entry);
int space_node_unmap(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		     uint64_t count);
int space_node_protect(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		       uint64_t count, uint64_t clear, uint64_t set);

/*
 * Makes a space have an ancestor less than it has: by a merge, or by giving the smallest ancestor's
 * entries to the node below it as well. Its identifier may change. 0 or -ENOMEM.
 */
int space_shorten(struct hpt_space *space);

#endif
