/* SPDX-License-Identifier: MIT */
/* The shares of Zipf's distribution by their formula. */
#ifndef TESTS_BENCH_ZIPF_H
#define TESTS_BENCH_ZIPF_H

#include <math.h>
#include <stdint.h>

#define ZIPF_Q 0.99

/* The sum of 1 / k^q for k from 1 to n: what is beyond 10000 by Euler and Maclaurin. */
static inline double zipf_sum(uint64_t n)
{
	uint64_t exact = n < 10000 ? n : 10000;
	double from = (double)exact;
	double to = (double)n;
	double sum = 0;

	for (uint64_t k = exact; k > 0; k--)
		sum += pow((double)k, -ZIPF_Q);
	if (n == exact)
		return sum;
	return sum + (pow(to, 1 - ZIPF_Q) - pow(from, 1 - ZIPF_Q)) / (1 - ZIPF_Q) +
	       (pow(to, -ZIPF_Q) - pow(from, -ZIPF_Q)) / 2;
}

/* The share of the `hottest` of n ranks. */
static inline double zipf_share(uint64_t hottest, uint64_t n)
{
	return zipf_sum(hottest) / zipf_sum(n);
}

#endif
