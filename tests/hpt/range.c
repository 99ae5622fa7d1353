/* SPDX-License-Identifier: MIT */
/* Ranges: all or nothing, every page once, at line and node borders, and cheap where empty. */
#include <errno.h>

#include "tests/hpt/fixture.h"

static struct pair pair;

TABLE_TEST(range, every_start_and_length_around_a_line_maps_just_that)
{
	begin_kind(&pair, kind, 0, 0);
	for (uint64_t start = 0; start < 10; start++) {
		for (uint64_t count = 0; count < 20; count++) {
			struct hpt_key key = page(kind, 1, 4088 + start);

			cr_assert_eq(pair_map_range(&pair, key, count, entry_of(kind, 7)), 0);
			cr_assert_eq(pair.table.counts.entries, count);
			cr_assert_eq(pair_visit_range(&pair, key, count, PAIR_KEEP), count);
			cr_assert_eq(pair_visit_all(&pair, PAIR_UNMAP), count);
			pair_expect_empty(&pair);
		}
	}
	pair_end(&pair);
}

TABLE_TEST(range, one_mapped_page_anywhere_in_it_undoes_the_whole_range)
{
	begin_kind(&pair, kind, 0, 0);
	for (uint64_t at = 0; at < 60; at++) {
		struct hpt_key key = page(kind, 0, 1003);

		cr_assert_eq(pair_map(&pair, page(kind, 0, 1003 + at), entry_of(kind, 1)), 0);
		cr_assert_eq(pair_map_range(&pair, key, 60, entry_of(kind, 50)), -EEXIST);
		cr_assert_eq(pair.table.counts.entries, 1);
		pair_check(&pair);
		cr_assert_eq(pair_unmap(&pair, page(kind, 0, 1003 + at)), 0);
		pair_expect_empty(&pair);
	}
	pair_end(&pair);
}

/* A big page in the way of a range of small ones, and the other way round. */
Test(range, radix_undoes_a_range_that_meets_the_other_size)
{
	struct table_kind kind = {HPT_RADIX, HPT_4K};

	begin_kind(&pair, &kind, 0, 0);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 1024, HPT_2M), hpt_entry(1, HPT_LARGE)), 0);
	cr_assert_eq(pair_map_range(&pair, hpt_key(0, 600, HPT_4K), 700, 1), -EEXIST);
	cr_assert_eq(pair.table.counts.entries, 1);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 4096, HPT_4K), 1), 0);
	cr_assert_eq(pair_map_range(&pair, hpt_key(0, 2048, HPT_2M), 5, hpt_entry(1, HPT_LARGE)),
		     -EEXIST);
	cr_assert_eq(pair.table.counts.entries, 2);
	pair_end(&pair);
}

/* One range, the n-th allocation failing: alone, or with all that follow. */
static int map_with_failure(const struct table_kind *kind, uint64_t n, bool once)
{
	const uint64_t before = 100;
	const uint64_t count = kind->organisation == HPT_RADIX ? 3000 : 6000;
	int error;

	begin_kind(&pair, kind, 9, 0);
	cr_assert_eq(pair_map_range(&pair, page(kind, 0, 50), before, entry_of(kind, 0)), 0);
	pair.memory.first_failure = pair.memory.calls + n;
	pair.memory.last_failure = once ? pair.memory.first_failure : UINT64_MAX;
	error = pair_map_range(&pair, page(kind, 0, 1000), count, entry_of(kind, 0));
	if (error)
		cr_assert_eq(error, -ENOMEM);
	cr_assert_eq(pair.table.counts.entries, before + (error ? 0 : count));
	pair_check(&pair);
	pair.memory.last_failure = 0;
	cr_assert_eq(pair_map_range(&pair, page(kind, 2, 1000), count, entry_of(kind, 0)), 0);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	if (!pair.memory.failures)
		error = 1; /* so many allocations are not made */
	pair_end(&pair);
	return error;
}

