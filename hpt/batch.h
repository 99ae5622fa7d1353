/* SPDX-License-Identifier: MIT */
/*
 * Lookups in batches, with about BATCH_AHEAD lines on their way. Two pipelines:
 *
 *  - of walks (batch.c), where one takes several lines: each is taken as far as its next line,
 *    which is fetched while the others go on (Kocberber et al., "Asynchronous Memory Access
 *    Chaining", VLDB'15). A walk that ends leaves its place to the next key, whatever the others
 *    are at.
 *  - of places (batch_ahead.c), where nearly all keys take the same way: what the key BATCH_AHEAD
 *    further on needs is fetched, then the key whose turn it is is answered (software prefetching
 *    at a distance, as in Chen et al., "Improving Hash Join Performance through Prefetching",
 *    ICDE'04). Hardly any state is kept for a key, which saves half of the instructions: so many
 *    more lines are in reach of a CPU that looks a few hundred instructions ahead. Where a first
 *    line does not answer, the key becomes one of the late ones, which are walks.
 */
#ifndef HPT_BATCH_H
#define HPT_BATCH_H

#include "hpt/lookup.h"

#define BATCH_AHEAD 16

struct batch {
	const struct hpt *table;
	const struct hpt_key *keys;
	uint64_t *entries; /* answers: not written yet */
	size_t count;
};

struct flight {
	struct hpt_probe probe;
	size_t number; /* of the key */
};

/* Walks of keys whose first line did not answer: a ring, the oldest first. */
struct late {
	struct flight flights[BATCH_AHEAD];
	size_t first;
	size_t end;
};

static inline enum hpt_organisation batch_organisation(const struct batch *batch)
{
	return (enum hpt_organisation)batch->table->desc.organisation;
}

/* A key whose first line is in the CPU's caches, and whose answer is 0 until now. */
void batch_late_add(const struct batch *batch, struct late *late, size_t number);

/* Waits for all of them. */
void batch_late_finish(const struct batch *batch, struct late *late);

/*
 * Whether the pipeline of places is for this table: then all entries are written, as they are
 * stored. It needs to know places at little cost, so in hashed tables the hash fibonacci and no
 * growth under way.
 */
bool batch_find_ahead(const struct batch *batch);

#endif
