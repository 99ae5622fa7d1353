/* SPDX-License-Identifier: MIT */
/* The forms of an adaptive region: when each is taken, and what it costs. */
#include <errno.h>

#include "hpt/adaptive_region.h"
#include "tests/hpt/fixture.h"

#define REGION UINT64_C(4096) /* vpn of the region that most tests fill */
#define PAGES  ADAPTIVE_PAGES

static struct pair pair;

static void begin_as(uint64_t salt, bool readers)
{
	struct hpt_config config = {.organisation = HPT_ADAPTIVE, .salt = salt};

	pair = (struct pair){.memory = {.readers = readers}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
}

static void begin(uint64_t salt)
{
	begin_as(salt, false);
}

static struct hpt_key key_of(uint64_t vpn)
{
	return hpt_key(1, vpn, HPT_4K);
}

static uint64_t contiguous(uint64_t vpn)
{
	return hpt_entry(vpn + 77, HPT_PRESENT | HPT_WRITE);
}

/* No two neighbours have neighbouring frames. */
static uint64_t scattered(uint64_t vpn)
{
	return hpt_entry(3 * vpn, HPT_PRESENT | HPT_WRITE);
}

static enum adaptive_form form_of(uint64_t vpn)
{
	struct adaptive_found found;

	adaptive_find(&pair.table, adaptive_region_tag(key_of(vpn)), &found);
	return adaptive_form_of(&found);
}

static void map(uint64_t vpn, uint64_t entry)
{
	cr_assert_eq(pair_map(&pair, key_of(vpn), entry), 0);
}

static enum adaptive_form scattered_form(unsigned int pages)
{
	if (pages <= ADAPTIVE_SLOTS)
		return pages ? ADAPTIVE_FORM_COMPACT : ADAPTIVE_FORM_NONE;
	return pages < ADAPTIVE_LEAF_PAGES ? ADAPTIVE_FORM_SPREAD : ADAPTIVE_FORM_LEAF;
}

Test(adaptive, the_fifth_page_spreads_a_region_and_the_256th_makes_it_a_leaf)
{
	begin(0);
	for (unsigned int i = 0; i < PAGES; i++) {
		map(REGION + i * 5 % PAGES, scattered(REGION + i * 5 % PAGES));
		cr_assert_eq(form_of(REGION), scattered_form(i + 1), "%u pages", i + 1);
		pair_check(&pair);
	}
	pair_end(&pair);
}

Test(adaptive, a_leaf_goes_below_128_pages_and_a_spread_region_below_3)
{
	begin(1);
	for (unsigned int i = 0; i < PAGES; i++)
		map(REGION + i, scattered(REGION + i));
	for (unsigned int left = PAGES; left--;) {
		enum adaptive_form wanted = ADAPTIVE_FORM_LEAF;

		if (left < ADAPTIVE_LEAF_KEPT)
			wanted = left < 3 ? scattered_form(left) : ADAPTIVE_FORM_SPREAD;
		cr_assert_eq(pair_unmap(&pair, key_of(REGION + left * 5 % PAGES)), 0);
		cr_assert_eq(form_of(REGION), wanted, "%u pages", left);
		pair_check(&pair);
	}
	pair_expect_empty(&pair);
	pair_end(&pair);
}

Test(adaptive, a_region_of_contiguous_frames_ends_as_one_run_in_whatever_order_it_came)
{
	static const unsigned int steps[] = {1, 5, 511, 257, 37};

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		begin(i);
		for (unsigned int page = 0; page < PAGES; page++) {
			uint64_t vpn = REGION + page * steps[i] % PAGES;

			map(vpn, contiguous(vpn));
			if (page % 8 == 7)
				pair_check(&pair);
		}
		cr_assert_eq(form_of(REGION), ADAPTIVE_FORM_COMPACT);
		cr_assert_eq(pair.table.counts.used, 1);
		pair_end(&pair);
	}
}

