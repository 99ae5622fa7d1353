/* SPDX-License-Identifier: MIT */
/* Judy's JudyL: a 256-ary radix tree with compressed nodes. It grows; there is nothing to reserve.
 */
#include "bench/peer.h"

#ifdef PEER_JUDY

#include <Judy.h>
#include <stdlib.h>

static void *create(uint64_t keys)
{
	(void)keys;
	return calloc(1, sizeof(Pvoid_t));
}

static bool insert(void *table, uint64_t key, uint64_t value)
{
	Word_t *word = (Word_t *)JudyLIns((Pvoid_t *)table, key, PJE0);

	if (!word || word == PJERR)
		return false;
	*word = value;
	return true;
}

static void destroy(void *table)
{
	JudyLFreeArray((Pvoid_t *)table, PJE0);
	free(table);
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	const Word_t *word = (const Word_t *)JudyLGet(*(Pvoid_t *)table, vpn, PJE0);

	if (word)
		*entry = *word;
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	return loop_throughput(find, table, queries, count);
}

const struct peer peer_judy = {
	.name = "JudyL",
	.package = "libjudy-dev",
	.create = create,
	.insert = insert,
	.destroy = destroy,
	.loops = {latency, throughput, NULL},
};

#else

const struct peer peer_judy = {.name = "JudyL", .package = "libjudy-dev"};

#endif
