/* SPDX-License-Identifier: MIT */
/*
 * Tables whose line is a block of eight neighbouring pages (clustered.h): what clustered and cuckoo
 * have in common, which is all but where a line stands.
 */
#ifndef HPT_BLOCK_H
#define HPT_BLOCK_H

#include "hpt/clustered.h"
#include "hpt/generation.h"
#include "hpt/lookup.h"
#include "hpt/organisation.h"

/* Where lines stand, as an organisation has it (struct hpt_operations.placing). */
struct block_placing {
	/* The line of a tag, or NULL. */
	uint64_t *(*find)(const struct hpt *table, uint64_t tag);
	/* A line for a tag that has none, with no entries yet; NULL where memory ran out. */
	uint64_t *(*add)(struct hpt *table, uint64_t tag);
	/* Takes the line of `tag`, whose entries are all 0, out of the table. */
	void (*remove)(struct hpt *table, uint64_t tag, uint64_t *line);
	/* What `passed` of a line that is not a spill line should be. */
	unsigned int (*passed)(const struct hpt *table, const uint64_t *line);
};

/* Operations, for struct hpt_operations. */
int block_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
	      uint64_t stride, uint64_t *done);
void block_forget(struct hpt *table, struct hpt_key key, uint64_t *word);
int block_visit(struct hpt *table, hpt_visitor visit, void *context);
int block_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		      void *context);
const char *block_check(const struct hpt *table);

/* Takes a line out of where it is, uncounted there, and puts it where its tag belongs now. */
void block_move_line(struct hpt *table, uint64_t *line);

/* Moves the spilled lines whose hpt_hash() lies in a step. */
void block_move_spilled(struct hpt *table, const struct hpt_step *step);

#endif
