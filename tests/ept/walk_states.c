/* SPDX-License-Identifier: MIT */
/*
 * Every state that two pages on the way of a translation can be in, for every pair of
 * organisations, ways to store the tables, page sizes that the walk knows, and forms.
 *
 * All states stand side by side in one machine, so that it is made once for each kind of table.
 */
#include <stdlib.h>

#include "hpt/mix.h"
#include "tests/ept/walk_fixture.h"
#include "tests/ept/walk_oracle.h"

enum state {
	GUEST_ENTRY = 1 << 0, /* stage 1 has one; neither present nor swapped: the owner's mark */
	GUEST_PRESENT = 1 << 1,
	GUEST_SWAPPED = 1 << 2,
	GUEST_WRITE = 1 << 3,
	GUEST_USER = 1 << 4,
	GUEST_NOEXEC = 1 << 5,
	GUEST_LARGE = 1 << 6,
	GUEST_SHARED = 1 << 7, /* a second page of the guest's has the frame */
	HOST_ENTRY = 1 << 8,
	HOST_PRESENT = 1 << 9,
	HOST_SWAPPED = 1 << 10,
	HOST_WRITE = 1 << 11,
	HOST_NOEXEC = 1 << 12,
	HOST_LARGE = 1 << 13,
	HOST_SHARED = 1 << 14, /* a second guest frame has the host's */
	STATES = 1 << 15
};

#define GUEST_STATE (GUEST_SHARED * 2 - 1)
#define HOST_STATE  (STATES - 1 - GUEST_STATE)

/* How the tables are stored. */
enum kind {
	KIND_GUEST_SEALED = 1 << 0,
	KIND_HOST_SEALED = 1 << 1,
	KIND_LARGE = 1 << 2, /* the guest's table in 2 MiB pages of the host's */
	KIND_SALTED = 1 << 3,
	KIND_HASH = 1 << 4, /* two bits: the family */
	KINDS = 1 << 6
};

#define ASID 5

static struct machine machine;
static struct hpt_key *keys;
static struct walk_result *results;
static size_t key_count;

static bool guest_can_be(unsigned int state)
{
	if (!(state & GUEST_ENTRY))
		return !(state & GUEST_STATE);
	return !(state & GUEST_PRESENT && state & GUEST_SWAPPED);
}

static bool host_can_be(unsigned int state)
{
	if (!(state & HOST_ENTRY))
		return !(state & HOST_STATE);
	return !(state & HOST_PRESENT && state & HOST_SWAPPED);
}

static bool can_be(unsigned int state)
{
	if (!guest_can_be(state) || !host_can_be(state))
		return false;
	/* Where stage 1 has no frame, stage 2 is not asked. */
	return state & GUEST_PRESENT || !(state & HOST_STATE);
}

static uint64_t flags_of(unsigned int state, unsigned int present)
{
	uint64_t flags = 0;

	if (state & present)
		flags |= HPT_PRESENT;
	if (state & present << 1)
		flags |= HPT_SWAPPED;
	if (state & present << 2)
		flags |= HPT_WRITE;
	return flags;
}

static uint64_t guest_entry(unsigned int state, uint64_t gfn)
{
	uint64_t flags = flags_of(state, GUEST_PRESENT) | HPT_SOFT;

	if (state & GUEST_USER)
		flags |= HPT_USER;
	if (state & GUEST_NOEXEC)
		flags |= HPT_NOEXEC;
	if (state & GUEST_LARGE)
		flags |= HPT_LARGE;
	/* Of every other one: the host's have all of U and G, which must not come through. */
	if (gfn & 1)
		flags |= HPT_GLOBAL;
	return hpt_entry(gfn, flags);
}

static uint64_t host_entry(unsigned int state, uint64_t hfn)
{
	uint64_t flags = flags_of(state, HOST_PRESENT) | HPT_GLOBAL | HPT_USER;

	if (state & HOST_NOEXEC)
		flags |= HPT_NOEXEC;
	if (state & HOST_LARGE)
		flags |= HPT_LARGE;
	return hpt_entry(hfn, flags);
}

static void add_key(struct hpt_key key)
{
	if (key_count % 1024 == 0) {
		keys = realloc(keys, (key_count + 1024) * sizeof(*keys));
		results = realloc(results, (key_count + 1024) * sizeof(*results));
		cr_assert(keys && results);
	}
	keys[key_count++] = key;
}

/* Maps the page around `number` to that around `frame`, whose sizes may differ. */
static void map_around(struct pair *pair, uint16_t asid, uint64_t number, uint64_t entry)
{
	if (entry & HPT_LARGE) {
		number -= number % HPT_LARGE_PAGES;
		entry -= (hpt_frame(entry) % HPT_LARGE_PAGES) << HPT_FRAME_SHIFT;
	}
	machine_map(pair, hpt_key(asid, number, entry & HPT_LARGE ? HPT_2M : HPT_4K), entry);
}

