/* SPDX-License-Identifier: MIT */
/*
 * Times that mean something on a shared machine: pinned to one CPU, medians of interleaved rounds,
 * and ratios to a limit that was timed in the same rounds.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stddef.h>
#include <stdint.h>

#define ROUNDS 9

/* Pins the calling thread to the CPU that it is on. */
void timing_pin(void);

/* Time that has passed. */
uint64_t timing_now_ns(void);

/* Time that the calling thread has run: of others on its CPU only what they do to the caches shows.
 */
uint64_t timing_own_ns(void);

/* The median; sorts the samples. */
double timing_median(double *samples, size_t count);

/*
 * The least: for small differences of times that are short and always do the same, where whatever
 * else is on the CPU can only add to them.
 */
double timing_least(const double *samples, size_t count);

/* Cycles of the time stamp counter a nanosecond; takes 5 ms. */
double timing_cycles_a_ns(void);

#endif
