/* SPDX-License-Identifier: MIT */
/*
 * The hook (hpt_changed): what is told, and what is not. That everything is told that must be is
 * shown by the streams as well (features.c, `watched`).
 */
#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/mix.h"
#include "hpt/space.h"
#include "tests/hpt/fixture.h"
#include "tests/hpt/kept.h"

/* Calls of the hook, as they come. */
static struct call {
	struct hpt_key key;
	uint64_t count;
} calls[8192];
static unsigned int call_count;

static struct hpt table;
static struct test_memory memory;

static void note_call(void *context, struct hpt_key key, uint64_t count)
{
	cr_assert_eq(context, &calls);
	cr_assert_lt(call_count, sizeof(calls) / sizeof(calls[0]));
	calls[call_count++] = (struct call){key, count};
}

static void begin(const struct table_kind *kind, uint64_t pages)
{
	struct hpt_config config = {.organisation = kind->organisation,
				    .pages = pages,
				    .changed = note_call,
				    .changed_context = &calls};

	memory = (struct test_memory){.offset = 0x4000};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(hpt_create(&table, &config), 0);
	call_count = 0;
}

static void end(void)
{
	cr_assert_null(hpt_check(&table));
	hpt_destroy(&table);
	test_memory_end(&memory);
}

/* Since the last time, the hook was called once, for this. */
static void expect_one(struct hpt_key key, uint64_t count)
{
	cr_assert_eq(call_count, 1, "%u calls", call_count);
	cr_assert_eq(calls[0].key.vpn, key.vpn);
	cr_assert_eq(calls[0].key.asid, key.asid);
	cr_assert_eq(calls[0].key.size, key.size);
	cr_assert_eq(calls[0].count, count, "%u pages", (unsigned int)calls[0].count);
	call_count = 0;
}

/* How many pages the calls tell, all of which must be of this kind and address space. */
static uint64_t pages_told(const struct table_kind *kind, uint16_t asid)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < call_count; i++) {
		cr_assert_eq(calls[i].key.size, kind->size);
		cr_assert_eq(calls[i].key.asid, asid);
		pages += calls[i].count;
	}
	return pages;
}

static bool is_told(struct hpt_key key)
{
	for (unsigned int i = 0; i < call_count; i++) {
		if (key.vpn >= calls[i].key.vpn &&
		    key.vpn < calls[i].key.vpn + calls[i].count * hpt_pages_in(key.size))
			return true;
	}
	return false;
}

TABLE_TEST(watch, a_page_that_changes_is_told_once)
{
	struct hpt_key key = page(kind, 3, 77);
	struct hpt_key inside = key; /* a 2 MiB page is found by each of its pages */
	uint64_t old;

	inside.vpn += kind->size == HPT_2M ? 5 : 0;
	begin(kind, 0);
	cr_assert_eq(hpt_map_range(&table, page(kind, 3, 64), 64, entry_of(kind, 512)), 0);
	cr_assert_eq(call_count, 0);
	cr_assert_eq(hpt_change(&table, inside, HPT_WRITE, HPT_USER), 0);
	expect_one(key, 1);
	cr_assert_eq(hpt_swap_out(&table, inside, 1234, &old), 0);
	expect_one(key, 1);
	cr_assert_eq(hpt_swap_in(&table, inside, 512), 0);
	expect_one(key, 1);
	cr_assert_eq(hpt_replace_in_run(&table, key, entry_of(kind, 1024), NULL), 0);
	expect_one(key, 1);
	cr_assert_eq(hpt_unmap(&table, inside, &old), 0);
	expect_one(key, 1);
	end();
}

TABLE_TEST(watch, what_changes_no_entry_is_not_told)
{
	struct hpt_key key = page(kind, 0, 9);
	uint64_t entry;

	begin(kind, 0);
	for (uint64_t i = 0; i < 5000; i++) /* the table grows several times */
		cr_assert_eq(hpt_map(&table, page(kind, 0, i * 3), entry_of(kind, 512 * i)), 0);
	if (kind->organisation != HPT_RADIX) {
		while (hpt_settle(&table, 1) == -EAGAIN)
			;
		cr_assert_eq(hpt_rekey(&table, 5), 0);
		cr_assert_eq(hpt_settle(&table, UINT64_MAX), 0);
	}
	cr_assert_eq(hpt_lookup(&table, key, &entry, NULL), 0);
	cr_assert_eq(hpt_map(&table, key, entry), -EEXIST);
	cr_assert_eq(hpt_change(&table, key, HPT_USER, HPT_WRITE), 0);
	cr_assert_eq(hpt_change(&table, key, HPT_LARGE, 0), -EINVAL);
	cr_assert_eq(hpt_swap_in(&table, key, 1), -EINVAL);
	cr_assert_eq(hpt_unmap(&table, page(kind, 0, 10), NULL), -ENOENT);
	cr_assert_eq(hpt_unmap_range(&table, page(kind, 1, 0), 1 << 20), 0);
	cr_assert_eq(hpt_unmap_range(&table, page(kind, 0, 15001), 1 << 20), 0);
	cr_assert_eq(hpt_change_range(&table, page(kind, 0, 0), 1 << 20, HPT_USER, HPT_WRITE), 0);
	cr_assert_eq(call_count, 0);
	end();
}