/* A page in this state, the n-th. Pages of both sizes lie apart; so do those that share. */
static void add_state(unsigned int state, uint64_t n)
{
	bool large = state & (GUEST_LARGE | HOST_LARGE);
	uint64_t at = large ? n * HPT_LARGE_PAGES + n * 37 % HPT_LARGE_PAGES : n * 3;
	uint64_t vpn = (large ? UINT64_C(0x2000000) : UINT64_C(0x100000)) + at;
	uint64_t gfn = MACHINE_DATA_GFN + vpn;
	uint64_t hfn = UINT64_C(0x800000000) + (mix64(n + 1) >> 40) * HPT_LARGE_PAGES +
		       (large ? at % HPT_LARGE_PAGES : 0);
	const uint64_t second = UINT64_C(0x8000000);

	add_key(hpt_key(ASID, vpn, n & 1 ? HPT_4K : HPT_2M));
	if (state & GUEST_ENTRY)
		map_around(&machine.guest, ASID, vpn, guest_entry(state, gfn));
	if (state & HOST_ENTRY)
		map_around(&machine.host, 0, gfn, host_entry(state, hfn));
	if (state & GUEST_SHARED) {
		add_key(hpt_key(ASID, vpn + second, HPT_4K));
		map_around(&machine.guest, ASID, vpn + second, guest_entry(state, gfn));
	}
	if (state & HOST_SHARED) {
		add_key(hpt_key(ASID, vpn + 2 * second, HPT_4K));
		map_around(&machine.guest, ASID, vpn + 2 * second,
			   guest_entry(state, gfn + 2 * second));
		map_around(&machine.host, 0, gfn + 2 * second, host_entry(state, hfn));
	}
}

/* Keys that no table has, or none but the other's; and a few that come again. */
static void add_others(void)
{
	size_t before = key_count;

	for (unsigned int bit = 27; bit < 64; bit++)
		add_key(hpt_key(ASID, keys[bit].vpn | UINT64_C(1) << bit, HPT_4K));
	for (unsigned int bit = 0; bit < 16; bit++)
		add_key(hpt_key((uint16_t)(ASID ^ 1u << bit), keys[40 + bit].vpn, HPT_4K));
	for (size_t i = 0; i < before; i += 97)
		add_key(keys[i]);
	/* Not in order, so that batches have all kinds. */
	for (size_t i = key_count - 1; i > 0; i--) {
		size_t other = mix64(i) % (i + 1);
		struct hpt_key key = keys[i];

		keys[i] = keys[other];
		keys[other] = key;
	}
}

static void begin_states(const struct machine_pair *pair, unsigned int kind)
{
	struct machine_config config = {.pair = *pair,
					.guest_sealed = kind & KIND_GUEST_SEALED,
					.host_sealed = kind & KIND_HOST_SEALED,
					.large = kind & KIND_LARGE,
					.hash = (enum hpt_hash_family)(kind / KIND_HASH),
					.salt = kind & KIND_SALTED ? 0x5a17 : 0};
	uint64_t n = 0;

	machine_begin(&machine, &config);
	key_count = 0;
	for (unsigned int state = 0; state < STATES; state++) {
		if (can_be(state))
			add_state(state, n++);
	}
	add_others();
}

static void check_walk(const struct walk *walk)
{
	for (size_t i = 0; i < key_count; i++)
		machine_expect(&machine, walk, keys[i], &results[i]);
	machine_check_all(&machine, walk, keys, results, key_count);
}

/* With a predictor that knows nothing, then one that has learned, then one that is wrong. */
static void check_predicted(struct walk *walk)
{
	struct walk_predictor predictor;
	uint64_t random = 1;

	cr_assert_eq(walk_predictor_create(&predictor, 12), 0);
	walk->predictor = &predictor;
	cr_assert_eq(walk_prepare(walk), 0);
	machine_check_all(&machine, walk, keys, results, key_count);
	for (size_t i = 0; i < 1u << 12; i++)
		predictor.difference[i] = (int32_t)mix64_next(&random);
	machine_check_all(&machine, walk, keys, results, key_count);
	walk_predictor_destroy(&predictor);
}

static void check_sizes(unsigned int guest_sizes, unsigned int host_sizes)
{
	struct walk nested = machine_walk(&machine, false, guest_sizes, host_sizes);
	struct walk slab = machine_walk(&machine, true, guest_sizes, host_sizes);

	check_walk(&nested);
	check_walk(&slab);
	check_predicted(&slab);
}

/* Costs of a part of the keys, which is another one for each kind. */
static void check_costs(unsigned int kind)
{
	static const unsigned int sizes[] = {WALK_BOTH, WALK_4K, WALK_2M};
	unsigned int guest_sizes = sizes[kind % 3];
	unsigned int host_sizes = sizes[kind / 3 % 3];
	struct walk nested = machine_walk(&machine, false, guest_sizes, host_sizes);
	struct walk slab = machine_walk(&machine, true, guest_sizes, host_sizes);

	for (size_t i = kind % 8; i < key_count; i += 8) {
		oracle_check(&machine, &nested, keys[i]);
		oracle_check(&machine, &slab, keys[i]);
	}
}

MACHINE_TEST(walk_states, every_state_of_both_pages_is_told_right_by_all_sizes_and_forms)
{
	for (unsigned int kind = 0; kind < KIND_SALTED; kind++) {
		begin_states(pair, kind);
		for (unsigned int sizes = 0; sizes < 9; sizes++)
			check_sizes(1 + sizes % 3, 1 + sizes / 3);
		check_costs(kind);
		machine_end(&machine);
	}
}

MACHINE_TEST(walk_states, every_state_of_both_pages_is_told_right_under_all_hashes_and_seals)
{
	for (unsigned int kind = KIND_SALTED; kind < KINDS; kind++) {
		struct walk walk;

		/* Fibonacci without a salt is the other test's. */
		if (kind & KIND_LARGE)
			continue;
		begin_states(pair, kind);
		walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
		check_walk(&walk);
		walk = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);
		check_walk(&walk);
		check_costs(kind);
		machine_end(&machine);
	}
}

Test(walk_states, states_that_cannot_be_are_few_enough_to_be_named)
{
	unsigned int count = 0;

	for (unsigned int state = 0; state < STATES; state++)
		count += can_be(state);
	/* Present: 8 permissions, 2 sizes, shared or not; the host's 3 kinds, 4, 2, 2; or none. */
	cr_assert_eq(count, 1 + 2 * 32 + 32 * (1 + 3 * 16));
}