Test(adaptive, a_run_of_every_length_at_every_place_takes_one_slot)
{
	begin(2);
	for (unsigned int log2 = 0; log2 <= ADAPTIVE_REGION_LOG2; log2++) {
		for (unsigned int first = 0; first < PAGES; first += 1u << log2) {
			uint64_t vpn = REGION + first;

			cr_assert_eq(pair_map_range(&pair, key_of(vpn), UINT64_C(1) << log2,
						    contiguous(vpn)),
				     0);
			cr_assert_eq(pair.table.counts.used, 1);
			pair_visit_range(&pair, key_of(REGION), PAGES, PAIR_FLAGS);
			cr_assert_eq(pair.table.counts.used, 1, "one answer for all keeps a run");
			pair_visit_range(&pair, key_of(REGION), PAGES, PAIR_KEEP);
			cr_assert_eq(
				pair_unmap(&pair, key_of(vpn + (first * 7 & ((1u << log2) - 1)))),
				0);
			pair_compare(&pair);
			pair_visit_range(&pair, key_of(REGION), PAGES, PAIR_UNMAP);
			cr_assert_eq(pair.table.counts.used, 0);
		}
		pair_check(&pair);
	}
	pair_end(&pair);
}

Test(adaptive, unaligned_ranges_are_the_runs_that_they_can_be)
{
	uint64_t random = 5;

	for (unsigned int i = 0; i < 300; i++) {
		uint64_t vpn = REGION + model_random(&random) % 700;
		uint64_t count = model_random(&random) % 1200;

		begin(i);
		cr_assert_eq(pair_map_range(&pair, key_of(vpn), count, contiguous(vpn)), 0);
		cr_assert_eq(pair_map_range(&pair, key_of(vpn + count), count, scattered(vpn)), 0);
		pair_check(&pair);
		pair_visit_range(&pair, key_of(vpn + count / 3), count,
				 (enum pair_visit)(i % PAIR_VISITS));
		pair_check(&pair);
		pair_change(&pair, key_of(vpn + count / 2), HPT_WRITE, HPT_DIRTY);
		pair_unmap(&pair, key_of(vpn + 3 * count / 2));
		pair_end(&pair);
	}
}

/* One region in each form, whatever `pages` of it are mapped. */
static void map_forms(uint64_t first)
{
	for (unsigned int i = 0; i < 3; i++)
		map(first + 9 * i, scattered(first + 9 * i));
	for (unsigned int i = 0; i < 60; i++)
		map(first + PAGES + 7 * i, scattered(first + PAGES + 7 * i));
	for (unsigned int i = 0; i < 300; i++)
		map(first + 2 * PAGES + i, scattered(first + 2 * PAGES + i));
	cr_assert_eq(
		pair_map_range(&pair, key_of(first + 3 * PAGES), PAGES + 200, contiguous(first)),
		0);
	for (unsigned int i = 0; i < 96; i++) /* runs of 4 in a spread region */
		map(first + 5 * PAGES + i + i / 4 * 4, contiguous(first + 5 * PAGES + i));
	cr_assert_eq(
		pair_map(&pair, hpt_key(1, first + 6 * PAGES, HPT_2M), contiguous(0) | HPT_LARGE),
		0);
}

Test(adaptive, visits_of_every_kind_over_every_form)
{
	for (unsigned int what = 0; what < 2 * PAIR_VISITS; what++) {
		begin(what);
		map_forms(REGION);
		if (what < PAIR_VISITS)
			pair_visit_range(&pair, key_of(REGION + 1), 7 * PAGES - 99,
					 (enum pair_visit)what);
		else /* by a scan of the lines */
			pair_visit_range(&pair, key_of(3), UINT64_C(1) << 30,
					 (enum pair_visit)(what - PAIR_VISITS));
		pair_check(&pair);
		pair_visit_all(&pair, (enum pair_visit)(what % PAIR_VISITS));
		pair_check(&pair);
		pair_visit_all(&pair, PAIR_UNMAP);
		pair_expect_empty(&pair);
		pair_end(&pair);
	}
}

Test(adaptive, the_table_grows_and_moves_a_bounded_number_while_regions_have_every_form)
{
	uint64_t random = 6;

	begin(7);
	for (uint64_t i = 0; i < 12; i++)
		map_forms(REGION + i * 8 * PAGES);
	for (unsigned int i = 0; i < 12000; i++) {
		uint64_t vpn = (UINT64_C(1) << 20) + model_random(&random) % (1 << 20);
		struct hpt_counts before = pair.table.counts;

		pair_map(&pair, key_of(vpn), i & 1 ? contiguous(vpn) : scattered(vpn));
		cr_assert_leq(pair.table.counts.moves - before.moves,
			      ADAPTIVE_MOVES_MAX + before.spilled);
		if (i % 1500 == 0)
			pair_check(&pair);
	}
	pair_end(&pair);
}

