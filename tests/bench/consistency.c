/* SPDX-License-Identifier: MIT */
/* Names and pages that change, by small schedules: what may be stale, and what may not. */
#include <criterion/criterion.h>

#include "bench/consistency.h"

static struct consistency_setting setting_of(uint32_t ttl)
{
	return (struct consistency_setting){
		.things = 20, .changes = 0.5, .asked = 4, .asks = 20000, .seed = 3, .ttl = ttl};
}

Test(consistency, versions_end_when_they_are_superseded)
{
	struct consistency_setting setting = setting_of(1);
	double before[20] = {0};
	uint64_t version[20] = {0};
	struct consistency world;

	for (int periodic = 0; periodic < 2; periodic++) {
		setting.periodic = periodic;
		cr_assert_eq(consistency_begin(&world, &setting), 0);
		memset(before, 0, sizeof(before));
		memset(version, 0, sizeof(version));
		for (int i = 0; i < 10000; i++) {
			uint32_t thing = consistency_next(&world);

			for (uint64_t v = version[thing]; v < world.things[thing].version; v++) {
				double at = consistency_superseded(&world, thing, v);

				/* Between the asks that saw it and did not see it any more. */
				cr_assert_geq(at, before[thing] - 1e-6);
				cr_assert_leq(at, world.now + 1e-6);
			}
			before[thing] = world.now;
			version[thing] = world.things[thing].version;
		}
		cr_assert_geq(world.changes, 100);
		consistency_end(&world);
	}
}

Test(consistency, names_are_stale_for_a_ttl_at_most_and_some_are)
{
	for (uint32_t ttl = 1; ttl < 10; ttl += 4) {
		struct consistency_setting setting = setting_of(ttl);
		struct consistency_outcome outcome;

		cr_assert_eq(consistency_names(&setting, true, &outcome), 0);
		cr_assert_eq(outcome.asks, setting.asks);
		cr_assert_eq(outcome.broken, 0);
		cr_assert_eq(outcome.late, 0);
		cr_assert_geq(outcome.stale, 1000);
		cr_assert_leq(outcome.longest, ttl);
		cr_assert_geq(outcome.longest, 0.5 * ttl);
	}
}

Test(consistency, names_without_a_ttl_are_always_fetched_and_never_stale)
{
	struct consistency_setting setting = setting_of(0);
	struct consistency_outcome outcome;

	cr_assert_eq(consistency_names(&setting, false, &outcome), 0);
	cr_assert_eq(outcome.fetches, outcome.asks);
	cr_assert_eq(outcome.stale, 0);
}

Test(consistency, a_table_that_is_told_is_never_stale_and_one_that_is_not_is)
{
	struct consistency_setting setting = setting_of(0);
	struct consistency_outcome outcome;
	const int both = CONSISTENCY_STAGE1 | CONSISTENCY_STAGE2;

	for (int told = 0; told <= both; told++) {
		cr_assert_eq(consistency_pages(&setting, told, &outcome), 0);
		cr_assert_geq(outcome.changes, 1000);
		if (told == both)
			cr_assert_eq(outcome.stale, 0);
		else
			cr_assert_geq(outcome.stale, 1000, "told of %d", told);
	}
}
