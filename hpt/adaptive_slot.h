/* SPDX-License-Identifier: MIT */
/*
 * The slots of an adaptive table (adaptive.h), whatever they are for: where they stand, how they
 * come and go, and how growth moves them. A slot is named by the address of its word.
 */
#ifndef HPT_ADAPTIVE_SLOT_H
#define HPT_ADAPTIVE_SLOT_H

#include "hpt/adaptive.h"
#include "hpt/generation.h"
#include "hpt/organisation.h"
#include "hpt/shared.h"

/* What readers set in words that have an entry. */
#define ADAPTIVE_MARKS (HPT_ACCESSED | HPT_DIRTY)

/* As many as one region, or one block of a spread one, has at most. */
#define ADAPTIVE_FOUND_MAX 8

struct adaptive_found {
	unsigned int count;
	uint64_t *slot[ADAPTIVE_FOUND_MAX]; /* by their first page */
	uint64_t *last;			    /* the one that a walk over all lines comes by last */
	bool away;			    /* not all of them stand in their home lines */
};

static inline uint64_t *adaptive_line_of(const uint64_t *slot)
{
	return (uint64_t *)((uintptr_t)slot & ~(uintptr_t)(HPT_LINE_SIZE - 1));
}

static inline uint64_t adaptive_tag_of(const uint64_t *slot)
{
	const uint64_t *line = adaptive_line_of(slot);

	return adaptive_slot_tag(line, (unsigned int)(slot - line));
}

/*
 * Takes the entry out of a slot, with what readers have marked: before the slot becomes free or
 * another's. Its tag stays until then.
 */
static inline uint64_t adaptive_take(struct hpt *table, uint64_t *slot)
{
	shared_hold(table, slot);
	return shared_take(table, slot);
}

/*
 * Gives a slot, whose place does not change, another tag of the same hash, and another word. What
 * it had has been taken, or was a marker.
 */
void adaptive_set_slot(struct hpt *table, uint64_t *slot, uint64_t tag, uint64_t word);

/*
 * As adaptive_set_slot(), but in the tag's home line if the slot stands elsewhere and there is room
 * now: the slot that it is. A slot is pushed aside by slots that come and go while a region is
 * built, and each that stays aside makes lookups read on that end at no region.
 */
uint64_t *adaptive_replace_slot(struct hpt *table, uint64_t *slot, uint64_t tag, uint64_t word);

/* Moves a slot to its home line if it stands elsewhere and there is room now: where it is then. */
uint64_t *adaptive_bring_home(struct hpt *table, uint64_t *slot);

/*
 * The slots of the region of `tag`, marker or runs; with ADAPTIVE_BY_BLOCK those of the block that
 * the tag's first page is in.
 */
void adaptive_find(const struct hpt *table, uint64_t tag, struct adaptive_found *found);

/*
 * Takes a slot; NULL where memory ran out: none is got while anything is held, when readers would
 * wait for whoever gives it. The table does not grow by it.
 */
uint64_t *adaptive_add(struct hpt *table, uint64_t tag, uint64_t word);

/* Frees a slot: as adaptive_set_slot(). */
void adaptive_remove(struct hpt *table, uint64_t *slot);

/* For struct hpt_operations. */
bool adaptive_move(struct hpt *table, const struct hpt_step *step);

/* What `passed` of a line that is not a spill line should be. */
uint32_t adaptive_count_passed(const struct hpt *table, const uint64_t *at);

#endif
