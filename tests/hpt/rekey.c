/* SPDX-License-Identifier: MIT */
/* Changes of salt: right at every step, whatever the salts, and without memory as well. */
#include <errno.h>

#include "hpt/adaptive.h"
#include "hpt/bucket.h"
#include "hpt/clustered.h"
#include "tests/hpt/fixture.h"

#define PAGES	 1500
#define NO_LIMIT UINT64_MAX

static struct pair pair;

static bool is_radix(const struct table_kind *kind)
{
	return kind->organisation == HPT_RADIX;
}

static void begin(const struct table_kind *kind, enum hpt_hash_family family, uint64_t salt)
{
	struct hpt_config config = {
		.organisation = kind->organisation, .hash = family, .salt = salt};

	pair = (struct pair){.memory = {.offset = 0x5000}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
}

static void fail_from_now_on(bool yes)
{
	pair.memory.first_failure = yes ? pair.memory.calls + 1 : 0;
	pair.memory.last_failure = yes ? UINT64_MAX : 0;
}

/* Pages that are far enough apart for each to have a place of its own. */
static struct hpt_key lone_page(const struct table_kind *kind, uint64_t number)
{
	bool by_region = kind->organisation == HPT_ADAPTIVE && kind->size == HPT_4K;

	return page(kind, 1, number * (by_region ? ADAPTIVE_PAGES : CLUSTERED_BLOCK));
}

static void fill(const struct table_kind *kind, uint64_t first, uint64_t end)
{
	for (uint64_t number = first; number < end; number++)
		cr_assert_eq(pair_map(&pair, lone_page(kind, number), entry_of(kind, number)), 0);
	pair_settle(&pair, NO_LIMIT);
}

static uint64_t hash_of(const struct table_kind *kind, struct hpt_key key,
			enum hpt_hash_family family, uint64_t salt_value)
{
	static struct hpt_desc desc;

	desc.hash = family;
	desc.family = family;
	hpt_salt_set(&desc.salt, family, salt_value);
	if (kind->organisation == HPT_BUCKET)
		return hpt_hash(&desc,
				bucket_hashed(bucket_tag(key), key.size == HPT_2M ? HPT_LARGE : 0));
	if (kind->organisation == HPT_CLUSTERED || kind->organisation == HPT_CUCKOO)
		return hpt_hash(&desc, clustered_tag(key));
	if (kind->organisation == HPT_ADAPTIVE)
		return hpt_hash(&desc, adaptive_region_tag(key));
	return hpt_hash(&desc, hpt_tag(key));
}

/* Maps pages whose hashes under a salt have the same top 8 bits: more than two groups of them. */
static void fill_colliding(const struct table_kind *kind, enum hpt_hash_family family,
			   uint64_t salt)
{
	bool places = kind->organisation == HPT_BUCKET || kind->organisation == HPT_OPEN ||
		      kind->organisation == HPT_ADAPTIVE;
	unsigned int count = 0;

	for (uint64_t number = 0; count < (places ? 900 : 400); number++) {
		struct hpt_key key = lone_page(kind, number);

		if (hash_of(kind, key, family, salt) >> 56 == 0x5a) {
			cr_assert_eq(pair_map(&pair, key, entry_of(kind, number)), 0);
			count++;
		}
	}
}

TABLE_TEST(rekey, every_step_leaves_the_table_right)
{
	for (enum hpt_hash_family family = 0; family < HPT_HASH_FAMILIES; family++) {
		unsigned int steps = 0;
		int error;

		begin(kind, family, family);
		fill(kind, 0, PAGES);
		if (is_radix(kind)) {
			cr_assert_eq(pair_rekey(&pair, 1), -EOPNOTSUPP);
			cr_assert_eq(pair_settle(&pair, 1), 0);
			pair_end(&pair);
			continue;
		}
		cr_assert_eq(pair_rekey(&pair, 77), 0);
		while ((error = pair_settle(&pair, 1)) == -EAGAIN) {
			if (kind->organisation != HPT_CHAINED || steps % 64 == 0)
				pair_check(&pair);
			steps++;
		}
		cr_assert_eq(error, 0);
		cr_assert_geq(steps, 3);
		cr_assert_eq(pair.table.desc.salt.value, 77);
		cr_assert_eq(pair.table.desc.hash, family);
		pair_end(&pair);
	}
}

TABLE_TEST(rekey, what_is_under_way_is_not_begun_again)
{
	uint64_t number = 0;

	if (is_radix(kind))
		return;
	begin(kind, HPT_SIPHASH, 1);
	cr_assert_eq(pair_settle(&pair, NO_LIMIT), 0, "nothing is under way");
	fill(kind, 0, 600);
	cr_assert_eq(pair_rekey(&pair, 2), 0);
	cr_assert_eq(pair_rekey(&pair, 3), -EBUSY);
	cr_assert_eq(pair_settle(&pair, 0), -EAGAIN);
	cr_assert_eq(pair_settle(&pair, NO_LIMIT), 0);
	cr_assert_eq(pair.table.desc.salt.value, 2);
	for (number = 600; pair.table.desc.split == UINT64_MAX; number++)
		pair_map(&pair, lone_page(kind, number), entry_of(kind, number));
	cr_assert_eq(pair_rekey(&pair, 4), -EBUSY, "the table is growing");
	cr_assert_eq(pair_settle(&pair, NO_LIMIT), 0);
	cr_assert_eq(pair_rekey(&pair, 4), 0);
	pair_end(&pair);
}

/* Places moved by one insertion: of the step, of the spill, twice if they spill again; and ways. */
static uint64_t most_moves(const struct table_kind *kind, const struct hpt_counts *before)
{
	switch (kind->organisation) {
	case HPT_CHAINED:
		return 40;
	case HPT_OPEN:
		return 256 + before->spilled;
	case HPT_BUCKET:
	case HPT_ADAPTIVE:
		return 320 + before->spilled;
	case HPT_CUCKOO:
		return 4 * 64;
	default:
		return 64 + before->spilled;
	}
}

TABLE_TEST(rekey, insertions_carry_it_on_and_it_ends_before_the_table_must_grow)
{
	for (uint64_t pages = 300; pages < 6000 && !is_radix(kind); pages = pages * 5 / 4) {
		uint64_t number = pages;
		uint64_t lines;

		begin(kind, HPT_SIPHASH, 1);
		fill(kind, 0, pages);
		cr_assert_eq(pair_rekey(&pair, pages), 0);
		lines = pair.table.counts.lines;
		for (; pair.table.desc.hash == HPT_REKEYING; number++) {
			struct hpt_counts before = pair.table.counts;

			pair_map(&pair, lone_page(kind, number), entry_of(kind, number));
			cr_assert_leq(pair.table.counts.moves - before.moves,
				      most_moves(kind, &before));
		}
		cr_assert_eq(pair.table.counts.lines, lines);
		cr_assert_leq(pair.table.counts.used, pair.table.grow_at);
		pair_end(&pair);
	}
}

TABLE_TEST(rekey, colliding_keys_come_home_under_a_salt_that_they_were_not_chosen_for)
{
	if (is_radix(kind))
		return;
	begin(kind, HPT_SIPHASH, 5);
	fill_colliding(kind, HPT_SIPHASH, 5);
	pair_settle(&pair, NO_LIMIT);
	if (kind->organisation != HPT_CHAINED)
		cr_assert_gt(pair.table.counts.spilled, 0);
	cr_assert_eq(pair_rekey(&pair, 6), 0);
	while (pair_settle(&pair, kind->organisation == HPT_CHAINED ? 20 : 1) == -EAGAIN)
		pair_check(&pair);
	cr_assert_eq(pair.table.counts.spilled, 0);
	cr_assert_eq(pair.table.desc.spill_lines, 0, "empty spill pages are given back");
	pair_end(&pair);
}

/*
 * The worst salt that there is for these keys: all of them come to few groups. Every allocation
 * fails once; where a step has no room to spill, it waits.
 */
TABLE_TEST(rekey, without_memory_it_is_refused_or_waits_and_goes_on_later)
{
	uint64_t waited = 0, refused = 0;

	for (uint64_t fail_at = 1; fail_at <= 12 && !is_radix(kind); fail_at++) {
		static struct hpt before;
		int error;

		begin(kind, HPT_AES, 1);
		fill_colliding(kind, HPT_AES, 2);
		pair_settle(&pair, NO_LIMIT);
		before = pair.table;
		pair.memory.first_failure = pair.memory.calls + fail_at;
		pair.memory.last_failure = UINT64_MAX;
		error = pair_rekey(&pair, 2);
		if (error) {
			cr_assert_eq(error, -ENOMEM);
			cr_assert_arr_eq(&pair.table, &before, sizeof(before));
			refused++;
		}
		while (!error) {
			pair_check(&pair);
			error = pair_settle(&pair, 1);
			if (!error)
				break;
			error = error == -EAGAIN ? 0 : error;
		}
		waited += pair.table.desc.hash == HPT_REKEYING;
		/* A table whose change of salt waits is used as any other. */
		for (uint64_t number = 1000000; number < 1000100; number++)
			pair_map(&pair, lone_page(kind, number), entry_of(kind, number));
		pair_visit_range(&pair, lone_page(kind, 0), 100000, PAIR_UNMAP_ODD);
		pair_check(&pair);
		fail_from_now_on(false);
		error = pair_settle(&pair, NO_LIMIT);
		cr_assert_eq(error, 0);
		cr_assert_eq(pair.table.desc.salt.value, refused == fail_at ? 1 : 2);
		pair_end(&pair);
	}
	cr_assert(is_radix(kind) || refused, "no allocation of hpt_rekey() has failed");
	if (kind->organisation != HPT_CHAINED && kind->organisation != HPT_CUCKOO)
		cr_assert(is_radix(kind) || waited, "no step has waited for memory");
}

/* It waits while the table fills beyond its load; then both come to their end. (Chained and cuckoo
 * have no need of spill here, and do not wait.) */
TABLE_TEST(rekey, growth_that_is_wanted_meanwhile_comes_after_it)
{
	uint64_t number, lines;

	if (is_radix(kind) || kind->organisation == HPT_CHAINED || kind->organisation == HPT_CUCKOO)
		return;
	begin(kind, HPT_AES, 1);
	fill_colliding(kind, HPT_AES, 2);
	pair_settle(&pair, NO_LIMIT);
	cr_assert_eq(pair_rekey(&pair, 2), 0);
	lines = pair.table.counts.lines;
	fail_from_now_on(true);
	cr_assert_eq(pair_settle(&pair, NO_LIMIT), -ENOMEM);
	for (number = 2000000; pair.table.counts.used < pair.table.counts.places * 7 / 8;
	     number++) {
		if (pair_map(&pair, lone_page(kind, number), entry_of(kind, number)))
			break;
	}
	pair_check(&pair);
	fail_from_now_on(false);
	for (uint64_t end = number + 6000; number < end; number++)
		cr_assert_eq(pair_map(&pair, lone_page(kind, number), entry_of(kind, number)), 0);
	cr_assert_eq(pair.table.desc.hash, HPT_AES);
	cr_assert_gt(pair.table.counts.lines, lines);
	pair_end(&pair);
}

/* Rekeys begun at random among maps, unmaps, changes and visits. */
TABLE_TEST(rekey, at_any_time_the_table_agrees_with_the_model)
{
	for (enum hpt_hash_family family = 0; family < HPT_HASH_FAMILIES; family++) {
		uint64_t random = family + 1;
		unsigned int begun = 0;

		begin(kind, family, 0);
		for (unsigned int i = 0; i < 12000; i++) {
			struct hpt_key key =
				page(kind, (uint16_t)(i & 1),
				     model_random(&random) % (i < 6000 ? 20000 : 2000));

			switch (model_random(&random) % 16) {
			case 0:
				pair_visit_range(&pair, page(kind, 0, key.vpn % 1000), 200,
						 (enum pair_visit)(i % PAIR_VISITS));
				break;
			case 1:
			case 2:
			case 3:
				pair_unmap(&pair, key);
				break;
			case 4:
				pair_change(&pair, key, HPT_WRITE, HPT_DIRTY);
				break;
			default:
				pair_map(&pair, key, entry_of(kind, i));
			}
			if (model_random(&random) % 32 == 0)
				begun += !pair_rekey(&pair, model_random(&random));
			if (model_random(&random) % 64 == 0)
				pair_settle(&pair, model_random(&random) % 32);
			if (i % 1500 == 0)
				pair_check(&pair);
		}
		cr_assert(is_radix(kind) || begun >= 5, "%u rekeys were begun", begun);
		pair_end(&pair);
	}
}
