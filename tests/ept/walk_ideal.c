/* SPDX-License-Identifier: MIT */
/* What walks cost where each table answers at once: the numbers of the literature, and the rest. */
#include <criterion/criterion.h>

#include "ept/walk_ideal.h"

static void expect(enum hpt_organisation guest, enum hpt_organisation host, enum hpt_size size,
		   unsigned int refs, unsigned int steps)
{
	struct walk_ideal ideal = walk_ideal(guest, host, size);

	cr_expect_eq(ideal.refs, refs, "%s over %s: %u refs, wanted %u",
		     hpt_organisation_name(guest), hpt_organisation_name(host), ideal.refs, refs);
	cr_expect_eq(ideal.steps, steps, "%s over %s: %u steps, wanted %u",
		     hpt_organisation_name(guest), hpt_organisation_name(host), ideal.steps, steps);
}

Test(walk_ideal, nested_radix_is_24_and_hashing_either_stage_makes_it_9_or_3)
{
	expect(HPT_RADIX, HPT_RADIX, HPT_4K, 24, 24);
	expect(HPT_RADIX, HPT_CLUSTERED, HPT_4K, 9, 9);
	expect(HPT_CLUSTERED, HPT_RADIX, HPT_4K, 9, 9);
	expect(HPT_CLUSTERED, HPT_BUCKET, HPT_4K, 3, 3);
	expect(HPT_OPEN, HPT_ADAPTIVE, HPT_4K, 3, 3);
}

Test(walk_ideal, ways_are_one_step)
{
	expect(HPT_CUCKOO, HPT_CUCKOO, HPT_4K, 15, 3);
	expect(HPT_CLUSTERED, HPT_CUCKOO, HPT_4K, 7, 3);
	expect(HPT_CUCKOO, HPT_CLUSTERED, HPT_4K, 7, 3);
	expect(HPT_CUCKOO, HPT_RADIX, HPT_4K, 19, 9);
}

Test(walk_ideal, a_chain_is_a_head_and_a_node)
{
	expect(HPT_CHAINED, HPT_CHAINED, HPT_4K, 8, 8);
	expect(HPT_CHAINED, HPT_CLUSTERED, HPT_2M, 7, 7);
}

Test(walk_ideal, a_page_of_2m_is_a_level_less_in_a_tree_and_a_search_more_elsewhere)
{
	expect(HPT_RADIX, HPT_RADIX, HPT_2M, 19, 19);
	expect(HPT_CLUSTERED, HPT_CLUSTERED, HPT_2M, 5, 5);
	expect(HPT_CUCKOO, HPT_CUCKOO, HPT_2M, 27, 5);
	expect(HPT_ADAPTIVE, HPT_CLUSTERED, HPT_2M, 4, 4);
}

static void expect_slab(enum hpt_organisation guest, enum hpt_organisation host, enum hpt_size size,
			unsigned int refs, unsigned int steps)
{
	struct walk_ideal ideal = walk_ideal_slab(guest, host, size);

	cr_expect_eq(ideal.refs, refs);
	cr_expect_eq(ideal.steps, steps);
}

Test(walk_ideal, by_a_slab_no_line_of_the_guests_table_is_translated)
{
	expect_slab(HPT_CLUSTERED, HPT_CLUSTERED, HPT_4K, 2, 2);
	expect_slab(HPT_CLUSTERED, HPT_CLUSTERED, HPT_2M, 3, 3);
	expect_slab(HPT_RADIX, HPT_RADIX, HPT_4K, 8, 8);
	expect_slab(HPT_CUCKOO, HPT_CUCKOO, HPT_4K, 6, 2);
	expect_slab(HPT_CHAINED, HPT_RADIX, HPT_4K, 6, 6);
}
