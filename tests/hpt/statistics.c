/* SPDX-License-Identifier: MIT */
/* Statistics against the model, ledgers of lookups one by one, and the words where entries stand.
 */
#include <stdlib.h>

#include "hpt/generation.h"
#include "hpt/lookup.h"
#include "tests/hpt/fixture.h"

#define PAGES 4000

static struct pair pair;
static uintptr_t lines[PAGES];

static int compare(const void *a, const void *b)
{
	uintptr_t first = *(const uintptr_t *)a;
	uintptr_t second = *(const uintptr_t *)b;

	return first < second ? -1 : first > second;
}

/* What the statistics should be, page by page. */
static void expect(struct hpt_statistics *expected)
{
	struct model_cell *cell = NULL;
	size_t bucket = 0;

	*expected = (struct hpt_statistics){0};
	while ((cell = model_next(&pair.model, &bucket, cell))) {
		struct hpt_ledger ledger = {0};
		struct hpt_found found;

		cr_assert(hpt_find(&pair.table, cell->key, &found));
		lines[expected->pages++] = (uintptr_t)found.word / HPT_LINE_SIZE;
		expected->large += cell->key.size == HPT_2M;
		expected->resident += cell->entry & HPT_PRESENT;
		expected->swapped += !!(cell->entry & HPT_SWAPPED);
		pair_lookup(&pair, cell->key, &ledger);
		expected->probes += ledger.probes;
		if (ledger.probes > expected->longest)
			expected->longest = ledger.probes;
		expected->pages_by_probes[ledger.probes < 15 ? ledger.probes : 15]++;
	}
}

static void expect_lines(struct hpt_statistics *expected)
{
	unsigned int in_line = 0;

	if (pair.table.desc.organisation == HPT_CHAINED ||
	    pair.table.desc.organisation == HPT_ADAPTIVE)
		return;
	qsort(lines, expected->pages, sizeof(lines[0]), compare);
	for (uint64_t i = 0; i < expected->pages; i++) {
		in_line++;
		if (i + 1 < expected->pages && lines[i + 1] == lines[i])
			continue;
		expected->lines++;
		expected->lines_by_entries[in_line]++;
		in_line = 0;
	}
}

/* The lines of the old generation that a walk still comes by. */
static uint64_t count_unmoved(void)
{
	struct generation_walk walk = {.table = &pair.table};
	uint64_t unmoved = 0;

	if (pair.table.desc.organisation == HPT_RADIX)
		return 0;
	while (generation_next_line(&walk))
		unmoved += walk.part == 1;
	return unmoved;
}

static void expect_statistics(void)
{
	struct hpt_statistics expected, found;

	expect(&expected);
	expect_lines(&expected);
	expected.unmoved = count_unmoved();
	cr_assert_eq(hpt_statistics(&pair.table, &found), 0);
	cr_assert_eq(found.pages, expected.pages);
	cr_assert_eq(found.large, expected.large);
	cr_assert_eq(found.resident, expected.resident);
	cr_assert_eq(found.swapped, expected.swapped);
	cr_assert_eq(found.probes, expected.probes);
	cr_assert_eq(found.longest, expected.longest);
	cr_assert_arr_eq(found.pages_by_probes, expected.pages_by_probes,
			 sizeof(found.pages_by_probes));
	cr_assert_eq(found.lines, expected.lines);
	cr_assert_arr_eq(found.lines_by_entries, expected.lines_by_entries,
			 sizeof(found.lines_by_entries));
	cr_assert_eq(found.unmoved, expected.unmoved);
}

TABLE_TEST(statistics, they_are_what_looking_up_every_page_gives)
{
	uint64_t random = 3;
	bool grew = false;

	begin_kind(&pair, kind, 0, 0);
	expect_statistics();
	for (unsigned int i = 0; i < PAGES; i++) {
		struct hpt_key key = page(kind, (uint16_t)(i % 2), model_random(&random) % 9000);
		uint64_t large = kind->size == HPT_2M ? HPT_LARGE : 0;

		pair_map(&pair, key, i % 5 ? entry_of(kind, i) : hpt_swap_entry(i, large));
		grew |= count_unmoved() > 0;
		if (i % 97 == 0)
			expect_statistics();
	}
	cr_assert_eq(grew, kind->organisation != HPT_RADIX);
	pair_visit_all(&pair, PAIR_UNMAP_ODD);
	expect_statistics();
	pair_end(&pair);
}

/* Pages of both sizes, and lookups of more probes than the table of them has room for. */
Test(statistics, long_sequences_are_in_the_last_row)
{
	struct table_kind kind = {HPT_CLUSTERED, HPT_4K};
	struct hpt_statistics found;
	unsigned int mapped = 0;

	begin_kind(&pair, &kind, 0, 0);
	cr_assert_eq(pair_map(&pair, hpt_key(3, 512, HPT_2M), hpt_entry(1, HPT_LARGE)), 0);
	/* Blocks of one home line and stride: the n-th takes n probes. */
	for (uint64_t block = 0; mapped < 30; block++) {
		struct hpt_key key = page(&kind, 0, 8 * block);

		uint64_t tag = clustered_tag(key);

		if (hpt_hash(&pair.table.desc, tag) >> 58 != 7 ||
		    hpt_group_stride(tag) != HPT_LINE_SIZE)
			continue;
		cr_assert_eq(pair_map(&pair, key, entry_of(&kind, 1)), 0);
		mapped++;
	}
	cr_assert_eq(hpt_statistics(&pair.table, &found), 0);
	cr_assert_eq(found.large, 1);
	cr_assert_geq(found.longest, 30);
	cr_assert_geq(found.pages_by_probes[HPT_STATISTICS_PROBES - 1], 15);
	expect_statistics();
	pair_end(&pair);
}
