/* SPDX-License-Identifier: MIT */
/*
 * Ranks of Zipf's distribution with exponent 0.99, that of YCSB (Cooper et al., "Benchmarking Cloud
 * Serving Systems with YCSB", SoCC'10, section 4.1): rank k, counted from 0, has a share
 * proportional to 1 / (k + 1)^0.99.
 *
 * Exact, by rejection from the integral of a monotone density (Hörmann and Derflinger,
 * "Rejection-Inversion to Generate Variates from Monotone Discrete Distributions", ACM TOMACS 6(3),
 * 1996): a few words of state whatever the number of ranks, and one pow() for nearly every rank.
 */
#ifndef BENCH_ZIPF_H
#define BENCH_ZIPF_H

#include <stdint.h>

#define ZIPF_EXPONENT 0.99

struct zipf {
	uint64_t count;
	double low, high; /* the integral, where rank 0 begins and the last one ends */
	double near;	  /* at most so far below its rank a point is always accepted */
};

/* Of `count` ranks, 1 to 2^48. */
struct zipf zipf_of(uint64_t count);

/* The next rank, below the count; *random is the state of mix64_next(). */
uint64_t zipf_next(const struct zipf *zipf, uint64_t *random);

#endif
