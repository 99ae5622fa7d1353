/* SPDX-License-Identifier: MIT */
/* One modelled cache against a list a set: same hits, same values, same victims. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ept/mmu_profile.h"
#include "hpt/mix.h"
#include "tests/ept/mmu_model.h"

enum operation { FIND, PUT, DROP, OPERATIONS };

struct pair {
	struct mmu_cache cache;
	struct lru_model model;
	uint64_t hits;
	uint64_t misses;
};

static void begin(struct pair *pair, struct mmu_shape shape)
{
	memset(pair, 0, sizeof(*pair));
	cr_assert_eq(mmu_cache_create(&pair->cache, shape), 0);
	lru_begin(&pair->model, shape);
}

static void end(struct pair *pair)
{
	cr_assert_eq(pair->cache.hits, pair->hits);
	cr_assert_eq(pair->cache.misses, pair->misses);
	mmu_cache_destroy(&pair->cache);
	lru_end(&pair->model);
}

/* Does one operation to both and says whether they answer alike. */
static bool agree(struct pair *pair, enum operation operation, uint64_t tag, uint64_t value)
{
	uint64_t found[2] = {1, 1};
	bool answer[2];

	switch (operation) {
	case FIND:
		answer[0] = mmu_cache_find(&pair->cache, tag, &found[0]);
		answer[1] = lru_find(&pair->model, tag, &found[1]);
		pair->hits += answer[1];
		pair->misses += !answer[1];
		break;
	case PUT:
		answer[0] = mmu_cache_put(&pair->cache, tag, value, &found[0]);
		answer[1] = lru_put(&pair->model, tag, value, &found[1]);
		break;
	default:
		answer[0] = mmu_cache_drop(&pair->cache, tag);
		answer[1] = lru_drop(&pair->model, tag);
		break;
	}
	return answer[0] == answer[1] && found[0] == found[1];
}

/*
 * A tag from three times as many as some sets can hold, neighbours and strides of all powers of two
 * included; now and then any number.
 */
static uint64_t draw_tag(struct mmu_shape shape, uint64_t *random)
{
	uint64_t low = mix64_next(random) % (shape.sets < 64 ? shape.sets : 64);
	uint64_t draw = mix64_next(random) >> 8;

	if (draw % 50 == 0)
		return mix64_next(random) >> mix64_next(random) % 64;
	if (draw % 50 == 1)
		return draw & 64 ? UINT64_MAX : 0;
	return low + shape.sets * (draw / 64 % (3 * shape.ways));
}

static void run_stream(struct mmu_shape shape, unsigned int steps, uint64_t seed)
{
	struct pair pair;
	uint64_t random = seed;

	begin(&pair, shape);
	for (unsigned int step = 0; step < steps; step++) {
		uint64_t draw = mix64_next(&random);
		uint64_t tag = draw_tag(shape, &random);

		if (draw % 8192 == 0) {
			mmu_cache_flush(&pair.cache);
			lru_flush(&pair.model);
		} else if (draw % 8192 < 4) {
			uint64_t mask = ~UINT64_C(0) << (draw >> 13) % 16;

			cr_assert_eq(mmu_cache_drop_matching(&pair.cache, mask, tag),
				     lru_drop_matching(&pair.model, mask, tag));
		} else {
			cr_assert(agree(&pair,
					draw % 16 < 9	 ? FIND
					: draw % 16 < 15 ? PUT
							 : DROP,
					tag, draw),
				  "%ux%u%s: step %u, tag %#lx", shape.sets, shape.ways,
				  shape.folded ? " folded" : "", step, (unsigned long)tag);
		}
	}
	cr_assert(pair.hits > steps / 16 && pair.misses > steps / 16, "%lu hits, %lu misses",
		  (unsigned long)pair.hits, (unsigned long)pair.misses);
	end(&pair);
}

Test(mmu_cache, every_array_of_the_cores_is_lru, .timeout = 120)
{
	unsigned int shapes = 0;

	for (int profile = 0; profile < MMU_PROFILES; profile++) {
		const struct mmu_core *core = mmu_core_of(profile);

		for (int i = 0; i < MMU_ARRAYS; i++) {
			if (!core->arrays[i].ways)
				continue;
			run_stream(core->arrays[i], 60000, shapes++);
		}
	}
	cr_assert_eq(shapes, 11 + 17);
}