/* Page i of four pieces of 64 contiguous pages. */
static uint64_t piece_vpn(unsigned int i)
{
	return REGION + i / 64 * 128 + i % 64;
}

/*
 * The most that is moved without growth: 255 pages, which have each a slot since they were not
 * alike when they were mapped, become a leaf with the 256th, and that turns out to be four runs.
 */
Test(adaptive, an_insertion_that_makes_a_leaf_and_then_four_runs_moves_what_is_stated)
{
	struct hpt_config config = {.organisation = HPT_ADAPTIVE, .pages = 1 << 20};
	uint64_t moves;

	pair = (struct pair){0};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	for (unsigned int i = 0; i < 255; i++)
		map(piece_vpn(i), contiguous(piece_vpn(i)) ^ (i % 2 ? HPT_WRITE : 0));
	for (unsigned int i = 1; i < 255; i += 2)
		cr_assert_eq(pair_change(&pair, key_of(piece_vpn(i)), 0, HPT_WRITE), 0);
	cr_assert_eq(form_of(REGION), ADAPTIVE_FORM_SPREAD);
	cr_assert_eq(pair.table.counts.used, 1 + 255);
	moves = pair.table.counts.moves;
	map(piece_vpn(255), contiguous(piece_vpn(255)));
	cr_assert_eq(form_of(REGION), ADAPTIVE_FORM_COMPACT);
	cr_assert_eq(pair.table.counts.used, ADAPTIVE_SLOTS);
	cr_assert_eq(pair.table.counts.moves - moves,
		     ADAPTIVE_MOVES_MAX - HPT_GROUP_LINES * ADAPTIVE_LINE_SLOTS);
	pair_end(&pair);
}

/* A page of each of three runs is unmapped when there is no memory any more. */
static void use_reserve(bool readers)
{
	begin_as(8, readers);
	for (uint64_t i = 0; i < 3; i++)
		cr_assert_eq(pair_map_range(&pair, key_of(REGION + i * PAGES), PAGES,
					    contiguous(REGION + 2 * i * PAGES)),
			     0);
	cr_assert_eq(pair.table.counts.used, 3);
	pair.memory.first_failure = 1;
	pair.memory.last_failure = UINT64_MAX;
	cr_assert_eq(pair_unmap(&pair, key_of(REGION + 5)), 0);
	cr_assert_eq(pair_change(&pair, key_of(REGION + PAGES + 6), HPT_WRITE, 0), 0);
	cr_assert_eq(pair_unmap(&pair, key_of(REGION + 2 * PAGES + 7)), -ENOMEM);
	cr_assert_eq(pair_change(&pair, key_of(REGION + 2 * PAGES + 7), HPT_WRITE, 0), -ENOMEM);
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(REGION + 2 * PAGES + 7), 9), -ENOMEM);
	pair_check(&pair);
	/* Whole runs need none. */
	cr_assert_eq(hpt_change_range(&pair.table, key_of(REGION + 2 * PAGES), PAGES, 0, 0), 0);
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(REGION + 2 * PAGES), PAGES), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		model_set(&pair.model, key_of(REGION + 2 * PAGES + i), 0);
	cr_assert_eq(form_of(REGION + 2 * PAGES), ADAPTIVE_FORM_NONE);
	/* No run is made while the reserve is not full. */
	cr_assert_eq(pair_map_range(&pair, key_of(REGION + 2 * PAGES), 4, contiguous(REGION)), 0);
	cr_assert_eq(pair.table.counts.used, 2 + 4);
	pair_end(&pair);
}

Test(adaptive, the_reserve_is_enough_for_two_runs_and_a_third_stays_as_it_was)
{
	use_reserve(false);
	use_reserve(true);
}

