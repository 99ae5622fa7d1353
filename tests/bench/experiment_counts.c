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

Test(experiment_counts, a_reader_never_writes_and_only_recycled_numbers_find_what_is_left)
{
	run_experiment("shared", &result);
	cr_assert_eq(find_claim(&result, "rights: writes that the reader")->measured, 0);
	cr_assert(find_claim(&result, "rights: writes that the writer")->measured > 0);
	cr_assert(find_claim(&result, "a recycled process id, table")->measured > 0);
	cr_assert(find_claim(&result, "a recycled process id, TLB")->measured > 0);
	cr_assert_eq(find_claim(&result, "ASIDs, used again only")->measured, 0);
	cr_assert_eq(find_claim(&result, "ASIDs that are never used")->measured, 0);
}

Test(experiment_counts, neighbours_save_a_stream_jumps_and_cost_segments_lines)
{
	run_experiment("prefetch", &result);
	cr_assert(experiment_residual(find_claim(&result, "open, segments: lines")) > 0.1);
}

Test(experiment_counts, a_walk_deciphers_a_word_a_level_or_one_an_entry)
{
	run_experiment("sealed", &result);
	cr_assert_eq(find_claim(&result, "RR, sealed at every level")->measured, 24);
	cr_assert_eq(find_claim(&result, "HHp, sealed at every level")->measured, 2);
}

Test(experiment_counts, computed_keys_collide_in_a_linear_hash_and_not_in_a_keyed_one)
{
	run_experiment("flood", &result);
	cr_assert(find_claim(&result, "chained, salted crc32")->measured > 200);
	cr_assert(find_claim(&result, "chained, keyed siphash")->measured < 3);
	cr_assert(find_claim(&result, "another salt: probes")->measured < 3);
}

Test(experiment_counts, a_nested_walk_is_the_sum_of_its_lookups)
{
	run_experiment("nested", &result);
	cr_assert_eq(experiment_residual(find_claim(&result, "HHp, siphash: p1 + p2")), 0);
}
