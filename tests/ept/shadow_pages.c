/* SPDX-License-Identifier: MIT */
/* What a page of the combined table is, and what drops it: one case at a time. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

#include "ept/shadow.h"
#include "tests/hpt/model.h"

#define LARGE HPT_LARGE_PAGES

static struct shadow shadow;
static struct test_memory memory;

static void begin(enum hpt_organisation organisation)
{
	struct shadow_config config = {.organisation = organisation, .reverse = organisation};

	memory = (struct test_memory){.offset = 0x3000};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(shadow_create(&shadow, &config), 0);
}

static void end(void)
{
	const char *broken = shadow_check(&shadow);

	cr_assert_null(broken, "%s", broken);
	shadow_destroy(&shadow);
	test_memory_end(&memory);
}

/* The entry of a 4 KiB page, or 0. */
static uint64_t page_at(uint16_t asid, uint64_t vpn)
{
	uint64_t entry;

	return hpt_lookup(&shadow.table, hpt_key(asid, vpn, HPT_4K), &entry, NULL) ? 0 : entry;
}

static void fill(uint16_t asid, uint64_t vpn, uint64_t stage1, uint64_t stage2)
{
	struct shadow_page page;

	cr_assert(shadow_join(asid, vpn, stage1, stage2, &page));
	cr_assert_eq(shadow_fill(&shadow, page.key, page.gfn, page.entry), 0);
}

static void fill_small(uint16_t asid, uint64_t vpn, uint64_t gfn)
{
	fill(asid, vpn, hpt_entry(gfn, HPT_PRESENT), hpt_entry(gfn + 7, HPT_PRESENT));
}

#define EACH_ORGANISATION(name)                                                            \
	ParameterizedTestParameters(shadow_pages, name)                                    \
	{                                                                                  \
		static enum hpt_organisation all[HPT_ORGANISATIONS];                       \
                                                                                           \
		for (unsigned int i = 0; i < HPT_ORGANISATIONS; i++)                       \
			all[i] = (enum hpt_organisation)i;                                 \
		return cr_make_param_array(enum hpt_organisation, all, HPT_ORGANISATIONS); \
	}                                                                                  \
	ParameterizedTest(enum hpt_organisation *organisation, shadow_pages, name)

Test(shadow_pages, flags_are_joined_each_by_its_rule)
{
	static const uint64_t flags[] = {HPT_PRESENT, HPT_WRITE, HPT_USER,   HPT_ACCESSED,
					 HPT_DIRTY,   HPT_SOFT,	 HPT_GLOBAL, HPT_NOEXEC};
	const uint64_t both = HPT_PRESENT | HPT_WRITE | HPT_ACCESSED | HPT_DIRTY;

	/* All states of both entries. */
	for (unsigned int state = 0; state < 1 << 16; state++) {
		uint64_t one = 0, two = 0, expected;
		struct shadow_page page;

		for (unsigned int i = 0; i < 8; i++) {
			one |= state >> i & 1 ? flags[i] : 0;
			two |= state >> (8 + i) & 1 ? flags[i] : 0;
		}
		expected = (one & two & both) | (one & HPT_USER) | ((one | two) & HPT_NOEXEC);
		cr_assert_eq(shadow_join(3, 4, one | 5 << 12, two | 6 << 12, &page),
			     one & two & HPT_PRESENT);
		if (one & two & HPT_PRESENT)
			cr_assert_eq(page.entry, expected | 6 << 12);
	}
}

Test(shadow_pages, a_page_that_a_stage_has_swapped_out_is_none)
{
	uint64_t here = hpt_entry(5, HPT_PRESENT | HPT_WRITE);
	struct shadow_page page;

	cr_assert_not(shadow_join(0, 1, hpt_swap_entry(5, HPT_WRITE), here, &page));
	cr_assert_not(shadow_join(0, 1, here, hpt_swap_entry(5, HPT_WRITE), &page));
}

