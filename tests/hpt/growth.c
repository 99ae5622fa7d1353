/* SPDX-License-Identifier: MIT */
/*
 * Growth and overflow of clustered tables, with colliding keys made on purpose: the hash is a
 * permutation of 64 bits, so that keys of any hash can be computed.
 */
#include <errno.h>
#include <string.h>

#include "hpt/adaptive_region.h"
#include "hpt/chained.h"
#include "hpt/clustered.h"
#include "hpt/generation.h"
#include "tests/hpt/fixture.h"
#include "tests/hpt/unhash.h"

#define COLLIDING 300

static struct pair pair;
static const struct table_kind clustered = {HPT_CLUSTERED, HPT_4K};

/* A key of the first page of a block, whose hash has `top` as its upper `bits` bits. */
static struct hpt_key colliding_key(uint64_t salt, uint64_t top, unsigned int bits,
				    uint64_t *random)
{
	for (;;) {
		uint64_t hash = top << (64 - bits) | model_random(random) >> bits;
		uint64_t tag = clustered_unhash(hash, salt);
		uint64_t block = tag & ((UINT64_C(1) << 46) - 1);
		struct hpt_key key = hpt_key((uint16_t)(tag >> 46), block * 8, HPT_4K);

		if (tag >> 62 == 2 && !(block >> (HPT_VPN_BITS - 3)))
			return key;
	}
}

/* Maps and sees that growth moved no more than it may. */
static void map_bounded(struct hpt_key key, uint64_t entry)
{
	struct hpt_counts before = pair.table.counts;

	cr_assert_eq(pair_map(&pair, key, entry), 0);
	cr_assert_leq(pair.table.counts.moves - before.moves, 64 + before.spilled);
}

/*
 * What one insertion may move, beside what had spilled: the places of a group, and for cuckoo the
 * path of the search; of chains, however long they are, a few nodes; for adaptive the pages of a
 * region that becomes a leaf.
 */
static uint64_t most_moves(const struct table_kind *kind)
{
	switch (kind->organisation) {
	case HPT_CHAINED:
		return CHAINED_STEP;
	case HPT_OPEN:
		return 256;
	case HPT_BUCKET:
		return 320;
	case HPT_CUCKOO:
		return 64 + 8;
	case HPT_ADAPTIVE:
		return ADAPTIVE_MOVES_MAX;
	default:
		return 64;
	}
}

/* Moved lines are 1 to the number of those that were there; doubling ends where load is low. */
TABLE_TEST(growth, an_insert_moves_a_bounded_number_of_lines)
{
	uint64_t random = 3;
	uint64_t grown = 0;

	begin_kind(&pair, kind, 0, 0);
	for (unsigned int i = 0; i < 60000; i++) {
		struct hpt_key key = page(kind, 1, model_random(&random) >> 38);
		struct hpt_counts before = pair.table.counts;
		int error = pair_map(&pair, key, entry_of(kind, i));

		cr_assert(!error || error == -EEXIST);
		cr_assert_leq(pair.table.counts.moves - before.moves,
			      most_moves(kind) + before.spilled);
		cr_assert_leq(before.spilled, generation_spill_places(&pair.table));
		grown += pair.table.counts.lines > before.lines;
	}
	pair_compare(&pair);
	if (kind->organisation == HPT_RADIX)
		cr_assert_eq(pair.table.counts.moves, 0);
	else
		cr_assert_gt(grown, 6);
	pair_end(&pair);
}

/* A page whose hash, without a salt, begins with 16 bits that are the same for all: one head. */
static struct hpt_key one_chain(unsigned int number)
{
	static const struct hpt_desc desc = {.hash = HPT_FIBONACCI};
	static uint64_t vpn;
	struct hpt_key key;

	vpn = number ? vpn : 0;
	do {
		key = hpt_key(1, vpn++, HPT_4K);
	} while (hpt_hash(&desc, hpt_tag(key)) >> 48 != UINT16_MAX);
	return key;
}

