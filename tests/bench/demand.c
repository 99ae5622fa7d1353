/* SPDX-License-Identifier: MIT */
/* Frames that pages get when they are first touched. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "bench/demand.h"

#define NUMBERS 8192

Test(demand, scattered_numbers_are_a_permutation_of_each_block)
{
	for (uint64_t seed = 0; seed < 5; seed++) {
		static bool taken[NUMBERS];

		memset(taken, 0, sizeof(taken));
		for (uint64_t i = 0; i < NUMBERS; i++) {
			uint64_t to = demand_scatter(i, seed);

			cr_assert_lt(to, NUMBERS);
			cr_assert(!taken[to], "%lu twice", to);
			taken[to] = true;
			/* Numbers of one block stay in it. */
			cr_assert_eq(i < DEMAND_BLOCK, to < DEMAND_BLOCK);
			if (i >= DEMAND_BLOCK)
				cr_assert_eq(__builtin_clzll(i), __builtin_clzll(to));
		}
	}
}

Test(demand, scattered_numbers_are_not_in_order)
{
	unsigned int neighbours = 0;

	for (uint64_t i = 1; i < NUMBERS; i++)
		neighbours += demand_scatter(i, 7) == demand_scatter(i - 1, 7) + 1;
	cr_assert_lt(neighbours, 64, "%u of %d stand behind their neighbour", neighbours, NUMBERS);
	cr_assert_neq(demand_scatter(5, 7), demand_scatter(5, 8));
}

static void begin(struct demand *demand, enum layout_frames frames, enum stages_pages guest,
		  enum stages_pages host)
{
	cr_assert_eq(demand_begin(demand, frames, guest, host, 3), 0);
}

Test(demand, a_page_keeps_its_frames_and_no_two_have_the_same)
{
	static struct stages_page first[NUMBERS];
	struct stages_page again;
	struct demand demand;
	bool *taken = calloc(2 * NUMBERS, sizeof(bool));

	begin(&demand, LAYOUT_SCATTERED, STAGES_4K, STAGES_4K);
	for (uint64_t i = 0; i < NUMBERS; i++) {
		cr_assert_eq(demand_touch(&demand, mix64(i) >> 28, &first[i]), 1);
		cr_assert_lt(first[i].gfn, NUMBERS, "at least half of the frames are in use");
		cr_assert(!taken[first[i].gfn] && !taken[NUMBERS + first[i].hfn]);
		taken[first[i].gfn] = taken[NUMBERS + first[i].hfn] = true;
	}
	cr_assert_eq(demand_pages(&demand), NUMBERS);
	for (uint64_t i = NUMBERS; i--;) {
		cr_assert_eq(demand_touch(&demand, mix64(i) >> 28, &again), 0);
		cr_assert_eq(again.gfn, first[i].gfn);
		cr_assert_eq(again.hfn, first[i].hfn);
	}
	free(taken);
	demand_end(&demand);
}

Test(demand, runs_keep_the_order_of_their_pages_at_both_stages)
{
	struct stages_page page, first;
	struct demand demand;

	begin(&demand, LAYOUT_RUNS, STAGES_4K, STAGES_2M);
	for (uint64_t region = 0; region < 100; region++) {
		uint64_t vpn = (mix64(region) >> 40) * 512;

		cr_assert_eq(demand_touch(&demand, vpn + 7, &first), 1);
		cr_assert_eq(first.gfn % 512, 7);
		cr_assert_eq(first.hfn % 512, 7);
		cr_assert(first.host_large && !first.guest_large);
		cr_assert_eq(demand_touch(&demand, vpn + 300, &page), 1);
		cr_assert_eq(page.gfn, first.gfn + 293);
		cr_assert_eq(page.hfn, first.hfn + 293);
	}
	demand_end(&demand);
}

Test(demand, mixed_pages_are_large_in_every_other_run)
{
	struct stages_page page;
	struct demand demand;

	begin(&demand, LAYOUT_SCATTERED, STAGES_MIXED, STAGES_MIXED);
	for (uint64_t vpn = 0; vpn < 4096; vpn += 64) {
		cr_assert_eq(demand_touch(&demand, vpn, &page), 1);
		cr_assert_eq(page.guest_large, vpn / 512 % 2 == 1);
		cr_assert_eq(page.host_large, page.gfn / 512 % 2 == 1);
	}
	demand_end(&demand);
}
