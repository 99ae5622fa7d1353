/* SPDX-License-Identifier: MIT */
/*
 * What a modelled cache is held against: for each set a list of what it holds, the most recent
 * first. Nothing is taken from mmu_cache.h but the shape.
 */
#ifndef TESTS_EPT_MMU_MODEL_H
#define TESTS_EPT_MMU_MODEL_H

#include "ept/mmu_cache.h"

struct lru_item {
	uint64_t tag;
	uint64_t value;
};

struct lru_set {
	struct lru_item *items; /* `ways` of them */
	uint32_t count;
};

struct lru_model {
	struct mmu_shape shape;
	struct lru_set *sets;
	struct lru_item *items;
};

void lru_begin(struct lru_model *model, struct mmu_shape shape);
void lru_end(struct lru_model *model);
void lru_flush(struct lru_model *model);

/* Whether the tag is there, without making it recent. */
bool lru_holds(const struct lru_model *model, uint64_t tag);

bool lru_find(struct lru_model *model, uint64_t tag, uint64_t *value);
bool lru_put(struct lru_model *model, uint64_t tag, uint64_t value, uint64_t *evicted);
bool lru_drop(struct lru_model *model, uint64_t tag);
uint32_t lru_drop_matching(struct lru_model *model, uint64_t mask, uint64_t bits);

#endif