/* The last chain of the table, so that growth ends with it. */
Test(growth, a_chain_of_any_length_moves_a_few_nodes_at_once)
{
	const struct table_kind chained = {HPT_CHAINED, HPT_4K};
	static struct hpt_key keys[560];
	unsigned int partly = 0;

	begin_kind(&pair, &chained, 0, 0);
	for (unsigned int i = 0; i < 560; i++) {
		struct hpt_counts before = pair.table.counts;

		keys[i] = one_chain(i);
		cr_assert_eq(pair_map(&pair, keys[i], hpt_entry(i, HPT_PRESENT)), 0);
		cr_assert_leq(pair.table.counts.moves - before.moves, CHAINED_STEP);
	}
	/* All but the last line of heads is empty: then the chain goes, 32 nodes at a time. */
	cr_assert(pair.table.desc.growing);
	for (unsigned int i = 0; pair.table.desc.growing; i++) {
		uint64_t moves = pair.table.counts.moves;

		pair_settle(&pair, 1);
		cr_assert_leq(pair.table.counts.moves - moves, CHAINED_STEP);
		if (pair.table.desc.split != UINT64_MAX || !pair.table.desc.growing)
			continue;
		partly++;
		pair_check(&pair);
		/* One from either end of the chain: of the new head, and of the old one. */
		cr_assert_eq(pair_unmap(&pair, keys[559 - 2 * i]), 0);
		cr_assert_eq(pair_unmap(&pair, keys[2 * i]), 0);
		cr_assert_eq(pair_map(&pair, keys[2 * i], hpt_entry(i, HPT_PRESENT)), 0);
		pair_visit_range(&pair, keys[300 + i], 1, PAIR_UNMAP);
		pair_check(&pair);
	}
	cr_assert_geq(partly, 5);
	pair_visit_all(&pair, PAIR_UNMAP_ODD);
	pair_check(&pair);
	pair_end(&pair);
}

