/* SPDX-License-Identifier: MIT */
/*
 * What walks cost, reference by reference.
 *
 * A reference has a slot: the row is the stage-1 probe that it was made for (the last row: the data
 * page), the column the stage-2 probe (the last column: the read of the stage-1 line itself). So a
 * nested radix walk has 24 slots, 4 x 5 and 4, and a hashed one whose tables answer at once has 3.
 * Probes beyond the slots of a stage are counted in its last one.
 *
 * refs   memory references, each prefetch of a way of cuckoo included: those that the walk issues
 * steps  the longest chain of them that depend on each other; ways are one step
 * lines  distinct 64-byte lines, pages distinct 4 KiB pages of table memory, in one translation
 * hashes of keys: one a search for a page of one size, or one a way; in adaptive another one among
 *        the blocks of a region. (While a salt changes some are computed twice.)
 * cached (by slot) how often a modelled cache made the reference unnecessary: a node of a tree that
 *        was skipped; the first probe of a search of stage 2 that the nested TLB answered; of a
 *        search whose size and way a cuckoo-walk cache knew, so that one line was read for it
 */
#ifndef EPT_WALK_LEDGER_H
#define EPT_WALK_LEDGER_H

#include <stdbool.h>
#include <stdio.h>

#include "ept/walk.h"

#define WALK_STAGE1_SLOTS 8
#define WALK_STAGE2_SLOTS 8
#define WALK_DATA	  WALK_STAGE1_SLOTS /* row */
#define WALK_OWN	  WALK_STAGE2_SLOTS /* column */

struct walk_ledger {
	uint64_t translations; /* that were asked for */
	uint64_t outcomes[WALK_OUTCOMES];
	uint64_t splintered; /* of a 2 MiB page of the guest's over 4 KiB pages of the host's */
	uint64_t refs, steps, lines, pages, hashes;
	uint64_t early; /* refs, if no way were read, or reached, beyond the one that answers */
	uint64_t slots[WALK_STAGE1_SLOTS + 1][WALK_STAGE2_SLOTS + 1];
	uint64_t cached[WALK_STAGE1_SLOTS + 1][WALK_STAGE2_SLOTS + 1];
	/*
	 * NULL, or called for each reference with its slot and the address at which the walker
	 * reads: for models of data caches.
	 */
	void (*reference)(void *context, unsigned int row, unsigned int column, const void *line);
	void *context;
	/* While that is called: the reference's place in the translation's longest chain of
	 * dependent ones, from 1; ways have the same one. */
	uint64_t step;
};

/*
 * The slots as CSV, a line each that has anything: "stage1,stage2,refs,refs_a_translation,cached"
 * behind `prefix`; row and column as numbers, "data" and "own". A negative errno where the stream
 * fails.
 */
int walk_ledger_csv(const struct walk_ledger *ledger, const char *prefix, FILE *stream);

#endif
