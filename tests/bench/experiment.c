/* SPDX-License-Identifier: MIT */
/* What a result says of its claims; and of every experiment, that what it counts holds. */
#include "tests/bench/experiment.h"

#include <math.h>

static struct experiment_claim claim(enum experiment_relation relation, double model,
				     double measured, double tolerance)
{
	return (struct experiment_claim){.unit = "lines",
					 .relation = relation,
					 .model = model,
					 .measured = measured,
					 .tolerance = tolerance};
}

static bool holds(enum experiment_relation relation, double model, double measured,
		  double tolerance)
{
	struct experiment_claim one = claim(relation, model, measured, tolerance);

	return experiment_claim_holds(&one);
}

Test(experiment, equal_is_within_the_tolerance_on_both_sides)
{
	cr_assert(holds(EXPERIMENT_EQUAL, 4, 4, 0));
	cr_assert(holds(EXPERIMENT_EQUAL, 100, 104, 0.05));
	cr_assert(holds(EXPERIMENT_EQUAL, 100, 96, 0.05));
	cr_assert_not(holds(EXPERIMENT_EQUAL, 100, 106, 0.05));
	cr_assert_not(holds(EXPERIMENT_EQUAL, 100, 94, 0.05));
	cr_assert_not(holds(EXPERIMENT_EQUAL, 4, 5, 0));
}

Test(experiment, bounds_are_open_on_one_side)
{
	cr_assert(holds(EXPERIMENT_AT_MOST, 10, 1, 0));
	cr_assert(holds(EXPERIMENT_AT_MOST, 10, 10.4, 0.05));
	cr_assert_not(holds(EXPERIMENT_AT_MOST, 10, 11, 0.05));
	cr_assert(holds(EXPERIMENT_AT_LEAST, 10, 100, 0));
	cr_assert(holds(EXPERIMENT_AT_LEAST, 10, 9.6, 0.05));
	cr_assert_not(holds(EXPERIMENT_AT_LEAST, 10, 9, 0.05));
}

Test(experiment, a_model_of_nothing_has_what_was_measured_as_its_residual)
{
	struct experiment_claim one = claim(EXPERIMENT_EQUAL, 0, 3, 0);

	cr_assert_eq(experiment_residual(&one), 3);
	cr_assert_not(experiment_claim_holds(&one));
	cr_assert(holds(EXPERIMENT_EQUAL, 0, 0, 0));
}

Test(experiment, what_is_no_number_does_not_hold)
{
	for (int relation = EXPERIMENT_EQUAL; relation <= EXPERIMENT_AT_LEAST; relation++) {
		cr_assert_not(holds((enum experiment_relation)relation, 1, NAN, 1));
		cr_assert_not(holds((enum experiment_relation)relation, NAN, 1, 1));
	}
}

static struct experiment_result result;

Test(experiment, a_claim_that_was_not_measured_does_not_hold)
{
	cr_assert_not(experiment_holds(&result));
	experiment_claim(&result, claim(EXPERIMENT_EQUAL, 1, 1, 0), "%d", 1);
	cr_assert(experiment_holds(&result));
	experiment_missing(&result, "lines", "there is no such device", "%d", 2);
	cr_assert_not(experiment_claim_holds(&result.claims[1]));
	cr_assert_not(experiment_holds(&result));
	cr_assert_str_eq(experiment_worst(&result)->text, "1");
}

Test(experiment, the_worst_claim_sums_it_up)
{
	cr_assert_null(experiment_worst(&result));
	experiment_claim(&result, claim(EXPERIMENT_AT_MOST, 100, 1, 0), "far from its bound");
	experiment_claim(&result, claim(EXPERIMENT_EQUAL, 100, 104, 0.05), "near");
	experiment_claim(&result, claim(EXPERIMENT_EQUAL, 100, 110, 0.2), "farther, but allowed");
	cr_assert_str_eq(experiment_worst(&result)->text, "near");
	experiment_claim(&result, claim(EXPERIMENT_AT_LEAST, 100, 50, 0), "fails");
	cr_assert_str_eq(experiment_worst(&result)->text, "fails");
}

Test(experiment, names_find_experiments_and_are_all_different)
{
	for (size_t i = 0; experiment_number(i); i++)
		cr_assert_eq(experiment_find(experiment_number(i)->name), experiment_number(i));
	cr_assert_null(experiment_find("list"));
	cr_assert_null(experiment_find("all"));
}
