/* SPDX-License-Identifier: MIT */
/* Keys, ranges and configurations that cannot be: the stated error, and nothing has changed. */
#include <errno.h>

#include "hpt/space.h"
#include "tests/hpt/fixture.h"

static struct pair pair;
static struct hpt before;
static uint64_t calls;

static void must_not_be_told(void *context, struct hpt_key key, uint64_t count)
{
	(void)context;
	(void)key;
	(void)count;
	cr_assert_fail("a hook is told of what was refused");
}

static uint64_t must_not_be_asked(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	(void)key;
	cr_assert_fail("what was refused is visited");
	return entry;
}

/* A table of a few pages at both ends of the space of keys, whose reserves are full. */
static void begin(const struct table_kind *kind)
{
	uint64_t last;

	begin_kind(&pair, kind, 5, 0);
	last = (UINT64_C(1) << pair_vpn_bits(&pair)) / hpt_pages_in(kind->size) - 1;
	cr_assert_eq(pair_map_range(&pair, page(kind, 0, 0), 100, entry_of(kind, 3)), 0);
	cr_assert_eq(pair_map_range(&pair, page(kind, 3, last - 20), 21, entry_of(kind, 3)), 0);
	hpt_watch(&pair.table, must_not_be_told, NULL);
	before = pair.table;
	calls = pair.memory.calls;
}

static void end(void)
{
	cr_assert_arr_eq(&pair.table, &before, sizeof(before));
	cr_assert_eq(pair.memory.calls, calls);
	hpt_watch(&pair.table, NULL, NULL);
	pair_end(&pair);
}

/* Of a key that cannot be there is no page, and there are no ranges. */
static void expect_refused(const struct table_kind *kind, struct hpt_key key)
{
	struct hpt *table = &pair.table;
	uint64_t entry = entry_of(kind, 9);
	uint64_t old = 77;

	cr_assert_eq(hpt_map(table, key, entry), -EINVAL);
	cr_assert_eq(hpt_map_range(table, key, 1, entry), -EINVAL);
	cr_assert_eq(hpt_map_range(table, key, 0, entry), -EINVAL);
	for (uint64_t count = 0; count < 3; count++) {
		cr_assert_eq(hpt_unmap_range(table, key, count), -EINVAL);
		cr_assert_eq(hpt_change_range(table, key, count, HPT_WRITE, 0), -EINVAL);
		cr_assert_eq(hpt_visit_range(table, key, count, must_not_be_asked, NULL), -EINVAL);
		cr_assert_eq(hpt_visit_ordered(table, key, count, must_not_be_asked, NULL),
			     -EINVAL);
	}
	if (key.size < HPT_SIZES && key.vpn % hpt_pages_in((enum hpt_size)key.size))
		return; /* what follows finds a page of 2 MiB by any of its pages */
	cr_assert_eq(hpt_lookup(table, key, &old, NULL), -ENOENT);
	cr_assert_eq(hpt_unmap(table, key, &old), -ENOENT);
	cr_assert_eq(hpt_change(table, key, HPT_WRITE, 0), -ENOENT);
	cr_assert_eq(hpt_swap_out(table, key, 1, &old), -ENOENT);
	cr_assert_eq(hpt_swap_in(table, key, 1), -ENOENT);
	cr_assert_eq(hpt_mark(table, key, HPT_DIRTY), -ENOENT);
	cr_assert_eq(old, 77);
	hpt_lookup_batch(table, &key, &old, 1);
	cr_assert_eq(old, 0);
}

TABLE_TEST(arguments, a_key_that_is_wider_than_the_tables_is_refused)
{
	begin(kind);
	for (unsigned int bit = pair_vpn_bits(&pair); bit < 64; bit++) {
		expect_refused(kind, hpt_key(0, UINT64_C(1) << bit, kind->size));
		expect_refused(kind, hpt_key(0, UINT64_MAX << bit, kind->size));
	}
	for (unsigned int bit = pair_asid_bits(&pair); bit < 16; bit++)
		expect_refused(kind, hpt_key((uint16_t)(1u << bit), 0, kind->size));
	for (unsigned int size = HPT_SIZES; size < 256; size += 11)
		expect_refused(kind, (struct hpt_key){.size = (uint8_t)size});
	if (kind->size == HPT_2M) {
		for (uint64_t vpn = 1; vpn < HPT_LARGE_PAGES; vpn *= 2)
			expect_refused(kind, hpt_key(0, vpn, kind->size));
	}
	end();
}

