/* SPDX-License-Identifier: MIT */
/* The walks that are compiled for a pair of organisations each (walk_pair.h). */
#ifndef EPT_WALK_FUNCTIONS_H
#define EPT_WALK_FUNCTIONS_H

#include "ept/walk.h"

struct walk_functions {
	uint64_t (*one)(const struct walk *walk, struct hpt_key key);
	/* Where each stage has pages of one size: by walk_ring.h, if it can be. */
	void (*batch)(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		      size_t count);
};

/* By the guest's organisation, and whether its table is a slab. */
typedef const struct walk_functions walk_host_table[HPT_ORGANISATIONS][2];

/* Of any pair, with the caches of struct walk, and of pages of both sizes (walk_any.c). */
uint64_t walk_one_any(const struct walk *walk, struct hpt_key key);
void walk_batch_any(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		    size_t count);

/* Of any pair, with the guest's table in a slab whose bounds are kept (walk_count.c). */
uint64_t walk_one_bounded(const struct walk *walk, struct hpt_key key);
void walk_batch_bounded(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
			size_t count);

/* Radix over radix, nested, with caches (walk_cached.c). */
uint64_t walk_radix_cached(const struct walk *walk, struct hpt_key key);

extern walk_host_table walk_over_radix;
extern walk_host_table walk_over_chained;
extern walk_host_table walk_over_open;
extern walk_host_table walk_over_bucket;
extern walk_host_table walk_over_clustered;
extern walk_host_table walk_over_cuckoo;
extern walk_host_table walk_over_adaptive;

#endif
