/* SPDX-License-Identifier: MIT */
/* Long random runs of every operation against the model, over several shapes of address space. */
#include <errno.h>

#include "tests/hpt/fixture.h"

#define OPERATIONS 60000

enum shape { DENSE, SPARSE, STRIDED, LONE, SHAPES };

struct torture_kind {
	enum hpt_organisation organisation;
	enum shape shape;
	uint64_t salt;
	uintptr_t offset;
	uint64_t pages; /* that the table is made for */
};

static struct torture_kind kinds[] = {
	{HPT_RADIX, DENSE, 0, 0, 0},
	{HPT_RADIX, SPARSE, 1, 0, 0},
	{HPT_RADIX, STRIDED, 0, 0x7000, 0},
	{HPT_RADIX, LONE, 0, 0, 0},
	{HPT_CHAINED, DENSE, 0, 0, 0},
	{HPT_CHAINED, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_CHAINED, SPARSE, 0, 0x200000, 0},
	{HPT_CHAINED, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_CHAINED, LONE, 42, 0, 0},
	{HPT_OPEN, DENSE, 0, 0, 0},
	{HPT_OPEN, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_OPEN, SPARSE, 0, 0x200000, 0},
	{HPT_OPEN, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_OPEN, LONE, 42, 0, 0},
	{HPT_BUCKET, DENSE, 0, 0, 0},
	{HPT_BUCKET, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_BUCKET, SPARSE, 0, 0x200000, 0},
	{HPT_BUCKET, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_BUCKET, LONE, 42, 0, 0},
	{HPT_CUCKOO, DENSE, 0, 0, 0},
	{HPT_CUCKOO, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_CUCKOO, SPARSE, 0, 0x200000, 0},
	{HPT_CUCKOO, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_CUCKOO, LONE, 42, 0, 0},
	{HPT_ADAPTIVE, DENSE, 0, 0, 0},
	{HPT_ADAPTIVE, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_ADAPTIVE, SPARSE, 0, 0x200000, 0},
	{HPT_ADAPTIVE, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_ADAPTIVE, LONE, 42, 0, 0},
	{HPT_CLUSTERED, DENSE, 0, 0, 0},
	{HPT_CLUSTERED, DENSE, 0x0123456789abcdef, 0, 100000},
	{HPT_CLUSTERED, SPARSE, 0, 0x200000, 0},
	{HPT_CLUSTERED, SPARSE, UINT64_MAX, 0, 0},
	{HPT_CLUSTERED, STRIDED, 0, 0, 0},
	{HPT_CLUSTERED, STRIDED, UINT64_C(1) << 63, 0, 1},
	{HPT_CLUSTERED, LONE, 42, 0, 0},
};

struct torture {
	struct pair pair;
	const struct torture_kind *kind;
	uint64_t random;
};

static uint64_t pick(struct torture *torture, uint64_t below)
{
	return model_random(&torture->random) % below;
}

/* A page number of the shape; numbers come back often enough to be hit, removed and mapped again.
 */
static uint64_t pick_number(struct torture *torture)
{
	switch (torture->kind->shape) {
	case DENSE:
		return pick(torture, 16384);
	case SPARSE: {
		uint64_t seed = pick(torture, 6000);

		return model_random(&seed) >> 28;
	}
	case STRIDED:
		return (pick(torture, 2048) << 12) + pick(torture, 4);
	default:
		return pick(torture, 4096) * 8 + 5;
	}
}

static struct hpt_key pick_key(struct torture *torture)
{
	static const uint16_t asids[] = {0, 1, 2, 0x800, 0xfff};
	uint16_t asid = asids[pick(torture, 5)];
	enum hpt_size size = pick(torture, 5) ? HPT_4K : HPT_2M;
	uint64_t number = pick_number(torture);
	bool around = pick(torture, 2); /* the large page is that around a small one of the shape */
	uint64_t numbers = UINT64_C(1)
			   << (pair_vpn_bits(&torture->pair) - (size == HPT_2M ? 9 : 0));

	if (size == HPT_2M && around)
		number /= HPT_LARGE_PAGES;
	return hpt_key(asid, number % numbers * hpt_pages_in(size), size);
}

