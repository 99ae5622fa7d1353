/* SPDX-License-Identifier: MIT */
/*
 * Times that mean something on a shared machine: pinned to one CPU, medians of interleaved rounds,
 * and ratios to a limit that was timed in the same rounds. And the bars that they are held against
 * (cli.md: "bar: NAME measured VALUE target VALUE held|missed").
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS 9

/* Pins the calling thread to the CPU that it is on. */
void timing_pin(void);

uint64_t timing_now_ns(void);

/* The median; sorts the samples. */
double timing_median(double *samples, size_t count);

/* Prints a bar's line. `at_most`: held if the value is not above the target; else not below. */
void bar_print(const char *name, double value, double target, bool at_most);

#endif
