/* SPDX-License-Identifier: MIT */
/*
 * Generations: the arrays of lines that all hashed organisations have, their growth, their spill
 * pages, and the walk over all of their lines.
 *
 * A table's lines are one array, the current generation, of a power of two of lines. A key lives in
 * the group (64 lines, a 4 KiB page) that the top bits of its hash name, or, where that is full, in
 * one of the spill pages, which every group shares. Growth makes an array of twice the lines and
 * then moves a step of the old one with each place that is taken: gradual resizing as in Skarlatos
 * et al., "Elastic Cuckoo Page Tables" (ASPLOS'20), section 4.2. `split` in the descriptor tells
 * which generation has a key, so that a lookup never asks both.
 *
 * Moving a step of growth cannot fail: what lay in one group has two groups of the new array, which
 * are empty until then; each place that had spilled is freed before it is taken again, so that as
 * many may spill as have before. (What had spilled goes first: what spills in the same step is
 * counted where it belongs now and must not be moved once more.)
 *
 * A change of salt is a growth into an array of the same size, or twice that if it would have to
 * grow before the end of it. A key moves when its hash under the old salt says so, to the place
 * that its hash under the new one names, which is in any group of the new array and may be taken.
 * So before each step the spill must have as many free places as the step has lines or slots: then
 * moving cannot fail here either, whatever the salts. A spill page has the places of a group: at
 * most one is got for a step, and mostly none. Without memory for it the step waits.
 *
 * What an organisation brings for this stands in its struct hpt_operations.
 */
#ifndef HPT_GENERATION_H
#define HPT_GENERATION_H

#include "hpt/hpt.h"

static inline uint64_t generation_lines(const struct hpt_generation *generation)
{
	return UINT64_C(1) << generation->lines_log2;
}

static inline bool generation_growing(const struct hpt_desc *desc)
{
	return desc->growing;
}

/* An array that takes `pages` pages at the organisation's load; and all memory given back. */
int generation_create(struct hpt *table, uint64_t pages);
void generation_destroy(struct hpt *table);

/*
 * To be called before a place is taken: begins a generation of twice the lines where this one is
 * full enough, or half as full (under `local` a quarter) but has filled a page of spill, and moves
 * one step where one is under way. Out of memory it does nothing.
 *
 * With the spill as a reason to grow, what a lookup reads beyond its group is bounded as long as
 * there is memory and the keys are not chosen. A hash that spreads keys like random numbers puts
 * more than 64 lines into one group of 10,000 at 5/8 load: a table of half a million groups
 * grows at 0.60. The largest there can be does not.
 */
void generation_grow(struct hpt *table);

/*
 * How many places a page of spill has, 0 where nothing spills. So many may have spilled from one
 * group before the table grows, and come home with it: with the places of a step, that is what one
 * insertion moves at most. More it is only where there was no memory to grow, the table is the
 * largest, or the keys are chosen.
 */
uint64_t generation_spill_places(const struct hpt *table);

/* As hpt_rekey() and hpt_settle(). */
int generation_rekey(struct hpt *table, uint64_t salt);
int generation_settle(struct hpt *table, uint64_t steps);

/* One more page of spill lines: 0, or -ENOMEM. */
int generation_more_spill(struct hpt *table);

/* The spill line of this number. */
uint64_t *generation_spill_line(const struct hpt *table, uint32_t line);

/* What generations and spill pages hold, in bytes. */
uint64_t generation_bytes(const struct hpt_desc *desc);

/*
 * What is wrong with the counts of places and bytes, beside those that were `seen` in a walk over
 * all lines; NULL if nothing is. `more_bytes` is what the organisation holds beside its lines.
 */
const char *generation_check(const struct hpt *table, const struct hpt_counts *seen,
			     uint64_t more_bytes);

/*
 * Walks every line that lookups can reach, used or not: the current generation, the groups of the
 * old one that are still to be moved, the spill lines. Start with {.table = table}. Places may be
 * freed on the way, not taken.
 */
struct generation_walk {
	struct hpt *table;
	uint64_t next; /* line number in the part that is walked */
	int part;      /* 0: current, 1: old, 2: spill */
	uint64_t end;  /* 0: not yet known */
	bool in_spill; /* the last line given was a spill line */
};

uint64_t *generation_next_line(struct generation_walk *walk);

#endif