/* One page more than there are, up to counts whose pages or frames are more than 2^64. */
TABLE_TEST(arguments, a_range_that_ends_beyond_the_last_page_is_refused)
{
	struct hpt *table = &pair.table;
	uint64_t pages, starts[4];

	begin(kind);
	pages = (UINT64_C(1) << pair_vpn_bits(&pair)) / hpt_pages_in(kind->size);
	starts[0] = 0;
	starts[1] = 50;
	starts[2] = pages / 2;
	starts[3] = pages - 1;
	for (unsigned int i = 0; i < 4; i++) {
		struct hpt_key key = page(kind, 3, starts[i]);
		uint64_t most = pages - starts[i];
		uint64_t counts[] = {most + 1,	 2 * most + 1,	 UINT64_MAX / 512,
				     UINT64_MAX, -starts[i] - 1, UINT64_C(1) << 63};

		for (unsigned int n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
			uint64_t count = counts[n];

			cr_assert_eq(hpt_map_range(table, key, count, entry_of(kind, 0)), -EINVAL);
			cr_assert_eq(hpt_unmap_range(table, key, count), -EINVAL);
			cr_assert_eq(hpt_change_range(table, key, count, 0, HPT_SOFT), -EINVAL);
			cr_assert_eq(hpt_visit_range(table, key, count, must_not_be_asked, NULL),
				     -EINVAL);
			cr_assert_eq(hpt_visit_ordered(table, key, count, must_not_be_asked, NULL),
				     -EINVAL);
		}
	}
	end();
}

TABLE_TEST(arguments, an_empty_range_is_no_error_and_nothing)
{
	struct hpt *table = &pair.table;
	uint64_t last;

	begin(kind);
	last = (UINT64_C(1) << pair_vpn_bits(&pair)) / hpt_pages_in(kind->size) - 1;
	for (unsigned int i = 0; i < 3; i++) {
		struct hpt_key key = page(kind, 0, i == 2 ? last : i);

		cr_assert_eq(hpt_map_range(table, key, 0, entry_of(kind, 1)), 0);
		cr_assert_eq(hpt_unmap_range(table, key, 0), 0);
		cr_assert_eq(hpt_change_range(table, key, 0, HPT_WRITE, 0), 0);
		cr_assert_eq(hpt_visit_range(table, key, 0, must_not_be_asked, NULL), 0);
		cr_assert_eq(hpt_visit_ordered(table, key, 0, must_not_be_asked, NULL), 0);
	}
	hpt_lookup_batch(table, NULL, NULL, 0);
	end();
}

static int must_not_be_got(void *context, size_t size, uint64_t *address)
{
	(void)context;
	(void)size;
	(void)address;
	cr_assert_fail("memory is asked for");
	return -ENOMEM;
}

TABLE_TEST(arguments, a_hash_that_does_not_exist_is_refused_before_memory_is_asked_for)
{
	static struct hpt table;
	static struct hpt_spaces spaces;
	const unsigned int numbers[] = {HPT_HASH_FAMILIES, HPT_HASH_FAMILIES + 1, 255, UINT32_MAX};

	begin(kind);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct hpt_config config = {.organisation = kind->organisation,
					    .hash = (enum hpt_hash_family)numbers[i],
					    .memory = {.get = must_not_be_got}};
		struct hpt_spaces_config over = {.table = &pair.table,
						 .hash = (enum hpt_hash_family)numbers[i]};

		cr_assert_eq(hpt_create(&table, &config), -EINVAL);
		cr_assert_eq(hpt_spaces_create(&spaces, &over), -EINVAL);
	}
	end();
}
