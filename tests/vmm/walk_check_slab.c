/* SPDX-License-Identifier: MIT */
/*
 * Walks by a guest's slab beside walks through stage 2: over every pair of organisations, of tables
 * that are not in it, whatever their guest says, and of such that lead out of it.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <string.h>

#include "tests/vmm/published.h"
#include "tests/vmm/room.h"
#include "vmm/walk_check.h"

#define PAGES	 64
#define DATA	 UINT64_C(0xc00) /* GFN of the first page that is mapped; the room ends at 0x1000 */
#define FULL	 UINT64_C(0x30000) /* VPN of a region of which adaptive makes a leaf */
#define FULL_GFN UINT64_C(0xd00)
#define LARGE	 UINT64_C(0xe00)
#define LARGE_AT UINT64_C(0x200000) /* VPN */
#define ELSEWHERE                                                                      \
	UINT64_C(0x100000) /* gPA of a copy of the table's memory, which is in no slab \
			    */

static const struct ept_range table_range = {TABLE_START, TABLE_SIZE};

static struct machine machine;
static struct published guest;
static struct walk_check check;

struct pair_of {
	enum hpt_organisation guest, host;
};

static uint64_t gva_of(uint64_t page)
{
	return (UINT64_C(0x10000) + page * 37) << HPT_PAGE_SHIFT | 0x123;
}

static void map(uint64_t vpn, uint64_t gfn, enum hpt_size size)
{
	uint64_t flags = HPT_PRESENT | HPT_USER | (size == HPT_2M ? HPT_LARGE : 0);

	cr_assert_eq(hpt_map(&guest.table, hpt_key(ASID, vpn, size), hpt_entry(gfn, flags)), 0);
}

static void create(enum hpt_organisation guest_table, enum hpt_organisation host_table,
		   struct ept_range slab)
{
	room_create_pinned(&machine, host_table, slab);
	published_table(&guest, guest_table);
	for (uint64_t i = 0; i < PAGES; i++)
		map(gva_of(i) >> HPT_PAGE_SHIFT, DATA + i, HPT_4K);
	for (uint64_t i = 0; i < HPT_LARGE_PAGES; i++)
		map(FULL + i, FULL_GFN + i * 77 % 256, HPT_4K);
	map(LARGE_AT, LARGE, HPT_2M);
	for (uint64_t i = 0; i < 2 * PAGES; i++)
		cr_assert_eq(ept_copy_in(&machine.ept, (DATA + i) << HPT_PAGE_SHIFT, NULL, 1), 0);
	cr_assert_eq(ept_copy_in(&machine.ept, (LARGE + 5) << HPT_PAGE_SHIFT, NULL, 1), 0);
	publish(&guest, &machine);
	walk_check_init(&check, PAGES, 1, true);
}

static void begin(void)
{
	cr_assert(walk_check_begin(&check, &machine, 0), "%s", check.counts.no_table_why);
}

static void walk_all(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		cr_expect(walk_check_page(&check, &machine, gva_of(i)), "%s", check.wrong_text);
	for (uint64_t i = 0; i < HPT_LARGE_PAGES; i++)
		cr_expect(walk_check_page(&check, &machine, (FULL + i) << HPT_PAGE_SHIFT), "%s",
			  check.wrong_text);
	for (uint64_t i = 0; i < 8; i++)
		cr_expect(walk_check_page(&check, &machine, (LARGE_AT + i) << HPT_PAGE_SHIFT), "%s",
			  check.wrong_text);
	cr_expect(walk_check_page(&check, &machine, gva_of(0) + HPT_PAGE_SIZE));
	cr_expect_eq(check.counts.wrong, 0);
	cr_expect_eq(check.counts.absent1, 1);
	cr_expect_gt(check.counts.translated, PAGES);
}

static void destroy(void)
{
	walk_check_destroy(&check);
	machine_destroy(&machine);
	free(guest.memory);
}

ParameterizedTestParameters(walk_check_slab, walks_by_it_say_the_same_for_every_pair)
{
	static struct pair_of pairs[HPT_ORGANISATIONS * HPT_ORGANISATIONS];

	for (int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++)
		pairs[i] = (struct pair_of){(enum hpt_organisation)(i / HPT_ORGANISATIONS),
					    (enum hpt_organisation)(i % HPT_ORGANISATIONS)};
	return cr_make_param_array(struct pair_of, pairs, HPT_ORGANISATIONS * HPT_ORGANISATIONS);
}

ParameterizedTest(struct pair_of *pair, walk_check_slab, walks_by_it_say_the_same_for_every_pair,
		  .timeout = 60)
{
	const struct walk_check_counts *counts = &check.counts;
	const struct walk_check_cost *nested = &counts->costs[HPT_4K];
	const struct walk_check_cost *slab = &counts->slab_costs[HPT_4K];

	create(pair->guest, pair->host, table_range);
	begin();
	walk_all();
	cr_expect_eq(counts->slab_stops, 1);
	cr_expect_eq(counts->no_slab, 0);
	cr_expect_eq(counts->lied, 0);
	cr_expect_eq(slab->walks, nested->walks);
	cr_expect_eq(counts->slab_costs[HPT_2M].walks, 1);
	/* No walk translates a page of the table: that saves a stage-2 search at least. */
	cr_expect_leq(slab->refs, nested->refs - nested->walks);
	cr_expect_lt(slab->steps, nested->steps);
	cr_expect_geq(slab->refs, 2 * slab->walks);
	cr_expect_lt(slab->ideal_refs, nested->ideal_refs);
	if (pair->guest == HPT_RADIX && pair->host == HPT_RADIX)
		cr_expect_eq(slab->refs, 8 * slab->walks);
	destroy();
}

