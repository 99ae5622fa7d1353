/* SPDX-License-Identifier: MIT */
/* Prices of walks that are made by hand: every sum is written out. */
#include <criterion/criterion.h>

#include "bench/audit_price.h"

#define L1     MMU_DATA_L1
#define L2     MMU_DATA_L2
#define L3     MMU_DATA_L3
#define MEMORY MMU_DATA_MEMORY

/* A line of its own page, and some line of a page. */
#define PAGE(number)	    ((uintptr_t)(number)*HPT_PAGE_SIZE)
#define LINE(number, index) (PAGE(number) + (uintptr_t)(index)*HPT_LINE_SIZE)

static void add(struct audit_walk *walk, unsigned int row, unsigned int column, uint64_t step,
		enum mmu_data_level level, uintptr_t line)
{
	const struct audit_reference reference = {.row = (uint8_t)row,
						  .column = (uint8_t)column,
						  .level = (uint8_t)level,
						  .step = step,
						  .line = line};

	cr_assert_eq(audit_walk_add(walk, &reference), 0);
}

/* All 24 references of nested radix, from memory but for the three that DMT looks at. */
static void add_radix(struct audit_walk *walk, enum mmu_data_level g4h4, enum mmu_data_level g4,
		      enum mmu_data_level udh4)
{
	for (unsigned int row = 0; row < 5; row++) {
		unsigned int slot = row < 4 ? row : WALK_DATA;
		enum mmu_data_level leaf = row < 3 ? MEMORY : row == 3 ? g4h4 : udh4;
		uint64_t step = row * 5 + 1;

		for (unsigned int column = 0; column < 4; column++, step++)
			add(walk, slot, column, step, column < 3 ? MEMORY : leaf, PAGE(step));
		if (row < 4)
			add(walk, slot, WALK_OWN, step, row == 3 ? g4 : MEMORY, PAGE(step));
	}
}

Test(audit_price, nested_radix_is_the_sum_of_its_24_references)
{
	struct audit_walk walk = {.count = 0};

	add_radix(&walk, L2, L1, L3);
	cr_assert_eq(audit_real(&walk, 0), 21 * 200 + 14 + 4 + 54);
	audit_walk_free(&walk);
}

Test(audit_price, dmt_is_three_entries_and_12)
{
	struct audit_walk walk = {.count = 0};

	add_radix(&walk, L2, L1, L3);
	cr_assert_eq(audit_dmt(&walk), 14 + 4 + 54 + 12);
	audit_walk_clear(&walk);
	add_radix(&walk, MEMORY, L3, L2);
	cr_assert_eq(audit_dmt(&walk), 200 + 54 + 14 + 12);
	audit_walk_free(&walk);
}

/* The guest's node is cached, so its page needs no stage 2; the nested TLB has the data page. */
Test(audit_price, what_a_walk_cache_has_costs_1)
{
	struct audit_walk walk = {.guest_cached = true, .cached[WALK_DATA] = true};

	add(&walk, 3, WALK_OWN, 1, L2, PAGE(1));
	cr_assert_eq(audit_dmt(&walk), 1 + 14 + 1 + 12);
	cr_assert_eq(audit_real(&walk, 0), 1 + 14 + 1);
	audit_walk_free(&walk);
}

/* The host's tree begins at a cached node: one reference of four, and the cache. */
Test(audit_price, a_search_that_a_walk_cache_shortens_costs_1_more)
{
	struct audit_walk walk = {.guest_cached = true, .cached[WALK_DATA] = true};

	add(&walk, 3, WALK_OWN, 1, L1, PAGE(1));
	add(&walk, WALK_DATA, 3, 2, L3, PAGE(2));
	cr_assert_eq(audit_real(&walk, 0), 1 + 4 + 1 + 54);
	cr_assert_eq(audit_dmt(&walk), 1 + 4 + 54 + 12);
	audit_walk_free(&walk);
}

Test(audit_price, dmt_takes_the_leaf_of_a_large_page_a_level_higher)
{
	struct audit_walk walk = {.guest_size = HPT_2M, .host_size = HPT_2M};

	add(&walk, 2, 3, 1, L2, PAGE(1));
	add(&walk, 2, WALK_OWN, 2, L3, PAGE(2));
	add(&walk, WALK_DATA, 2, 3, L1, PAGE(3));
	cr_assert_eq(audit_dmt(&walk), 14 + 54 + 4 + 12);
	audit_walk_free(&walk);
}

/* The second line lies in the page of the first: no stage 2 for it. */
Test(audit_price, probes_one_after_the_other_add_up)
{
	struct audit_walk walk = {.count = 0};

	add(&walk, 0, 0, 1, L3, PAGE(9));
	add(&walk, 0, WALK_OWN, 2, L2, LINE(1, 0));
	add(&walk, 1, WALK_OWN, 3, MEMORY, LINE(1, 1));
	add(&walk, WALK_DATA, 0, 4, L1, PAGE(8));
	add(&walk, WALK_DATA, 1, 5, L2, PAGE(7));
	cr_assert_eq(audit_real(&walk, 0), 54 + 14 + 200 + 4 + 14);
	audit_walk_free(&walk);
}

/*
 * Cuckoo over cuckoo, three ways of one step each:
 *
 *   way 0   stage 2: L1 L1 memory   then its line: L1
 *   way 1   stage 2: L2 L3 L2       then its line: memory     <- answers, by its second way
 *   way 2   stage 2: L1 L1 L1       then its line: L3
 *   data    stage 2: L2 L1 memory                             <- the first answers
 */
