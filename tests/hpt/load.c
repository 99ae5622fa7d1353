/* SPDX-License-Identifier: MIT */
/* Average probes of a clustered table just before it grows, against the formulas. */
#include <string.h>

#include "hpt/clustered.h"
#include "tests/hpt/fixture.h"

struct load_kind {
	unsigned int lines_log2;
	bool random;
	unsigned int stride_log2; /* blocks from one key to the next */
	enum hpt_hash_family hash;
};

static struct load_kind kinds[] = {
	{10, false, 0, HPT_FIBONACCI}, {12, false, 0, HPT_FIBONACCI}, {15, false, 0, HPT_FIBONACCI},
	{17, false, 0, HPT_FIBONACCI}, {12, true, 0, HPT_FIBONACCI},  {15, true, 0, HPT_FIBONACCI},
	{17, true, 0, HPT_FIBONACCI},  {12, false, 0, HPT_LOCAL},     {17, false, 0, HPT_LOCAL},
	{12, true, 0, HPT_LOCAL},      {17, true, 0, HPT_LOCAL},
};

static struct test_memory memory;
static struct hpt table;

/* The first page of the n-th block of a pattern. */
static struct hpt_key block_key(const struct load_kind *kind, uint64_t n)
{
	uint64_t block =
		kind->random ? model_random(&n) >> 23 : 0x1f1234560 + (n << kind->stride_log2);

	return hpt_key(1, block * 8, HPT_4K);
}

/* Probes a lookup, of the blocks [first, end) of the pattern. */
static double average(const struct load_kind *kind, uint64_t first, uint64_t end, bool hits)
{
	struct hpt_ledger ledger = {0};
	uint64_t entry;

	for (uint64_t n = first; n < end; n++)
		hpt_lookup(&table, block_key(kind, n), &entry, &ledger);
	cr_assert_eq(ledger.lookups, end - first);
	cr_assert_eq(ledger.hits, hits ? end - first : 0);
	cr_assert_eq(ledger.hashes, ledger.lookups);
	cr_assert(ledger.probes == ledger.lines && ledger.probes == ledger.steps);
	return (double)ledger.probes / (double)ledger.lookups;
}

/* Fills a table to 5/8 with the pattern, and gives the average probes of hits and of misses. */
static void measure(const struct load_kind *kind, double *hit, double *miss)
{
	uint64_t used = (UINT64_C(1) << kind->lines_log2) * 5 / 8;
	struct hpt_config config = {
		.organisation = HPT_CLUSTERED, .pages = used * 8, .hash = kind->hash};

	memory = (struct test_memory){0};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(hpt_create(&table, &config), 0);
	cr_assert_eq(table.counts.lines, UINT64_C(1) << kind->lines_log2);
	for (uint64_t n = 0; n < used; n++)
		cr_assert_eq(hpt_map(&table, block_key(kind, n), hpt_entry(n, HPT_PRESENT)), 0);
	cr_assert_eq(table.counts.used, used);
	cr_assert_eq(table.counts.moves, 0);
	*hit = average(kind, 0, used, true);
	*miss = average(kind, used, 2 * used, false);
	hpt_destroy(&table);
	test_memory_end(&memory);
}

ParameterizedTestParameters(load, probes_are_what_the_formulas_say)
{
	return cr_make_param_array(struct load_kind, kinds, sizeof(kinds) / sizeof(kinds[0]));
}

ParameterizedTest(struct load_kind *kind, load, probes_are_what_the_formulas_say)
{
	const double full = 5.0 / 8;
	double hit;
	double miss;

	measure(kind, &hit, &miss);
	if (kind->random) {
		/* Linear probing; groups fill unevenly, which costs hits a little. */
		cr_assert_lt(hit, 1.1 * (1 + 1 / (1 - full)) / 2, "%.3f probes a hit", hit);
		/* `passed` ends a miss before the first free line that linear probing needs. */
		cr_assert_lt(miss, 0.8 * (1 + 1 / ((1 - full) * (1 - full))) / 2,
			     "%.3f probes a miss", miss);
	} else {
		cr_assert_lt(hit, 1.35, "%.3f probes a hit", hit);
		cr_assert_lt(miss, 1.35, "%.3f probes a miss", miss);
	}
}