static void expect_no_slab(const char *why)
{
	cr_expect_eq(check.counts.slab_stops, 0);
	cr_expect_eq(check.counts.no_slab, 1);
	cr_expect_str_eq(check.counts.no_slab_why, why);
	cr_expect_eq(check.counts.lied, 0);
	cr_expect_eq(check.counts.slab_costs[HPT_4K].walks, 0);
}

Test(walk_check_slab, a_table_of_which_a_part_is_said_to_be_outside_is_not_walked_by_it,
     .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED, table_range);
	guest.page.table_outside = 4096;
	publish(&guest, &machine);
	begin();
	walk_all();
	expect_no_slab("not all of the guest's table is in it");
	destroy();
}

/* The guest says that its table is in the slab, and it is elsewhere. */
ParameterizedTestParameters(walk_check_slab, a_descriptor_that_names_other_memory_is_not_walked_by)
{
	static enum hpt_organisation all[HPT_ORGANISATIONS];

	for (unsigned int i = 0; i < HPT_ORGANISATIONS; i++)
		all[i] = (enum hpt_organisation)i;
	return cr_make_param_array(enum hpt_organisation, all, HPT_ORGANISATIONS);
}

ParameterizedTest(enum hpt_organisation *organisation, walk_check_slab,
		  a_descriptor_that_names_other_memory_is_not_walked_by, .timeout = 60)
{
	create(*organisation, HPT_CLUSTERED, (struct ept_range){0xe00000, 0x200000});
	begin();
	walk_all();
	expect_no_slab("the published descriptor names memory outside of the slab");
	destroy();
}

/*
 * Lets the words of the table that are addresses of its own memory lead to the copy. How many there
 * are: radix and chained have nodes, adaptive has leaves.
 */
static unsigned int lead_elsewhere(void)
{
	uint64_t *words = (uint64_t *)guest.memory;
	unsigned int count = 0;

	for (uint64_t i = 0; i < guest.memory_used / sizeof(*words); i++) {
		uint64_t address = words[i] & HPT_FRAME_MASK;

		if (address < TABLE_START || address >= TABLE_START + guest.memory_used)
			continue;
		words[i] -= TABLE_START - ELSEWHERE;
		count++;
	}
	return count;
}

/* Walks through stage 2 find all pages in the copy; those by the slab are told to keep off. */
static void expect_lie(enum hpt_organisation organisation)
{
	create(organisation, HPT_CLUSTERED, table_range);
	cr_assert_leq(guest.memory_used, TABLE_START - ELSEWHERE);
	cr_assert_eq(ept_copy_in(&machine.ept, ELSEWHERE, guest.memory, guest.memory_used), 0);
	cr_assert_gt(lead_elsewhere(), 0);
	publish(&guest, &machine);
	begin();
	cr_expect_eq(check.counts.slab_stops, 1, "the descriptor is in order");
	for (uint64_t i = 0; i < HPT_LARGE_PAGES; i++)
		cr_expect(walk_check_page(&check, &machine, (FULL + i) << HPT_PAGE_SHIFT), "%s",
			  check.wrong_text);
	cr_expect_eq(check.counts.lied, HPT_LARGE_PAGES);
	cr_expect_eq(check.counts.slab_costs[HPT_4K].walks, 0);
	destroy();
}

Test(walk_check_slab, a_tree_that_leads_out_of_it_is_a_lie, .timeout = 60)
{
	expect_lie(HPT_RADIX);
}

Test(walk_check_slab, a_chain_that_leads_out_of_it_is_a_lie, .timeout = 60)
{
	expect_lie(HPT_CHAINED);
}

Test(walk_check_slab, a_leaf_outside_of_it_is_a_lie, .timeout = 60)
{
	expect_lie(HPT_ADAPTIVE);
}

Test(walk_check_slab, a_page_of_it_that_stage_2_has_lost_is_wrong, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED, table_range);
	for (uint64_t at = 0; at < guest.memory_used; at += HPT_PAGE_SIZE)
		cr_assert_eq(hpt_unmap(&machine.ept.table,
				       hpt_key(0, (TABLE_START + at) >> HPT_PAGE_SHIFT, HPT_4K),
				       NULL),
			     0);
	begin();
	cr_expect_not(walk_check_page(&check, &machine, gva_of(0)));
	cr_expect(strstr(check.wrong_text, "the walk says absent at stage 2, entry 0x0, by the "
					   "slab it says gpa 0xc00000"),
		  "%s", check.wrong_text);
	destroy();
}
