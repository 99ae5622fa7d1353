/* SPDX-License-Identifier: MIT */
/*
 * Two stages under a combined table (ept/shadow.h), and what they say by a naive model: an array of
 * entries for each stage, and the composition of the two. A difference ends the process (model.h).
 */
#ifndef TESTS_EPT_SHADOW_WORLD_H
#define TESTS_EPT_SHADOW_WORLD_H

#include "ept/shadow.h"
#include "tests/hpt/model.h"

#define WORLD_REGIONS 4
#define WORLD_PAGES   (WORLD_REGIONS * HPT_LARGE_PAGES)
#define WORLD_ASIDS   3

/* Stage 1 has all of it; stage 2 one address space. */
struct world_stage {
	struct test_memory memory;
	struct hpt table;
	const uint64_t *regions; /* the first page of each */
	const uint16_t *asids;
	unsigned int asid_count;
	uint64_t small[WORLD_ASIDS][WORLD_PAGES]; /* 0: not mapped */
	uint64_t large[WORLD_ASIDS][WORLD_REGIONS];
};

struct world_config {
	enum hpt_organisation stage1;
	enum hpt_organisation stage2;
	struct shadow_config shadow;
	bool deaf1; /* the shadow is not told of stage 1's changes, ... */
	bool deaf2; /* ... stage 2's: what the model finds out then */
};

struct world {
	struct world_stage stage1;
	struct world_stage stage2;
	struct test_memory memory;
	struct shadow shadow;
	uint64_t random;
	uint64_t hits;	 /* translations of the shadow that were compared */
	uint64_t stale;	 /* of these, that were wrong; counted where the shadow is deaf */
	uint64_t large;	 /* of these, in a page of 2 MiB */
	uint64_t shared; /* fills whose guest frame had another page */
	uint64_t refused;
	bool deaf;
};

void world_begin(struct world *world, const struct world_config *config, uint64_t seed);

/* Compares all, and sees that all memory came back. */
void world_end(struct world *world);

uint64_t world_pick(struct world *world, uint64_t below);

/* One change of either stage, at random. */
void world_change(struct world *world);

/* Walks both stages for `count` pages, at random, and fills what they have in common. */
void world_fill(struct world *world, unsigned int count);

/* Every page of the shadow is what the model says. */
void world_compare(struct world *world);

/* The same by lookups and a batch, of every page that there can be. */
void world_compare_lookups(struct world *world);

/* The stages are what the model has, and shadow_check(). */
void world_check(struct world *world);

#endif