/* The four ways in which 4 KiB and 2 MiB meet. */
Test(shadow_pages, a_page_is_large_where_both_stages_are_and_splintered_otherwise)
{
	const uint64_t large = HPT_PRESENT | HPT_LARGE;
	struct shadow_page page;

	cr_assert(shadow_join(1, 1000, hpt_entry(70, HPT_PRESENT), hpt_entry(90, HPT_PRESENT),
			      &page));
	cr_assert(page.key.size == HPT_4K && page.key.vpn == 1000 && page.gfn == 70);
	cr_assert_eq(hpt_frame(page.entry), 90);
	cr_assert(shadow_join(1, 1000, hpt_entry(3 * LARGE, large), hpt_entry(90, HPT_PRESENT),
			      &page));
	cr_assert(page.key.size == HPT_4K && page.gfn == 3 * LARGE + 1000 % LARGE);
	cr_assert_eq(hpt_frame(page.entry), 90);
	cr_assert(shadow_join(1, 1000, hpt_entry(70, HPT_PRESENT), hpt_entry(2 * LARGE, large),
			      &page));
	cr_assert(page.key.size == HPT_4K && page.gfn == 70);
	cr_assert_eq(hpt_frame(page.entry), 2 * LARGE + 70);
	cr_assert(shadow_join(1, 1000, hpt_entry(3 * LARGE, large), hpt_entry(2 * LARGE, large),
			      &page));
	cr_assert(page.key.size == HPT_2M && page.key.vpn == LARGE && page.gfn == 3 * LARGE);
	cr_assert_eq(page.entry, hpt_entry(2 * LARGE, large));
}

EACH_ORGANISATION(a_change_of_one_of_several_pages_of_a_frame_leaves_the_others)
{
	begin(*organisation);
	/* In the last the ASID has more bits than a word of the reverse map. */
	for (uint64_t i = 0; i < 40; i++)
		fill_small((uint16_t)(i % 4 * 700), 100 + i, 5);
	fill_small(1, 1, 6);
	for (uint64_t i = 0; i < 40; i += 3) {
		shadow_stage1_changed(&shadow, hpt_key((uint16_t)(i % 4 * 700), 100 + i, HPT_4K),
				      1);
		cr_assert_null(shadow_check(&shadow));
	}
	for (uint64_t i = 0; i < 40; i++)
		cr_assert_eq(!page_at((uint16_t)(i % 4 * 700), 100 + i), i % 3 == 0);
	shadow_stage2_changed(&shadow, hpt_key(0, 5, HPT_4K), 1);
	for (uint64_t i = 0; i < 40; i++)
		cr_assert_eq(page_at((uint16_t)(i % 4 * 700), 100 + i), 0);
	cr_assert_neq(page_at(1, 1), 0);
	cr_assert_eq(shadow.table.counts.entries, 1);
	cr_assert_eq(shadow.reverse.page_count, 0);
	end();
}

/* A guest's page of 2 MiB over frames of 4 KiB. */
EACH_ORGANISATION(a_change_of_2_mib_at_stage_1_drops_each_splinter)
{
	uint64_t stage1 = hpt_entry(4 * LARGE, HPT_PRESENT | HPT_LARGE);

	begin(*organisation);
	for (uint64_t i = 0; i < LARGE; i++)
		fill(7, 8 * LARGE + i, stage1, hpt_entry(3 * i, HPT_PRESENT));
	fill_small(7, 9 * LARGE, 1);
	fill_small(8, 8 * LARGE, 2);
	cr_assert_eq(shadow.table.counts.entries, LARGE + 2);
	/* One splinter's host frame goes: the others are as they were. */
	shadow_stage2_changed(&shadow, hpt_key(0, 4 * LARGE + 9, HPT_4K), 1);
	cr_assert_eq(page_at(7, 8 * LARGE + 9), 0);
	cr_assert_eq(shadow.table.counts.entries, LARGE + 1);
	shadow_stage1_changed(&shadow, hpt_key(7, 8 * LARGE, HPT_2M), 1);
	cr_assert_eq(shadow.table.counts.entries, 2);
	cr_assert(page_at(7, 9 * LARGE) && page_at(8, 8 * LARGE));
	end();
}

