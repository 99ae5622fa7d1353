/* SPDX-License-Identifier: MIT */
/*
 * Where the pages of a trace lie: each gets its frames when it is first touched, and keeps them.
 * This is the naive map that every translation of a replay is held against: an array of pages with
 * linear probing, which knows nothing of page tables.
 *
 * Guest frames. The n-th page to be touched has number n, and frames are a permutation of numbers:
 * "scattered". In "runs", or where the guest has pages of 2 MiB, it is the n-th region of 2 MiB
 * that has number n, and its pages lie in their order in one run of 512 frames.
 *
 * Host frames are a permutation of guest frames in the same way, by pages where the host has pages
 * of 4 KiB only, and else by runs.
 *
 * How many there will be is not known, so a permutation has blocks, computed and without a table:
 * numbers below DEMAND_BLOCK are permuted among themselves, and so are those from 2^k to 2^(k+1),
 * for each k. Frames lie at random then, and at least half of those below the highest are in use:
 * tables of either stage are as dense as they would be in a machine of that size.
 *
 * Memory is what the map takes, some 32 bytes a page that was touched; nothing grows with accesses.
 */
#ifndef BENCH_DEMAND_H
#define BENCH_DEMAND_H

#include "bench/stages.h"

#define DEMAND_BLOCK 512

/* From numbers to numbers, by open addressing; keys are below 2^36. */
struct demand_map {
	struct demand_slot {
		uint64_t key; /* plus 1; 0: free */
		uint64_t value;
	} * slots;
	unsigned int log2;
	uint64_t used;
};

struct demand {
	enum stages_pages guest_pages, host_pages;
	bool runs; /* of guest frames */
	uint64_t seed;
	struct demand_map pages;   /* VPN to GFN */
	struct demand_map regions; /* where `runs`: VPN / 512 to the first GFN */
};

/* No page touched yet. -ENOMEM. */
int demand_begin(struct demand *demand, enum layout_frames frames, enum stages_pages guest_pages,
		 enum stages_pages host_pages, uint64_t seed);
void demand_end(struct demand *demand);

/*
 * Where a page lies: 1 if it was touched for the first time, 0 if it had been before; -ENOMEM, also
 * where there are STAGES_DEMAND_FRAMES guest frames already.
 */
int demand_touch(struct demand *demand, uint64_t vpn, struct stages_page *page);

/* How many pages were touched. */
static inline uint64_t demand_pages(const struct demand *demand)
{
	return demand->pages.used;
}

/* The permutation of a seed: of all numbers below 2^62, in blocks as above. */
uint64_t demand_scatter(uint64_t number, uint64_t seed);

#endif
