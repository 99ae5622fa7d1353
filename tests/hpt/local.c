/* SPDX-License-Identifier: MIT */
/* The hash `local`: neighbours lie side by side in every table, and what that costs is bounded. */
#include <errno.h>

#include "hpt/adaptive.h"
#include "hpt/cuckoo.h"
#include "hpt/mix.h"
#include "hpt/organisation.h"
#include "hpt/probe.h"
#include "tests/hpt/fixture.h"

#define SEGMENT_PAGES 16384

static struct hpt_desc desc;
static struct pair pair;
static struct test_memory memory;
static struct hpt table;

/* Only where lines are: nobody reads them. They are numbered by their addresses, from 2 MiB on. */
static void describe(enum hpt_organisation organisation, unsigned int lines_log2, uint64_t salt)
{
	desc = (struct hpt_desc){.organisation = organisation,
				 .hash = HPT_LOCAL,
				 .family = HPT_LOCAL,
				 .split = UINT64_MAX,
				 .current = {.lines_log2 = lines_log2}};
	hpt_salt_set(&desc.salt, HPT_LOCAL, salt);
	for (uint64_t i = 0; i < HPT_CHUNKS; i++)
		desc.directory[i] = (i + 1) << HPT_CHUNK_SHIFT;
}

/* The number of the line that a lookup reads first; cuckoo: that of a way. */
static uint64_t line_of(struct hpt_key key, unsigned int way)
{
	struct hpt_probe probe;
	uint64_t address;

	hpt_probe_start(&desc, key, &probe);
	address = probe.line;
	if (way)
		address = cuckoo_way_line(&desc, probe.cuckoo.tag, probe.cuckoo.hash, way);
	return (address >> HPT_LINE_SHIFT) - (1u << HPT_CHUNK_LINES_LOG2);
}

static unsigned int ways(const struct table_kind *kind)
{
	return kind->organisation == HPT_CUCKOO ? CUCKOO_WAYS : 1;
}

/* Whether a line has several places: neighbours are in the same one. */
static bool shares_lines(const struct table_kind *kind)
{
	return kind->organisation == HPT_CHAINED || kind->organisation == HPT_OPEN;
}

/* The pages for which one place is. */
static uint64_t place_pages(const struct table_kind *kind)
{
	switch (kind->organisation) {
	case HPT_CLUSTERED:
	case HPT_CUCKOO:
		return CLUSTERED_BLOCK;
	case HPT_ADAPTIVE:
		return kind->size == HPT_2M ? 1 : ADAPTIVE_PAGES;
	default:
		return 1;
	}
}

/* The page that is first of the `number`th neighbours' place `i`. */
static struct hpt_key neighbour(const struct table_kind *kind, uint64_t number, unsigned int i)
{
	return page(kind, 3, (number * HPT_NEIGHBOURS + i) * place_pages(kind));
}

static void expect_side_by_side(const struct table_kind *kind, uint64_t number, unsigned int way)
{
	uint64_t first = line_of(neighbour(kind, number, 0), way);
	unsigned int seen = 0;

	for (unsigned int i = 0; i < HPT_NEIGHBOURS; i++) {
		uint64_t line = line_of(neighbour(kind, number, i), way);

		cr_assert_eq(line / HPT_NEIGHBOURS, first / HPT_NEIGHBOURS);
		cr_assert(!shares_lines(kind) || line == first);
		seen |= 1u << line % HPT_NEIGHBOURS;
	}
	cr_assert(shares_lines(kind) || seen == (1u << HPT_NEIGHBOURS) - 1, "each has its own");
}

TABLE_TEST(local, the_first_lines_of_neighbours_lie_side_by_side_in_tables_of_every_size)
{
	uint64_t random = 41;

	if (kind->organisation == HPT_RADIX)
		return;
	for (unsigned int lines_log2 = HPT_LINES_LOG2_MIN; lines_log2 <= HPT_LINES_LOG2_MAX;
	     lines_log2++) {
		for (unsigned int i = 0; i < 40 * ways(kind); i++) {
			uint64_t number = mix64_next(&random) >> 50;

			describe(kind->organisation, lines_log2, mix64_next(&random));
			expect_side_by_side(kind, number, i % ways(kind));
			/* While the salt changes as well. */
			desc.hash = HPT_REKEYING;
			hpt_salt_set(&desc.next_salt, HPT_LOCAL, mix64_next(&random));
			expect_side_by_side(kind, number, i % ways(kind));
		}
	}
}

