/* SPDX-License-Identifier: MIT */
/* The kinds of table that tests are repeated over. */
#ifndef TESTS_HPT_FIXTURE_H
#define TESTS_HPT_FIXTURE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/hpt/model.h"

struct table_kind {
	enum hpt_organisation organisation;
	enum hpt_size size;
};

static struct table_kind table_kinds[] __attribute__((unused)) = {
	{HPT_RADIX, HPT_4K},	 {HPT_RADIX, HPT_2M},	 {HPT_CHAINED, HPT_4K},
	{HPT_CHAINED, HPT_2M},	 {HPT_OPEN, HPT_4K},	 {HPT_OPEN, HPT_2M},
	{HPT_BUCKET, HPT_4K},	 {HPT_BUCKET, HPT_2M},	 {HPT_CLUSTERED, HPT_4K},
	{HPT_CLUSTERED, HPT_2M}, {HPT_CUCKOO, HPT_4K},	 {HPT_CUCKOO, HPT_2M},
	{HPT_ADAPTIVE, HPT_4K},	 {HPT_ADAPTIVE, HPT_2M},
};

#define TABLE_KINDS (sizeof(table_kinds) / sizeof(table_kinds[0]))

/* A test whose body is run with `kind` set to each of table_kinds. */
#define TABLE_TEST(suite, name)                                                          \
	ParameterizedTestParameters(suite, name)                                         \
	{                                                                                \
		return cr_make_param_array(struct table_kind, table_kinds, TABLE_KINDS); \
	}                                                                                \
	ParameterizedTest(struct table_kind *kind, suite, name)

/* A table of the kind, with the memory provider's addresses away from its pointers by `offset`. */
static inline void begin_kind(struct pair *pair, const struct table_kind *kind, uint64_t salt,
			      uintptr_t offset)
{
	struct hpt_config config = {.organisation = kind->organisation, .salt = salt};

	*pair = (struct pair){.memory = {.offset = offset}};
	cr_assert_eq(pair_begin(pair, &config), 0);
}

/* The page of the kind's size and this number. */
static inline struct hpt_key page(const struct table_kind *kind, uint16_t asid, uint64_t number)
{
	return hpt_key(asid, number * hpt_pages_in(kind->size), kind->size);
}

/* An entry for a page of the kind. */
static inline uint64_t entry_of(const struct table_kind *kind, uint64_t frame)
{
	return hpt_entry(frame, HPT_PRESENT | HPT_WRITE | (kind->size == HPT_2M ? HPT_LARGE : 0));
}

#endif
