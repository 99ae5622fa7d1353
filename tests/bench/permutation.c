/* SPDX-License-Identifier: MIT */
/* Permutations: that they are ones, and that they look random. */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "bench/permutation.h"
#include "tests/bench/chi_square.h"

#define BINS  64
#define PAIRS 100000

/* Every number below the count comes once, and is found where it came. */
static void expect_permutation(uint64_t count, uint64_t key)
{
	struct permutation permutation = permutation_of(count, key);
	bool *seen = calloc(count, sizeof(*seen));

	cr_assert_not_null(seen);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = permutation_at(&permutation, i);

		cr_assert_lt(number, count);
		cr_assert_not(seen[number], "%lu comes twice of %lu", number, count);
		seen[number] = true;
		cr_assert_eq(permutation_find(&permutation, number), i);
	}
	free(seen);
}

Test(permutation, every_number_of_a_small_count_comes_once)
{
	for (uint64_t count = 1; count <= 600; count++) {
		for (uint64_t key = 0; key < 4; key++)
			expect_permutation(count, key);
	}
}

Test(permutation, every_number_comes_once_around_powers_of_two_and_between)
{
	for (unsigned int bits = 10; bits <= 20; bits++) {
		uint64_t power = UINT64_C(1) << bits;

		expect_permutation(power - 1, bits);
		expect_permutation(power, bits);
		expect_permutation(power + 1, bits);
		expect_permutation(power + power / 3, bits);
	}
	expect_permutation(99991, 5);
	expect_permutation(1000003, UINT64_MAX);
}

Test(permutation, numbers_of_large_counts_are_found_where_they_came)
{
	static const uint64_t counts[] = {
		UINT64_C(1) << 27,	 (UINT64_C(1) << 27) - 1, (UINT64_C(1) << 26) + 1,
		UINT64_C(1) << 36,	 UINT64_C(1) << 61,	  PERMUTATION_COUNT_MAX,
		UINT64_C(1000000000007),
	};
	uint64_t random = 1;

	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		struct permutation permutation = permutation_of(counts[n], n);

		for (int i = 0; i < 200000; i++) {
			uint64_t place = mix64_next(&random) % counts[n];
			uint64_t number = permutation_at(&permutation, place);

			cr_assert_lt(number, counts[n]);
			cr_assert_eq(permutation_find(&permutation, number), place);
		}
	}
}

/* Numbers at places that are `stride` apart: their difference, modulo the count, is anything. */
static void expect_differences_of_any_size(uint64_t count, uint64_t stride, uint64_t key)
{
	struct permutation permutation = permutation_of(count, key);
	uint64_t bins[BINS] = {0};
	uint64_t pairs = count / stride - 1 < PAIRS ? count / stride - 1 : PAIRS;

	for (uint64_t i = 0; i < pairs; i++) {
		uint64_t first = permutation_at(&permutation, i * stride);
		uint64_t second = permutation_at(&permutation, (i + 1) * stride);

		bins[(__uint128_t)((second + count - first) % count) * BINS / count]++;
	}
	cr_assert_lt(chi_square_excess_even(bins, BINS), 6, "%lu by %lu, key %lu: %f", count,
		     stride, key, chi_square_excess_even(bins, BINS));
}

Test(permutation, neighbours_and_strides_lie_anywhere)
{
	static const uint64_t counts[] = {16384, 20011, 1 << 18, 1 << 22, 100000007, 1 << 27};

	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		for (uint64_t stride = 1; stride <= 512 && counts[n] / stride > 2000; stride *= 2) {
			for (uint64_t key = 0; key < 4; key++)
				expect_differences_of_any_size(counts[n], stride, key);
		}
	}
}

Test(permutation, numbers_are_spread_over_high_and_low_bits_alike)
{
	struct permutation permutation = permutation_of(1 << 27, 3);
	uint64_t high[BINS] = {0};
	uint64_t low[BINS] = {0};

	for (uint64_t i = 0; i < PAIRS; i++) {
		uint64_t number = permutation_at(&permutation, i);

		high[number >> 21]++;
		low[number % BINS]++;
	}
	cr_assert_lt(chi_square_excess_even(high, BINS), 6);
	cr_assert_lt(chi_square_excess_even(low, BINS), 6);
}

Test(permutation, another_key_is_another_permutation)
{
	for (uint64_t key = 1; key < 50; key++) {
		struct permutation one = permutation_of(1 << 20, 0);
		struct permutation other = permutation_of(1 << 20, key);
		uint64_t same = 0;

		for (uint64_t i = 0; i < 1 << 20; i++)
			same += permutation_at(&one, i) == permutation_at(&other, i);
		/* One is expected. */
		cr_assert_leq(same, 12);
	}
}
