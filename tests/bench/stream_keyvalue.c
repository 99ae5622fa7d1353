/* SPDX-License-Identifier: MIT */
/* The key-value store: a bucket, then the item; the same two for the same key. */
#include <stdlib.h>

#include "tests/bench/chi_square.h"
#include "tests/bench/fixture.h"
#include "tests/bench/zipf.h"

#define OPERATIONS 3000000
#define ITEM	   1024
#define LINE	   64

/* As many as fit with a line for four of them; items begin with a multiple of their size. */
static uint64_t keys_of(uint64_t pages)
{
	return (pages * PAGE_BYTES - ITEM) / (ITEM + LINE / 4) / 4 * 4;
}

static uint64_t items_at(uint64_t keys)
{
	return (keys / 4 * LINE + ITEM - 1) / ITEM * ITEM;
}

Test(stream_keyvalue, an_item_has_one_bucket_a_bucket_four_items_and_ranks_their_share)
{
	const uint64_t pages = 16385;
	uint64_t keys = keys_of(pages);
	uint64_t *bucket_of = calloc(keys, sizeof(*bucket_of));
	uint64_t *hits = calloc(keys, sizeof(*hits));
	uint8_t *in_bucket = calloc(keys / 4, 1);
	struct stream stream = begin_stream(STREAM_KEYVALUE, pages, 1);
	uint64_t puts = 0;
	uint64_t hottest = 0;

	cr_assert(bucket_of && hits && in_bucket);
	for (int i = 0; i < OPERATIONS; i++) {
		struct stream_access bucket = next_access(&stream);
		struct stream_access item = next_access(&stream);
		uint64_t number = (byte_of(item) - items_at(keys)) / ITEM;

		cr_assert_not(bucket.write);
		cr_assert_lt(byte_of(bucket), keys / 4 * LINE);
		cr_assert_eq(byte_of(bucket) % LINE, 0);
		cr_assert_geq(byte_of(item), items_at(keys));
		cr_assert_eq(byte_of(item) % ITEM, 0);
		cr_assert_lt(number, keys);
		if (!hits[number]++) {
			bucket_of[number] = byte_of(bucket);
			cr_assert_leq(++in_bucket[byte_of(bucket) / LINE], 4);
		}
		cr_assert_eq(bucket_of[number], byte_of(bucket));
		puts += item.write;
	}
	for (uint64_t i = 0; i < keys; i++)
		hottest = hits[i] > hottest ? hits[i] : hottest;
	cr_assert(share_fits(puts, OPERATIONS, 0.05));
	cr_assert(share_fits(hottest, OPERATIONS, zipf_share(1, keys)));
	stream_destroy(&stream);
	free(bucket_of);
	free(hits);
	free(in_bucket);
}
