/* SPDX-License-Identifier: MIT */
/* What changes cost the combined table, and what its reverse map takes: lines, updates, bytes. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "ept/memory.h"
#include "ept/shadow.h"
#include "tests/hpt/touch.h"

static struct shadow shadow;

#define EACH_ORGANISATION(name)                                                            \
	ParameterizedTestParameters(shadow_cost, name)                                     \
	{                                                                                  \
		static enum hpt_organisation all[HPT_ORGANISATIONS];                       \
                                                                                           \
		for (unsigned int i = 0; i < HPT_ORGANISATIONS; i++)                       \
			all[i] = (enum hpt_organisation)i;                                 \
		return cr_make_param_array(enum hpt_organisation, all, HPT_ORGANISATIONS); \
	}                                                                                  \
	ParameterizedTest(enum hpt_organisation *organisation, shadow_cost, name)

static void begin(enum hpt_organisation organisation, uint64_t pages)
{
	struct shadow_config config = {
		.organisation = organisation, .reverse = organisation, .pages = pages};

	cr_assert(touch_begin(&config.memory));
	cr_assert_eq(shadow_create(&shadow, &config), 0);
}

static void fill(uint64_t vpn, uint64_t gfn)
{
	cr_assert_eq(shadow_fill(&shadow, hpt_key(1, vpn, HPT_4K), gfn,
				 hpt_entry(gfn ^ 0x5555, HPT_PRESENT)),
		     0);
}

/* Where page i of the tests lies: 16 neighbours here and there. */
static uint64_t vpn_of(uint64_t i)
{
	return (i / 16 << 11) + i % 16;
}

static uint64_t updates(void)
{
	struct shadow_counts counts;

	shadow_count(&shadow, &counts);
	return counts.updates;
}

struct cost {
	uint64_t lines;
	uint64_t updates;
};

static struct cost cost_of(hpt_changed changed, struct hpt_key key, uint64_t count)
{
	uint64_t before = updates();
	struct cost cost;

	touch_watch();
	changed(&shadow, key, count);
	cost.lines = touch_unwatch();
	cost.updates = updates() - before;
	return cost;
}

/*
 * Lines that the removal of one page touches at most, in the three tables together. In adaptive a
 * run may become a leaf, which has 64.
 */
static uint64_t lines_of_one(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_BUCKET:
	case HPT_CLUSTERED:
		return 10;
	case HPT_OPEN:
	case HPT_CUCKOO:
		return 12;
	case HPT_ADAPTIVE:
		return 3 * 70;
	default: /* nodes of trees and chains */
		return 30;
	}
}

#define PAGES 600

EACH_ORGANISATION(a_change_of_one_page_touches_a_few_lines_and_no_more_in_a_larger_table)
{
	const hpt_changed hooks[] = {shadow_stage1_changed, shadow_stage2_changed};

	for (unsigned int stage = 0; stage < 2; stage++) {
		begin(*organisation, 0);
		for (uint64_t i = 0; i < PAGES; i++)
			fill(vpn_of(i), vpn_of(i * 7 % PAGES));
		for (uint64_t i = 0; i < PAGES; i += 20) {
			struct hpt_key key = hpt_key(1, vpn_of(i), HPT_4K);
			struct cost cost = cost_of(hooks[stage], key, 1);

			cr_assert_leq(cost.lines, lines_of_one(*organisation), "%d lines",
				      (int)cost.lines);
			cr_assert_leq(cost.updates, SHADOW_UPDATES_MAX);
		}
		cr_assert_eq(shadow.dropped, PAGES / 20);
	}
}

/* A zero page that everybody has: one goes without a search among the others. */
EACH_ORGANISATION(a_page_of_a_frame_that_many_share_goes_as_cheaply)
{
	struct cost cost;

	begin(*organisation, 0);
	for (uint64_t i = 0; i < PAGES; i++)
		fill(vpn_of(i), 77);
	for (uint64_t i = 0; i < PAGES; i += 30) {
		cost = cost_of(shadow_stage1_changed, hpt_key(1, vpn_of(i), HPT_4K), 1);
		/* Its node, the two beside it, the free one. */
		cr_assert_leq(cost.lines, lines_of_one(*organisation) + 6, "%d lines",
			      (int)cost.lines);
		cr_assert_leq(cost.updates, SHADOW_UPDATES_MAX);
	}
	cost = cost_of(shadow_stage2_changed, hpt_key(0, 77, HPT_4K), 1);
	cr_assert_eq(shadow.dropped, PAGES);
	cr_assert_leq(cost.updates, SHADOW_UPDATES_MAX * (PAGES - PAGES / 30));
}

