/* SPDX-License-Identifier: MIT */
/*
 * What one counted walk costs in cycles: really, reference by reference, and by the shortcuts of
 * two published evaluations. A reference costs what the level of data cache costs in which it was
 * found (ept/mmu_latency.h: 4, 14, 54, 200).
 *
 * A search is that of stage 2 for one GFN, or that of stage 1. The references of a walk stand in
 * rows (walk_ledger.h): one for each line of the guest's table, which is the search of stage 2 for
 * its page and then the line itself; and the last for the search for the data page.
 *
 * audit_real(): the longest chain of dependent references. Of those that are one step, as ways are,
 * the dearest counts. Rows that begin at the same step, those of the ways of a guest's cuckoo
 * table, run side by side, and the dearest counts; a way whose page another one translates waits
 * for that. All else is one after the other. Where the nested TLB answers a search, or the walk
 * caches of a tree shorten one, that costs MMU_CYCLES_WALK_CACHE, once a search. `prediction` is
 * added for each search that reads: what cuckoo-walk caches and hash cost before it (0 where there
 * are none).
 *
 * audit_dmt(): DMT (Zhang et al., ASPLOS'24) prices a nested hashed walk on a walk of nested radix:
 *
 *     G4H4    the host's leaf entry of the page that the guest's leaf table lies in
 *   + G4      the guest's leaf entry
 *   + UDH4    the host's leaf entry of the data page
 *   + 12      for three cuckoo-walk caches
 *
 * each where the radix walk found it: in a data cache, or where a walk cache or the nested TLB made
 * it needless, for 1. With pages of 2 MiB the leaf is a level higher. What it assumes: a hashed
 * entry is cached as a radix leaf would be; one line is read a step; caches hold radix nodes.
 *
 * Of a walk over cuckoo tables, EMT's three (OSDI'25), for a native walk there, and here applied to
 * each of the three searches:
 *
 * A table with pages of both sizes is asked for the smaller one first, as the walks do; ECPT and
 * EMT ask for both at once. audit_cuckoo_caches() leaves that as it is, a real cuckoo-walk cache
 * knows the size.
 *
 * audit_ways_most(): each of the steps costs the dearest of its ways: first stage 2 of the guest's
 * lines, then these lines, then stage 2 of the data. More than the real walk, in which a way's line
 * waits for that way's own page only.
 *
 * audit_early(): each search returns when the way that answers does: its page, its line, the data,
 * as if the others had not been asked. What came before the step that answers counts in full.
 *
 * audit_cuckoo_caches(): the same, and for each search that reads the dearer of MMU_CYCLES_HASH and
 * MMU_CYCLES_CUCKOO, as these work side by side.
 */
#ifndef BENCH_AUDIT_PRICE_H
#define BENCH_AUDIT_PRICE_H

#include "ept/mmu_latency.h"
#include "ept/walk_ledger.h"

struct audit_reference {
	uint8_t row, column; /* walk_ledger.h */
	uint8_t level;	     /* enum mmu_data_level */
	uint64_t step;
	uintptr_t line; /* where it was read */
};

struct audit_walk {
	struct audit_reference *references; /* in their order */
	size_t count, room;
	/* By row: whether a cache answered or shortened its search of stage 2. */
	bool cached[WALK_DATA + 1];
	bool guest_cached; /* the same of the guest's tree */
	uint8_t guest_size, host_size;
};

/* Adds a reference; -ENOMEM. */
int audit_walk_add(struct audit_walk *walk, const struct audit_reference *reference);
/* Empties it, for the next walk; and gives its memory back. */
void audit_walk_clear(struct audit_walk *walk);
void audit_walk_free(struct audit_walk *walk);

/* What the ledger of this one walk says of caches. */
void audit_walk_caches(struct audit_walk *walk, const struct walk_ledger *ledger,
		       const struct walk_result *result);

unsigned int audit_real(const struct audit_walk *walk, unsigned int prediction);

/* Of a walk of nested radix. */
unsigned int audit_dmt(const struct audit_walk *walk);

/* The line that answers stage 2 of a page of the guest's table; 0 if there is none. */
struct audit_answers {
	uintptr_t guest;				   /* the line that answers stage 1 */
	uintptr_t data;					   /* and stage 2 of the data page */
	uintptr_t (*table)(void *context, uintptr_t line); /* of the page of this line */
	void *context;
};

unsigned int audit_ways_most(const struct audit_walk *walk);
unsigned int audit_early(const struct audit_walk *walk, const struct audit_answers *answers);
unsigned int audit_cuckoo_caches(const struct audit_walk *walk,
				 const struct audit_answers *answers);

#endif
