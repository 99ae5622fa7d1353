/* SPDX-License-Identifier: MIT */
/* The sampler against the formula. */
#include "tests/bench/zipf.h"

#include <criterion/criterion.h>

#include "bench/zipf.h"
#include "tests/bench/chi_square.h"

#define DRAWS 3000000

Test(zipf, each_of_few_ranks_has_its_share)
{
	static const uint64_t counts[] = {2, 3, 4, 10, 100, 1000};
	uint64_t random = 1;

	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		struct zipf zipf = zipf_of(counts[n]);
		uint64_t seen[1000] = {0};
		double expected[1000];

		for (int i = 0; i < DRAWS; i++) {
			uint64_t rank = zipf_next(&zipf, &random);

			cr_assert_lt(rank, counts[n]);
			seen[rank]++;
		}
		for (uint64_t k = 0; k < counts[n]; k++)
			expected[k] = DRAWS * pow((double)(k + 1), -ZIPF_Q) / zipf_sum(counts[n]);
		cr_assert_lt(chi_square_excess(seen, expected, counts[n]), 6);
	}
}

Test(zipf, the_hottest_of_many_ranks_have_their_share)
{
	static const uint64_t counts[] = {16384, 20011, 1 << 20, 100000007, 1 << 27};
	uint64_t random = 2;

	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		struct zipf zipf = zipf_of(counts[n]);
		uint64_t within[64] = {0};

		for (int i = 0; i < DRAWS; i++) {
			uint64_t rank = zipf_next(&zipf, &random);

			cr_assert_lt(rank, counts[n]);
			/* Rank 0, ranks 1 and 2, then 3 to 6, ... */
			within[63 - __builtin_clzll(rank + 1)]++;
		}
		for (unsigned int bits = 1; (UINT64_C(1) << bits) - 1 < counts[n]; bits++) {
			within[bits] += within[bits - 1];
			cr_assert(share_fits(within[bits - 1], DRAWS,
					     zipf_share((UINT64_C(1) << bits) - 1, counts[n])),
				  "%lu of %d in %u bits of %lu", within[bits - 1], DRAWS, bits,
				  counts[n]);
		}
	}
}

Test(zipf, a_single_rank_is_always_drawn)
{
	struct zipf zipf = zipf_of(1);
	uint64_t random = 3;

	for (int i = 0; i < 100000; i++)
		cr_assert_eq(zipf_next(&zipf, &random), 0);
}
