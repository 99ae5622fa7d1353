/* SPDX-License-Identifier: MIT */
/* See interleave.h. */
#include "tests/hpt/interleave.h"

#include <errno.h>

#include "hpt/adaptive_region.h"
#include "hpt/generation.h"

#define REGION (UINT64_C(1) << 20)
#define PAGES  ADAPTIVE_PAGES
#define FEW    150 /* pages of a table of any organisation that is still small */

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static uint64_t next; /* the number of the page that a growing table gets next */

static uint64_t spread_vpn(uint64_t number)
{
	return number * 9 + number % 5 * 4096;
}

static void map_many(uint64_t from, uint64_t to)
{
	for (uint64_t number = from; number < to; number++)
		interleave_map(spread_vpn(number), interleave_scattered(number));
}

static void prepare_few(void)
{
	map_many(0, FEW);
	interleave_expect(hpt_settle(&target, UINT64_MAX) == 0, "a small table settles");
}

static void unmap_page(uint64_t vpn)
{
	uint64_t old = 0;

	interleave_expect(!hpt_unmap(&target, interleave_key(vpn), &old), "a page is unmapped");
	interleave_taken(vpn, old);
}

static void unmap_one(void)
{
	unmap_page(spread_vpn(70));
}

static void map_one(void)
{
	interleave_map(spread_vpn(FEW), interleave_scattered(FEW));
}

static uint64_t harvest(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	interleave_taken(key.vpn, entry);
	return entry & ~HPT_DIRTY;
}

static uint64_t remove_page(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	interleave_taken(key.vpn, entry);
	return 0;
}

static void visit(uint64_t vpn, uint64_t count, hpt_visitor visitor)
{
	interleave_expect(!hpt_visit_range(&target, interleave_key(vpn), count, visitor, NULL),
			  "a range is visited");
}

static void harvest_one(void)
{
	visit(spread_vpn(70), 1, harvest);
}

static void change_one(void)
{
	hpt_change(&target, interleave_key(spread_vpn(70)), HPT_WRITE, HPT_SOFT);
}

void interleave_find_growth(void)
{
	for (next = 0; !generation_growing(&target.desc); next++)
		interleave_map(spread_vpn(next), interleave_scattered(next));
	next--;
}

static void prepare_growth(void)
{
	map_many(0, next);
	interleave_expect(!generation_growing(&target.desc), "the table does not grow yet");
}

static void grow(void)
{
	interleave_map(spread_vpn(next), interleave_scattered(next));
}

static void prepare_growing(void)
{
	prepare_growth();
	grow();
}

/* All but the last step. */
static void prepare_grown(void)
{
	prepare_growing();
	while (generation_growing(&target.desc) &&
	       target.moved + HPT_GROUP_LINES < generation_lines(&target.desc.old))
		hpt_settle(&target, 1);
}

/* In two groups and more, so that the first step leaves some. */
static void prepare_rekey(void)
{
	map_many(0, next + FEW);
	interleave_expect(!hpt_settle(&target, UINT64_MAX), "a table settles");
	interleave_expect(!hpt_rekey(&target, 77), "a change of salt begins");
}

static void settle_step(void)
{
	int error = hpt_settle(&target, 1);

	interleave_expect(!error || error == -EAGAIN, "a step is made");
}

static void prepare_rekeyed(void)
{
	prepare_rekey();
	while (generation_growing(&target.desc) &&
	       target.moved + HPT_GROUP_LINES < generation_lines(&target.desc.old))
		settle_step();
}

const struct interleave_case interleave_any[] = {
	{"a page is mapped", prepare_few, map_one, {0}},
	{"a page is unmapped", prepare_few, unmap_one, {0}},
	{"a page loses its mark", prepare_few, harvest_one, {0}},
	{"a page is changed", prepare_few, change_one, {0}},
	/* Not for radix: */
	{"growth begins", prepare_growth, grow, {0}},
	{"growth goes on", prepare_growing, settle_step, {0}},
	{"growth ends", prepare_grown, settle_step, {0}},
	{"a change of salt goes on", prepare_rekey, settle_step, {0}},
	{"a change of salt ends", prepare_rekeyed, settle_step, {0}},
};
const unsigned int interleave_any_count = COUNT(interleave_any);
const unsigned int interleave_growth_count = 5;

