/* SPDX-License-Identifier: MIT */
/*
 * One of our tables, built to be measured, the memory that it has, and the loops over it; and the
 * limit over that memory.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "bench/arena.h"
#include "bench/workload.h"

#define QUERIES (1 << 18) /* that a round asks in each of its loops */

struct subject {
	struct hpt table;
	const uint64_t *memory; /* of the table: all that the arena gave while it was built */
	uint64_t lines;
};

/*
 * Why a table is not even tried: it would not fit into the arena. NULL otherwise. Only radix needs
 * so much more for some patterns that it is known beforehand: a node a page.
 */
const char *subject_refusal(enum hpt_organisation organisation, const struct workload *workload,
			    const struct arena *arena);

/* Makes a table of the size for all pages of the workload and maps them; 0 or -ENOMEM. */
int subject_build(struct subject *subject, enum hpt_organisation organisation,
		  const struct workload *workload, struct arena *arena);

/* Loops whose table is a struct hpt; every key has ASID 1. */
extern const struct loops subject_loops;

/* Nanoseconds a query of a loop; wrong answers are added. */
double subject_time(uint64_t (*loop)(void *table, const struct query *queries, size_t count),
		    void *table, const struct query *queries, uint64_t *wrong);

/* Nanoseconds a load: random lines of the table's memory, each load waits for the one before. */
double subject_time_ref1(const struct subject *subject, const struct query *queries);

/*
 * Nanoseconds a load where none waits for another, the limit of batches: keys are given and words
 * taken as by hpt_lookup_batch(), with as many lines fetched ahead as that has on their way, or as
 * the CPU finds by itself, whichever is faster.
 */
double subject_time_limit(const struct subject *subject, const struct query *queries);

#endif
