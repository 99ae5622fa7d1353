/* SPDX-License-Identifier: MIT */
#include "tests/ept/mmu_model.h"

#include <stdlib.h>
#include <string.h>

void lru_begin(struct lru_model *model, struct mmu_shape shape)
{
	model->shape = shape;
	model->sets = calloc(shape.sets, sizeof(*model->sets));
	model->items = calloc((size_t)shape.sets * shape.ways, sizeof(*model->items));
	if (!model->sets || !model->items)
		abort();
	for (uint32_t i = 0; i < shape.sets; i++)
		model->sets[i].items = model->items + (size_t)i * shape.ways;
}

void lru_end(struct lru_model *model)
{
	free(model->sets);
	free(model->items);
}

void lru_flush(struct lru_model *model)
{
	for (uint32_t i = 0; i < model->shape.sets; i++)
		model->sets[i].count = 0;
}

static struct lru_set *set_of(const struct lru_model *model, uint64_t tag)
{
	uint64_t sets = model->shape.sets;

	return &model->sets[(tag % sets) ^ (model->shape.folded ? tag / sets % sets : 0)];
}

/* Where in the set the tag is, or its count. */
static uint32_t place_of(const struct lru_set *set, uint64_t tag)
{
	uint32_t place = 0;

	while (place < set->count && set->items[place].tag != tag)
		place++;
	return place;
}

static void take_out(struct lru_set *set, uint32_t place)
{
	memmove(&set->items[place], &set->items[place + 1],
		(set->count - place - 1) * sizeof(set->items[0]));
	set->count--;
}

static void put_first(struct lru_set *set, struct lru_item item)
{
	memmove(&set->items[1], &set->items[0], set->count * sizeof(set->items[0]));
	set->items[0] = item;
	set->count++;
}

bool lru_holds(const struct lru_model *model, uint64_t tag)
{
	const struct lru_set *set = set_of(model, tag);

	return place_of(set, tag) < set->count;
}

bool lru_find(struct lru_model *model, uint64_t tag, uint64_t *value)
{
	struct lru_set *set = set_of(model, tag);
	uint32_t place = place_of(set, tag);
	struct lru_item item;

	if (place == set->count)
		return false;
	item = set->items[place];
	take_out(set, place);
	put_first(set, item);
	*value = item.value;
	return true;
}

bool lru_put(struct lru_model *model, uint64_t tag, uint64_t value, uint64_t *evicted)
{
	struct lru_set *set = set_of(model, tag);
	bool full = false;

	if (!lru_drop(model, tag) && set->count == model->shape.ways) {
		full = true;
		*evicted = set->items[set->count - 1].tag;
		take_out(set, set->count - 1);
	}
	put_first(set, (struct lru_item){tag, value});
	return full;
}

bool lru_drop(struct lru_model *model, uint64_t tag)
{
	struct lru_set *set = set_of(model, tag);
	uint32_t place = place_of(set, tag);

	if (place == set->count)
		return false;
	take_out(set, place);
	return true;
}

uint32_t lru_drop_matching(struct lru_model *model, uint64_t mask, uint64_t bits)
{
	uint32_t dropped = 0;

	for (uint32_t i = 0; i < model->shape.sets; i++) {
		struct lru_set *set = &model->sets[i];

		for (uint32_t place = set->count; place-- > 0;) {
			if ((set->items[place].tag & mask) != (bits & mask))
				continue;
			take_out(set, place);
			dropped++;
		}
	}
	return dropped;
}
