/* SPDX-License-Identifier: MIT */
/*
 * An adaptive table that has readers beside its writer: marks in runs and through changes of form,
 * and what becomes of leaves. Readers' marks come here in the middle of the writer's operations
 * from the callbacks that these make, when nothing is held.
 */
#include <errno.h>

#include "hpt/adaptive_region.h"
#include "tests/hpt/fixture.h"

#define REGION UINT64_C(4096)
#define PAGES  ADAPTIVE_PAGES

static struct pair pair;

static void begin(bool readers)
{
	struct hpt_config config = {.organisation = HPT_ADAPTIVE};

	pair = (struct pair){.memory = {.readers = readers, .offset = 0x5000}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
}

static struct hpt_key key_of(uint64_t page)
{
	return hpt_key(1, REGION + page, HPT_4K);
}

static uint64_t contiguous(uint64_t page)
{
	return hpt_entry(page + 77, HPT_PRESENT | HPT_WRITE);
}

static uint64_t scattered(uint64_t page)
{
	return hpt_entry(3 * page + 9, HPT_PRESENT | HPT_WRITE);
}

static enum adaptive_form form(void)
{
	struct adaptive_found found;

	adaptive_find(&pair.table, adaptive_region_tag(key_of(0)), &found);
	return adaptive_form_of(&found);
}

static uint64_t look_up(uint64_t page)
{
	uint64_t entry = 0;

	hpt_lookup(&pair.table, key_of(page), &entry, NULL);
	return entry;
}

static void map(uint64_t page, uint64_t entry)
{
	cr_assert_eq(pair_map(&pair, key_of(page), entry), 0);
}

static void fail_from_now_on(void)
{
	pair.memory.first_failure = 1;
	pair.memory.last_failure = UINT64_MAX;
}

Test(adaptive_shared, a_mark_in_a_run_is_one_of_all_its_pages_and_takes_no_memory)
{
	for (int readers = 0; readers < 2; readers++) {
		for (unsigned int log2 = 1; log2 <= ADAPTIVE_REGION_LOG2; log2++) {
			unsigned int pages = 1u << log2;

			begin(readers);
			cr_assert_eq(pair_map_range(&pair, key_of(0), pages, contiguous(0)), 0);
			map(PAGES, contiguous(PAGES));
			fail_from_now_on();
			cr_assert_eq(pair_mark(&pair, key_of(pages / 3), HPT_DIRTY), 0);
			cr_assert_eq(pair.table.counts.used, 2);
			for (unsigned int page = 0; page < pages; page++)
				cr_assert_eq(look_up(page), contiguous(page) | HPT_DIRTY);
			cr_assert_eq(look_up(PAGES), contiguous(PAGES));
			pair_end(&pair);
		}
	}
}

Test(adaptive_shared, a_change_of_a_page_in_a_run_is_one_of_that_page_alone)
{
	begin(true);
	cr_assert_eq(pair_map_range(&pair, key_of(0), PAGES, contiguous(0)), 0);
	cr_assert_eq(pair_mark(&pair, key_of(9), HPT_ACCESSED), 0);
	cr_assert_eq(pair_change(&pair, key_of(5), HPT_ACCESSED, 0), 0);
	cr_assert_eq(look_up(5), contiguous(5));
	cr_assert_eq(look_up(6), contiguous(6) | HPT_ACCESSED);
	pair_end(&pair);
}

/* Every third page is marked in each form, before the region takes the next one. */
Test(adaptive_shared, marks_are_there_whatever_form_a_region_takes)
{
	static const unsigned int sizes[] = {4, 100, 300, 512, 100, 2};
	static const enum adaptive_form forms[] = {ADAPTIVE_FORM_COMPACT, ADAPTIVE_FORM_SPREAD,
						   ADAPTIVE_FORM_LEAF,	  ADAPTIVE_FORM_LEAF,
						   ADAPTIVE_FORM_SPREAD,  ADAPTIVE_FORM_COMPACT};
	unsigned int count = 0;

	begin(true);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (; count < sizes[i]; count++)
			map(count, scattered(count));
		while (count > sizes[i])
			cr_assert_eq(pair_unmap(&pair, key_of(--count)), 0);
		cr_assert_eq(form(), forms[i], "%u pages", count);
		pair_check(&pair);
		for (unsigned int page = i % 3; page < count; page += 3)
			cr_assert_eq(pair_mark(&pair, key_of(page),
					       i % 2 ? HPT_DIRTY : HPT_ACCESSED | HPT_DIRTY),
				     0);
		pair_check(&pair);
	}
	pair_end(&pair);
}

