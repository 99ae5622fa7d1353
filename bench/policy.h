/* SPDX-License-Identifier: MIT */
/*
 * Which page loses its frame: policies alone, over a trace of page references, without pages.
 *
 * clock   that of ept/evict.c, step by step, with one handler, no fault-around and no page of
 * zeros; a test has the real one beside it random  any page that has a frame MIN     the page that
 * is needed last, which nobody knows and nobody can do better (Belady, "A Study of Replacement
 * Algorithms for a Virtual-Storage Computer", IBM Systems Journal 5(2), 1966)
 *
 * Functions return 0 or -ENOMEM, then *counts is unknown.
 */
#ifndef BENCH_POLICY_H
#define BENCH_POLICY_H

#include <stddef.h>
#include <stdint.h>

struct policy_trace {
	const uint32_t *pages; /* each reference's */
	size_t count;
	uint32_t span; /* pages are below */
};

struct policy_counts {
	uint64_t first;	  /* references to pages that were never there */
	uint64_t swapped; /* to pages that had lost their frames */
	uint64_t rescues; /* to pages that had not, but were out of the window for the clock's sake
			   */
	uint64_t evicted; /* pages that lost their frames */
};

struct policy_clock {
	unsigned int lead; /* the front hand is 1/lead of the frames ahead */
};

/* At least 1 frame. */
int policy_clock(const struct policy_trace *trace, uint64_t frames,
		 const struct policy_clock *clock, struct policy_counts *counts);
int policy_random(const struct policy_trace *trace, uint64_t frames, uint64_t seed,
		  struct policy_counts *counts);
int policy_min(const struct policy_trace *trace, uint64_t frames, struct policy_counts *counts);

#endif
