/* SPDX-License-Identifier: MIT */
/*
 * A key-value store that is asked as YCSB's workload B does (Cooper et al., "Benchmarking Cloud
 * Serving Systems with YCSB", SoCC'10, section 4): 95 of 100 operations get an item, 5 put it, and
 * keys are drawn from Zipf's distribution. An operation reads the key's bucket, then reads or
 * writes the item.
 *
 * Memory is the buckets and the items. A bucket is a line for four keys, which has a tag and the
 * place of each, so that only the item that is asked for is touched (Fan, Andersen and Kaminsky,
 * "MemC3", NSDI'13, section 3, has such tags). An item is 1 KiB, YCSB's record. Which bucket and
 * which item a key has are two permutations.
 */
#include "bench/permutation.h"
#include "bench/stream_kind.h"
#include "bench/zipf.h"
#include "hpt/mix.h"

#define ITEM		  1024
#define KEYS_IN_BUCKET	  4
#define PERCENT_OF_PUTS	  5
#define OPERATIONS_A_STEP (STREAM_STEP_MAX / 2)

struct keyvalue_state {
	uint64_t items; /* bytes: where they begin; buckets are at 0 */
	struct zipf keys;
	struct permutation bucket_of, item_of;
	uint64_t random;
};

static int begin(void *state, const struct stream_config *config)
{
	struct keyvalue_state *store = state;
	uint64_t bytes = config->pages * STREAM_PAGE_SIZE;
	uint64_t keys = (bytes - ITEM) / (ITEM + STREAM_LINE / KEYS_IN_BUCKET) / KEYS_IN_BUCKET *
			KEYS_IN_BUCKET;
	uint64_t seed = config->seed;

	/* Items begin with a multiple of their size, so that none crosses a page. */
	store->items = (keys / KEYS_IN_BUCKET * STREAM_LINE + ITEM - 1) / ITEM * ITEM;
	store->keys = zipf_of(keys);
	store->bucket_of = permutation_of(keys, mix64_next(&seed));
	store->item_of = permutation_of(keys, mix64_next(&seed));
	store->random = seed;
	return 0;
}

static size_t step(void *state, struct stream_access *out)
{
	struct keyvalue_state *store = state;

	for (size_t i = 0; i < OPERATIONS_A_STEP; i++) {
		uint64_t key = zipf_next(&store->keys, &store->random);
		uint64_t bucket = permutation_at(&store->bucket_of, key) / KEYS_IN_BUCKET;
		uint64_t item = permutation_at(&store->item_of, key);
		bool put = stream_below(mix64_next(&store->random), 100) < PERCENT_OF_PUTS;

		out[2 * i] = stream_at(bucket * STREAM_LINE, false);
		out[2 * i + 1] = stream_at(store->items + item * ITEM, put);
	}
	return 2 * OPERATIONS_A_STEP;
}

const struct stream_kind stream_keyvalue = {
	.name = "keyvalue",
	.state_size = sizeof(struct keyvalue_state),
	.begin = begin,
	.step = step,
};
