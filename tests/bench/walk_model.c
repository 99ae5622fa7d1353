/* SPDX-License-Identifier: MIT */
/* What theory says of a walk, where it says it exactly. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

#include "bench/walk_model.h"

static struct walk_model of(enum form form, enum hpt_organisation guest, enum hpt_organisation host)
{
	struct walk_model_table one = {.organisation = guest, .even = true};
	struct walk_model_table two = {.organisation = host, .even = true};

	return walk_model(form_kind(form), &one, &two);
}

Test(walk_model, refs_are_24_9_3_2_and_1)
{
	cr_assert_eq(of(FORM_RR, HPT_RADIX, HPT_RADIX).refs, 24);
	cr_assert_eq(of(FORM_RH, HPT_RADIX, HPT_CLUSTERED).refs, 9);
	cr_assert_eq(of(FORM_HR, HPT_CLUSTERED, HPT_RADIX).refs, 9);
	cr_assert_eq(of(FORM_HH, HPT_CLUSTERED, HPT_CLUSTERED).refs, 3);
	cr_assert_eq(of(FORM_HHP, HPT_CLUSTERED, HPT_CLUSTERED).refs, 2);
	cr_assert_eq(of(FORM_SHD, HPT_CLUSTERED, HPT_CLUSTERED).refs, 1);
}

Test(walk_model, ways_are_one_step_and_as_many_refs)
{
	struct walk_model model = of(FORM_HH, HPT_CUCKOO, HPT_CUCKOO);

	cr_assert_eq(model.refs, 15);
	cr_assert_eq(model.steps, 3);
}

Test(walk_model, a_leaf_of_2m_is_a_level_less_at_each_stage)
{
	struct walk_model_table large = {.organisation = HPT_RADIX, .large = 1};

	cr_assert_eq(walk_model(form_kind(FORM_RR), &large, &large).refs, 15);
}

Test(walk_model, probes_follow_the_load)
{
	struct walk_model_table table = {.organisation = HPT_CLUSTERED, .load = 0.5};
	struct walk_model_table one = {.organisation = HPT_CLUSTERED, .even = true};
	double probes = walk_model(form_kind(FORM_SHD), &table, &one).refs;

	cr_assert(fabs(probes - 2 * log(2)) < 1e-9);
	table.organisation = HPT_CHAINED;
	cr_assert_eq(walk_model(form_kind(FORM_SHD), &table, &one).refs, 2.25);
	/* (1 + 1/(1 - 1/2)) / 2 = 1.5 slots, of which four are in a line. */
	table.organisation = HPT_OPEN;
	cr_assert_eq(walk_model(form_kind(FORM_SHD), &table, &one).refs, 1.125);
}

Test(walk_model, forms_have_names_that_find_them)
{
	for (int form = 0; form < FORMS; form++)
		cr_assert_eq(form_find(form_kind((enum form)form)->name), form);
	cr_assert_eq(form_find("rr"), -ENOENT);
}