/* Keys of one group spill until the table has twice the lines, and then some come home. */
Test(growth, a_page_of_spill_makes_a_table_grow_that_is_half_as_full_as_it_may_be)
{
	struct hpt_config config = {.organisation = HPT_CLUSTERED, .pages = UINT64_C(8) * 2560};
	uint64_t random = 5;

	pair = (struct pair){.memory = {.offset = 0}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	cr_assert_eq(pair.table.counts.lines, 4096);
	for (unsigned int i = 0; i < 200; i++)
		map_bounded(colliding_key(0, 9, 6, &random), 1);
	for (unsigned int i = 0; i < 150; i++)
		map_bounded(colliding_key(0, 0x200, 12, &random), 1);
	cr_assert_eq(pair.table.counts.lines, 4096, "it is nearly empty");
	cr_assert_geq(pair.table.counts.spilled, 64);
	for (uint64_t number = 0; pair.table.counts.used < 1280; number++)
		map_bounded(hpt_key(3, 8 * number, HPT_4K), 1);
	cr_assert_eq(pair.table.counts.lines, 4096);
	map_bounded(hpt_key(4, 0, HPT_4K), 1);
	cr_assert_eq(pair.table.counts.lines, 8192);
	pair_settle(&pair, UINT64_MAX);
	map_bounded(hpt_key(4, 8, HPT_4K), 1);
	cr_assert_eq(pair.table.counts.lines, 8192, "in twice the lines it would be the same");
	pair_end(&pair);
}

Test(growth, lines_that_exist_stay_between_the_loads)
{
	uint64_t random = 4;

	begin_kind(&pair, &clustered, 77, 0);
	for (unsigned int i = 0; i < 50000; i++) {
		const struct hpt_counts *counts = &pair.table.counts;

		map_bounded(hpt_key(0, (model_random(&random) >> 22) * 8 + i % 8, HPT_4K), 1);
		cr_assert_leq(counts->used * 8, counts->lines * 5);
		if (counts->lines > 64)
			cr_assert_geq(counts->used * 16, counts->lines * 5);
	}
	pair_end(&pair);
}

Test(growth, the_old_generation_is_given_back)
{
	uint64_t number = 0;

	begin_kind(&pair, &clustered, 0, 0);
	for (uint64_t lines = 128; lines <= 65536; lines *= 2) {
		uint64_t moves = pair.table.counts.moves;
		uint64_t full = lines / 2 * 5 / 8;

		while (pair.table.counts.lines < lines)
			map_bounded(page(&clustered, 0, 8 * number++), 1);
		if (lines > 128)
			cr_assert_eq(pair.memory.bytes, (lines + lines / 2) * 64);
		while (pair.table.desc.growing)
			map_bounded(page(&clustered, 0, 8 * number++), 1);
		/* Lines that came to the old generation while it was left move as well. */
		moves = pair.table.counts.moves - moves;
		cr_assert(moves >= full && moves < full + lines / 2 / 64);
		cr_assert_eq(pair.memory.bytes, lines * 64);
		cr_assert_eq(pair.table.counts.lines, lines);
		cr_assert_eq(pair.table.counts.used, number);
		cr_assert_eq(pair.table.counts.entries, number);
	}
	pair_visit_all(&pair, PAIR_UNMAP);
	cr_assert_eq(pair.table.counts.used, 0);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

/* Without memory the groups fill to the last line, then spill; with memory again growth goes on. */
Test(growth, a_table_that_cannot_grow_goes_on_and_grows_later)
{
	uint64_t number = 0;

	begin_kind(&pair, &clustered, 0, 0);
	pair.memory.first_failure = 2;
	pair.memory.last_failure = UINT64_MAX;
	while (pair.table.counts.used < 64)
		map_bounded(page(&clustered, 0, 8 * number++), 1);
	cr_assert_eq(pair_map(&pair, page(&clustered, 0, 8 * number), 1), -ENOMEM);
	pair_check(&pair);
	cr_assert_eq(pair.table.counts.lines, 64);
	cr_assert_eq(pair.memory.outstanding, 1);
	/* Pages of lines that exist still have room. */
	for (uint64_t block = 0; block < 64; block++)
		cr_assert_eq(pair_map(&pair, page(&clustered, 0, 8 * block + 1), 1), 0);
	pair.memory.last_failure = 0;
	while (pair.table.counts.lines < 1024)
		map_bounded(page(&clustered, 0, 8 * number++), 1);
	cr_assert_eq(pair.table.counts.spilled, 0);
	pair_end(&pair);
}

/* Takes all keys away again, in another order, with the invariants checked on the way. */
static void remove_all(const struct hpt_key *keys, unsigned int count)
{
	/* 7 has no factor in common with the counts used here. */
	for (unsigned int i = 0; i < count; i++) {
		cr_assert_eq(pair_unmap(&pair, keys[(i * 7) % count]), 0);
		if (i % 16 == 0)
			pair_check(&pair);
	}
	cr_assert_eq(pair.table.counts.spilled, 0);
	pair_expect_empty(&pair);
}

static unsigned int spilled_from_one_group(unsigned int count)
{
	return count > HPT_GROUP_LINES ? count - HPT_GROUP_LINES : 0;
}

static uint64_t salts[] = {0, 1, UINT64_C(0xdeadbeefcafef00d), UINT64_MAX};

ParameterizedTestParameters(growth, keys_of_one_home_line_overflow_and_come_back)
{
	return cr_make_param_array(uint64_t, salts, 4);
}

ParameterizedTest(uint64_t *salt, growth, keys_of_one_home_line_overflow_and_come_back)
{
	static struct hpt_key keys[COLLIDING];
	uint64_t random = *salt;
	uint64_t top = model_random(&random) >> 38;

	begin_kind(&pair, &clustered, *salt, 0);
	for (unsigned int i = 0; i < COLLIDING; i++) {
		keys[i] = colliding_key(*salt, top, 26, &random);
		map_bounded(keys[i], hpt_entry(i, HPT_PRESENT));
		cr_assert_eq(pair.table.counts.spilled, spilled_from_one_group(i + 1));
		if (i % 16 == 0)
			pair_check(&pair);
	}
	cr_assert_geq(pair.table.counts.lines, 512);
	pair_check(&pair);
	remove_all(keys, COLLIDING);
	pair_end(&pair);
}

/* They spill while the table is small and find room in groups of their own when it has grown. */
Test(growth, growth_brings_spilled_lines_home)
{
	static struct hpt_key keys[100];
	uint64_t random = 12;
	uint64_t number = 0;

	begin_kind(&pair, &clustered, 0, 0);
	/* Homes within 1/16 of the table: one group of 1024 lines. */
	for (unsigned int i = 0; i < 100; i++) {
		keys[i] = colliding_key(0, 5, 4, &random);
		map_bounded(keys[i], 1);
	}
	cr_assert_eq(pair.table.counts.lines, 256);
	cr_assert_eq(pair.table.counts.spilled, 36);
	while (pair.table.counts.lines < 4096 || pair.table.desc.growing)
		map_bounded(hpt_key(0xffff, 8 * number++, HPT_4K), 1);
	cr_assert_eq(pair.table.counts.spilled, 0);
	pair_check(&pair);
	for (uint64_t i = 0; i < number; i++)
		cr_assert_eq(pair_unmap(&pair, hpt_key(0xffff, 8 * i, HPT_4K)), 0);
	remove_all(keys, 100);
	pair_end(&pair);
}

/* Colliding keys come and go at random, at a group that always overflows. */
Test(growth, spill_lines_are_used_again)
{
	static struct hpt_key keys[128];
	uint64_t random = 8;

	begin_kind(&pair, &clustered, 0, 0);
	for (unsigned int i = 0; i < 128; i++)
		keys[i] = colliding_key(0, i & 1, 10, &random);
	for (unsigned int i = 0; i < 20000; i++) {
		const struct hpt_key *key = &keys[model_random(&random) % 128];

		if (model_random(&random) % 4)
			pair_map(&pair, *key, hpt_entry(i, HPT_PRESENT));
		else
			pair_unmap(&pair, *key);
		if (i % 1000 == 0)
			pair_check(&pair);
	}
	cr_assert_eq(pair.table.desc.spill_lines, 64);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

Test(growth, a_group_that_overflows_without_memory_refuses_and_changes_nothing)
{
	uint64_t random = 2;

	begin_kind(&pair, &clustered, 0, 0);
	for (unsigned int i = 0; i < 64; i++)
		map_bounded(colliding_key(0, 9, 12, &random), 1);
	pair.memory.first_failure = pair.memory.calls + 1;
	pair.memory.last_failure = UINT64_MAX;
	for (unsigned int i = 0; i < 100; i++) {
		struct hpt_key key = colliding_key(0, 9, 12, &random);

		cr_assert_eq(pair_map(&pair, key, 1), -ENOMEM);
		cr_assert_eq(pair.table.counts.used, 64);
	}
	pair_check(&pair);
	cr_assert_eq(pair_map(&pair, colliding_key(0, 0x900, 12, &random), 1), 0);
	pair.memory.last_failure = 0;
	map_bounded(colliding_key(0, 9, 12, &random), 1);
	cr_assert_eq(pair.table.counts.spilled, 1);
	pair_end(&pair);
}

Test(growth, spill_pages_have_a_limit)
{
	begin_kind(&pair, &clustered, 0, 0);
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		cr_assert_eq(generation_more_spill(&pair.table), 0);
	cr_assert_eq(generation_more_spill(&pair.table), -ENOMEM);
	cr_assert(hpt_desc_valid(&pair.table.desc));
	cr_assert_eq(pair.memory.outstanding, 1 + HPT_SPILL_PAGES);
	pair_end(&pair);
}

/* No more lines than those of its group and all spill can have passed one. */
Test(growth, passed_cannot_overflow)
{
	cr_assert_lt(HPT_GROUP_LINES + HPT_SPILL_PAGES * HPT_GROUP_LINES, CLUSTERED_PASSED_MAX);
}