/* A removal of some range keeps the number of entries in bounds, so that lines come and go. */
static void one_range(struct torture *torture, unsigned int what)
{
	struct hpt_key key = pick_key(torture);
	uint64_t end = UINT64_C(1) << pair_vpn_bits(&torture->pair);
	uint64_t room = (end - key.vpn) / hpt_pages_in(key.size);
	uint64_t count = pick(torture, 40);

	if (what && !pick(torture, 50))
		count = UINT64_C(1) << pick(torture, 46);
	if (count > room)
		count = room;
	if (!what)
		pair_map_range(&torture->pair, key, count,
			       pair_entry(key, &torture->random) & ~(UINT64_C(1) << 47));
	else
		pair_visit_range(&torture->pair, key, count, (enum pair_visit)(what - 1));
}

static void one_operation(struct torture *torture)
{
	struct hpt_key key = pick_key(torture);
	unsigned int what = (unsigned int)pick(torture, 100);

	if (what < 40)
		pair_map(&torture->pair, key, pair_entry(key, &torture->random));
	else if (what < 60)
		pair_unmap(&torture->pair, key);
	else if (what < 75)
		pair_lookup(&torture->pair, key, NULL);
	else if (what < 81)
		pair_change(&torture->pair, key, model_random(&torture->random) & 0xd7f,
			    model_random(&torture->random) & 0xd7f);
	else if (what < 83)
		pair_swap_out(&torture->pair, key, model_random(&torture->random) >> 28);
	else if (what < 85)
		pair_swap_in(&torture->pair, key, model_random(&torture->random) >> 28);
	else
		one_range(torture, (unsigned int)pick(torture, PAIR_VISITS + 1));
}

ParameterizedTestParameters(torture, every_operation_agrees_with_the_model)
{
	return cr_make_param_array(struct torture_kind, kinds, sizeof(kinds) / sizeof(kinds[0]));
}

ParameterizedTest(struct torture_kind *kind, torture, every_operation_agrees_with_the_model)
{
	static struct torture torture;
	struct hpt_config config = {
		.organisation = kind->organisation, .salt = kind->salt, .pages = kind->pages};

	torture.kind = kind;
	torture.random = kind->salt + kind->shape;
	torture.pair.memory.offset = kind->offset;
	cr_assert_eq(pair_begin(&torture.pair, &config), 0);
	for (unsigned int i = 1; i <= OPERATIONS; i++) {
		one_operation(&torture);
		if (i % (OPERATIONS / 8) == 0)
			pair_check(&torture.pair);
	}
	pair_visit_all(&torture.pair, PAIR_UNMAP_ODD);
	pair_check(&torture.pair);
	pair_visit_all(&torture.pair, PAIR_UNMAP);
	pair_expect_empty(&torture.pair);
	pair_end(&torture.pair);
}

/* Small steps of growth under the eyes of hpt_check(): every state that growth passes through. */
Test(torture, every_step_of_growth_keeps_the_invariants)
{
	static struct pair pair;
	struct hpt_config config = {.organisation = HPT_CLUSTERED};
	uint64_t random = 7;

	cr_assert_eq(pair_begin(&pair, &config), 0);
	for (unsigned int i = 0; i < 400; i++) {
		struct hpt_key key =
			hpt_key((uint16_t)(i & 3), model_random(&random) >> 20, HPT_4K);

		pair_map(&pair, key, pair_entry(key, &random));
		pair_check(&pair);
	}
	pair_end(&pair);
}

/* Adding fails now and then, at any allocation; the two go on in step. */
TABLE_TEST(torture, running_out_of_memory_now_and_then_loses_nothing)
{
	static struct pair pair;
	uint64_t random = kind->organisation;
	unsigned int failed = 0;

	begin_kind(&pair, kind, 5, 0);
	for (unsigned int i = 0; i < 20000; i++) {
		struct hpt_key key = page(kind, (uint16_t)(i & 1), model_random(&random) % 100000);

		pair.memory.first_failure = pair.memory.calls + 1;
		pair.memory.last_failure = i & 0x400 ? UINT64_MAX : 0;
		if (model_random(&random) % 4)
			failed += pair_map(&pair, key, pair_entry(key, &random)) == -ENOMEM;
		else
			failed += pair_map_range(&pair, key, 20, entry_of(kind, i)) == -ENOMEM;
		if (i % 5000 == 0)
			pair_check(&pair);
	}
	/* The hashed ones go on with what they have, but for the nodes of chains. */
	cr_assert(failed || (kind->organisation != HPT_RADIX && kind->organisation != HPT_CHAINED));
	pair_end(&pair);
}
