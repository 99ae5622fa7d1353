/* SPDX-License-Identifier: MIT */
/*
 * Regions of an adaptive table: their forms (adaptive.h), and how one becomes another. All changes
 * of form but the merging of neighbours go through a leaf: adaptive_expand() makes one of any form,
 * adaptive_settle() finds the form that is best for what is in it.
 *
 * That unmapping or changing a page of a run has the memory for the leaf, pages are kept in reserve
 * from before the first run is made; as long as the reserve is not full, no run is made.
 *
 * Readers (shared.h). A conversion holds the marker's page before it takes a word out of the leaf,
 * and those of all slots that come or go, until it has ended. What it decides on may be marked
 * before it takes it: a mark that comes then is one of the whole run, as if the run had been made a
 * moment earlier. A leaf whose address readers may have is retired when it is empty, and pages in
 * reserve are such as no reader has seen. A leaf that is made and given up before anything is let
 * go has been seen by none.
 */
#ifndef HPT_ADAPTIVE_REGION_H
#define HPT_ADAPTIVE_REGION_H

#include "hpt/adaptive_slot.h"

/* A leaf below so many pages is given up, if a region's form has not just been chosen. */
#define ADAPTIVE_LEAF_KEPT 128

/* A range operation splits a run at each of its ends. */
#define ADAPTIVE_RESERVE 2

/*
 * What one insertion moves at most, beside what had spilled: the slots of a step of growth, those
 * of a spread region that becomes a leaf, and those that it has if it turns out to be compact.
 */
#define ADAPTIVE_MOVES_MAX \
	(HPT_GROUP_LINES * ADAPTIVE_LINE_SLOTS + ADAPTIVE_LEAF_PAGES - 1 + ADAPTIVE_SLOTS)

enum adaptive_form {
	ADAPTIVE_FORM_NONE,
	ADAPTIVE_FORM_COMPACT,
	ADAPTIVE_FORM_SPREAD,
	ADAPTIVE_FORM_LEAF,
	ADAPTIVE_FORM_LARGE /* one page of 2 MiB */
};

/* 2^log2 pages of a region: `first` is a multiple of that, the entry is its own. */
struct adaptive_run {
	unsigned int first;
	unsigned int log2;
	uint64_t entry;
};

/* The form of the region whose slots were found. */
enum adaptive_form adaptive_form_of(const struct adaptive_found *found);

struct adaptive_run adaptive_run_of(const uint64_t *slot);

static inline uint64_t adaptive_page_entry(uint64_t entry, unsigned int pages)
{
	return entry + ((uint64_t)pages << HPT_FRAME_SHIFT);
}

static inline uint64_t adaptive_run_tag(uint64_t tag, const struct adaptive_run *run)
{
	return tag | adaptive_pages(run->first, run->log2);
}

/* The count of a marker. */
static inline unsigned int adaptive_marker_count(const uint64_t *marker)
{
	return (unsigned int)(HPT_LOAD(*marker) & ADAPTIVE_COUNT_MASK) + 1;
}

static inline uint64_t *adaptive_leaf(const struct hpt *table, const uint64_t *marker)
{
	return hpt_pointer(table, adaptive_leaf_address(&table->desc, adaptive_tag_of(marker),
							HPT_LOAD(*marker)));
}

/* The tag by which the slots of pair `pair`, block 0 or 1 of it, are found in a spread region. */
static inline uint64_t adaptive_block_tag(uint64_t tag, unsigned int block)
{
	return tag | ADAPTIVE_BY_BLOCK | adaptive_pages(block << ADAPTIVE_BLOCK_LOG2, 0);
}

/* Whether block `block` of a spread region may have pages. */
static inline bool adaptive_block_marked(const uint64_t *marker, unsigned int block)
{
	unsigned int pair = block >> (ADAPTIVE_PAIR_LOG2 - ADAPTIVE_BLOCK_LOG2);

	return HPT_LOAD(*marker) >> (HPT_FRAME_SHIFT + pair) & 1;
}

#define ADAPTIVE_BLOCKS (ADAPTIVE_PAGES >> ADAPTIVE_BLOCK_LOG2)

/*
 * Whether the reserve is full, or could be filled, which is not tried while anything is held: runs
 * may be made then. `coming` pages are in use until these are made, and come to the reserve.
 */
bool adaptive_reserve(struct hpt *table, unsigned int coming);

/*
 * An empty page for a leaf: 0 or -ENOMEM. `reserve`: the reserve may be taken. Nothing is held.
 */
int adaptive_get_leaf(struct hpt *table, bool reserve, uint64_t *address);

/*
 * Takes back a page, whose words are 0. Unless it is `unseen` by readers, the table must be whole:
 * all that is held is let go, since nobody may wait for the writer when a page is retired.
 */
void adaptive_put_leaf(struct hpt *table, uint64_t address, bool unseen);

/*
 * Makes the region of `tag`, compact or spread as was found, a leaf at `address`, an empty page.
 * Its marker.
 */
uint64_t *adaptive_expand(struct hpt *table, uint64_t tag, const struct adaptive_found *found,
			  uint64_t address);

/*
 * Gives the leaf of this region's up if it can be compact, or if it has fewer pages than `keep` and
 * can be spread. It stays where memory for slots runs out. The table does not grow by it. As
 * adaptive_put_leaf().
 */
void adaptive_settle(struct hpt *table, uint64_t tag, unsigned int keep, bool unseen);

/*
 * Sets the count of a region's marker; with 0 region and leaf go, which readers may have seen, as
 * in adaptive_put_leaf().
 */
void adaptive_set_count(struct hpt *table, uint64_t *marker, unsigned int count);

/*
 * The same for a spread region, which becomes compact where hardly a page is left. The table is
 * whole.
 */
void adaptive_shrink(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int count);

/* For struct hpt_operations. */
int adaptive_visit(struct hpt *table, hpt_visitor visit, void *context);
int adaptive_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
			 void *context);
const char *adaptive_check(const struct hpt *table);

#endif
