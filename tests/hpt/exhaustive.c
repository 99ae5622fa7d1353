/* SPDX-License-Identifier: MIT */
/*
 * Small tables, all of them: every sequence of so many operations on pages that share a line, a
 * region, or neither, and on a large page that lies where a small one does.
 */
#include "tests/hpt/fixture.h"

#define LENGTH 4

struct step {
	enum { MAP, UNMAP, CHANGE, MAP_RANGE, UNMAP_RANGE } what;
	struct hpt_key key;
	uint64_t frame;
};

static const struct step steps[] = {
	{MAP, {.vpn = 0}, 0x10},
	{MAP, {.vpn = 1}, 0x11},
	{MAP, {.vpn = 8}, 0x10},
	{MAP, {.vpn = 0, .asid = 1}, 0x10},
	{MAP, {.vpn = 512}, 0x200},
	{MAP, {.vpn = 512, .size = HPT_2M}, 0x200},
	{UNMAP, {.vpn = 0}, 0},
	{UNMAP, {.vpn = 1}, 0},
	{UNMAP, {.vpn = 512, .size = HPT_2M}, 0},
	{CHANGE, {.vpn = 1}, 0},
	{MAP_RANGE, {.vpn = 0}, 0x10},
	{UNMAP_RANGE, {.vpn = 1}, 0},
};

#define STEPS	    (sizeof(steps) / sizeof(steps[0]))
#define RANGE_PAGES 16

static void take_step(struct pair *pair, const struct step *step)
{
	uint64_t entry = hpt_entry(step->frame, HPT_PRESENT);

	if (step->key.size == HPT_2M)
		entry |= HPT_LARGE;
	switch (step->what) {
	case MAP:
		pair_map(pair, step->key, entry);
		break;
	case UNMAP:
		pair_unmap(pair, step->key);
		break;
	case CHANGE:
		pair_change(pair, step->key, 0, HPT_WRITE);
		break;
	case MAP_RANGE:
		pair_map_range(pair, step->key, RANGE_PAGES, entry);
		break;
	default:
		pair_visit_range(pair, step->key, RANGE_PAGES, PAIR_UNMAP);
	}
}

static struct table_kind organisations[HPT_ORGANISATIONS];

ParameterizedTestParameters(exhaustive, every_short_sequence_agrees_with_the_model)
{
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		organisations[i].organisation = (enum hpt_organisation)i;
	return cr_make_param_array(struct table_kind, organisations, HPT_ORGANISATIONS);
}

ParameterizedTest(struct table_kind *kind, exhaustive, every_short_sequence_agrees_with_the_model)
{
	struct hpt_config config = {.organisation = kind->organisation};
	unsigned int sequences = 1;

	for (int i = 0; i < LENGTH; i++)
		sequences *= STEPS;
	for (unsigned int sequence = 0; sequence < sequences; sequence++) {
		static struct pair pair;
		unsigned int rest = sequence;

		pair = (struct pair){.model = {.bucket_count = 16}};
		cr_assert_eq(pair_begin(&pair, &config), 0);
		for (int i = 0; i < LENGTH; i++, rest /= STEPS)
			take_step(&pair, &steps[rest % STEPS]);
		pair_end(&pair);
	}
}
