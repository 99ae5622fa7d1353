/* SPDX-License-Identifier: MIT */
/* The memory of a clustered table: its generations, its growth, the walk over all of its lines. */
#ifndef HPT_CLUSTERED_GROW_H
#define HPT_CLUSTERED_GROW_H

#include "hpt/clustered.h"
#include "hpt/hpt.h"

int clustered_create(struct hpt *table, uint64_t pages);
void clustered_destroy(struct hpt *table);

/*
 * To be called before a line is added: begins a generation of twice the lines where this one is
 * full enough, and moves one group where one is under way. Out of memory it does nothing.
 */
void clustered_grow(struct hpt *table);

/* One more page of spill lines: 0, or -ENOMEM. */
int clustered_more_spill(struct hpt *table);

/* A line for a tag that has none, with no entries yet; NULL where memory ran out. (clustered.c) */
uint64_t *clustered_add_line(struct hpt *table, uint64_t tag);

/*
 * Walks every line that lookups can reach, used or not: the current generation, the groups of the
 * old one that are still to be moved, the spill lines. Start with {.table = table}. Lines may be
 * removed on the way, not added.
 */
struct clustered_line_walk {
	struct hpt *table;
	uint64_t next; /* line number in the part that is walked */
	int part;      /* 0: current, 1: old, 2: spill */
	uint64_t end;  /* 0: not yet known */
	bool in_spill; /* the last line given was a spill line */
};

uint64_t *clustered_next_line(struct clustered_line_walk *walk);

#endif
