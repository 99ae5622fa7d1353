/* SPDX-License-Identifier: MIT */
/* Experiments that are run and asked what they have counted. Times are nobody's promise. */
#ifndef TESTS_BENCH_EXPERIMENT_H
#define TESTS_BENCH_EXPERIMENT_H

#include <criterion/criterion.h>
#include <string.h>

#include "bench/experiment.h"

/* Runs it into *result: every claim that is counted must hold, and there must be some. */
static inline void run_experiment(const char *name, struct experiment_result *result)
{
	const struct experiment *experiment = experiment_find(name);
	struct message message;
	size_t counted = 0;

	cr_assert_not_null(experiment, "%s", name);
	cr_assert_eq(experiment_run(experiment, result, &message), 0, "%s", message.text);
	for (size_t i = 0; i < result->claim_count; i++) {
		const struct experiment_claim *claim = &result->claims[i];

		if (claim->timed || claim->missing[0])
			continue;
		counted++;
		cr_expect(experiment_claim_holds(claim), "%s: %s: model %g, measured %g %s", name,
			  claim->text, claim->model, claim->measured, claim->unit);
	}
	cr_assert(counted);
}

/* The one claim whose text begins so. */
static inline const struct experiment_claim *find_claim(const struct experiment_result *result,
							const char *text)
{
	const struct experiment_claim *found = NULL;

	for (size_t i = 0; i < result->claim_count; i++) {
		if (strncmp(result->claims[i].text, text, strlen(text)))
			continue;
		cr_assert_null(found, "more than one claim begins with %s", text);
		found = &result->claims[i];
	}
	cr_assert_not_null(found, "no claim begins with %s", text);
	return found;
}

#endif
