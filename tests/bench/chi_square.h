/* SPDX-License-Identifier: MIT */
/* Whether counts are what chance makes of their expectations. */
#ifndef TESTS_BENCH_CHI_SQUARE_H
#define TESTS_BENCH_CHI_SQUARE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Pearson's statistic of `bins` counts, each of which expects at least a few, in standard
 * deviations above its mean. Beyond 6 it is not chance: about one of 10^8.
 */
static inline double chi_square_excess(const uint64_t *counts, const double *expected, size_t bins)
{
	double freedom = (double)bins - 1;
	double sum = 0;

	for (size_t i = 0; i < bins; i++) {
		double difference = (double)counts[i] - expected[i];

		sum += difference * difference / expected[i];
	}
	return (sum - freedom) / sqrt(2 * freedom);
}

/* The same where all bins expect an equal share; at most 1024 of them. */
static inline double chi_square_excess_even(const uint64_t *counts, size_t bins)
{
	double expected[1024];
	uint64_t sum = 0;

	for (size_t i = 0; i < bins; i++)
		sum += counts[i];
	for (size_t i = 0; i < bins; i++)
		expected[i] = (double)sum / (double)bins;
	return chi_square_excess(counts, expected, bins);
}

/* Whether `hits` of `trials` are what chance makes of the probability: within six deviations. */
static inline bool share_fits(uint64_t hits, uint64_t trials, double probability)
{
	double expected = (double)trials * probability;

	return fabs((double)hits - expected) <= 6 * sqrt(expected * (1 - probability)) + 1;
}

#endif
