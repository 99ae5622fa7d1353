/* SPDX-License-Identifier: MIT */
/* What holds for every range, whatever it begins with and however long it is. */
#include <criterion/theories.h>

#include "tests/hpt/fixture.h"

#define PAGES_END (UINT64_C(1) << 36)

static struct pair by_range;
static struct pair one_by_one;

static void begin(struct pair *pair, int organisation)
{
	struct hpt_config config = {.organisation = (enum hpt_organisation)organisation};

	*pair = (struct pair){.model = {.bucket_count = 64}};
	cr_assert_eq(pair_begin(pair, &config), 0);
}

/* Both tables show the same page for page, some pages beyond the range included. */
static void expect_same(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count + 600; i++) {
		struct hpt_key key = hpt_key(3, (first + i - 300) % PAGES_END, HPT_4K);
		uint64_t a = 0;
		uint64_t b = 0;
		int error = hpt_lookup(&by_range.table, key, &a, NULL);

		cr_assert_eq(error, hpt_lookup(&one_by_one.table, key, &b, NULL));
		cr_assert_eq(a, b);
	}
}

TheoryDataPoints(theory, a_range_is_what_its_pages_are_one_by_one) = {
	DataPoints(int, HPT_RADIX, HPT_CHAINED, HPT_OPEN, HPT_BUCKET, HPT_CLUSTERED, HPT_CUCKOO),
	DataPoints(uint64_t, 0, 1, 7, 8, 500, 511, 512, PAGES_END - 1030, PAGES_END - 8),
	DataPoints(uint64_t, 0, 1, 2, 7, 8, 9, 64, 513, 1025),
	DataPoints(uint64_t, 0, 1, 0x1ff, 0x200),
};

Theory((int organisation, uint64_t first, uint64_t count, uint64_t frame), theory,
       a_range_is_what_its_pages_are_one_by_one)
{
	uint64_t entry = hpt_entry(frame, HPT_PRESENT | HPT_USER);

	cr_assume(count <= PAGES_END - first);
	begin(&by_range, organisation);
	begin(&one_by_one, organisation);
	cr_assert_eq(hpt_map_range(&by_range.table, hpt_key(3, first, HPT_4K), count, entry), 0);
	for (uint64_t i = 0; i < count; i++)
		cr_assert_eq(hpt_map(&one_by_one.table, hpt_key(3, first + i, HPT_4K),
				     entry + (i << HPT_FRAME_SHIFT)),
			     0);
	expect_same(first, count);
	hpt_change_range(&by_range.table, hpt_key(3, first, HPT_4K), count / 2, 0, HPT_WRITE);
	for (uint64_t i = 0; i < count / 2; i++)
		hpt_change(&one_by_one.table, hpt_key(3, first + i, HPT_4K), 0, HPT_WRITE);
	expect_same(first, count);
	hpt_unmap_range(&by_range.table, hpt_key(3, first, HPT_4K), (count + 1) / 2);
	for (uint64_t i = 0; i < (count + 1) / 2; i++)
		cr_assert_eq(hpt_unmap(&one_by_one.table, hpt_key(3, first + i, HPT_4K), NULL), 0);
	expect_same(first, count);
	cr_assert_null(hpt_check(&by_range.table));
	cr_assert_null(hpt_check(&one_by_one.table));
	hpt_destroy(&by_range.table);
	hpt_destroy(&one_by_one.table);
	free(by_range.memory.blocks);
	free(one_by_one.memory.blocks);
	model_end(&by_range.model);
	model_end(&one_by_one.model);
}