/* So growth moves groups. Of cuckoo it wants two free lines for each: the same one of neighbours.
 */
TABLE_TEST(local, what_lies_among_neighbours_stays_there_in_a_table_twice_as_large)
{
	uint64_t random = 42;

	if (kind->organisation == HPT_RADIX)
		return;
	for (unsigned int lines_log2 = HPT_LINES_LOG2_MIN; lines_log2 < HPT_LINES_LOG2_MAX;
	     lines_log2++) {
		for (unsigned int i = 0; i < 40 * ways(kind); i++) {
			struct hpt_key key = neighbour(kind, mix64_next(&random) >> 50, i % 4);
			uint64_t salt = mix64_next(&random);
			uint64_t line, larger;

			describe(kind->organisation, lines_log2, salt);
			line = line_of(key, i % ways(kind));
			describe(kind->organisation, lines_log2 + 1, salt);
			larger = line_of(key, i % ways(kind));
			cr_assert_eq(larger / HPT_NEIGHBOURS / 2, line / HPT_NEIGHBOURS);
			if (shares_lines(kind))
				cr_assert_eq(larger / 2, line);
			if (kind->organisation == HPT_CUCKOO)
				cr_assert_eq(larger % HPT_NEIGHBOURS, line % HPT_NEIGHBOURS);
		}
	}
}

/* Segments of 64 MiB, one after the other or each anywhere in 64 TiB. */
static struct hpt_key pattern_key(uint64_t i, bool dense, uint64_t seed)
{
	uint64_t segment = i / SEGMENT_PAGES;

	if (!dense)
		segment = mix64(segment + 1000 * seed) >> 44;
	return hpt_key(1, segment * SEGMENT_PAGES + i % SEGMENT_PAGES, HPT_4K);
}

struct cost {
	double load;   /* share of the places that were taken when the table had to grow */
	double probes; /* a hit then */
	uint64_t spilled;
};

/* Fills a table for `pages` pages until it begins to grow. */
static struct cost fill(enum hpt_organisation organisation, uint64_t pages, bool dense,
			uint64_t seed)
{
	struct hpt_config config = {
		.organisation = organisation, .hash = HPT_LOCAL, .pages = pages};
	struct hpt_ledger ledger = {0};
	uint64_t places, mapped = 0;
	struct hpt_counts before = {0};
	struct cost cost;
	uint64_t entry;

	memory = (struct test_memory){0};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(hpt_create(&table, &config), 0);
	places = table.counts.places;
	for (; !table.desc.growing; mapped++) {
		before = table.counts;
		/* Scattered frames: adaptive has a leaf for each region. */
		cr_assert_eq(hpt_map(&table, pattern_key(mapped, dense, seed),
				     hpt_entry(mapped * 977, HPT_PRESENT)),
			     0);
	}
	for (uint64_t i = 0; i < mapped; i += 7)
		hpt_lookup(&table, pattern_key(i, dense, seed), &entry, &ledger);
	cr_assert_eq(ledger.hits, ledger.lookups);
	cost.load = (double)before.used / (double)places;
	cost.probes = (double)ledger.probes / (double)ledger.lookups;
	cost.spilled = before.spilled;
	hpt_destroy(&table);
	test_memory_end(&memory);
	return cost;
}

/* Most probes of a hit: of dense pages, and of segments. */
static double most_probes(const struct table_kind *kind, bool dense)
{
	switch (kind->organisation) {
	case HPT_CHAINED:
		return dense ? 2.3 : 2.7;
	case HPT_OPEN:
		return dense ? 1.05 : 1.9;
	case HPT_BUCKET:
		return dense ? 1.05 : 1.45;
	case HPT_CUCKOO:
		return dense ? 1.5 : 1.9;
	case HPT_ADAPTIVE:
		return dense ? 2.05 : 2.3;
	default:
		return dense ? 1.35 : 2.1;
	}
}

