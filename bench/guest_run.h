/* SPDX-License-Identifier: MIT */
/*
 * A guest for an experiment: `twostage run` with a report, as a process of its own, so that nothing
 * of the experiment's is in its memory and its times.
 */
#ifndef BENCH_GUEST_RUN_H
#define BENCH_GUEST_RUN_H

#include <jansson.h>
#include <stddef.h>

struct guest_run {
	/* NULL; else why there is no guest here: KVM is missing, or twostage or its images are. */
	char missing[256];
	json_t *report; /* the run's JSON; the caller's to drop. NULL if it is missing */
};

/*
 * Runs an image with options of `run` before it and arguments behind, both ended by NULL; `image`
 * is a file, or the name of an image that lies with the command ("touch"). What the guest prints is
 * dropped. A guest that cannot be had is no error, nor is one that ends with another status than 0:
 * the report has that.
 */
void guest_run(struct guest_run *run, const char *image, const char *const *options,
	       const char *const *arguments);

/*
 * A number of the report, by a path like "stage1.probes_per_lookup"; NAN where there is none, as
 * where the guest has not ended by itself with status 0.
 */
double guest_run_number(const struct guest_run *run, const char *path);

#endif
