/* SPDX-License-Identifier: MIT */
/* Every experiment by what it counts, and what of it matters most. */
#include "tests/bench/experiment.h"

static struct experiment_result result;

Test(experiment_counts, marking_makes_no_entry_and_copying_makes_all)
{
	run_experiment("fork", &result);
	cr_assert_eq(find_claim(&result, "marking, 16384 pages mapped: entries")->measured, 0);
	cr_assert_eq(find_claim(&result, "copying, 16384 pages mapped: entries")->measured, 16384);
	/* Whatever is mapped. */
	cr_assert_eq(find_claim(&result, "marking, 256 pages mapped: lines")->measured,
		     find_claim(&result, "marking, 16384 pages mapped: lines")->measured);
}