/* A guest's pages of 4 KiB in host pages of 2 MiB, and two of 2 MiB. */
EACH_ORGANISATION(a_change_of_2_mib_at_stage_2_drops_all_that_was_made_through_it)
{
	uint64_t stage2 = hpt_entry(6 * LARGE, HPT_PRESENT | HPT_LARGE);
	struct shadow_counts counts;

	begin(*organisation);
	for (uint64_t i = 0; i < 300; i++)
		fill(1, 5000 + 11 * i, hpt_entry(LARGE + i, HPT_PRESENT), stage2);
	fill(2, 0, hpt_entry(LARGE, HPT_PRESENT | HPT_LARGE), stage2);
	fill(3, LARGE, hpt_entry(LARGE, HPT_PRESENT | HPT_LARGE), stage2);
	fill_small(1, 1, 2 * LARGE);
	shadow_count(&shadow, &counts);
	cr_assert_eq(counts.entries, 303);
	cr_assert_eq(counts.large, 2);
	cr_assert_eq(counts.nodes, 2);
	cr_assert_null(shadow_check(&shadow));
	shadow_stage2_changed(&shadow, hpt_key(0, LARGE, HPT_2M), 1);
	shadow_count(&shadow, &counts);
	cr_assert_eq(counts.entries, 1);
	cr_assert_eq(counts.large, 0);
	cr_assert_eq(counts.dropped, 302);
	cr_assert_neq(page_at(1, 1), 0);
	end();
}

EACH_ORGANISATION(a_fill_takes_the_place_of_what_was_there)
{
	uint64_t entry;

	begin(*organisation);
	fill(1, 9, hpt_entry(4, HPT_PRESENT | HPT_ACCESSED), hpt_entry(5, HPT_PRESENT));
	/* The same frame with D: what a write fills after the walk that set it. */
	fill(1, 9, hpt_entry(4, HPT_PRESENT | HPT_WRITE | HPT_DIRTY),
	     hpt_entry(5, HPT_PRESENT | HPT_WRITE | HPT_DIRTY));
	cr_assert_eq(page_at(1, 9), hpt_entry(5, HPT_PRESENT | HPT_WRITE | HPT_DIRTY));
	/* Another frame: the first one's change does not matter any more. */
	fill(1, 9, hpt_entry(6, HPT_PRESENT), hpt_entry(7, HPT_PRESENT));
	shadow_stage2_changed(&shadow, hpt_key(0, 4, HPT_4K), 1);
	cr_assert_eq(page_at(1, 9), hpt_entry(7, HPT_PRESENT));
	/* 2 MiB around it, and back. */
	fill(1, 9, hpt_entry(0, HPT_PRESENT | HPT_LARGE),
	     hpt_entry(LARGE, HPT_PRESENT | HPT_LARGE));
	cr_assert_eq(page_at(1, 9), 0);
	cr_assert_eq(shadow.table.counts.entries, 1);
	cr_assert_null(shadow_check(&shadow));
	fill(1, 10, hpt_entry(6, HPT_PRESENT), hpt_entry(7, HPT_PRESENT));
	cr_assert_eq(hpt_lookup(&shadow.table, hpt_key(1, 9, HPT_2M), &entry, NULL), -ENOENT);
	cr_assert_eq(shadow.table.counts.entries, 1);
	cr_assert_eq(shadow.large, 0);
	end();
}

