/* SPDX-License-Identifier: MIT */
/* The data caches against lists, and what a part of what means. */
#include <criterion/criterion.h>

#include "ept/mmu_latency.h"
#include "hpt/mix.h"
#include "tests/ept/mmu_model.h"

#define LEVELS 3

static struct mmu_caches caches;
static struct lru_model models[LEVELS];
static bool has[LEVELS];

static void begin(enum mmu_profile profile, unsigned int without)
{
	cr_assert_eq(mmu_caches_create(&caches, profile), 0);
	for (int level = 0; level < LEVELS; level++) {
		uint8_t array = caches.core->array_of[MMU_L1_DATA + level][0];

		has[level] = !(without >> level & 1);
		lru_begin(&models[level], caches.core->arrays[array]);
		if (!has[level])
			cr_assert_eq(
				mmu_caches_without(&caches, mmu_kind_name(MMU_L1_DATA + level)), 0);
	}
}

static void end(void)
{
	mmu_caches_destroy(&caches);
	for (int level = 0; level < LEVELS; level++)
		lru_end(&models[level]);
}

/* What the caches should do, in the words of the two hierarchies. */
static int model_access(enum mmu_profile profile, uint64_t line)
{
	bool victim = profile == MMU_ZEN4;
	uint64_t ignored, gone;
	int found = 0;

	while (found < LEVELS && !(has[found] && lru_find(&models[found], line, &ignored)))
		found++;
	if (found == 0)
		return 0;
	if (victim && found == 2)
		lru_drop(&models[2], line);
	for (int level = found - 1; level >= 0; level--) {
		if (!has[level] || (victim && level == 2 && (has[0] || has[1])))
			continue;
		if (!lru_put(&models[level], line, 0, &gone))
			continue;
		/* Nothing above may have what this level has lost, if it is part of it. */
		for (int above = 0; above < level; above++)
			if (level == 2 || victim)
				lru_drop(&models[above], gone);
		if (victim && level != 2 && has[2] && (level == 1 || !has[1]))
			lru_put(&models[2], gone, 0, &ignored);
	}
	if (victim && found == 2 && has[2] && !has[0] && !has[1])
		lru_put(&models[2], line, 0, &ignored);
	return found;
}

/* Lines of few sets, four times as many as they can hold. */
static uint64_t draw_line(const struct mmu_core *core, uint64_t *random)
{
	uint64_t sets = core->arrays[core->array_of[MMU_L3_DATA][0]].sets;
	uint64_t near = mix64_next(random) % 4;

	/* Two lines stay in the L1 while the levels below forget them. */
	if (near == 0)
		return mix64_next(random) % 2;
	near = near == 1 ? 256 : 4;
	/* An L1 has 64 sets: four sets of the others fall into one of it. */
	return mix64_next(random) % 8 + 64 * (mix64_next(random) % 4) +
	       sets * (mix64_next(random) % near);
}

static void compare(enum mmu_profile profile, unsigned int without, unsigned int steps)
{
	uint64_t random = without, found[LEVELS + 1] = {0};

	begin(profile, without);
	for (unsigned int step = 0; step < steps; step++) {
		uint64_t line = draw_line(caches.core, &random);
		int expected = model_access(profile, line);

		cr_assert_eq((int)mmu_data_access(&caches, line), expected,
			     "%s without %u: step %u, line %#lx", mmu_profile_name(profile),
			     without, step, (unsigned long)line);
		found[expected]++;
	}
	for (int level = 0; level <= LEVELS; level++)
		cr_assert_eq(found[level] > 0, level == LEVELS || has[level], "level %d", level);
	for (int level = 0, left = (int)steps; level < LEVELS; level++) {
		struct mmu_unit *unit = &caches.units[MMU_L1_DATA + level];

		cr_assert_eq(unit->lookups, has[level] ? (uint64_t)left : 0);
		cr_assert_eq(unit->hits, found[level]);
		left -= (int)found[level];
	}
	end();
}

