/* SPDX-License-Identifier: MIT */
/* The software TLB by itself, and what the experiment makes of it. */
#include "tests/bench/experiment.h"

#include <errno.h>

#include "bench/soft_tlb.h"

static struct experiment_result result;

static struct hpt_key page(uint64_t vpn)
{
	return hpt_key(1, vpn, HPT_4K);
}

static struct soft_tlb make(unsigned int slots, bool exclusive)
{
	struct soft_tlb tlb;
	struct soft_tlb_config config = {
		.window = {.sets = 1, .ways = 2}, .slots = slots, .exclusive = exclusive};

	cr_assert_eq(soft_tlb_create(&tlb, &config), 0);
	return tlb;
}

/* Looks a page up and fills it in where it is missing. */
static enum soft_tlb_level touch(struct soft_tlb *tlb, uint64_t vpn)
{
	uint64_t entry = 0;
	enum soft_tlb_level level = soft_tlb_lookup(tlb, page(vpn), &entry);

	if (level == SOFT_TLB_MISS)
		soft_tlb_fill(tlb, page(vpn), hpt_entry(vpn + 1, HPT_PRESENT));
	else
		cr_assert_eq(entry, hpt_entry(vpn + 1, HPT_PRESENT));
	return level;
}

Test(soft_tlb, the_window_answers_first_and_then_the_bucket)
{
	struct soft_tlb tlb = make(5, false);

	for (uint64_t vpn = 0; vpn < 3; vpn++)
		cr_assert_eq(touch(&tlb, vpn), SOFT_TLB_MISS);
	cr_assert_eq(touch(&tlb, 2), SOFT_TLB_WINDOW);
	cr_assert_eq(touch(&tlb, 0), SOFT_TLB_BUCKET);
	cr_assert_eq(touch(&tlb, 0), SOFT_TLB_WINDOW);
	cr_assert_eq(tlb.lines_read, 4);
	soft_tlb_destroy(&tlb);
}

Test(soft_tlb, a_full_bucket_loses_its_oldest_page)
{
	struct soft_tlb tlb = make(3, false);

	for (uint64_t vpn = 0; vpn < 5; vpn++)
		touch(&tlb, vpn);
	/* 3 and 4 are in the window; the bucket had 0 to 2 and lost 0 and 1. */
	cr_assert_eq(touch(&tlb, 2), SOFT_TLB_BUCKET);
	cr_assert_eq(touch(&tlb, 0), SOFT_TLB_MISS);
	soft_tlb_destroy(&tlb);
}

Test(soft_tlb, exclusive_levels_hold_as_many_pages_as_they_have_places)
{
	struct soft_tlb tlb = make(5, true);

	for (uint64_t vpn = 0; vpn < 7; vpn++)
		cr_assert_eq(touch(&tlb, vpn), SOFT_TLB_MISS);
	for (int i = 0; i < 100; i++)
		cr_assert_neq(touch(&tlb, (uint64_t)i * 3 % 7), SOFT_TLB_MISS);
	cr_assert_eq(touch(&tlb, 7), SOFT_TLB_MISS);
	soft_tlb_destroy(&tlb);
}

Test(soft_tlb, pages_of_other_address_spaces_are_others)
{
	struct soft_tlb tlb = make(5, false);
	uint64_t entry;

	for (uint64_t vpn = 0; vpn < 3; vpn++)
		touch(&tlb, vpn);
	cr_assert_eq(soft_tlb_lookup(&tlb, hpt_key(2, 0, HPT_4K), &entry), SOFT_TLB_MISS);
	soft_tlb_destroy(&tlb);
}

Test(soft_tlb, shapes_that_cannot_be_are_refused)
{
	struct soft_tlb tlb;
	struct soft_tlb_config config = {.window = {.sets = 1, .ways = 2}, .slots = 6};

	cr_assert_eq(soft_tlb_create(&tlb, &config), -EINVAL);
	config.slots = 0;
	cr_assert_eq(soft_tlb_create(&tlb, &config), -EINVAL);
	config.slots = 1;
	config.buckets_log2 = 27;
	cr_assert_eq(soft_tlb_create(&tlb, &config), -EINVAL);
	config.buckets_log2 = 0;
	config.window.sets = 3;
	cr_assert_eq(soft_tlb_create(&tlb, &config), -EINVAL);
}

Test(experiment_softtlb, hits_follow_the_formula)
{
	run_experiment("softtlb", &result);
	/* The formula says too much where the accesses are not independent of the window. */
	cr_assert(experiment_residual(find_claim(&result, "Zipf accesses, h2 measured")) < -0.05);
}