/*
 * Four lines at a time fill a group of clustered less evenly than one: with segments it grows
 * before it is full, once a page of spill is.
 */
TABLE_TEST(local, dense_pages_fill_tables_evenly_and_segments_overflow_no_more_than_a_page)
{
	const struct hpt_operations *operations;

	if (kind->organisation == HPT_RADIX || kind->size == HPT_2M)
		return;
	for (uint64_t seed = 0; seed < 5; seed++) {
		bool dense = !seed;
		struct cost cost = fill(kind->organisation, 400000, dense, seed);
		double full;

		operations = hpt_operations_of(&table);
		full = operations->load / 64.0;
		cr_expect_lt(cost.probes, most_probes(kind, dense), "%.3f probes", cost.probes);
		cr_expect_leq(cost.spilled, dense ? 0 : HPT_GROUP_LINES * operations->line_places);
		cr_expect_geq(cost.load, dense ? full * 0.999 : full * 2 / 3, "%.3f full",
			      cost.load);
	}
}

/* `left` pages whose first lines are in one group of a table of 2^lines_log2 lines. */
static void map_colliding(const struct table_kind *kind, unsigned int lines_log2, unsigned int left)
{
	describe(kind->organisation, lines_log2, pair.table.desc.salt.value);
	for (uint64_t number = 0; left; number++) {
		if (line_of(neighbour(kind, number, 0), 0) / HPT_GROUP_LINES != 9)
			continue;
		for (unsigned int i = 0; i < HPT_NEIGHBOURS; i++, left--)
			cr_assert_eq(
				pair_map(&pair, neighbour(kind, number, i), entry_of(kind, left)),
				0);
	}
}

TABLE_TEST(local, a_table_whose_keys_collide_is_right_while_it_spills_and_is_rekeyed)
{
	struct hpt_config config = {
		.organisation = kind->organisation, .hash = HPT_LOCAL, .salt = 5};
	bool blocks = kind->organisation == HPT_CLUSTERED || kind->organisation == HPT_CUCKOO;
	int error;

	if (kind->organisation == HPT_RADIX)
		return;
	pair = (struct pair){.memory = {.offset = 0x5000}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	map_colliding(kind, 14, blocks ? 400 : 900);
	pair_check(&pair);
	pair_settle(&pair, UINT64_MAX);
	if (kind->organisation != HPT_CHAINED)
		cr_assert_gt(pair.table.counts.spilled, 0);
	/* Keys that differ in their upper bits alone stay together, whatever the salt. */
	cr_assert_eq(pair_rekey(&pair, UINT64_C(0x6d2b79f5a1c3e847)), 0);
	do {
		error = pair_settle(&pair, kind->organisation == HPT_CHAINED ? 20 : 1);
		pair_check(&pair);
	} while (error == -EAGAIN);
	cr_assert_eq(error, 0);
	pair_visit_all(&pair, PAIR_UNMAP_ODD);
	pair_check(&pair);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

Test(local, a_page_of_spill_makes_a_table_grow_that_is_a_quarter_as_full_as_it_may_be)
{
	const struct table_kind kind = {HPT_CLUSTERED, HPT_4K};
	struct hpt_config config = {
		.organisation = HPT_CLUSTERED, .hash = HPT_LOCAL, .pages = UINT64_C(8) * 2560};

	pair = (struct pair){.memory = {.offset = 0}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	cr_assert_eq(pair.table.counts.lines, 4096);
	map_colliding(&kind, 12, 300);
	cr_assert_geq(pair.table.counts.spilled, 64);
	for (uint64_t number = 0; pair.table.counts.used < 640; number++)
		pair_map(&pair, page(&kind, 4, 8 * number), 1);
	cr_assert_eq(pair.table.counts.lines, 4096, "it is nearly empty");
	pair_map(&pair, page(&kind, 5, 0), 1);
	cr_assert_eq(pair.table.counts.lines, 8192);
	pair_end(&pair);
}
