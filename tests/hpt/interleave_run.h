/* SPDX-License-Identifier: MIT */
/*
 * One change of a writer and one call of a reader, interleaved as is asked for: both are fibers of
 * one thread, which are stopped at accesses to memory that they share.
 *
 * For this hpt/ is compiled for the thread sanitizer and linked without it: the functions that it
 * calls at every atomic access are here. So the accesses are those of the library as it is; they
 * are seen in the order of the program, which is what x86 promises but for loads that overtake
 * stores.
 */
#ifndef TESTS_HPT_INTERLEAVE_RUN_H
#define TESTS_HPT_INTERLEAVE_RUN_H

#include <limits.h>
#include <stdbool.h>

/* More accesses than any call makes: to its end. */
#define INTERLEAVE_END ULONG_MAX

struct interleave {
	void (*write)(void);
	void (*read)(void);
};

/* When each is stopped: after so many of its accesses. */
struct interleave_stops {
	unsigned long writer_first;
	unsigned long reader;
	unsigned long writer_then; /* not before writer_first */
};

/*
 * The writer goes to its first stop, the reader to its own, the writer to its second; then the
 * reader until it has ended or waits, the writer to its end, the reader to its end. False if the
 * reader still waits when the writer has ended.
 */
bool interleave_run(const struct interleave *interleave, const struct interleave_stops *stops);

/* How many accesses the two made in the last run. */
unsigned long interleave_writes(void);
unsigned long interleave_reads(void);

#endif
