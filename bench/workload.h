/* SPDX-License-Identifier: MIT */
/*
 * What is mapped and what is asked for. Page number i of a workload has a vpn and a frame that are
 * computed, so that the oracle takes no memory and an answer is checked at full speed.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "hpt/hpt.h"

enum pattern { UNIFORM, ZIPF, SEQUENTIAL, FRAGMENTED, SPARSE, PATTERNS };

struct workload {
	enum pattern pattern;
	uint64_t pages; /* that are mapped: a power of two, at least a segment's */
};

const char *workload_name(enum pattern pattern);

#define SEGMENT_PAGES 16384 /* 64 MiB */

/*
 * Where page i lies. Fragmented: segments of 64 MiB in random order, each in a slot of its own of
 * 512 MiB; sparse: 1 page of 512.
 */
static inline uint64_t workload_vpn(const struct workload *workload, uint64_t i)
{
	uint64_t segments = workload->pages / SEGMENT_PAGES;
	uint64_t segment = i / SEGMENT_PAGES;

	switch (workload->pattern) {
	case FRAGMENTED:
		/* An odd factor permutes the segments; their place in the slot varies. */
		return (segment * 2654435769u & (segments - 1)) * 8 * SEGMENT_PAGES +
		       (segment * 40503u & 7) * SEGMENT_PAGES + i % SEGMENT_PAGES;
	case SPARSE:
		return i * 512;
	default:
		return i;
	}
}

/* Scattered: an odd factor permutes the 36-bit frames. */
static inline uint64_t workload_entry(uint64_t i)
{
	uint64_t frame = i * UINT64_C(0x9e3779b97f4a7c15) & ((UINT64_C(1) << 36) - 1);

	return hpt_entry(frame, HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED);
}

/* Maps all pages; 0, or what hpt_map() said. */
int workload_map(const struct workload *workload, struct hpt *table);

/* `count` page numbers to ask for, by the workload's pattern. */
void workload_stream(const struct workload *workload, uint64_t *state, uint64_t *numbers,
		     size_t count);

#endif