TABLE_TEST(range, out_of_memory_at_every_allocation_leaves_none_of_the_range)
{
	unsigned int refused = 0;
	uint64_t n = 1;

	for (int error = 0; error != 1; n++) {
		error = map_with_failure(kind, n, false);
		refused += error == -ENOMEM;
	}
	/*
	 * A clustered table does without growth as long as it has room, then without spill;
	 * adaptive has a few runs, for which there is always room.
	 */
	cr_assert(refused || kind->organisation == HPT_ADAPTIVE);
	for (uint64_t i = 1; i < n; i++)
		map_with_failure(kind, i, true);
}

TABLE_TEST(range, a_visit_changes_keeps_and_removes)
{
	begin_kind(&pair, kind, 3, 0x123000);
	cr_assert_eq(pair_map_range(&pair, page(kind, 7, 1021), 2000, entry_of(kind, 5)), 0);
	cr_assert_eq(pair_map_range(&pair, page(kind, 8, 1021), 2000, entry_of(kind, 5)), 0);
	for (unsigned int what = 0; what < PAIR_VISITS; what++) {
		pair_visit_range(&pair, page(kind, 7, 1500), 33, (enum pair_visit)what);
		pair_compare(&pair);
	}
	for (unsigned int what = PAIR_VISITS; what--;) {
		pair_visit_range(&pair, page(kind, 7, 0), 5000, (enum pair_visit)what);
		pair_check(&pair);
	}
	cr_assert_eq(pair_visit_all(&pair, PAIR_UNMAP_ODD), 2000);
	cr_assert_eq(pair_visit_all(&pair, PAIR_UNMAP), 1000);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

TABLE_TEST(range, holes_are_not_visited)
{
	begin_kind(&pair, kind, 0, 0);
	for (uint64_t number = 0; number < 3000; number += 1 + number % 13)
		cr_assert_eq(pair_map(&pair, page(kind, 0, number), entry_of(kind, number)), 0);
	for (uint64_t start = 0; start < 3000; start += 7)
		pair_visit_range(&pair, page(kind, 0, start), start % 101, PAIR_FRAME);
	pair_check(&pair);
	pair_end(&pair);
}

/* The other size's pages lie around and between, and are left alone. */
TABLE_TEST(range, a_visit_is_for_one_size_and_one_address_space)
{
	const struct table_kind other = {kind->organisation,
					 kind->size == HPT_4K ? HPT_2M : HPT_4K};
	uint64_t all;

	begin_kind(&pair, kind, 0, 0);
	for (uint64_t block = 0; block < 64; block++) {
		const struct table_kind *here = block & 1 ? kind : &other;

		cr_assert_eq(
			pair_map(&pair, hpt_key(0, block * 512, here->size), entry_of(here, block)),
			0);
		cr_assert_eq(
			pair_map(&pair, hpt_key(1, block * 512, kind->size), entry_of(kind, block)),
			0);
	}
	all = (UINT64_C(1) << pair_vpn_bits(&pair)) / hpt_pages_in(kind->size);
	cr_assert_eq(pair_visit_range(&pair, page(kind, 0, 0), all, PAIR_UNMAP), 32);
	cr_assert_eq(pair.table.counts.entries, 96);
	pair_end(&pair);
}

static uint64_t must_not_be_called(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	(void)key;
	cr_assert_fail("a malformed range was visited");
	return entry;
}

static int visit_malformed(struct hpt_key key, uint64_t count)
{
	return hpt_visit_range(&pair.table, key, count, must_not_be_called, NULL);
}

TABLE_TEST(range, a_malformed_range_is_not_visited)
{
	uint64_t end;

	begin_kind(&pair, kind, 0, 0);
	end = UINT64_C(1) << pair_vpn_bits(&pair);
	cr_assert_eq(pair_map(&pair, page(kind, 0, 0), entry_of(kind, 1)), 0);
	cr_assert_eq(visit_malformed(page(kind, 0, 0), 0), 0);
	cr_assert_eq(visit_malformed(hpt_key(0, end, kind->size), 1), -EINVAL);
	cr_assert_eq(visit_malformed(page(kind, 0, 0), end + 1), -EINVAL);
	cr_assert_eq(visit_malformed(page(kind, 0, 0), UINT64_MAX), -EINVAL);
	cr_assert_eq(visit_malformed((struct hpt_key){.size = 2}, 1), -EINVAL);
	if (kind->size == HPT_2M)
		cr_assert_eq(visit_malformed(hpt_key(0, 1, HPT_2M), 1), -EINVAL);
	if (kind->organisation == HPT_RADIX)
		cr_assert_eq(visit_malformed(page(kind, 4096, 0), 1), -EINVAL);
	pair_end(&pair);
}

/* Pages of two runs with holes; a range over part of both is changed, then removed. */
TABLE_TEST(range, a_change_or_removal_meets_every_page_of_its_range_and_no_other)
{
	const uint64_t first = 100, count = 900;

	begin_kind(&pair, kind, 3, 0);
	for (uint64_t number = 0; number < 2000; number += 1 + number % 3)
		cr_assert_eq(pair_map(&pair, page(kind, 2, number), entry_of(kind, number)), 0);
	cr_assert_eq(
		hpt_change_range(&pair.table, page(kind, 2, first), count, HPT_WRITE, HPT_DIRTY),
		0);
	for (uint64_t number = first; number < first + count; number++) {
		uint64_t entry = model_get(&pair.model, page(kind, 2, number));

		if (entry)
			model_set(&pair.model, page(kind, 2, number),
				  (entry & ~HPT_WRITE) | HPT_DIRTY);
	}
	pair_check(&pair);
	cr_assert_eq(hpt_unmap_range(&pair.table, page(kind, 2, first), count), 0);
	for (uint64_t number = first; number < first + count; number++)
		model_set(&pair.model, page(kind, 2, number), 0);
	pair_check(&pair);
	pair_end(&pair);
}

TABLE_TEST(range, a_change_that_would_leave_nothing_leaves_all)
{
	uint64_t kept = HPT_WRITE;
	struct hpt_key key = page(kind, 0, 7);

	begin_kind(&pair, kind, 0, 0);
	if (kind->size == HPT_2M)
		kept |= HPT_LARGE;
	cr_assert_eq(pair_map(&pair, key, kept), 0);
	cr_assert_eq(hpt_change_range(&pair.table, key, 1, HPT_WRITE, 0), 0);
	/* LARGE is never taken away, so something is left of a large page's entry. */
	if (kind->size == HPT_2M)
		model_set(&pair.model, key, HPT_LARGE);
	pair_check(&pair);
	pair_end(&pair);
}

TABLE_TEST(range, one_that_cannot_be_is_refused_by_change_and_removal)
{
	struct hpt_key wrong = page(kind, 0, 1);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(hpt_change_range(&pair.table, page(kind, 0, 0), 1, HPT_LARGE, 0), -EINVAL);
	cr_assert_eq(hpt_change_range(&pair.table, page(kind, 0, 0), 1, 0, UINT64_C(1) << 12),
		     -EINVAL);
	cr_assert_eq(hpt_change_range(&pair.table, page(kind, 0, 0), UINT64_MAX, 0, 0), -EINVAL);
	cr_assert_eq(hpt_unmap_range(&pair.table, page(kind, 0, 1), UINT64_MAX), -EINVAL);
	wrong.vpn |= UINT64_C(1) << 50;
	cr_assert_eq(hpt_unmap_range(&pair.table, wrong, 1), -EINVAL);
	cr_assert_eq(hpt_unmap_range(&pair.table, page(kind, 0, 1), 0), 0);
	pair_end(&pair);
}