Test(mmu_data, lines_are_found_where_lists_have_them_with_all_levels_or_without_any, .timeout = 120)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++)
		for (unsigned int without = 0; without < 1 << LEVELS; without++)
			compare(profile, without, 200000);
}

static bool holds(int level, uint64_t line)
{
	return mmu_cache_entry(caches.units[MMU_L1_DATA + level].holds[0], line) != MMU_CACHE_NONE;
}

Test(mmu_data, an_inclusive_l3_has_all_lines_and_a_victim_none_twice, .timeout = 60)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		uint64_t random = 3;

		begin(profile, 0);
		for (unsigned int step = 0; step < 200000; step++) {
			uint64_t line = draw_line(caches.core, &random);

			mmu_data_access(&caches, line);
			cr_assert(holds(0, line));
			line = draw_line(caches.core, &random);
			if (profile == MMU_ZEN4) {
				cr_assert(!holds(0, line) || holds(1, line), "L1 in L2");
				cr_assert_not(holds(1, line) && holds(2, line), "L2 or L3");
			} else {
				cr_assert(!(holds(0, line) || holds(1, line)) || holds(2, line));
			}
		}
		end();
	}
}

/* Passes over so many KiB; the level that the last pass finds all its lines in. */
static enum mmu_data_level resident(enum mmu_profile profile, uint64_t kib)
{
	uint64_t lines = kib * 1024 / 64;
	enum mmu_data_level level = MMU_DATA_L1;

	begin(profile, 0);
	for (int pass = 0; pass < 3; pass++) {
		for (uint64_t line = 0; line < lines; line++) {
			enum mmu_data_level found = mmu_data_access(&caches, line);

			cr_assert(pass > 0 || found == MMU_DATA_MEMORY);
			cr_assert(pass < 2 || line == 0 || found == level, "%s, %lu KiB: line %lu",
				  mmu_profile_name(profile), (unsigned long)kib,
				  (unsigned long)line);
			level = found;
		}
	}
	end();
	return level;
}

Test(mmu_data, what_fits_a_level_stays_in_it, .timeout = 60)
{
	cr_assert_eq(resident(MMU_ZEN4, 32), MMU_DATA_L1);
	cr_assert_eq(resident(MMU_ZEN4, 64), MMU_DATA_L2);
	cr_assert_eq(resident(MMU_ZEN4, 1024), MMU_DATA_L2);
	cr_assert_eq(resident(MMU_ZEN4, 32 * 1024), MMU_DATA_L3);
	cr_assert_eq(resident(MMU_ZEN4, 66 * 1024), MMU_DATA_MEMORY);
	cr_assert_eq(resident(MMU_SKYLAKE, 32), MMU_DATA_L1);
	cr_assert_eq(resident(MMU_SKYLAKE, 256), MMU_DATA_L2);
	cr_assert_eq(resident(MMU_SKYLAKE, 8 * 1024), MMU_DATA_L3);
	cr_assert_eq(resident(MMU_SKYLAKE, 16 * 1024), MMU_DATA_MEMORY);
}

Test(mmu_data, a_line_costs_what_dmt_says_of_its_level)
{
	unsigned int cycles = 0;

	begin(MMU_SKYLAKE, 0);
	cycles += mmu_data_cycles(mmu_data_access(&caches, 5)); /* memory */
	cycles += mmu_data_cycles(mmu_data_access(&caches, 5)); /* L1 */
	for (uint64_t i = 1; i <= 8; i++)
		mmu_data_access(&caches, 5 + 64 * i);
	cycles += mmu_data_cycles(mmu_data_access(&caches, 5)); /* L2 */
	for (uint64_t i = 1; i <= 8; i++)
		mmu_data_access(&caches, 5 + 1024 * i);
	cycles += mmu_data_cycles(mmu_data_access(&caches, 5)); /* L3 */
	cr_assert_eq(cycles, 200 + 4 + 14 + 54);
	end();
}