static void add_cuckoo(struct audit_walk *walk)
{
	static const enum mmu_data_level host[3][3] = {
		{L1, L1, MEMORY}, {L2, L3, L2}, {L1, L1, L1}};
	static const enum mmu_data_level own[3] = {L1, MEMORY, L3};
	static const enum mmu_data_level data[3] = {L2, L1, MEMORY};

	for (unsigned int way = 0; way < 3; way++) {
		for (unsigned int column = 0; column < 3; column++)
			add(walk, way, column, 1, host[way][column], LINE(10 + way, column));
		add(walk, way, WALK_OWN, 2, own[way], PAGE(1 + way));
	}
	for (unsigned int column = 0; column < 3; column++)
		add(walk, WALK_DATA, column, 3, data[column], LINE(20, column));
}

static uintptr_t second_way(void *context, uintptr_t line)
{
	(void)context;
	return LINE(9 + line / HPT_PAGE_SIZE, 1);
}

static const struct audit_answers answers = {
	.guest = PAGE(2) + 24, /* a word of the line */
	.data = LINE(20, 0),
	.table = second_way,
};

Test(audit_price, of_ways_the_dearest_chain_counts)
{
	struct audit_walk walk = {.count = 0};

	add_cuckoo(&walk);
	/* Way 0: 200 + 4; way 1: 54 + 200; way 2: 4 + 54. Then the dearest of the data's. */
	cr_assert_eq(audit_real(&walk, 0), 254 + 200);
	audit_walk_free(&walk);
}

Test(audit_price, emt_takes_the_dearest_of_each_step)
{
	struct audit_walk walk = {.count = 0};

	add_cuckoo(&walk);
	cr_assert_eq(audit_ways_most(&walk), 200 + 200 + 200);
	audit_walk_free(&walk);
}

Test(audit_price, emt_returns_early_with_the_way_that_answers)
{
	struct audit_walk walk = {.count = 0};

	add_cuckoo(&walk);
	/* Way 1: its page by the second of stage 2's ways, its line; the data by the first. */
	cr_assert_eq(audit_early(&walk, &answers), 54 + 200 + 14);
	audit_walk_free(&walk);
}

Test(audit_price, emt_adds_a_walk_cache_to_each_of_three_searches)
{
	struct audit_walk walk = {.count = 0};

	add_cuckoo(&walk);
	cr_assert_eq(audit_cuckoo_caches(&walk, &answers), 54 + 200 + 14 + 3 * 4);
	/* The nested TLB has the page of way 1: 1 in the place of 54 and 4. */
	walk.count = 0;
	walk.cached[1] = true;
	add(&walk, 0, 0, 1, L1, LINE(10, 0));
	add(&walk, 0, WALK_OWN, 2, L1, PAGE(1));
	add(&walk, 1, WALK_OWN, 1, MEMORY, PAGE(2));
	add(&walk, WALK_DATA, 0, 3, L2, LINE(20, 0));
	cr_assert_eq(audit_cuckoo_caches(&walk, &answers), 1 + 200 + 14 + 2 * 4);
	audit_walk_free(&walk);
}

/* Ways whose lines are in one page: the first translates it, the second waits for that. */
Test(audit_price, a_way_waits_for_its_page_whoever_translates_it)
{
	struct audit_walk walk = {.count = 0};

	add(&walk, 0, 0, 1, L3, PAGE(10));
	add(&walk, 0, WALK_OWN, 2, L1, LINE(1, 0));
	add(&walk, 1, WALK_OWN, 1, MEMORY, LINE(1, 5));
	add(&walk, WALK_DATA, 0, 3, L1, PAGE(20));
	cr_assert_eq(audit_real(&walk, 0), 54 + 200 + 4);
	audit_walk_free(&walk);
}

/* A step of ways, and behind it a line of its own: only what comes before the answer counts. */
Test(audit_price, an_answer_behind_the_ways_waits_for_all_of_them)
{
	struct audit_walk walk = {.count = 0};
	struct audit_answers behind = answers;

	behind.data = LINE(20, 3);
	add(&walk, 0, WALK_OWN, 1, L1, PAGE(2));
	for (unsigned int column = 0; column < 3; column++)
		add(&walk, WALK_DATA, column, 2, column ? L1 : L3, LINE(20, column));
	add(&walk, WALK_DATA, 3, 3, L2, LINE(20, 3));
	add(&walk, WALK_DATA, 4, 4, MEMORY, LINE(20, 4));
	cr_assert_eq(audit_early(&walk, &behind), 4 + 54 + 14);
	cr_assert_eq(audit_real(&walk, 0), 4 + 54 + 14 + 200);
	audit_walk_free(&walk);
}

/* Cuckoo-walk caches that know the way: one line a search, and 4 before each. */
Test(audit_price, real_cuckoo_walk_caches_cost_4_a_search)
{
	struct audit_walk walk = {
		.guest_cached = true, .cached[0] = true, .cached[WALK_DATA] = true};

	add(&walk, 0, 1, 1, L2, PAGE(10));
	add(&walk, 0, WALK_OWN, 2, L3, PAGE(1));
	add(&walk, WALK_DATA, 2, 3, L1, PAGE(20));
	cr_assert_eq(audit_real(&walk, 4), 4 + (4 + 14) + 54 + (4 + 4));
	audit_walk_free(&walk);
}