/* Pages that have all been marked are alike again, and become a run; its parts keep the mark. */
Test(adaptive_shared, a_run_that_is_made_of_marked_pages_and_split_again_is_marked)
{
	begin(true);
	for (unsigned int page = 0; page < PAGES; page++) {
		map(page, contiguous(page));
		cr_assert_eq(pair_mark(&pair, key_of(page), HPT_DIRTY), 0);
	}
	pair_visit_range(&pair, key_of(0), PAGES, PAIR_FLAGS);
	pair_visit_range(&pair, key_of(0), PAGES, PAIR_UNMAP_ODD);
	for (unsigned int page = 0; page < PAGES; page += 2)
		cr_assert(look_up(page) & HPT_DIRTY);
	pair_end(&pair);
}

static uint64_t leaf_address(void)
{
	struct adaptive_found found;

	cr_assert_eq(form(), ADAPTIVE_FORM_LEAF);
	adaptive_find(&pair.table, adaptive_region_tag(key_of(0)), &found);
	return adaptive_leaf_address(&pair.table.desc, adaptive_region_tag(key_of(0)),
				     *found.slot[0]);
}

static void expect_not_spare(uint64_t address)
{
	for (uint64_t i = 0; i < pair.table.spares.count; i++)
		cr_assert_neq(pair.table.spares.page[i], address);
}

Test(adaptive_shared, a_leaf_that_readers_may_have_seen_is_retired)
{
	for (int way = 0; way < 4; way++) {
		uint64_t address, retired;

		begin(true);
		for (unsigned int page = 0; page < 256; page++)
			map(page, scattered(page));
		address = leaf_address();
		retired = pair.memory.retired;
		switch (way) {
		case 0: /* with its last page */
			pair_visit_range(&pair, key_of(0), PAGES, PAIR_UNMAP);
			cr_assert_eq(form(), ADAPTIVE_FORM_NONE);
			break;
		case 1: /* since it has few, after a visit, ... */
			pair_visit_range(&pair, key_of(1), PAGES - 1, PAIR_UNMAP);
			cr_assert_eq(form(), ADAPTIVE_FORM_COMPACT);
			break;
		case 2: /* ... or after the last that was one too many */
			for (unsigned int page = 255; page >= 127; page--)
				cr_assert_eq(pair_unmap(&pair, key_of(page)), 0);
			cr_assert_eq(form(), ADAPTIVE_FORM_SPREAD);
			break;
		default: /* in a scan */
			pair_visit_all(&pair, PAIR_UNMAP);
		}
		cr_assert_eq(pair.memory.retired, retired + 1);
		expect_not_spare(address);
		pair_end(&pair);
	}
}

