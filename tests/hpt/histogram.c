/* SPDX-License-Identifier: MIT */
/* The histogram's percentiles against the sorted samples themselves. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "hpt/histogram.h"
#include "tests/hpt/model.h"

#define SAMPLES 5000

static struct hpt_histogram histogram;
static uint64_t samples[SAMPLES];

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* The sample that `part` of `whole` of them do not exceed. */
static uint64_t true_quantile(uint64_t count, unsigned int part, unsigned int whole)
{
	uint64_t rank = (count * part + whole - 1) / whole;

	return samples[rank ? rank - 1 : 0];
}

static void compare_quantile(unsigned int count, unsigned int part, unsigned int whole)
{
	uint64_t exact = true_quantile(count, part, whole);
	uint64_t found = hpt_histogram_quantile(&histogram, part, whole);

	cr_assert_leq(found, exact);
	cr_assert_leq(exact - found, exact / 8, "%u of %u: %llu for %llu", part, whole,
		      (unsigned long long)found, (unsigned long long)exact);
}

static void compare(unsigned int count)
{
	memset(&histogram, 0, sizeof(histogram));
	for (unsigned int i = 0; i < count; i++)
		hpt_histogram_add(&histogram, samples[i]);
	qsort(samples, count, sizeof(samples[0]), by_value);
	cr_assert_eq(hpt_histogram_count(&histogram), count);
	cr_assert_eq(histogram.max, samples[count - 1]);
	for (unsigned int percent = 0; percent <= 100; percent++) {
		compare_quantile(count, percent, 100);
		cr_assert_eq(hpt_histogram_percentile(&histogram, percent),
			     hpt_histogram_quantile(&histogram, percent, 100));
	}
	for (unsigned int part = 9900; part <= 10000; part++)
		compare_quantile(count, part, 10000);
}

Test(histogram, percentiles_are_right_to_an_eighth_for_every_spread_of_samples)
{
	uint64_t random = 1;

	for (unsigned int bits = 1; bits <= 64; bits++) {
		for (unsigned int i = 0; i < SAMPLES; i++)
			samples[i] = model_random(&random) >> (64 - bits);
		compare(SAMPLES);
		/* Every power of two alike. */
		for (unsigned int i = 0; i < SAMPLES; i++)
			samples[i] = model_random(&random) >> (model_random(&random) % bits);
		compare(SAMPLES);
	}
}

Test(histogram, few_samples_are_found_as_they_are)
{
	for (unsigned int count = 1; count < 20; count++) {
		for (unsigned int i = 0; i < count; i++)
			samples[i] = i;
		compare(count);
	}
}

Test(histogram, an_empty_one_has_no_percentiles)
{
	memset(&histogram, 0, sizeof(histogram));
	cr_assert_eq(hpt_histogram_count(&histogram), 0);
	cr_assert_eq(hpt_histogram_percentile(&histogram, 0), 0);
	cr_assert_eq(hpt_histogram_percentile(&histogram, 50), 0);
	cr_assert_eq(hpt_histogram_percentile(&histogram, 100), 0);
}

Test(histogram, the_extremes_have_buckets)
{
	cr_assert_eq(hpt_histogram_bucket(0), 0);
	cr_assert_eq(hpt_histogram_bucket(UINT64_MAX), HPT_HISTOGRAM_BUCKETS - 1);
	samples[0] = 0;
	samples[1] = UINT64_MAX;
	compare(2);
	cr_assert_eq(hpt_histogram_percentile(&histogram, 50), 0);
	cr_assert_eq(hpt_histogram_percentile(&histogram, 100), UINT64_C(15) << 60);
}

/* Buckets follow each other without gaps: the border of each is one above the last of the one
 * below. */
Test(histogram, buckets_rise_one_by_one)
{
	unsigned int last = 0;

	for (uint64_t value = 1; value < 100000; value++) {
		unsigned int bucket = hpt_histogram_bucket(value);

		cr_assert(bucket == last || bucket == last + 1);
		last = bucket;
	}
	for (unsigned int bit = 17; bit < 64; bit++) {
		unsigned int bucket = hpt_histogram_bucket(UINT64_C(1) << bit);

		cr_assert_eq(bucket, hpt_histogram_bucket((UINT64_C(1) << bit) - 1) + 1);
	}
}
