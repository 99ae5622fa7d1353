/* SPDX-License-Identifier: MIT */
/*
 * nested, by a guest that runs: a program of the built-in kernel touches memory, and the run's own
 * report says what each leg of an access has taken. Two sizes, of which the difference is what a
 * page costs, without the start and the end of a run.
 *
 * The legs are medians; where ring 0 is emulated, those of stage 1 are the emulator's.
 */
#include <stdlib.h>

#include "bench/experiment_nested.h"
#include "bench/guest_run.h"

#define SMALL "4M"
#define LARGE "12M"
#define PAGES ((12 - 4) * 256.0) /* by which they differ; the window holds all */

static double difference(const struct guest_run *small, const struct guest_run *large,
			 const char *path)
{
	return guest_run_number(large, path) - guest_run_number(small, path);
}

/* What walks of the running guest's pages count, beside the probes of its own lookups. */
static void claim_walks(struct experiment_result *result, const struct guest_run *run)
{
	double one = guest_run_number(run, "stage1.probes_per_lookup");
	double two = guest_run_number(run, "stage2.probes_per_lookup");

	experiment_equal(result, "probes", 1, one, 0.1, "live: probes of a lookup at stage 1");
	experiment_equal(result, "refs", two + one + two,
			 guest_run_number(run, "walk_check.4k.refs"), 0.25,
			 "live: p2 + p1 + p2 of faults, and references of walks");
	experiment_equal(result, "walks", 0, guest_run_number(run, "walk_check.wrong"), 0,
			 "live: walks that the machine contradicts");
}

static void claim_legs(struct experiment_result *result, const struct guest_run *small,
		       const struct guest_run *large)
{
	double stage1 = difference(small, large, "stage1.first_touches") / PAGES;
	double stage2 = difference(small, large, "stage2.faults") / PAGES;
	double trap = guest_run_number(large, "legs.trap.p50_ns");
	double lookup = guest_run_number(large, "legs.lookup.p50_ns");
	double install = guest_run_number(large, "legs.install.p50_ns");
	double fault = guest_run_number(large, "legs.fault.p50_ns");
	double miss = guest_run_number(large, "legs.exit.p50_ns") +
		      guest_run_number(large, "legs.stage2_lookup.p50_ns") +
		      guest_run_number(large, "legs.stage2_install.p50_ns");
	double time = difference(small, large, "run_ns") / PAGES;
	double legs = stage1 * fault + stage2 * miss;

	experiment_equal(result, "faults", 1, stage1, 0.01, "live: faults of a page at stage 1");
	experiment_at_least(result, "misses", 1, stage2, 0.01, "live: misses of a page at stage 2");
	experiment_equal(result, "ns", trap + lookup + install, fault, 0.15,
			 "live: trap + lookup + install, and the fault")
		->timed = true;
	experiment_at_least(result, "ns", legs, time, 0.25,
			    "live: both stages' legs of a page, and its time")
		->timed = true;
	experiment_note(
		result,
		"Of the %.0f us that a page of the guest's has taken, the legs show %.0f: an "
		"exit is as one for a doorbell, and nobody sees how KVM gets from the access to "
		"the guest's fault handler and back.",
		time / 1000, legs / 1000);
}

void experiment_nested_guest(struct experiment_result *result)
{
	const char *const small_size[] = {SMALL, NULL};
	const char *const large_size[] = {LARGE, NULL};
	const char *const plain[] = {"--mem", "64M", NULL};
	const char *const checked[] = {"--mem", "64M", "--walk-check", "256", NULL};
	struct guest_run small, large, walked;

	guest_run(&small, "touch", plain, small_size);
	guest_run(&large, "touch", plain, large_size);
	guest_run(&walked, "touch", checked, small_size);
	if (small.report && large.report && walked.report) {
		claim_walks(result, &walked);
		claim_legs(result, &small, &large);
	} else {
		experiment_missing(result, "ns",
				   small.missing[0]   ? small.missing
				   : large.missing[0] ? large.missing
						      : walked.missing,
				   "live: the legs of an access of a guest that runs");
	}
	json_decref(small.report);
	json_decref(large.report);
	json_decref(walked.report);
}
