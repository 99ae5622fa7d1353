/* SPDX-License-Identifier: MIT */
/*
 * A TLB in software: a small set-associative window (ept/mmu_cache.h) and behind it buckets, lines
 * of the organisation `bucket` (hpt/bucket.h) that are never passed: a bucket that is full loses
 * its oldest page. So a lookup that misses the window reads one line, always, and what it does not
 * find there costs a walk of the page table. (As the TSB of SPARC and the software TLB of Huck and
 * Hays, "Architectural Support for Translation Table Management in Large Address Space Machines",
 * ISCA'93.)
 *
 * It caches pages of 4 KiB; what the page table changes it is not told.
 */
#ifndef BENCH_SOFT_TLB_H
#define BENCH_SOFT_TLB_H

#include "ept/mmu_cache.h"
#include "hpt/bucket.h"

struct soft_tlb_config {
	struct mmu_shape window;
	unsigned int buckets_log2; /* at most 26 */
	unsigned int slots;	   /* of a bucket that are used: 1 to BUCKET_SLOTS */
	enum hpt_hash_family hash;
	uint64_t salt;
	/*
	 * A page is in the window or in the buckets, not in both: what the window loses goes to its
	 * bucket, and what a bucket answers leaves it. Otherwise a page goes to both when it is
	 * filled in.
	 */
	bool exclusive;
};

enum soft_tlb_level { SOFT_TLB_WINDOW, SOFT_TLB_BUCKET, SOFT_TLB_MISS, SOFT_TLB_LEVELS };

struct soft_tlb {
	struct soft_tlb_config config;
	struct mmu_cache window;
	struct hpt_salt salt;
	uint64_t *lines;
	uint64_t lines_read;
	uint64_t answers[SOFT_TLB_LEVELS];
};

/* Makes an empty one: 0, -ENOMEM, or -EINVAL for a shape or number that cannot be. */
int soft_tlb_create(struct soft_tlb *tlb, const struct soft_tlb_config *config);
void soft_tlb_destroy(struct soft_tlb *tlb);

/* Where the page was found, and *entry; after a miss the caller has soft_tlb_fill() to call. */
enum soft_tlb_level soft_tlb_lookup(struct soft_tlb *tlb, struct hpt_key key, uint64_t *entry);
void soft_tlb_fill(struct soft_tlb *tlb, struct hpt_key key, uint64_t entry);

/* Forgets the counts, not the pages. */
void soft_tlb_count_again(struct soft_tlb *tlb);

#endif