/* So the reserve is as large afterwards as before, with or without memory. */
Test(adaptive_shared, a_leaf_that_lasts_no_longer_than_an_operation_is_not_retired)
{
	begin(true);
	cr_assert_eq(pair_map_range(&pair, key_of(0), 8, contiguous(0)), 0);
	cr_assert_eq(pair_map_range(&pair, key_of(PAGES), 8, contiguous(0)), 0);
	cr_assert_eq(pair.table.spares.count, ADAPTIVE_RESERVE);
	fail_from_now_on();
	cr_assert_eq(pair_unmap(&pair, key_of(7)), 0);
	cr_assert_eq(form(), ADAPTIVE_FORM_COMPACT);
	cr_assert_eq(hpt_unmap_range(&pair.table, key_of(PAGES), 2), 0);
	model_set(&pair.model, key_of(PAGES), 0);
	model_set(&pair.model, key_of(PAGES + 1), 0);
	cr_assert_eq(pair.table.counts.used, 3 + 2, "runs of 4, 2 and 1, and of 2 and 4 pages");
	cr_assert_eq(pair.table.spares.count, ADAPTIVE_RESERVE);
	cr_assert_eq(pair.memory.retired, 0);
	pair_end(&pair);
}

/* A visitor of a run that is marked by a reader when the visit has come to a page. */
struct marked_visit {
	uint64_t at;	       /* this page, once ... */
	uint64_t mark;	       /* ... when this one is marked */
	uint64_t removed_from; /* these go */
	unsigned int calls;
	uint64_t last[PAGES]; /* what each page was when it was visited last */
};

static uint64_t visit_marked(void *context, struct hpt_key key, uint64_t entry)
{
	struct marked_visit *visit = context;
	uint64_t page = key.vpn - REGION;

	cr_assert_eq(pair.table.held, 0);
	visit->calls++;
	visit->last[page] = entry;
	if (page == visit->at) {
		visit->at = PAGES;
		cr_assert_eq(hpt_mark(&pair.table, key_of(visit->mark), HPT_DIRTY), 0);
	}
	return page >= visit->removed_from ? 0 : entry ^ HPT_SOFT;
}

/* The mark comes at the first page, at the last that is alike, at the one that is not, and after.
 */
Test(adaptive_shared, a_mark_that_comes_during_a_visit_is_seen_by_it_or_stays)
{
	static const uint64_t at[] = {0, 4, 9, 10, 11, 15};

	for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (unsigned int removed_from = 0; removed_from <= 16; removed_from += 8) {
			struct marked_visit visit = {
				.at = at[i], .mark = 3, .removed_from = removed_from};

			begin(true);
			cr_assert_eq(pair_map_range(&pair, key_of(0), 16, contiguous(0)), 0);
			cr_assert_eq(
				hpt_visit_range(&pair.table, key_of(0), 16, visit_marked, &visit),
				0);
			cr_assert_eq(visit.at, PAGES);
			cr_assert((look_up(3) | visit.last[3]) & HPT_DIRTY);
			for (unsigned int page = 0; page < 16; page++) {
				uint64_t entry = look_up(page);
				uint64_t seen =
					page < removed_from ? visit.last[page] ^ HPT_SOFT : 0;

				cr_assert_eq(entry & ~HPT_DIRTY, seen & ~HPT_DIRTY, "page %u",
					     page);
				model_set(&pair.model, key_of(page), entry);
			}
			pair_end(&pair);
		}
	}
}

/* Memory that a reader marks a page in while the writer waits for it. */
static int (*plain_get)(void *context, size_t size, uint64_t *address);
static uint64_t page_to_mark;

static int get_and_mark(void *context, size_t size, uint64_t *address)
{
	if (page_to_mark < PAGES)
		cr_assert_eq(hpt_mark(&pair.table, key_of(page_to_mark), HPT_DIRTY), 0);
	page_to_mark = PAGES;
	return plain_get(context, size, address);
}

/* The reserve is got when it has been found that two pages are alike. */
Test(adaptive_shared, pages_of_which_one_is_marked_meanwhile_do_not_become_a_run)
{
	begin(true);
	map(0, contiguous(0));
	plain_get = pair.table.memory.get;
	pair.table.memory.get = get_and_mark;
	page_to_mark = 0;
	map(1, contiguous(1));
	cr_assert_eq(page_to_mark, PAGES);
	model_set(&pair.model, key_of(0), contiguous(0) | HPT_DIRTY);
	cr_assert_eq(pair.table.counts.used, 2);
	pair_end(&pair);
}
