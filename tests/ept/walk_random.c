/* SPDX-License-Identifier: MIT */
/*
 * Long random runs: both tables change in every way that they can, growth, changes of salt and
 * spill included, and after each change some pages are walked.
 */
#include <errno.h>

#include "hpt/generation.h"
#include "hpt/mix.h"
#include "tests/ept/walk_oracle.h"

#define ASID	2
#define REGIONS 4  /* of 512 pages, at both stages; what is mapped in them is dense */
#define LARGE	16 /* places for pages of 2 MiB, or some of their 4 KiB ones */
#define SPARSE	64
#define STEPS	1200
#define HFN	UINT64_C(0x200000000)

/* Walks during which this was so, of all runs: lest they be too tame. */
static struct {
	unsigned int growing, rekeying, spilled, translated, failed;
} seen;

struct run {
	struct machine machine;
	uint64_t random;
	struct hpt_key keys[8]; /* of the guest's pages that are walked after a change */
};

static struct run run;

static uint64_t below(uint64_t end)
{
	return mix64_next(&run.random) % end;
}

/* One of the pages that are played with. */
static uint64_t page_number(uint64_t base)
{
	switch (below(8)) {
	case 0:
		return base + (below(SPARSE) + 1) * UINT64_C(0x1357913);
	case 1:
		return base + (REGIONS + below(LARGE)) * HPT_LARGE_PAGES + below(3) * 255;
	default:
		return base + below(REGIONS * HPT_LARGE_PAGES);
	}
}

static uint64_t large_number(uint64_t base)
{
	return base + (REGIONS + below(LARGE)) * HPT_LARGE_PAGES;
}

static struct pair *pair_of(bool host)
{
	return host ? &run.machine.host : &run.machine.guest;
}

static struct hpt_key any_key(bool host)
{
	uint64_t base = host ? MACHINE_DATA_GFN : 0;
	uint16_t asid = host ? 0 : ASID;

	if (below(8) == 0)
		return hpt_key(asid, large_number(base), HPT_2M);
	return hpt_key(asid, page_number(base), HPT_4K);
}

/* An entry of the guest's names a page that is played with at stage 2. */
static uint64_t any_entry(bool host, struct hpt_key key)
{
	uint64_t random = mix64_next(&run.random);
	uint64_t frame = host ? HFN + random % 0x100000 : page_number(MACHINE_DATA_GFN);
	uint64_t flags = random >> 32 & (HPT_FLAGS_MASK & ~(HPT_SWAPPED | HPT_LARGE));

	if (key.size == HPT_2M) {
		frame = host ? frame / HPT_LARGE_PAGES * HPT_LARGE_PAGES
			     : large_number(MACHINE_DATA_GFN);
		flags |= HPT_LARGE;
	}
	/* Often alike, so that neighbours may be one run. */
	if (random >> 60 < 13)
		flags = (flags & HPT_LARGE) | HPT_PRESENT | HPT_WRITE;
	if (random >> 60 == 15)
		return hpt_swap_entry(frame, flags | HPT_SOFT);
	return hpt_entry(frame, flags | HPT_SOFT);
}

static void map_run(bool host)
{
	struct hpt_key key = any_key(host);
	uint64_t length = 1 + below(80);

	key.size = HPT_4K;
	pair_map_range(pair_of(host), key, length, any_entry(host, key));
}

static void visit_range(bool host, enum pair_visit what)
{
	struct hpt_key key = any_key(host);

	pair_visit_range(pair_of(host), key, 1 + below(key.size == HPT_2M ? 2 : 60), what);
}

/* A page's flags, or the page in memory or out of it. */
static void change(bool host)
{
	struct hpt_key key = any_key(host);
	const uint64_t flags = HPT_WRITE | HPT_USER | HPT_NOEXEC | HPT_GLOBAL;

	switch (below(4)) {
	case 0:
		pair_swap_out(pair_of(host), key, below(1000));
		break;
	case 1:
		pair_swap_in(pair_of(host), key,
			     host ? HFN + below(0x100000) : large_number(MACHINE_DATA_GFN));
		break;
	default:
		pair_change(pair_of(host), key, below(HPT_FLAGS_MASK) & flags,
			    below(HPT_FLAGS_MASK) & flags);
	}
}

static void one_change(bool host)
{
	struct hpt_key key = any_key(host);

	switch (below(32)) {
	case 0 ... 13:
		pair_map(pair_of(host), key, any_entry(host, key));
		break;
	case 14 ... 18:
		pair_unmap(pair_of(host), key);
		break;
	case 19 ... 22:
		map_run(host);
		break;
	case 23 ... 24:
		visit_range(host, PAIR_UNMAP);
		break;
	case 25:
		visit_range(host, PAIR_UNMAP_ODD);
		break;
	case 26:
		visit_range(host, PAIR_FLAGS);
		break;
	case 27:
		pair_settle(pair_of(host), 1);
		break;
	case 28:
		if (below(4) == 0)
			pair_rekey(pair_of(host), below(1000));
		break;
	default:
		change(host);
	}
}

