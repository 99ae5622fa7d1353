/* SPDX-License-Identifier: MIT */
/* The hash join: both relations from end to end, the table two tuples a bucket. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/chi_square.h"
#include "tests/bench/fixture.h"

#define TUPLE 16
#define LINE  64

/* Accesses come in pairs: of a tuple and of a bucket, which is written while the table is built. */
struct pair {
	uint64_t tuple, bucket; /* bytes */
	bool build;
};

static struct pair next_pair(struct stream *stream)
{
	struct stream_access tuple = next_access(stream);
	struct stream_access bucket = next_access(stream);

	cr_assert_not(tuple.write);
	cr_assert_eq(byte_of(bucket) % LINE, 0);
	return (struct pair){byte_of(tuple), byte_of(bucket), bucket.write};
}

/* What the join over so many pages must be: R, a line for two of its tuples, S with the rest. */
struct shape {
	uint64_t r, s, table, s_start;
};

static struct shape shape_of(uint64_t pages)
{
	uint64_t bytes = pages * PAGE_BYTES;
	struct shape shape = {.r = bytes / (TUPLE + LINE / 2 + 4 * TUPLE) / 4 * 4};

	shape.table = shape.r * TUPLE;
	shape.s_start = shape.table + shape.r / 2 * LINE;
	shape.s = (bytes - shape.s_start) / TUPLE;
	return shape;
}

Test(stream_hashjoin, a_join_reads_both_relations_in_order_and_fills_every_bucket_with_two)
{
	static const uint64_t sizes[] = {16384, 20011};

	for (size_t n = 0; n < 2; n++) {
		struct shape shape = shape_of(sizes[n]);
		struct stream stream = begin_stream(STREAM_HASHJOIN, sizes[n], n);
		uint8_t *tuples = calloc(shape.r / 2, 1);

		cr_assert_not_null(tuples);
		cr_assert_geq(shape.s, 4 * shape.r);
		for (int join = 0; join < 2; join++) {
			uint64_t r = 0;
			uint64_t s = 0;

			memset(tuples, 0, shape.r / 2);
			while (r < shape.r || s < shape.s) {
				struct pair pair = next_pair(&stream);

				cr_assert_geq(pair.bucket, shape.table);
				cr_assert_lt(pair.bucket, shape.s_start);
				if (pair.build) {
					cr_assert_eq(pair.tuple, r++ * TUPLE);
					tuples[(pair.bucket - shape.table) / LINE]++;
				} else {
					cr_assert_eq(pair.tuple, shape.s_start + s++ * TUPLE);
				}
			}
			cr_assert(r == shape.r && s == shape.s);
			for (uint64_t i = 0; i < shape.r / 2; i++)
				cr_assert_eq(tuples[i], 2);
		}
		stream_destroy(&stream);
		free(tuples);
	}
}

Test(stream_hashjoin, build_and_probe_take_turns_at_512_GiB_and_find_every_bucket_alike)
{
	struct shape shape = shape_of(STREAM_PAGES_MAX);
	struct stream stream = begin_stream(STREAM_HASHJOIN, STREAM_PAGES_MAX, 1);
	uint64_t ranges[2][64] = {0};
	uint64_t builds = 0;
	uint64_t longest = 0;
	uint64_t length = 0;
	bool last = true;

	for (int i = 0; i < 1000000; i++) {
		struct pair pair = next_pair(&stream);

		length = pair.build == last ? length + 1 : 1;
		last = pair.build;
		longest = length > longest ? length : longest;
		builds += pair.build;
		ranges[pair.build]
		      [(pair.bucket - shape.table) * 64 / (shape.s_start - shape.table)]++;
	}
	cr_assert_leq(longest, 1024 * (shape.s / shape.r + 1));
	cr_assert_float_eq((double)builds / 1e6, (double)shape.r / (double)(shape.r + shape.s),
			   0.005);
	cr_assert_lt(chi_square_excess_even(ranges[0], 64), 6);
	cr_assert_lt(chi_square_excess_even(ranges[1], 64), 6);
	stream_destroy(&stream);
}

/* A tuple has one key: the second join probes the same buckets in the same order. */
Test(stream_hashjoin, the_next_join_is_of_the_same_relations)
{
	struct shape shape = shape_of(STREAM_PAGES_MIN);
	uint64_t pairs = shape.r + shape.s;
	struct stream first = begin_stream(STREAM_HASHJOIN, STREAM_PAGES_MIN, 1);
	struct stream second = begin_stream(STREAM_HASHJOIN, STREAM_PAGES_MIN, 1);

	for (uint64_t i = 0; i < pairs; i++)
		next_pair(&second);
	for (uint64_t i = 0; i < 2 * pairs; i++)
		cr_assert(same_access(next_access(&first), next_access(&second)));
	stream_destroy(&first);
	stream_destroy(&second);
}
