/* SPDX-License-Identifier: MIT */
/*
 * What is mapped and what is asked for. Page number i of a workload has a vpn and a frame that are
 * computed, so that the oracle takes no memory and an answer is checked at full speed.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/loops.h"
#include "bench/permutation.h"
#include "bench/segments.h"
#include "hpt/hpt.h"

enum pattern { UNIFORM, ZIPF, SEQUENTIAL, FRAGMENTED, SPARSE, SCATTERED, PATTERNS };

struct workload {
	enum pattern pattern;
	bool contiguous; /* frames ascend with the pages; else they are scattered */
	uint64_t pages;	 /* that are mapped: a power of two, at least a segment's, at most 2^30 */
};

const char *workload_name(enum pattern pattern);

#define SCATTERED_BITS 36
#define GIB_PAGES_LOG2 18

/*
 * Where page i lies. Fragmented: in segments (segments.h); sparse: 1 page of 512; scattered:
 * anywhere in 36 bits.
 */
static inline uint64_t workload_vpn(const struct workload *workload, uint64_t i)
{
	switch (workload->pattern) {
	case FRAGMENTED: {
		struct segments segments = segments_of(workload->pages, 0);

		return segments_page(&segments, i);
	}
	case SPARSE:
		return i * 512;
	case SCATTERED: {
		struct permutation vpns = permutation_of(UINT64_C(1) << SCATTERED_BITS, 0);

		return permutation_at(&vpns, i);
	}
	default:
		return i;
	}
}

/* Scattered: an odd factor permutes the 36-bit frames. */
static inline uint64_t workload_entry(const struct workload *workload, uint64_t i)
{
	uint64_t frame = workload->contiguous ? i : i * UINT64_C(0x9e3779b97f4a7c15);

	return hpt_entry(frame & ((UINT64_C(1) << 36) - 1),
			 HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED);
}

/* Maps all pages, in ascending order of their numbers; 0, or what hpt_map() said. */
int workload_map(const struct workload *workload, struct hpt *table);

/* `count` questions by the workload's pattern, and their answers. */
void workload_queries(const struct workload *workload, uint64_t *state, struct query *queries,
		      size_t count);

#endif
