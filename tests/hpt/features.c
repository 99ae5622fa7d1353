/* SPDX-License-Identifier: MIT */
/*
 * Every feature alone and every pair of features, over every organisation: random streams against
 * the model. A stream that fails is printed as short as it can be made.
 */
#include <string.h>

#include "hpt/mix.h"
#include "tests/hpt/fixture.h"
#include "tests/hpt/shrink.h"
#include "tests/hpt/stream.h"

#define RECORDS 4000

struct features_case {
	enum hpt_organisation organisation;
	unsigned int features;
};

#define COMBINATIONS (1 + STREAM_FEATURES + STREAM_FEATURES * (STREAM_FEATURES - 1) / 2)

static void fill(struct stream_record *records, size_t count, uint64_t seed)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t words[2] = {mix64_next(&seed), mix64_next(&seed)};

		memcpy(&records[i], words, sizeof(words));
	}
}

ParameterizedTestParameters(features, alone_and_in_pairs_they_agree_with_the_model)
{
	static struct features_case cases[HPT_ORGANISATIONS * COMBINATIONS];
	size_t count = 0;

	for (int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		for (unsigned int features = 0; features < 1u << STREAM_FEATURES; features++) {
			if (__builtin_popcount(features) <= 2)
				cases[count++] = (struct features_case){
					(enum hpt_organisation)organisation, features};
		}
	}
	return cr_make_param_array(struct features_case, cases, count);
}

ParameterizedTest(struct features_case *one, features, alone_and_in_pairs_they_agree_with_the_model)
{
	static struct stream_record records[RECORDS];
	struct stream stream = {.organisation = one->organisation,
				.features = one->features,
				.records = records,
				.count = RECORDS};

	fill(records, RECORDS, one->organisation * 1000 + one->features);
	if (!stream_fails_shortened(&stream))
		return;
	for (unsigned int feature = 0; feature < STREAM_FEATURES; feature++) {
		if (one->features >> feature & 1)
			cr_log_error("with %s", stream_feature_name(feature));
	}
	cr_assert_fail("%s differs from the model", hpt_organisation_name(one->organisation));
}

/* Fails if a record 7 comes after a record 3, and no record 5 between them. */
static bool contrived(void *context, const struct stream_record *records, size_t count)
{
	bool armed = false;

	++*(size_t *)context;
	for (size_t i = 0; i < count; i++) {
		if (records[i].what == 7 && armed)
			return true;
		armed = records[i].what == 3 || (armed && records[i].what != 5);
	}
	return false;
}

Test(features, a_failing_stream_is_shortened_to_what_it_needs)
{
	static struct stream_record records[RECORDS];
	size_t tries = 0;
	size_t count;

	fill(records, RECORDS, 1);
	cr_assert(contrived(&tries, records, RECORDS));
	count = shrink(records, RECORDS, contrived, &tries);
	cr_assert_eq(count, 2);
	cr_assert_eq(records[0].what, 3);
	cr_assert_eq(records[1].what, 7);
	cr_assert_leq(tries, 1000);
}

static struct pair broken_pair;

/* That the streams of this file can fail at all: a model that has lost a page is found out. */
Test(features, a_difference_ends_a_stream, .signal = 6)
{
	struct hpt_config config = {.organisation = HPT_CLUSTERED};

	cr_assert_eq(pair_begin(&broken_pair, &config), 0);
	cr_assert_eq(pair_map(&broken_pair, hpt_key(1, 2, HPT_4K), hpt_entry(3, HPT_PRESENT)), 0);
	model_set(&broken_pair.model, hpt_key(1, 2, HPT_4K), 0);
	pair_check(&broken_pair);
}