/* Adaptive: pages of one region. */

static void map_scattered(unsigned int from, unsigned int to)
{
	for (unsigned int page = from; page < to; page++)
		interleave_map(REGION + page, interleave_scattered(REGION + page));
}

static void map_contiguous(unsigned int from, unsigned int to)
{
	for (unsigned int page = from; page < to; page++)
		interleave_map(REGION + page, interleave_contiguous(REGION + page));
}

static void expect_form(enum adaptive_form form)
{
	struct adaptive_found found;

	adaptive_find(&target, adaptive_region_tag(interleave_key(REGION)), &found);
	interleave_expect(adaptive_form_of(&found) == form, "a region has the form that was meant");
}

static void prepare_long_run(void)
{
	map_contiguous(0, PAGES);
	expect_form(ADAPTIVE_FORM_COMPACT);
}

static void unmap_fifth(void)
{
	unmap_page(REGION + 5);
}

static void change_fifth(void)
{
	hpt_change(&target, interleave_key(REGION + 5), HPT_WRITE, HPT_SOFT);
}

static void swap_fifth(void)
{
	uint64_t old = 0;

	interleave_expect(!hpt_swap_out(&target, interleave_key(REGION + 5), 9, &old),
			  "a page is swapped out");
	interleave_taken(REGION + 5, old);
}

static void harvest_part(void)
{
	visit(REGION + 3, 4, harvest);
}

static void harvest_all(void)
{
	visit(REGION, PAGES, harvest);
}

static uint64_t harvest_and_remove(void *context, struct hpt_key key, uint64_t entry)
{
	return key.vpn % 2 ? harvest(context, key, entry) : remove_page(context, key, entry);
}

static void remove_even(void)
{
	visit(REGION, PAGES, harvest_and_remove);
}

static void remove_all(void)
{
	visit(REGION, PAGES, remove_page);
}

static void prepare_short_run(void)
{
	map_contiguous(0, 8);
	expect_form(ADAPTIVE_FORM_COMPACT);
}

static void prepare_seven(void)
{
	map_contiguous(0, 7);
	expect_form(ADAPTIVE_FORM_COMPACT);
}

static void map_eighth(void)
{
	map_contiguous(7, 8);
}

static void prepare_four(void)
{
	map_scattered(0, 4);
	expect_form(ADAPTIVE_FORM_COMPACT);
}

static void map_fifth(void)
{
	map_scattered(4, 5);
	expect_form(ADAPTIVE_FORM_SPREAD);
}

static void prepare_five(void)
{
	map_scattered(0, 5);
	expect_form(ADAPTIVE_FORM_SPREAD);
}

static void unmap_three(void)
{
	for (unsigned int page = 2; page < 5; page++)
		unmap_page(REGION + page);
	expect_form(ADAPTIVE_FORM_COMPACT);
}

static void prepare_255(void)
{
	map_scattered(0, ADAPTIVE_LEAF_PAGES - 1);
	expect_form(ADAPTIVE_FORM_SPREAD);
}

static void map_256th(void)
{
	map_scattered(ADAPTIVE_LEAF_PAGES - 1, ADAPTIVE_LEAF_PAGES);
	expect_form(ADAPTIVE_FORM_LEAF);
}

static void prepare_128(void)
{
	map_scattered(0, ADAPTIVE_LEAF_PAGES);
	hpt_unmap_range(&target, interleave_key(REGION + ADAPTIVE_LEAF_KEPT),
			ADAPTIVE_LEAF_PAGES - ADAPTIVE_LEAF_KEPT);
	expect_form(ADAPTIVE_FORM_LEAF);
}

static void unmap_128th(void)
{
	unmap_page(REGION + ADAPTIVE_LEAF_KEPT - 1);
	expect_form(ADAPTIVE_FORM_SPREAD);
}