/* Neither stage's range is gone through page by page, whether it has pages or not. */
EACH_ORGANISATION(a_huge_range_costs_no_more_than_the_tables_lines)
{
	const uint64_t huge = UINT64_C(1) << 35;
	const struct hpt_key large = hpt_key(1, 0, HPT_2M);
	uint64_t lines, cost;

	begin(*organisation, 0);
	for (uint64_t i = 0; i < 300; i++)
		fill((UINT64_C(1) << 35) + vpn_of(i), vpn_of(i));
	/* Words of a tree are read again on the way back; chains have nodes. */
	lines = 3 * shadow.table.counts.lines + 3 * 300;
	cost = cost_of(shadow_stage1_changed, hpt_key(1, 0, HPT_4K), huge).lines;
	cr_assert_leq(cost, lines, "%d lines of %d", (int)cost, (int)lines);
	cost = cost_of(shadow_stage1_changed, large, huge / HPT_LARGE_PAGES).lines;
	cr_assert_leq(cost, lines, "%d lines of %d", (int)cost, (int)lines);
	lines = 3 * shadow.reverse.by_frame.counts.lines + 3 * 300;
	cost = cost_of(shadow_stage2_changed, hpt_key(0, UINT64_C(1) << 34, HPT_4K), huge).lines;
	cr_assert_leq(cost, lines, "%d lines of %d", (int)cost, (int)lines);
	cr_assert_eq(shadow.dropped, 0);
	lines += 300 * lines_of_one(*organisation);
	cost = cost_of(shadow_stage2_changed, hpt_key(0, 0, HPT_4K), huge).lines;
	cr_assert_leq(cost, lines, "%d lines of %d", (int)cost, (int)lines);
	cr_assert_eq(shadow.dropped, 300);
	/* Without pages nothing is looked at. */
	cr_assert_eq(cost_of(shadow_stage1_changed, large, huge / HPT_LARGE_PAGES).lines, 0);
	cr_assert_eq(cost_of(shadow_stage2_changed, hpt_key(0, 0, HPT_4K), huge).lines, 0);
}

/* Which frames pages have. */
enum shape { IN_ORDER, SCATTERED, ONE_OF_512, SHARED, SHAPES };

#define BYTE_PAGES (UINT64_C(1) << 16)

static struct ept_memory memory;

static double bytes_a_page(enum hpt_organisation organisation, enum shape shape)
{
	struct shadow_config config = {.organisation = HPT_CLUSTERED,
				       .reverse = organisation,
				       .pages = BYTE_PAGES,
				       .memory = ept_memory_init(&memory)};
	struct shadow_counts counts;

	cr_assert_eq(shadow_create(&shadow, &config), 0);
	for (uint64_t i = 0; i < BYTE_PAGES; i++) {
		uint64_t scattered = i * 0x9e3779b1 % BYTE_PAGES;

		switch (shape) {
		case IN_ORDER:
			fill(i, i);
			break;
		case SCATTERED:
			fill(i, scattered);
			break;
		case ONE_OF_512:
			fill(512 * i, scattered);
			break;
		default:
			fill(i, scattered / 2);
		}
	}
	shadow_count(&shadow, &counts);
	shadow_destroy(&shadow);
	ept_memory_destroy(&memory);
	return (double)counts.reverse_bytes / BYTE_PAGES;
}

/* Those of ept/shadow.h, where tables are larger: chained has its nodes in blocks of 2 MiB. */
EACH_ORGANISATION(the_reverse_map_takes_so_many_bytes_a_page)
{
	static const double most[HPT_ORGANISATIONS][SHAPES] = {
		[HPT_RADIX] = {17, 17, 4200, 45},    [HPT_CHAINED] = {144, 144, 144, 145},
		[HPT_OPEN] = {64, 64, 64, 97},	     [HPT_BUCKET] = {32, 32, 32, 65},
		[HPT_CLUSTERED] = {32, 32, 144, 65}, [HPT_CUCKOO] = {32, 32, 144, 65},
		[HPT_ADAPTIVE] = {0.6, 25, 33, 49},
	};

	for (unsigned int shape = 0; shape < SHAPES; shape++) {
		double bytes;

		/* A tree's node for every page: 256 MiB. */
		if (*organisation == HPT_RADIX && shape == ONE_OF_512)
			continue;
		bytes = bytes_a_page(*organisation, (enum shape)shape);
		cr_assert_leq(bytes, most[*organisation][shape], "shape %u: %f", shape, bytes);
	}
}
