/* SPDX-License-Identifier: MIT */
/*
 * Tables that may have readers beside their writer: marks, and what becomes of memory. That readers
 * see what they should is for torture.c; that nothing else differs is for streams.
 */
#include <errno.h>

#include "hpt/shared.h"
#include "tests/hpt/fixture.h"

static struct pair pair;

static void begin_shared(const struct table_kind *kind)
{
	struct hpt_config config = {.organisation = kind->organisation};

	pair = (struct pair){.memory = {.readers = true, .offset = 0x3000}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
}

static void map(const struct table_kind *kind, uint64_t number)
{
	cr_assert_eq(pair_map(&pair, page(kind, 1, number), entry_of(kind, number + 1)), 0);
}

/* With readers and without: A, D and both, of what is resident and of nothing else. */
TABLE_TEST(shared, a_mark_sets_accessed_and_dirty_of_a_resident_page)
{
	static const uint64_t bad[] = {0, HPT_WRITE, HPT_DIRTY | HPT_SOFT, HPT_LARGE,
				       UINT64_C(1) << 48};

	for (int readers = 0; readers < 2; readers++) {
		if (readers)
			begin_shared(kind);
		else
			begin_kind(&pair, kind, 0, 0x3000);
		for (uint64_t i = 0; i < 20; i++)
			map(kind, i);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 0), HPT_ACCESSED), 0);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 1), HPT_DIRTY), 0);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 2), HPT_DIRTY | HPT_ACCESSED), 0);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 2), HPT_DIRTY), 0);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 20), HPT_DIRTY), -ENOENT);
		cr_assert_eq(pair_mark(&pair, page(kind, 2, 0), HPT_DIRTY), -ENOENT);
		cr_assert_eq(pair_swap_out(&pair, page(kind, 1, 3), 77), 0);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, 3), HPT_DIRTY), -ENOENT);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			cr_assert_eq(pair_mark(&pair, page(kind, 1, 0), bad[i]), -EINVAL);
		pair_end(&pair);
	}
}

/* Every page is marked before the table grows to sixteen times its size, then they go. */
TABLE_TEST(shared, marks_are_in_what_is_unmapped_whatever_has_moved)
{
	const uint64_t few = 200, many = 8000;

	begin_shared(kind);
	for (uint64_t i = 0; i < few; i++) {
		map(kind, i * 16);
		cr_assert_eq(pair_mark(&pair, page(kind, 1, i * 16), HPT_DIRTY), 0);
	}
	for (uint64_t i = 1; i < many; i++) {
		if (i % 16)
			map(kind, i);
	}
	for (uint64_t i = 0; i < few; i++) {
		uint64_t old = 0;

		cr_assert_eq(hpt_unmap(&pair.table, page(kind, 1, i * 16), &old), 0);
		cr_assert_eq(old, entry_of(kind, i * 16 + 1) | HPT_DIRTY);
		model_set(&pair.model, page(kind, 1, i * 16), 0);
	}
	pair_end(&pair);
}

TABLE_TEST(shared, what_readers_may_see_is_retired_and_not_put_back)
{
	const uint64_t count = 8000;

	begin_shared(kind);
	for (uint64_t i = 0; i < count; i++)
		map(kind, i * 8);
	if (kind->organisation != HPT_RADIX)
		cr_assert_gt(pair.memory.retired, 0, "growth gives its old lines back");
	cr_assert_eq(pair_visit_range(&pair, page(kind, 1, 0), count * 8, PAIR_UNMAP), count);
	if (kind->organisation == HPT_RADIX)
		cr_assert_gt(pair.memory.retired, 0, "nodes that are empty go");
	pair_expect_empty(&pair);
	pair_end(&pair);
}

/* The versions are a page beside what the table has anyway, and go back with it. */
TABLE_TEST(shared, readers_cost_a_page_of_memory)
{
	uint64_t bytes;

	begin_kind(&pair, kind, 0, 0);
	bytes = pair.table.counts.bytes;
	cr_assert_null(pair.table.shared);
	pair_end(&pair);
	begin_shared(kind);
	cr_assert_eq(pair.table.counts.bytes, bytes + HPT_PAGE_SIZE);
	cr_assert_eq(pair.memory.bytes, pair.table.counts.bytes);
	pair_end(&pair);
	cr_assert_eq(pair.memory.retired, 0);
}

TABLE_TEST(shared, a_table_that_cannot_be_made_leaves_no_memory_behind)
{
	struct hpt_config config = {.organisation = kind->organisation, .pages = 100000};
	uint64_t calls;

	begin_shared(kind);
	pair_end(&pair);
	calls = pair.memory.calls;
	for (uint64_t failing = 1; failing <= calls; failing++) {
		pair = (struct pair){.memory = {.readers = true,
						.first_failure = failing,
						.last_failure = failing}};
		cr_assert_eq(pair_begin(&pair, &config), -ENOMEM);
	}
}

/* A reader of a page waits while it is held: so all must be let go, on every path. */
TABLE_TEST(shared, nothing_is_held_after_an_operation)
{
	begin_shared(kind);
	for (uint64_t failing = 1; failing < 12; failing++) {
		for (uint64_t i = 0; i < 700; i++) {
			pair.memory.first_failure = pair.memory.calls + 1;
			pair.memory.last_failure = pair.memory.calls + i % failing;
			pair_map(&pair, page(kind, 1, i * 9 * failing), entry_of(kind, i));
			cr_assert_eq(pair.table.held, 0);
			cr_assert_eq(pair.table.shape % 2, 0);
		}
		pair_visit_range(&pair, page(kind, 1, 0), 1000, PAIR_UNMAP_ODD);
		cr_assert_eq(pair.table.held, 0);
	}
	if (pair.table.shared) {
		for (unsigned int i = 0; i < HPT_SHARDS; i++)
			cr_assert_eq(pair.table.shared->shards[i].count % 2, 0);
	}
	pair_end(&pair);
}