TABLE_TEST(watch, a_range_is_told_as_one)
{
	begin(kind, 0);
	for (uint64_t i = 0; i < 3000; i++)
		cr_assert_eq(hpt_map(&table, page(kind, 7, i * 5), entry_of(kind, 512 * i)), 0);
	cr_assert_eq(hpt_change_range(&table, page(kind, 7, 1), 6, HPT_WRITE, 0), 0);
	expect_one(page(kind, 7, 1), 6);
	cr_assert_eq(hpt_unmap_range(&table, page(kind, 7, 100), 100000), 0);
	expect_one(page(kind, 7, 100), 100000);
	end();
}

struct harvest {
	uint64_t every;
	uint64_t cleared;
};

/* Takes D from every so manieth page, as a pass over dirty pages does. */
static uint64_t take_dirty(void *context, struct hpt_key key, uint64_t entry)
{
	struct harvest *harvest = context;

	(void)key;
	if (hpt_frame(entry) / HPT_LARGE_PAGES % harvest->every)
		return entry;
	harvest->cleared++;
	return entry & ~HPT_DIRTY;
}

/* By a search for each place, and by a scan of all lines. */
TABLE_TEST(watch, a_visit_tells_the_pages_that_it_changes_and_no_others)
{
	const uint64_t counts[] = {2000, UINT64_C(1) << 26};

	for (unsigned int i = 0; i < 2; i++) {
		struct harvest harvest = {.every = 7};

		begin(kind, 0);
		for (uint64_t j = 0; j < 2000; j++)
			cr_assert_eq(hpt_map(&table, page(kind, 0, j),
					     entry_of(kind, 512 * j) | HPT_DIRTY),
				     0);
		cr_assert_eq(
			hpt_visit_range(&table, page(kind, 0, 0), counts[i], take_dirty, &harvest),
			0);
		cr_assert_eq(harvest.cleared, 286);
		cr_assert_eq(pages_told(kind, 0), harvest.cleared);
		for (uint64_t j = 0; j < 2000; j += 7)
			cr_assert(is_told(page(kind, 0, j)));
		end();
	}
}

TABLE_TEST(watch, a_visit_in_order_tells_what_follows_each_other_as_one)
{
	struct harvest harvest = {.every = 1};

	begin(kind, 20000); /* no scan: the range has fewer places than the table */
	cr_assert_eq(
		hpt_map_range(&table, page(kind, 0, 500), 2000, entry_of(kind, 512) | HPT_DIRTY),
		0);
	cr_assert_eq(hpt_visit_range(&table, page(kind, 0, 500), 1500, take_dirty, &harvest), 0);
	cr_assert_eq(harvest.cleared, 1500);
	expect_one(page(kind, 0, 500), 1500);
	end();
}

/* What a failing range had mapped is unmapped again: readers may have seen it. */
TABLE_TEST(watch, a_range_that_is_rolled_back_is_told)
{
	begin(kind, 0);
	cr_assert_eq(hpt_map(&table, page(kind, 0, 1600), entry_of(kind, 0)), 0);
	cr_assert_eq(hpt_map_range(&table, page(kind, 0, 0), 1700, entry_of(kind, 512)), -EEXIST);
	cr_assert_eq(call_count, 1);
	cr_assert_eq(calls[0].key.vpn, 0);
	cr_assert_leq(calls[0].count, 1600);
	cr_assert_geq(calls[0].count, 1024);
	end();
}

TABLE_TEST(watch, unmapping_all_tells_all_and_needs_no_memory)
{
	begin(kind, 0);
	/* Runs, of which adaptive would split some where answers were not alike. */
	for (uint64_t i = 0; i < 20; i++)
		cr_assert_eq(hpt_map_range(&table, page(kind, (uint16_t)i, 700 * i), 300,
					   entry_of(kind, 512)),
			     0);
	memory.first_failure = memory.calls + 1;
	memory.last_failure = UINT64_MAX;
	hpt_unmap_all(&table);
	cr_assert_eq(table.counts.entries, 0);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t entry;

		for (uint64_t j = 0; j < 300; j++) {
			struct hpt_key key = page(kind, (uint16_t)i, 700 * i + j);
			bool told = false;

			cr_assert_eq(hpt_lookup(&table, key, &entry, NULL), -ENOENT);
			for (unsigned int k = 0; k < call_count && !told; k++)
				told = calls[k].key.asid == i && key.vpn >= calls[k].key.vpn &&
				       key.vpn < calls[k].key.vpn +
							 calls[k].count * hpt_pages_in(kind->size);
			cr_assert(told);
		}
	}
	call_count = 0;
	hpt_watch(&table, NULL, NULL);
	memory.last_failure = 0;
	cr_assert_eq(hpt_map_range(&table, page(kind, 1, 0), 100, entry_of(kind, 512)), 0);
	memory.first_failure = memory.calls + 1;
	memory.last_failure = UINT64_MAX;
	hpt_unmap_all(&table);
	cr_assert_eq(table.counts.entries, 0);
	cr_assert_eq(call_count, 0);
	end();
}

