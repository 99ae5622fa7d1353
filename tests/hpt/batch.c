/* SPDX-License-Identifier: MIT */
/* Batches and visits in order: the same answers as lookups and visits one by one. */
#include <errno.h>

#include "tests/hpt/fixture.h"

#define PAGES 3000

static struct pair pair;

/* Pages here and there, in runs and alone, of two address spaces; while the table grows or not. */
static void fill(const struct table_kind *kind, unsigned int pages)
{
	uint64_t random = 7;

	begin_kind(&pair, kind, 0, 0x100000);
	for (unsigned int i = 0; i < pages; i++) {
		uint64_t number = model_random(&random) % 3 ? model_random(&random) % 4096
							    : model_random(&random) >> 40;

		pair_map(&pair, page(kind, (uint16_t)(i % 2), number), entry_of(kind, i));
	}
}

static void expect_batch(const struct table_kind *kind, uint64_t *random, size_t count)
{
	static struct hpt_key keys[500];
	static uint64_t entries[500];

	for (size_t i = 0; i < count; i++) {
		keys[i] = page(kind, (uint16_t)(model_random(random) % 3),
			       model_random(random) % 5000);
		/* Keys that no table holds are not found. */
		if (model_random(random) % 50 == 0)
			keys[i].vpn |= UINT64_C(1) << 60;
		entries[i] = 1;
	}
	hpt_lookup_batch(&pair.table, keys, entries, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = 0;

		hpt_lookup(&pair.table, keys[i], &entry, NULL);
		cr_assert_eq(entries[i], entry, "key %zu of %zu", i, count);
	}
}

TABLE_TEST(batch, finds_what_lookups_find_whatever_the_count)
{
	uint64_t random = 11;

	for (unsigned int pages = 0; pages <= PAGES; pages += PAGES / 6) {
		fill(kind, pages);
		for (size_t count = 0; count < 40; count++)
			expect_batch(kind, &random, count);
		expect_batch(kind, &random, 500);
		pair_end(&pair);
	}
}

struct order {
	uint64_t last; /* vpn + 1 */
	uint64_t seen;
	bool remove;
};

static uint64_t expect_higher(void *context, struct hpt_key key, uint64_t entry)
{
	struct order *order = context;

	cr_assert_geq(key.vpn, order->last);
	cr_assert_eq(model_get(&pair.model, key), entry);
	order->last = key.vpn + 1;
	order->seen++;
	return order->remove ? 0 : entry;
}

static uint64_t count_in(const struct table_kind *kind, uint64_t first, uint64_t count)
{
	struct model_cell *cell = NULL;
	uint64_t found = 0;
	size_t bucket = 0;

	while ((cell = model_next(&pair.model, &bucket, cell))) {
		uint64_t number = cell->key.vpn / hpt_pages_in(kind->size);

		found += cell->key.asid == 1 && number >= first && number - first < count;
	}
	return found;
}

TABLE_TEST(order, a_visit_comes_by_every_page_of_the_range_in_ascending_order)
{
	static const struct {
		uint64_t first, count;
	} ranges[] = {{0, UINT64_C(1) << 24}, {100, 50}, {17, 4000}, {5000, 1 << 23}, {0, 0}};

	fill(kind, PAGES);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct order order = {0};

		cr_assert_eq(hpt_visit_ordered(&pair.table, page(kind, 1, ranges[i].first),
					       ranges[i].count, expect_higher, &order),
			     0);
		cr_assert_eq(order.seen, count_in(kind, ranges[i].first, ranges[i].count));
	}
	pair_end(&pair);
}

/* With one page of buffer a scan collects 512 pages: several are needed. */
TABLE_TEST(order, a_small_buffer_takes_several_scans_and_gives_the_same)
{
	struct order order = {0};
	uint64_t calls;

	fill(kind, PAGES);
	calls = pair.memory.calls;
	/* Of the sizes from 2 MiB on, only the last, 4 KiB, is to be had. */
	pair.memory.first_failure = calls + 1;
	pair.memory.last_failure = calls + 9;
	cr_assert_eq(hpt_visit_ordered(&pair.table, page(kind, 1, 0), UINT64_C(1) << 24,
				       expect_higher, &order),
		     0);
	cr_assert_eq(order.seen, count_in(kind, 0, UINT64_C(1) << 24));
	cr_assert_gt(order.seen, 1024);
	pair_end(&pair);
}

TABLE_TEST(order, without_memory_a_scan_is_refused_and_nothing_visited)
{
	struct order order = {0};
	int error;

	fill(kind, 100);
	pair.memory.first_failure = pair.memory.calls + 1;
	pair.memory.last_failure = UINT64_MAX;
	error = hpt_visit_ordered(&pair.table, page(kind, 1, 0), UINT64_C(1) << 24, expect_higher,
				  &order);
	cr_assert_eq(error, kind->organisation == HPT_RADIX ? 0 : -ENOMEM);
	cr_assert(kind->organisation == HPT_RADIX || !order.seen);
	pair.memory.first_failure = 0;
	pair_end(&pair);
}

TABLE_TEST(order, a_visit_may_unmap_what_it_sees)
{
	struct order order = {.remove = true};
	uint64_t expected;
	const char *broken;

	fill(kind, PAGES);
	expected = count_in(kind, 0, UINT64_C(1) << 24);
	cr_assert_eq(hpt_visit_ordered(&pair.table, page(kind, 1, 0), UINT64_C(1) << 24,
				       expect_higher, &order),
		     0);
	cr_assert_eq(order.seen, expected);
	broken = hpt_check(&pair.table);
	cr_assert_null(broken, "%s", broken);
	for (uint64_t number = 0; number < 4096; number++) {
		uint64_t entry;

		cr_assert_eq(hpt_lookup(&pair.table, page(kind, 1, number), &entry, NULL), -ENOENT);
		model_set(&pair.model, page(kind, 1, number), 0);
	}
	hpt_destroy(&pair.table);
	model_end(&pair.model);
	test_memory_end(&pair.memory);
}