/* A leaf that lacks one page to be a run: its pages were not alike when they were mapped. */
static void prepare_511(void)
{
	for (unsigned int page = 0; page < PAGES - 1; page++)
		interleave_map(REGION + page,
			       interleave_contiguous(REGION + page) | (page % 2 ? HPT_SOFT : 0));
	for (unsigned int page = 1; page < PAGES - 1; page += 2)
		hpt_change(&target, interleave_key(REGION + page), HPT_SOFT, 0);
	expect_form(ADAPTIVE_FORM_LEAF);
}

static void map_512th(void)
{
	map_contiguous(PAGES - 1, PAGES);
}

static void prepare_leaf(void)
{
	map_scattered(0, ADAPTIVE_LEAF_PAGES);
	expect_form(ADAPTIVE_FORM_LEAF);
}

/* A leaf goes, and another region gets one. */
static void replace_leaf(void)
{
	remove_all();
	for (unsigned int page = PAGES; page < PAGES + ADAPTIVE_LEAF_PAGES; page++)
		map_scattered(page, page + 1);
}

static void prepare_forms(void)
{
	map_many(0, FEW / 2);
	map_scattered(0, ADAPTIVE_LEAF_PAGES);
	map_contiguous(PAGES, 2 * PAGES);
	hpt_settle(&target, UINT64_MAX);
	hpt_rekey(&target, 78);
}

static void settle_all(void)
{
	interleave_expect(!hpt_settle(&target, UINT64_MAX), "a change of salt ends");
}

const struct interleave_case interleave_adaptive[] = {
	{"a page of a long run is unmapped",
	 prepare_long_run,
	 unmap_fifth,
	 {REGION + 5, REGION + 6, REGION + 400, REGION + PAGES}},
	{"a page of a short run is unmapped",
	 prepare_short_run,
	 unmap_fifth,
	 {REGION + 5, REGION + 4, REGION, REGION + 8}},
	{"a page of a run is changed",
	 prepare_short_run,
	 change_fifth,
	 {REGION + 5, REGION + 4, REGION, REGION + 8}},
	{"a page of a run is swapped out",
	 prepare_short_run,
	 swap_fifth,
	 {REGION + 4, REGION + 6, REGION, REGION + 8}},
	{"a part of a run loses its mark",
	 prepare_short_run,
	 harvest_part,
	 {REGION + 5, REGION + 3, REGION, REGION + 8}},
	{"a run loses its mark",
	 prepare_long_run,
	 harvest_all,
	 {REGION, REGION + 77, REGION + 511, REGION + PAGES}},
	{"every other page of a run goes",
	 prepare_long_run,
	 remove_even,
	 {REGION, REGION + 1, REGION + 510, REGION + 511}},
	{"a run goes", prepare_short_run, remove_all, {REGION, REGION + 1, REGION + 7, REGION + 8}},
	{"runs become one",
	 prepare_seven,
	 map_eighth,
	 {REGION, REGION + 5, REGION + 6, REGION + 7}},
	{"a compact region is spread",
	 prepare_four,
	 map_fifth,
	 {REGION, REGION + 3, REGION + 4, REGION + 5}},
	{"a spread region becomes compact",
	 prepare_five,
	 unmap_three,
	 {REGION, REGION + 1, REGION + 4, REGION + 5}},
	{"a spread region becomes a leaf",
	 prepare_255,
	 map_256th,
	 {REGION, REGION + 100, REGION + 255, REGION + 256}},
	{"a leaf is spread",
	 prepare_128,
	 unmap_128th,
	 {REGION, REGION + 100, REGION + 127, REGION + 128}},
	{"a leaf becomes a run",
	 prepare_511,
	 map_512th,
	 {REGION, REGION + 100, REGION + 511, REGION + 512}},
	{"a leaf goes and another comes",
	 prepare_leaf,
	 replace_leaf,
	 {REGION, REGION + 100, REGION + PAGES, REGION + PAGES + 100}},
	{"all forms move to another salt",
	 prepare_forms,
	 settle_all,
	 {REGION + 7, REGION + PAGES + 9, REGION + 300, 9}},
};
const unsigned int interleave_adaptive_count = COUNT(interleave_adaptive);
