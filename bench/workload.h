/* SPDX-License-Identifier: MIT */
/*
 * What is mapped and what is asked for. Page number i of a workload has a vpn and a frame that are
 * computed, so that the oracle takes no memory and an answer is checked at full speed.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/loops.h"
#include "hpt/hpt.h"

enum pattern { UNIFORM, ZIPF, SEQUENTIAL, FRAGMENTED, SPARSE, SCATTERED, PATTERNS };

struct workload {
	enum pattern pattern;
	bool contiguous; /* frames ascend with the pages; else they are scattered */
	uint64_t pages;	 /* that are mapped: a power of two, at least a segment's, at most 2^30 */
};

const char *workload_name(enum pattern pattern);

#define SEGMENT_PAGES  16384 /* 64 MiB */
#define SCATTERED_BITS 36
#define GIB_PAGES_LOG2 18

/* A permutation of the numbers of `bits` bits that looks random; up to 36 of them. */
static inline uint64_t workload_permute(uint64_t i, unsigned int bits)
{
	const uint64_t mask = (UINT64_C(1) << bits) - 1;

	i = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) & mask;
	i = (i ^ i >> bits / 2) * UINT64_C(0xbf58476d1ce4e5b9) & mask;
	return i ^ i >> bits / 2;
}

/*
 * Where page i lies. Fragmented: segments of 64 MiB in random order, each in a slot of its own of
 * 512 MiB; sparse: 1 page of 512; scattered: anywhere in 36 bits.
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
	case SCATTERED:
		return workload_permute(i, SCATTERED_BITS);
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