/* Every form up and down, the n-th allocation failing, alone or with all that follow. */
static bool live_with_failure(uint64_t n, bool once, bool readers)
{
	begin_as(9, readers);
	pair.memory.first_failure = pair.memory.calls + n;
	pair.memory.last_failure = once ? pair.memory.first_failure : UINT64_MAX;
	for (unsigned int i = 0; i < PAGES; i++)
		pair_map(&pair, key_of(REGION + i), scattered(i));
	for (unsigned int i = 0; i < PAGES; i++)
		pair_map(&pair, key_of(REGION + PAGES + i), contiguous(i));
	pair_map_range(&pair, key_of(REGION + 2 * PAGES + 3), PAGES, contiguous(0));
	for (unsigned int i = 0; i < 4 * PAGES; i++)
		pair_map(&pair, key_of(REGION + 4 * PAGES + i), scattered(i));
	pair_check(&pair);
	for (unsigned int i = 0; i < 3 * PAGES; i += 3) {
		pair_change(&pair, key_of(REGION + i), HPT_WRITE, 0);
		pair_unmap(&pair, key_of(REGION + i * 5 % (3 * PAGES)));
	}
	pair_check(&pair);
	for (unsigned int what = PAIR_VISITS; what--;)
		pair_visit_range(&pair, key_of(REGION + 50), 2 * PAGES, (enum pair_visit)what);
	pair_check(&pair);
	pair_visit_all(&pair, PAIR_UNMAP_ODD);
	pair_check(&pair);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	n = pair.memory.failures;
	pair_end(&pair);
	return n;
}

static void live_with_failures(bool readers)
{
	uint64_t n = 1;

	while (live_with_failure(n, true, readers))
		n++;
	cr_assert_gt(n, 6);
	for (uint64_t i = 1; i < n; i++)
		live_with_failure(i, false, readers);
}

Test(adaptive, out_of_memory_at_every_allocation_changes_no_answer)
{
	live_with_failures(false);
	live_with_failures(true);
}

static double bytes_a_page(void)
{
	return (double)pair.table.counts.bytes / (double)pair.table.counts.entries;
}

Test(adaptive, bytes_a_page_are_within_the_bars)
{
	begin(0);
	for (uint64_t vpn = 0; vpn < 1 << 15; vpn++)
		cr_assert_eq(hpt_map(&pair.table, key_of(vpn), contiguous(vpn)), 0);
	cr_assert_leq(bytes_a_page(), 1.0, "contiguous: %f", bytes_a_page());
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(0), 1 << 15), 0);
	cr_assert_eq(hpt_map_range(&pair.table, key_of(0), 1 << 15, contiguous(0)), 0);
	cr_assert_leq(bytes_a_page(), 1.0, "contiguous, a range: %f", bytes_a_page());
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(0), 1 << 15), 0);
	for (uint64_t vpn = 0; vpn < 1 << 15; vpn++)
		cr_assert_eq(hpt_map(&pair.table, key_of(vpn), scattered(vpn)), 0);
	cr_assert_leq(bytes_a_page(), 9.5, "scattered: %f", bytes_a_page());
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(0), 1 << 15), 0);
	for (uint64_t region = 0; region < 1 << 18; region++)
		cr_assert_eq(hpt_map(&pair.table, key_of(region * PAGES), scattered(region)), 0);
	cr_assert_leq(bytes_a_page(), 16.5, "sparse: %f", bytes_a_page());
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(0), UINT64_C(1) << 30), 0);
	pair_end(&pair);
}

/* Each invariant broken alone. */
Test(adaptive, a_wrong_marker_or_slot_is_named)
{
	struct adaptive_found found;
	uint64_t tag = adaptive_region_tag(key_of(REGION + 2 * PAGES));

	begin(3);
	map_forms(REGION);
	cr_assert_null(hpt_check(&pair.table));
	adaptive_find(&pair.table, tag, &found);
	++*found.slot[0];
	cr_assert_str_eq(hpt_check(&pair.table), "a marker's count is exact");
	--*found.slot[0];
	adaptive_leaf(&pair.table, found.slot[0])[5] |= HPT_LARGE;
	cr_assert_str_eq(hpt_check(&pair.table), "a leaf holds entries of 4 KiB pages");
	adaptive_leaf(&pair.table, found.slot[0])[5] &= ~HPT_LARGE;
	adaptive_find(&pair.table, adaptive_region_tag(key_of(REGION)), &found);
	adaptive_set_slot(&pair.table, found.slot[0], adaptive_tag_of(found.slot[1]),
			  *found.slot[0] & HPT_ENTRY_MASK);
	cr_assert_str_eq(hpt_check(&pair.table), "no two slots have the same page");
	adaptive_set_slot(&pair.table, found.slot[0],
			  adaptive_region_tag(key_of(REGION)) | adaptive_pages(0, 0),
			  *found.slot[0] & HPT_ENTRY_MASK);
	pair.table.spares.count--;
	cr_assert_str_eq(hpt_check(&pair.table),
			 "counts.bytes is the memory of generations and spill");
	pair.table.spares.count++;
	pair_end(&pair);
}
