/* SPDX-License-Identifier: MIT */
/*
 * No stale translation is ever returned: random changes of both stages, with fills in between, and
 * after each of them all that the combined table says against the composition of two naive models.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

#include "tests/ept/shadow_world.h"

#define CHANGES 6000

static struct world world;

/* Both stages and both parts of the shadow take their turn in all organisations. */
static struct world_config pair_config(unsigned int stage1, unsigned int stage2)
{
	return (struct world_config){
		.stage1 = (enum hpt_organisation)stage1,
		.stage2 = (enum hpt_organisation)stage2,
		.shadow = {.organisation = (stage1 + stage2) % HPT_ORGANISATIONS,
			   .reverse = (stage1 + 2 * stage2 + 3) % HPT_ORGANISATIONS,
			   .hash = (stage1 + 3 * stage2) % HPT_HASH_FAMILIES,
			   .salt = stage1}};
}

static void run(unsigned int changes)
{
	for (unsigned int i = 0; i < changes; i++) {
		struct shadow_counts before, after;

		shadow_count(&world.shadow, &before);
		world_change(&world);
		shadow_count(&world.shadow, &after);
		cr_assert_leq(after.updates - before.updates,
			      SHADOW_UPDATES_MAX * (after.dropped - before.dropped));
		world_compare(&world);
		world_fill(&world, 12);
		world_compare(&world);
		if (i % 50 == 0)
			world_compare_lookups(&world);
		if (i % 100 == 0)
			world_check(&world);
		/* The combined table may change its salt as well. */
		if (i % 200 == 0)
			hpt_rekey(&world.shadow.table, i);
	}
}

ParameterizedTestParameters(shadow, no_translation_is_stale_whatever_the_stages_do)
{
	static struct world_config configs[HPT_ORGANISATIONS * HPT_ORGANISATIONS];

	for (unsigned int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++)
		configs[i] = pair_config(i / HPT_ORGANISATIONS, i % HPT_ORGANISATIONS);
	return cr_make_param_array(struct world_config, configs,
				   HPT_ORGANISATIONS * HPT_ORGANISATIONS);
}

ParameterizedTest(struct world_config *config, shadow,
		  no_translation_is_stale_whatever_the_stages_do, .timeout = 120)
{
	struct shadow_counts counts;

	world_begin(&world, config, (uint64_t)config->stage1 * 7 + config->stage2);
	run(CHANGES);
	shadow_count(&world.shadow, &counts);
	/* That there was something to be wrong about. */
	cr_assert_gt(world.hits, 200000);
	cr_assert_gt(world.large, 500);
	cr_assert_gt(world.shared, 500);
	cr_assert_gt(counts.fills, 2500);
	cr_assert_gt(counts.dropped, 1500);
	cr_assert_eq(counts.clears, 0);
	cr_assert_eq(world.refused, 0);
	cr_assert_leq(counts.updates, SHADOW_UPDATES_MAX * (counts.fills + counts.dropped));
	world_end(&world);
}

/* The model would see it: a shadow that is not told of one stage's changes is wrong soon. */
Test(shadow, a_shadow_that_is_not_told_is_found_out)
{
	for (unsigned int deaf = 0; deaf < 2; deaf++) {
		struct world_config config = pair_config(HPT_CLUSTERED, HPT_BUCKET);
		unsigned int changes = 0;

		config.deaf1 = !deaf;
		config.deaf2 = deaf;
		world_begin(&world, &config, deaf);
		while (!world.stale && changes++ < 300) {
			world_fill(&world, 12);
			world_change(&world);
			world_compare(&world);
		}
		cr_assert(world.stale);
		shadow_clear(&world.shadow);
		world_end(&world);
	}
}

/* Memory fails when the shadow asks for some, for stretches of calls: refused, never wrong. */
ParameterizedTestParameters(shadow, without_memory_fills_are_refused_and_nothing_is_stale)
{
	static struct world_config configs[HPT_ORGANISATIONS * HPT_ORGANISATIONS];

	for (unsigned int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++) {
		configs[i] = pair_config(HPT_CLUSTERED, HPT_ADAPTIVE);
		configs[i].shadow.organisation = i / HPT_ORGANISATIONS;
		configs[i].shadow.reverse = i % HPT_ORGANISATIONS;
	}
	return cr_make_param_array(struct world_config, configs,
				   HPT_ORGANISATIONS * HPT_ORGANISATIONS);
}

ParameterizedTest(struct world_config *config, shadow,
		  without_memory_fills_are_refused_and_nothing_is_stale, .timeout = 120)
{
	struct test_memory *memory = &world.memory;

	world_begin(&world, config, config->shadow.organisation);
	for (unsigned int i = 0; i < 1500; i++) {
		if (i % 30 == 0) {
			memory->first_failure = memory->calls + 1;
			memory->last_failure = i % 60 ? memory->calls + 3 : UINT64_MAX;
		}
		world_change(&world);
		world_compare(&world);
		world_fill(&world, 20);
		world_compare(&world);
		if (i % 30 == 29) {
			memory->last_failure = 0;
			world_compare_lookups(&world);
			world_check(&world);
		}
	}
	memory->last_failure = 0;
	world_end(&world);
}

/*
 * Runs that adaptive holds in one word cannot be split without memory for ever: then more goes than
 * has changed, but that goes.
 */
ParameterizedTestParameters(shadow, where_a_page_cannot_be_removed_alone_all_are)
{
	static struct world_config configs[2 * HPT_ORGANISATIONS];

	for (unsigned int i = 0; i < 2 * HPT_ORGANISATIONS; i++)
		configs[i].shadow =
			(struct shadow_config){.organisation = i % 2 ? HPT_ADAPTIVE : i / 2,
					       .reverse = i % 2 ? i / 2 : HPT_ADAPTIVE};
	return cr_make_param_array(struct world_config, configs, 2 * HPT_ORGANISATIONS);
}

static void fill_runs(void)
{
	for (uint64_t i = 0; i < 20 * HPT_LARGE_PAGES; i++)
		cr_assert_eq(shadow_fill(&world.shadow, hpt_key(1, i, HPT_4K), i,
					 hpt_entry(i, HPT_PRESENT)),
			     0);
}

ParameterizedTest(struct world_config *config, shadow, where_a_page_cannot_be_removed_alone_all_are)
{
	struct test_memory *memory = &world.memory;
	const hpt_changed hooks[] = {shadow_stage1_changed, shadow_stage2_changed};

	for (unsigned int stage = 0; stage < 2; stage++) {
		uint64_t entry;

		world_begin(&world, config, 1);
		fill_runs();
		memory->first_failure = memory->calls + 1;
		memory->last_failure = UINT64_MAX;
		for (uint64_t i = 0; i < 20; i++) {
			uint64_t vpn = i * HPT_LARGE_PAGES + 37;

			hooks[stage](&world.shadow, hpt_key(1, vpn, HPT_4K), 1);
			cr_assert(hpt_lookup(&world.shadow.table, hpt_key(1, vpn, HPT_4K), &entry,
					     NULL));
		}
		memory->last_failure = 0;
		cr_assert_null(shadow_check(&world.shadow));
		cr_assert_eq(world.shadow.clears, 1);
		fill_runs();
		shadow_clear(&world.shadow);
		world_end(&world);
	}
}
