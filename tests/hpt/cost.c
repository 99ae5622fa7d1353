/* SPDX-License-Identifier: MIT */
/* What operations touch: lines, counted by faults (touch.h). */
#include "tests/hpt/fixture.h"
#include "tests/hpt/touch.h"

static struct hpt table;

static void begin(const struct table_kind *kind)
{
	struct hpt_config config = {.organisation = kind->organisation};

	cr_assert(touch_begin(&config.memory));
	cr_assert_eq(hpt_create(&table, &config), 0);
}

static uint64_t count_pages(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	++*(uint64_t *)context;
	return entry;
}

static uint64_t remove_pages(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	(void)entry;
	++*(uint64_t *)context;
	return 0;
}

/* Lines that a visit touches; how many pages it saw is *pages. */
static uint64_t visit_cost(struct hpt_key key, uint64_t count, hpt_visitor visit, uint64_t *pages)
{
	*pages = 0;
	touch_watch();
	cr_assert_eq(hpt_visit_range(&table, key, count, visit, pages), 0);
	return touch_unwatch();
}

/* How many times as much a range may cost where a line is looked for more than once. */
static uint64_t times(const struct table_kind *kind)
{
	switch (kind->organisation) {
	case HPT_CHAINED:
	case HPT_OPEN:
	case HPT_BUCKET:
		return 12;
	case HPT_CUCKOO:
		return 3; /* ways */
	default:
		return 1;
	}
}

/* One page in each of some blocks that are far apart; few in a tree, whose nodes are 64 lines. */
static uint64_t map_scattered(const struct table_kind *kind)
{
	uint64_t count = kind->organisation == HPT_RADIX ? 10 : 120;

	for (uint64_t i = 0; i < count; i++)
		cr_assert_eq(hpt_map(&table, page(kind, 0, (i << 12) + i % 8), entry_of(kind, i)),
			     0);
	return count;
}

TABLE_TEST(cost, the_ledgers_lines_are_those_that_are_read)
{
	begin(kind);
	for (uint64_t i = 0; i < 155; i++)
		cr_assert_eq(hpt_map(&table, page(kind, 0, i * i * 5), entry_of(kind, i)), 0);
	for (uint64_t number = 0; number < 500; number++) {
		struct hpt_ledger ledger = {0};
		uint64_t lines;
		uint64_t entry;

		touch_watch();
		hpt_lookup(&table, page(kind, 0, number), &entry, &ledger);
		/* A line that two ways or nodes share is read twice and counted once. */
		lines = touch_unwatch();
		cr_assert_leq(ledger.lines, lines);
		cr_assert_leq(lines, ledger.probes);
	}
}

TABLE_TEST(cost, a_huge_and_nearly_empty_range_costs_no_more_than_the_tables_lines)
{
	const uint64_t huge = UINT64_C(1) << (kind->size == HPT_2M ? 27 : 36);
	uint64_t mapped;
	uint64_t lines;
	uint64_t pages;
	uint64_t cost;

	begin(kind);
	mapped = map_scattered(kind);
	/* The words on the way to nodes are read again when the visit comes back to them. */
	lines = table.counts.lines + 2 * table.counts.bytes / HPT_PAGE_SIZE;
	if (kind->organisation == HPT_CHAINED)
		lines += 2 * mapped;
	cost = visit_cost(page(kind, 0, 0), huge, count_pages, &pages);
	cr_assert_eq(pages, mapped);
	cr_assert_leq(cost, lines, "%d lines of %d", (int)cost, (int)lines);
	cost = visit_cost(page(kind, 1, 0), huge, count_pages, &pages);
	cr_assert_eq(pages, 0);
	cr_assert_leq(cost, lines);
	/* A removed line is found and left by its own sequence once more. */
	cost = visit_cost(page(kind, 0, 0), huge, remove_pages, &pages);
	cr_assert_eq(pages, mapped);
	cr_assert_leq(cost, lines + 4 * pages, "%d lines of %d", (int)cost, (int)lines);
	cr_assert_eq(table.counts.entries, 0);
}

TABLE_TEST(cost, a_small_range_costs_its_own_lines_in_a_large_table)
{
	uint64_t pages;
	uint64_t cost;

	begin(kind);
	map_scattered(kind);
	cost = visit_cost(page(kind, 0, 5 << 12), 8, count_pages, &pages);
	cr_assert_eq(pages, 1);
	cr_assert_leq(cost, 8 * times(kind), "%d lines", (int)cost);
	/* 100 blocks of which 10 pages are neighbours: two lines a block, nodes read through. */
	for (uint64_t i = 0; i < 10; i++)
		cr_assert_eq(hpt_map(&table, page(kind, 0, 1000 + i), entry_of(kind, i)), 0);
	cost = visit_cost(page(kind, 0, 600), 800, count_pages, &pages);
	cr_assert_eq(pages, 10);
	cr_assert_leq(cost, 200 * times(kind), "%d lines", (int)cost);
}

/* 2 MiB pages are asked for where 200 nodes full of small ones lie: those are not gone through. */
Test(cost, a_visit_of_large_pages_does_not_go_through_small_ones)
{
	for (unsigned int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		struct table_kind kind = {(enum hpt_organisation)organisation, HPT_4K};
		uint64_t pages;
		uint64_t cost;

		begin(&kind);
		for (uint64_t i = 0; i < 200; i++)
			cr_assert_eq(hpt_map_range(&table, hpt_key(0, i * 512, HPT_4K), 16, 1), 0);
		cost = visit_cost(hpt_key(0, 0, HPT_2M), 200, count_pages, &pages);
		cr_assert_eq(pages, 0);
		/* In adaptive each is a region, whose home says what is there. */
		cr_assert_leq(cost, organisation == HPT_ADAPTIVE ? 200 : 64 * times(&kind),
			      "%d lines", (int)cost);
	}
}

/* A run of neighbours is mapped a line at a time: not eight searches for eight pages. */
TABLE_TEST(cost, a_range_is_mapped_a_line_at_a_time)
{
	uint64_t cost;

	begin(kind);
	for (uint64_t i = 0; i < 16; i++)
		cr_assert_eq(hpt_map(&table, page(kind, 0, 8 * i + 4096), entry_of(kind, i)), 0);
	touch_watch();
	cr_assert_eq(hpt_map_range(&table, page(kind, 0, 4096 + 8 * 16), 64, entry_of(kind, 0)), 0);
	cost = touch_unwatch();
	cr_assert_leq(cost, 8 * 8 * times(kind), "%d lines", (int)cost);
}
