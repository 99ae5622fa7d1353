/* SPDX-License-Identifier: MIT */
/* Long random streams of everything that spaces do, over every organisation, against the model. */
#include <string.h>

#include "hpt/mix.h"
#include "tests/hpt/fixture.h"
#include "tests/hpt/space_model.h"

#define RECORDS 6000

struct space_case {
	enum hpt_organisation organisation;
	unsigned int features;
};

ParameterizedTestParameters(space, streams_agree_with_the_model)
{
	static struct space_case cases[HPT_ORGANISATIONS << WORLD_FEATURES];

	for (unsigned int i = 0; i < HPT_ORGANISATIONS << WORLD_FEATURES; i++)
		cases[i] = (struct space_case){(enum hpt_organisation)(i >> WORLD_FEATURES),
					       i % (1 << WORLD_FEATURES)};
	return cr_make_param_array(struct space_case, cases, HPT_ORGANISATIONS << WORLD_FEATURES);
}

ParameterizedTest(struct space_case *one, space, streams_agree_with_the_model)
{
	static struct stream_record records[RECORDS];
	struct space_stream stream = {.organisation = one->organisation,
				      .features = one->features,
				      .records = records,
				      .count = RECORDS};

	for (uint64_t seed = 0; seed < 3; seed++) {
		uint64_t state = seed * 100 + one->organisation * 4 + one->features;

		for (size_t i = 0; i < RECORDS; i++) {
			uint64_t words[2] = {mix64_next(&state), mix64_next(&state)};

			memcpy(&records[i], words, sizeof(words));
		}
		cr_assert(!space_stream_fails_shortened(&stream), "%s differs from the model",
			  hpt_organisation_name(one->organisation));
	}
}
