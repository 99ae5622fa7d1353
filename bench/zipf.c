/* SPDX-License-Identifier: MIT */
/*
 * See zipf.h. Ranks are counted from 1 here, as x. A point under the curve of x^-q is drawn by the
 * inverse of its integral and rounded to the nearest rank; the part of a rank's strip of width 1
 * that exceeds the rank's own share, since the curve is convex, is rejected.
 */
#include "bench/zipf.h"

#include <math.h>

#include "hpt/mix.h"

static double share(double x)
{
	return pow(x, -ZIPF_EXPONENT);
}

static double integral(double x)
{
	return pow(x, 1 - ZIPF_EXPONENT) / (1 - ZIPF_EXPONENT);
}

static double integral_inverse(double area)
{
	return pow(area * (1 - ZIPF_EXPONENT), 1 / (1 - ZIPF_EXPONENT));
}

struct zipf zipf_of(uint64_t count)
{
	return (struct zipf){
		.count = count,
		/* Rank 1 has exactly its share, so that the curve's pole is not reached. */
		.low = integral(1.5) - 1,
		.high = integral((double)count + 0.5),
		.near = 2 - integral_inverse(integral(2.5) - share(2)),
	};
}

uint64_t zipf_next(const struct zipf *zipf, uint64_t *random)
{
	for (;;) {
		double part = (double)(mix64_next(random) >> 11) * 0x1p-53;
		double area = zipf->high + part * (zipf->low - zipf->high);
		double x = integral_inverse(area);
		uint64_t rank = x < 1 ? 1 : (uint64_t)(x + 0.5);

		if (rank > zipf->count)
			rank = zipf->count;
		if ((double)rank - x <= zipf->near ||
		    area >= integral((double)rank + 0.5) - share((double)rank))
			return rank - 1;
	}
}
