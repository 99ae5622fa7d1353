/* SPDX-License-Identifier: MIT */
/* Accesses at random: uniform, gups, sparse, fragmented, zipf. */
#include <stdlib.h>

#include "tests/bench/chi_square.h"
#include "tests/bench/fixture.h"
#include "tests/bench/zipf.h"

#define ACCESSES (1 << 20)
#define BINS	 512

static struct stream_access accesses[ACCESSES];

static void read_accesses(enum stream_workload workload, uint64_t pages, uint64_t seed)
{
	struct stream stream = begin_stream(workload, pages, seed);

	stream_next(&stream, accesses, ACCESSES);
	stream_destroy(&stream);
}

Test(stream_random, every_page_and_word_is_as_likely)
{
	static const enum stream_workload workloads[] = {STREAM_UNIFORM, STREAM_GUPS,
							 STREAM_FRAGMENTED};
	static const uint64_t sizes[] = {16384, 17920, 99840, STREAM_PAGES_MAX};

	for (size_t w = 0; w < sizeof(workloads) / sizeof(workloads[0]); w++) {
		for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
			uint64_t ranges[BINS] = {0}; /* sizes are multiples of 512 */
			uint64_t low[BINS] = {0};
			uint64_t words[BINS] = {0};

			read_accesses(workloads[w], sizes[n], n);
			for (size_t i = 0; i < ACCESSES; i++) {
				ranges[accesses[i].page / (sizes[n] / BINS)]++;
				low[accesses[i].page % BINS]++;
				words[accesses[i].offset / 8]++;
				cr_assert_eq(accesses[i].write, workloads[w] == STREAM_GUPS);
			}
			cr_assert_lt(chi_square_excess_even(ranges, BINS), 6);
			cr_assert_lt(chi_square_excess_even(low, BINS), 6);
			cr_assert_lt(chi_square_excess_even(words, BINS), 6);
		}
	}
}

Test(stream_random, an_access_says_nothing_about_the_next)
{
	uint64_t pairs[BINS] = {0};

	read_accesses(STREAM_UNIFORM, STREAM_PAGES_MAX, 5);
	for (size_t i = 0; i + 1 < ACCESSES; i++)
		pairs[(accesses[i + 1].page - accesses[i].page) % STREAM_PAGES_MAX /
		      (STREAM_PAGES_MAX / BINS)]++;
	cr_assert_lt(chi_square_excess_even(pairs, BINS), 6);
}

Test(stream_random, a_sparse_page_has_one_object_and_objects_are_anywhere_in_pages)
{
	uint64_t lines[64] = {0};
	int *places = calloc(STREAM_PAGES_MIN, sizeof(*places));

	cr_assert_not_null(places);
	read_accesses(STREAM_SPARSE, STREAM_PAGES_MIN, 1);
	for (size_t i = 0; i < ACCESSES; i++) {
		int *place = &places[accesses[i].page];

		cr_assert(!*place || *place == accesses[i].offset + 1);
		if (!*place)
			lines[accesses[i].offset / 64]++;
		*place = accesses[i].offset + 1;
		cr_assert_eq(accesses[i].offset % 64, 0);
	}
	cr_assert_lt(chi_square_excess_even(lines, 64), 6);
	free(places);
}

struct page_count {
	uint64_t page, count;
};

static int hotter_first(const void *a, const void *b)
{
	const struct page_count *left = a;
	const struct page_count *right = b;

	return (left->count < right->count) - (left->count > right->count);
}

Test(stream_random, the_hottest_pages_of_zipf_have_their_share_and_lie_scattered)
{
	const uint64_t pages = 20011;
	struct page_count *counts = calloc(pages, sizeof(*counts));
	uint64_t hits = 0;
	uint64_t close = 0;

	cr_assert_not_null(counts);
	for (uint64_t i = 0; i < pages; i++)
		counts[i].page = i;
	read_accesses(STREAM_ZIPF, pages, 1);
	for (size_t i = 0; i < ACCESSES; i++)
		counts[accesses[i].page].count++;
	qsort(counts, pages, sizeof(*counts), hotter_first);
	/* The first ranks are far enough apart to be in order. */
	for (uint64_t rank = 0; rank < 64; rank++) {
		hits += counts[rank].count;
		cr_assert(share_fits(hits, ACCESSES, zipf_share(rank + 1, pages)), "%lu: %lu", rank,
			  hits);
		for (uint64_t other = 0; other < rank; other++)
			close += counts[rank].page / 16 == counts[other].page / 16;
	}
	/* 2016 pairs, of which one of 1250 is expected. */
	cr_assert_lt(close, 10);
	free(counts);
}
