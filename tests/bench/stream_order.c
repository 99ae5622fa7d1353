/* SPDX-License-Identifier: MIT */
/* Orders: sequential and strided exactly, the chase as one cycle through all pages. */
#include <stdlib.h>

#include "tests/bench/chi_square.h"
#include "tests/bench/fixture.h"

static const uint64_t sizes[] = {16384, 16399, 20011, 65536};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

Test(stream_order, sequential_is_page_after_page_and_begins_again)
{
	for (size_t n = 0; n < SIZES; n++) {
		struct stream stream = begin_stream(STREAM_SEQUENTIAL, sizes[n], n);

		for (uint64_t i = 0; i < 3 * sizes[n]; i++) {
			struct stream_access access = next_access(&stream);

			cr_assert_eq(byte_of(access), i % sizes[n] * PAGE_BYTES);
			cr_assert_not(access.write);
		}
		stream_destroy(&stream);
	}
}

Test(stream_order, strided_goes_down_the_columns_of_a_matrix_and_begins_again)
{
	for (size_t n = 0; n < SIZES; n++) {
		struct stream stream = begin_stream(STREAM_STRIDED, sizes[n], n);

		for (uint64_t column = 0; column < 2 * 8192; column++) {
			for (uint64_t row = 0; row < sizes[n] / 16; row++) {
				struct stream_access access = next_access(&stream);

				cr_assert_eq(byte_of(access), row * 65536 + column % 8192 * 8);
				cr_assert_not(access.write);
			}
		}
		stream_destroy(&stream);
	}
}

Test(stream_order, a_chase_visits_every_page_once_and_then_goes_the_same_way_again)
{
	for (size_t n = 0; n < SIZES; n++) {
		struct stream stream = begin_stream(STREAM_CHASE, sizes[n], n);
		struct stream_access *way = calloc(sizes[n], sizeof(*way));
		bool *seen = calloc(sizes[n], sizeof(*seen));

		cr_assert(way && seen);
		stream_next(&stream, way, sizes[n]);
		for (uint64_t i = 0; i < sizes[n]; i++) {
			cr_assert_not(seen[way[i].page]);
			seen[way[i].page] = true;
		}
		for (uint64_t i = 0; i < sizes[n]; i++)
			cr_assert(same_access(next_access(&stream), way[i]));
		stream_destroy(&stream);
		free(way);
		free(seen);
	}
}

Test(stream_order, a_chase_jumps_anywhere)
{
	struct stream stream = begin_stream(STREAM_CHASE, STREAM_PAGES_MAX, 1);
	uint64_t jumps[512] = {0};
	uint64_t from = next_access(&stream).page;

	for (int i = 0; i < 1000000; i++) {
		uint64_t to = next_access(&stream).page;

		jumps[(to - from) % STREAM_PAGES_MAX / (STREAM_PAGES_MAX / 512)]++;
		from = to;
	}
	cr_assert_lt(chi_square_excess_even(jumps, 512), 6);
	stream_destroy(&stream);
}