static enum hpt_hash_family multiplicative[] = {HPT_FIBONACCI, HPT_LOCAL};

ParameterizedTestParameters(load, no_stride_of_a_power_of_two_takes_more_than_two_probes_a_hit)
{
	return cr_make_param_array(enum hpt_hash_family, multiplicative, 2);
}

/* 1 page of 512, or of any other power of two: the patterns that a multiplier must be chosen for.
 */
ParameterizedTest(enum hpt_hash_family *family, load,
		  no_stride_of_a_power_of_two_takes_more_than_two_probes_a_hit)
{
	for (unsigned int lines_log2 = 8; lines_log2 <= 17; lines_log2++) {
		for (unsigned int stride_log2 = 0; stride_log2 <= 15; stride_log2++) {
			struct load_kind kind = {lines_log2, false, stride_log2, *family};
			double hit;
			double miss;

			measure(&kind, &hit, &miss);
			cr_expect_lt(hit, 2.0, "2^%u lines, stride 2^%u: %.3f probes a hit",
				     lines_log2, stride_log2, hit);
		}
	}
}

/*
 * The same for tables too large to be filled here: probes a hit in 16 groups, 1024 lines, of a
 * table of 2^lines_log2 lines that is full to 5/8 with the blocks of a stride. No table is needed,
 * since what comes to other groups does not matter.
 */
static double sample(enum hpt_hash_family family, unsigned int lines_log2, unsigned int stride_log2)
{
	static struct hpt_desc desc = {.organisation = HPT_CLUSTERED, .split = UINT64_MAX};
	const unsigned int shift = 64 - lines_log2;
	const uint64_t blocks = (UINT64_C(5) << lines_log2) / 8;
	const uint64_t tag = clustered_tag(hpt_key(1, 0, HPT_4K));
	static bool used[1024];
	uint64_t probes = 0;
	uint64_t seen = 0;

	desc.hash = family;
	desc.family = family;
	desc.current.lines_log2 = lines_log2;
	memset(used, 0, sizeof(used));
	for (uint64_t n = 0; n < blocks; n++) {
		uint64_t block = tag + (n << stride_log2);
		uint64_t hash = hpt_spot(&desc, block).hash;
		uint64_t home = (hash >> shift) % 1024 << HPT_LINE_SHIFT;
		uint64_t at = home;
		unsigned int index = 0;

		if (hash >> shift >> 10 != 0x155 % (UINT64_C(1) << (lines_log2 - 10)))
			continue;
		while (index < HPT_GROUP_LINES && used[at >> HPT_LINE_SHIFT])
			at = hpt_group_line(home, block, ++index);
		used[at >> HPT_LINE_SHIFT] = true;
		probes += index + 1;
		seen++;
	}
	return seen ? (double)probes / (double)seen : 0;
}

Test(load, no_stride_takes_more_than_two_probes_a_hit_in_tables_of_any_size)
{
	for (unsigned int lines_log2 = 18; lines_log2 <= 26; lines_log2 += 2) {
		for (unsigned int stride_log2 = 0; stride_log2 <= 18; stride_log2 += 3) {
			double hit = sample(HPT_FIBONACCI, lines_log2, stride_log2);

			cr_expect_lt(hit, stride_log2 ? 2.0 : 1.35,
				     "2^%u lines, stride 2^%u: %.3f probes a hit", lines_log2,
				     stride_log2, hit);
		}
	}
}

Test(load, under_local_lone_keys_spread_as_those_of_a_quarter_of_their_stride_by_fibonacci)
{
	for (unsigned int lines_log2 = 18; lines_log2 <= 26; lines_log2 += 4) {
		cr_expect_lt(sample(HPT_LOCAL, lines_log2, 0), 1.35);
		for (unsigned int stride_log2 = 2; stride_log2 <= 18; stride_log2 += 4) {
			double hit = sample(HPT_LOCAL, lines_log2, stride_log2);
			double same = sample(HPT_FIBONACCI, lines_log2, stride_log2 - 2);

			cr_expect_lt(hit, 1.15 * same, "2^%u lines, stride 2^%u: %.3f and %.3f",
				     lines_log2, stride_log2, hit, same);
		}
	}
}