static struct pair pair;
static struct kept kept;

/* The streams would find a change that is not told. */
Test(watch, a_change_that_is_not_told_is_found_out, .signal = 6)
{
	struct hpt_config config = {.organisation = HPT_BUCKET};

	pair = (struct pair){.kept = &kept};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	cr_assert_eq(pair_map(&pair, hpt_key(1, 2, HPT_4K), hpt_entry(3, HPT_PRESENT)), 0);
	kept_check(&kept, &pair.model);
	hpt_watch(&pair.table, NULL, NULL);
	cr_assert_eq(pair_unmap(&pair, hpt_key(1, 2, HPT_4K)), 0);
	kept_check(&kept, &pair.model);
}

/* Address spaces: the hook tells of the table's entries, whoever moves them. */
#define SPACES 6
#define FRAMES 4096

static struct hpt_spaces spaces;
static struct hpt_space of[SPACES];
static bool live[SPACES];

static void no_reference(void *context, uint64_t entry)
{
	(void)context;
	(void)entry;
}

static uint64_t copy_page(void *context, struct hpt_key key, uint64_t entry)
{
	model_set(context, key, entry);
	return entry;
}

static void change_spaces(uint64_t *random)
{
	uint64_t dice = mix64_next(random);
	unsigned int at = dice % SPACES;
	unsigned int other = (dice >> 8) % SPACES;
	uint64_t vpn = (dice >> 16) % 1200;
	uint64_t frame = (dice >> 32) % FRAMES;

	switch (live[at] ? dice >> 48 & 15 : 0) {
	case 0:
		if (live[at] || hpt_space_create(&spaces, &of[at]))
			return;
		live[at] = true;
		break;
	case 1:
	case 2:
		if (!live[other])
			live[other] = !hpt_space_fork(&of[at], &of[other], NULL);
		break;
	case 3:
		hpt_space_destroy(&of[at]);
		live[at] = false;
		break;
	case 4:
		hpt_spaces_reap(&spaces, 4);
		break;
	case 5:
		hpt_space_unmap(&of[at], vpn, HPT_4K, frame % 40);
		break;
	case 6:
		hpt_space_protect(&of[at], vpn, HPT_4K, frame % 40, HPT_WRITE, HPT_USER);
		break;
	case 7:
	case 8:
	case 9:
		hpt_space_write(&of[at], vpn, HPT_4K, frame);
		break;
	default:
		hpt_space_map(&of[at], vpn, HPT_4K,
			      hpt_entry(frame, HPT_PRESENT | HPT_WRITE | HPT_SOFT));
	}
}

Test(watch, what_is_kept_of_a_table_with_spaces_stays_true, .timeout = 120)
{
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		struct hpt_config config = {.organisation = (enum hpt_organisation)i};
		struct hpt_spaces_config of_spaces = {
			.table = &table, .taken = no_reference, .dropped = no_reference};
		uint64_t random = (uint64_t)i;

		memory = (struct test_memory){0};
		config.memory = test_memory_of(&memory);
		kept_begin(&kept, &table, &config);
		cr_assert_eq(hpt_create(&table, &config), 0);
		cr_assert_eq(hpt_spaces_create(&spaces, &of_spaces), 0);
		for (unsigned int j = 0; j < 2500; j++) {
			struct model now = {.bucket_count = 1024};

			for (unsigned int k = 0; k < 4; k++)
				change_spaces(&random);
			model_begin(&now);
			cr_assert_eq(hpt_visit(&table, copy_page, &now), 0);
			kept.checks = 0; /* looks at all that is kept */
			/* What the hook was told of in the first call may have changed again. */
			kept.answer_count = 0;
			kept_check(&kept, &now);
			model_end(&now);
		}
		cr_assert_gt(kept.calls, 500);
		for (unsigned int j = 0; j < SPACES; j++) {
			if (live[j])
				hpt_space_destroy(&of[j]);
			live[j] = false;
		}
		cr_assert_eq(hpt_spaces_destroy(&spaces), 0);
		kept_end(&kept);
		end();
	}
}