static void note_seen(const struct hpt *table)
{
	seen.growing += generation_growing(&table->desc);
	seen.rekeying += table->desc.hash == HPT_REKEYING;
	seen.spilled += table->counts.spilled > 0;
}

static void walk_some(unsigned int step)
{
	struct walk walk = machine_walk(&run.machine, step & 1, WALK_BOTH, WALK_BOTH);
	struct walk_result result;

	for (unsigned int i = 0; i < 8; i++)
		run.keys[i] = any_key(false);
	machine_check(&run.machine, &walk, run.keys, 8);
	oracle_check(&run.machine, &walk, run.keys[0]);
	machine_expect(&run.machine, &walk, run.keys[0], &result);
	seen.translated += result.outcome == WALK_TRANSLATED;
	seen.failed += result.outcome != WALK_TRANSLATED;
	note_seen(&run.machine.guest.table);
	note_seen(&run.machine.host.table);
}

/* Some at both stages, so that there is something to walk from the start. */
static void map_some(unsigned int count)
{
	const uint64_t flags = HPT_PRESENT | HPT_WRITE;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t gfn = MACHINE_DATA_GFN + i * 5 % (REGIONS * HPT_LARGE_PAGES);

		machine_map(&run.machine.guest, hpt_key(ASID, i, HPT_4K), hpt_entry(gfn, flags));
		machine_map(&run.machine.host, hpt_key(0, gfn, HPT_4K), hpt_entry(HFN + i, flags));
	}
	for (uint64_t i = 0; i < LARGE / 2; i++) {
		uint64_t at = (REGIONS + i) * HPT_LARGE_PAGES;

		machine_map(&run.machine.guest, hpt_key(ASID, at, HPT_2M),
			    hpt_entry(MACHINE_DATA_GFN + at, flags | HPT_LARGE));
		machine_map(&run.machine.host, hpt_key(0, MACHINE_DATA_GFN + at, HPT_2M),
			    hpt_entry(HFN + at, flags | HPT_LARGE));
	}
}

/* Every third page that is played with, by all sizes and both forms. */
static void walk_all(void)
{
	const size_t count = (REGIONS + LARGE) * HPT_LARGE_PAGES / 3;
	struct hpt_key *keys = calloc(count, sizeof(*keys));

	cr_assert_not_null(keys);
	for (size_t i = 0; i < count; i++)
		keys[i] = hpt_key(ASID, 3 * i, HPT_4K);
	for (unsigned int sizes = 0; sizes < 9; sizes++) {
		struct walk walk =
			machine_walk(&run.machine, sizes & 1, 1 + sizes % 3, 1 + sizes / 3);

		machine_check(&run.machine, &walk, keys, count);
	}
	free(keys);
}

/* `limited`: tables that cannot grow, but for chained, whose nodes would not fit. */
static void run_once(struct machine_pair pair, unsigned int number, bool limited)
{
	struct machine_config config = {.pair = pair,
					.guest_sealed = number & 1,
					.host_sealed = number & 2,
					.hash = (enum hpt_hash_family)(number % HPT_HASH_FAMILIES),
					.salt = number};

	run = (struct run){.random = number * 1000 + pair.guest * 10 + pair.host};
	machine_begin(&run.machine, &config);
	map_some(limited ? 100 : 700);
	if (limited)
		run.machine.guest_limit = HPT_PAGE_SIZE << (pair.guest == HPT_CHAINED ? 2 : 0);
	if (limited && pair.host != HPT_CHAINED)
		run.machine.host_limit = HPT_PAGE_SIZE;
	for (unsigned int step = 0; step < STEPS; step++) {
		one_change(step % 3 == 0);
		walk_some(step);
	}
	if (!limited)
		walk_all();
	machine_end(&run.machine);
}

MACHINE_TEST(walk_random, walks_see_every_change_while_tables_grow_and_change_their_salt)
{
	bool hashed = pair->guest != HPT_RADIX || pair->host != HPT_RADIX;

	for (unsigned int number = 0; number < 4; number++)
		run_once(*pair, number, false);
	cr_assert_gt(seen.translated, 500, "%u", seen.translated);
	cr_assert_gt(seen.failed, 500, "%u", seen.failed);
	if (hashed) {
		cr_assert_gt(seen.growing, 50, "%u", seen.growing);
		cr_assert_gt(seen.rekeying, 10, "%u", seen.rekeying);
	}
}

static bool spills(enum hpt_organisation organisation)
{
	return organisation != HPT_RADIX && organisation != HPT_CHAINED;
}

MACHINE_TEST(walk_random, walks_see_every_change_in_tables_that_cannot_grow)
{
	for (unsigned int number = 4; number < 6; number++)
		run_once(*pair, number, true);
	cr_assert_gt(seen.translated, 100, "%u", seen.translated);
	if (spills(pair->guest) || spills(pair->host))
		cr_assert_gt(seen.spilled, 100, "%u", seen.spilled);
}