Test(mmu_cache, other_shapes_are_lru, .timeout = 120)
{
	for (uint32_t sets = 1; sets <= 64; sets *= 2)
		for (uint32_t ways = 1; ways <= 9; ways++)
			for (int folded = 0; folded < 2; folded++)
				run_stream((struct mmu_shape){sets, ways, folded}, 10000, ways);
	run_stream((struct mmu_shape){1, 4096, false}, 100000, 1);
	run_stream((struct mmu_shape){4096, 1, true}, 30000, 1);
}

#define FEW_TAGS  4
#define FEW_WORDS 12
#define DEPTH	  6

/* All sequences that go on from here, by trying each operation and going back. */
static unsigned long try_all(struct pair *pair, unsigned int depth)
{
	struct pair before = *pair;
	uint64_t words[FEW_WORDS];
	struct lru_item items[FEW_WORDS / 3];
	struct lru_set sets[2];
	uint64_t entries = mmu_cache_entries(&pair->cache);
	unsigned long tried = 0;

	if (!depth)
		return 1;
	memcpy(words, before.cache.tags, 3 * entries * sizeof(words[0]));
	memcpy(items, before.model.items, entries * sizeof(items[0]));
	memcpy(sets, before.model.sets, before.model.shape.sets * sizeof(sets[0]));
	for (unsigned int choice = 0; choice < OPERATIONS * FEW_TAGS; choice++) {
		cr_assert(agree(pair, choice / FEW_TAGS, choice % FEW_TAGS, depth),
			  "%ux%u: choice %u at depth %u", before.model.shape.sets,
			  before.model.shape.ways, choice, depth);
		tried += try_all(pair, depth - 1);
		*pair = before;
		memcpy(pair->cache.tags, words, 3 * entries * sizeof(words[0]));
		memcpy(pair->model.items, items, entries * sizeof(items[0]));
		memcpy(pair->model.sets, sets, before.model.shape.sets * sizeof(sets[0]));
	}
	return tried;
}

Test(mmu_cache, every_short_sequence_is_lru_in_every_small_shape, .timeout = 300)
{
	static const struct mmu_shape shapes[] = {{1, 1, false}, {1, 2, false}, {1, 3, false},
						  {2, 1, false}, {2, 1, true},	{2, 2, false},
						  {2, 2, true}};

	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct pair pair;

		begin(&pair, shapes[i]);
		cr_assert_eq(try_all(&pair, DEPTH), 2985984); /* 12 choices, six times */
		end(&pair);
	}
}

Test(mmu_cache, counts_stay_when_entries_go)
{
	struct mmu_cache cache;
	uint64_t value = 0;

	cr_assert_eq(mmu_cache_create(&cache, (struct mmu_shape){1, 2, false}), 0);
	mmu_cache_put(&cache, 7, 70, NULL);
	cr_assert(mmu_cache_find(&cache, 7, &value));
	cr_assert_eq(value, 70);
	mmu_cache_flush(&cache);
	value = 1;
	cr_assert_not(mmu_cache_find(&cache, 7, &value));
	cr_assert_eq(value, 1, "a miss leaves the value alone");
	cr_assert_eq(cache.hits, 1);
	cr_assert_eq(cache.misses, 1);
	mmu_cache_destroy(&cache);
}

Test(mmu_cache, shapes_that_cannot_be_are_refused)
{
	static const struct mmu_shape shapes[] = {
		{0, 1, false},
		{1, 0, false},
		{3, 1, false},
		{96, 8, true},
		{UINT32_MAX, 1, 0},
		{1, MMU_CACHE_ENTRIES_MAX + 1, false},
		{1u << 31, 1u << 31, false},
		{1u << 16, (1u << 16) + 1, false},
		{MMU_CACHE_ENTRIES_MAX, 2, false},
	};
	struct mmu_cache cache;

	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		cr_assert_eq(mmu_cache_create(&cache, shapes[i]), -EINVAL, "shape %u", i);
		mmu_cache_destroy(&cache);
	}
	cr_assert_eq(mmu_cache_create(&cache, (struct mmu_shape){MMU_CACHE_ENTRIES_MAX, 1, true}),
		     0);
	mmu_cache_destroy(&cache);
}
