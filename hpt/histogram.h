/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram that the guest's ring 0 can afford: about ten instructions a sample.
 *
 * Each power of two is cut into 8 buckets, so a percentile is right to within 1/8 of its value.
 * Samples are what the owner says they are (cycles in the guest, nanoseconds in the VMM).
 */
#ifndef HPT_HISTOGRAM_H
#define HPT_HISTOGRAM_H

#include <stdint.h>

#define HPT_HISTOGRAM_FRACTION 3 /* bits below the leading one that choose the bucket */
#define HPT_HISTOGRAM_BUCKETS  ((64 - HPT_HISTOGRAM_FRACTION + 1) << HPT_HISTOGRAM_FRACTION)

struct hpt_histogram {
	uint64_t max;
	uint32_t buckets[HPT_HISTOGRAM_BUCKETS];
};

static inline unsigned int hpt_histogram_bucket(uint64_t value)
{
	unsigned int shift;

	if (value < (1u << HPT_HISTOGRAM_FRACTION))
		return (unsigned int)value;
	shift = 63 - HPT_HISTOGRAM_FRACTION - (unsigned int)__builtin_clzll(value);
	return (shift << HPT_HISTOGRAM_FRACTION) + (unsigned int)(value >> shift);
}

static inline void hpt_histogram_add(struct hpt_histogram *histogram, uint64_t value)
{
	histogram->buckets[hpt_histogram_bucket(value)]++;
	if (value > histogram->max)
		histogram->max = value;
}

static inline uint64_t hpt_histogram_count(const struct hpt_histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < HPT_HISTOGRAM_BUCKETS; i++)
		count += histogram->buckets[i];
	return count;
}

/*
 * The smallest value of the bucket in which the given share of the samples is reached: `part` of
 * `whole`, 9999 of 10000 for the percentile 99.99. `part` is at most `whole`, which is not 0.
 */
static inline uint64_t hpt_histogram_quantile(const struct hpt_histogram *histogram,
					      unsigned int part, unsigned int whole)
{
	uint64_t wanted = (hpt_histogram_count(histogram) * part + whole - 1) / whole;
	uint64_t seen = 0;

	for (unsigned int i = 0; i < HPT_HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen && seen >= wanted) {
			if (i < (2u << HPT_HISTOGRAM_FRACTION))
				return i;
			return (uint64_t)((i & ((1u << HPT_HISTOGRAM_FRACTION) - 1)) +
					  (1u << HPT_HISTOGRAM_FRACTION))
			       << ((i >> HPT_HISTOGRAM_FRACTION) - 1);
		}
	}
	return 0;
}

/* The same for a share in percent (0..100). */
static inline uint64_t hpt_histogram_percentile(const struct hpt_histogram *histogram,
						unsigned int percent)
{
	return hpt_histogram_quantile(histogram, percent, 100);
}

#endif