EACH_ORGANISATION(a_clear_drops_everything_and_gives_nodes_back)
{
	struct shadow_counts counts;

	begin(*organisation);
	for (uint64_t i = 0; i < 1000; i++)
		fill_small((uint16_t)(i % 3), i, i / 5);
	shadow_count(&shadow, &counts);
	cr_assert_eq(counts.entries, 1000);
	cr_assert_eq(counts.nodes, 1000);
	shadow_clear(&shadow);
	shadow_count(&shadow, &counts);
	cr_assert_eq(counts.entries, 0);
	cr_assert_eq(counts.nodes, 0);
	cr_assert_eq(shadow.reverse.page_count, 0);
	fill_small(1, 1, 1);
	cr_assert_neq(page_at(1, 1), 0);
	end();
}

EACH_ORGANISATION(what_cannot_be_is_refused_and_leaves_nothing)
{
	uint64_t here = hpt_entry(5, HPT_PRESENT);
	uint64_t large = hpt_entry(LARGE, HPT_PRESENT | HPT_LARGE);

	begin(*organisation);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), 1, 0), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), 1, hpt_entry(5, HPT_WRITE)),
		     -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), 1, here | HPT_SWAPPED), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), 1, large), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), 1, here | UINT64_C(1) << 48),
		     -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_4K), UINT64_C(1) << 36, here), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, UINT64_C(1) << 45, HPT_4K), 1, here), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_2M), LARGE, large), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, LARGE, HPT_2M), 1, large), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, LARGE, HPT_2M), LARGE, here), -EINVAL);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, 1, HPT_SIZES), 1, here), -EINVAL);
	cr_assert_eq(shadow.table.counts.entries, 0);
	/* The frame has a page already. */
	fill_small(0, 1, 1);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(0, UINT64_C(1) << 45, HPT_4K), 1, here), -EINVAL);
	cr_assert_eq(shadow.table.counts.entries, 1);
	end();
}

Test(shadow_pages, parts_that_do_not_exist_are_refused)
{
	struct shadow_config config = {.organisation = HPT_ORGANISATIONS};

	memory = (struct test_memory){0};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(shadow_create(&shadow, &config), -EINVAL);
	config.organisation = HPT_RADIX;
	config.reverse = HPT_ORGANISATIONS;
	cr_assert_eq(shadow_create(&shadow, &config), -EINVAL);
	config.reverse = HPT_BUCKET;
	config.hash = HPT_HASH_FAMILIES;
	cr_assert_eq(shadow_create(&shadow, &config), -EINVAL);
	config.hash = HPT_SIPHASH;
	memory.readers = true;
	config.memory = test_memory_of(&memory);
	cr_assert_eq(shadow_create(&shadow, &config), -EINVAL);
	memory.readers = false;
	config.memory = test_memory_of(&memory);
	for (memory.first_failure = 1; memory.first_failure <= 2; memory.first_failure++) {
		memory.calls = 0;
		memory.last_failure = memory.first_failure;
		cr_assert_eq(shadow_create(&shadow, &config), -ENOMEM);
		cr_assert_eq(memory.outstanding, 0);
	}
	test_memory_end(&memory);
}

/* Keys of 45 bits at stage 1 and 36 here: what is beyond is no page, what begins within is cut. */
EACH_ORGANISATION(a_range_beyond_what_the_tables_hold_is_cut)
{
	const uint64_t last = (UINT64_C(1) << 36) - 1;

	begin(*organisation);
	fill_small(0, last, last);
	shadow_stage1_changed(&shadow, hpt_key(0, UINT64_C(1) << 44, HPT_4K), 1000);
	shadow_stage1_changed(&shadow, hpt_key(0xffff, 0, HPT_4K), UINT64_C(1) << 45);
	cr_assert_neq(page_at(0, last), 0);
	shadow_stage1_changed(&shadow, hpt_key(0, last, HPT_4K), 1000);
	cr_assert_eq(page_at(0, last), 0);
	fill_small(0, last, last);
	shadow_stage2_changed(&shadow, hpt_key(0, 0, HPT_2M), UINT64_C(1) << 36);
	cr_assert_eq(page_at(0, last), 0);
	end();
}
