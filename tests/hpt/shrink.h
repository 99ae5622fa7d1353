/* SPDX-License-Identifier: MIT */
/*
 * Makes a failing stream short: parts of it are left out, halves first and single records last, for
 * as long as what is left still fails (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", TSE'02, section 3).
 */
#ifndef TESTS_HPT_SHRINK_H
#define TESTS_HPT_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

struct stream;
struct stream_record;

/* Whether so many records fail. */
typedef bool (*shrink_test)(void *context, const struct stream_record *records, size_t count);

/*
 * Leaves out of `records`, which fail, what is not needed for that, and returns how many are left:
 * without any one of them they would not fail.
 */
size_t shrink(struct stream_record *records, size_t count, shrink_test fails, void *context);

/* Runs something in a process of its own, quietly: whether it ended in any way but well. */
bool shrink_run_fails(void (*run)(const void *context), const void *context);

/* The same for a stream. */
bool stream_fails(const struct stream *stream);

/*
 * Runs a stream; if it fails, prints the shortest that it could be made, as C, with what it says.
 * Returns whether it failed.
 */
bool stream_fails_shortened(const struct stream *stream);

#endif
