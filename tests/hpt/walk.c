/* SPDX-License-Identifier: MIT */
/* What lookups cost, the walk for foreign readers, and descriptors that nobody vouches for. */
#include <errno.h>
#include <string.h>

#include "hpt/probe.h"
#include "tests/hpt/fixture.h"

static struct pair pair;

/* One lookup and what it costs. */
static void expect_cost(struct hpt_key key, uint64_t hits, uint64_t hashes, uint64_t lines)
{
	struct hpt_ledger ledger = {
		.lookups = 10, .hits = 20, .hashes = 30, .probes = 40, .lines = 50, .steps = 60};

	cr_assert_eq(pair_lookup(&pair, key, &ledger), hits ? 0 : -ENOENT);
	cr_assert_eq(ledger.lookups, 11);
	cr_assert_eq(ledger.hits, 20 + hits);
	cr_assert_eq(ledger.hashes, 30 + hashes);
	cr_assert_eq(ledger.probes, 40 + lines, "%d probes", (int)ledger.probes - 40);
	cr_assert_eq(ledger.lines, 50 + lines);
	cr_assert_eq(ledger.steps, 60 + lines);
}

Test(walk, a_clustered_lookup_costs_one_line_where_nothing_collides)
{
	struct table_kind kind = {HPT_CLUSTERED, HPT_4K};

	begin_kind(&pair, &kind, 0, 0);
	expect_cost(page(&kind, 0, 1), 0, 1, 1);
	cr_assert_eq(pair_map(&pair, page(&kind, 0, 1), 1), 0);
	expect_cost(page(&kind, 0, 1), 1, 1, 1);
	expect_cost(page(&kind, 0, 2), 0, 1, 1); /* the line is there, the entry is not */
	pair_end(&pair);
}

Test(walk, a_radix_lookup_costs_a_line_a_level_down_to_the_missing_one)
{
	struct table_kind kind = {HPT_RADIX, HPT_4K};
	const uint64_t large = 512;
	const uint64_t huge = 512 * large;

	begin_kind(&pair, &kind, 0, 0);
	expect_cost(page(&kind, 0, 0), 0, 0, 0);
	cr_assert_eq(pair_map(&pair, page(&kind, 0, 0), 1), 0);
	expect_cost(page(&kind, 0, 0), 1, 0, 4);
	expect_cost(page(&kind, 0, 1), 0, 0, 4);
	expect_cost(page(&kind, 0, large), 0, 0, 3);
	expect_cost(page(&kind, 0, huge), 0, 0, 2);
	expect_cost(page(&kind, 0, 512 * huge), 0, 0, 1);
	expect_cost(page(&kind, 1, 0), 0, 0, 0);
	cr_assert_eq(pair_map(&pair, hpt_key(0, large, HPT_2M), HPT_LARGE), 0);
	expect_cost(hpt_key(0, large, HPT_2M), 1, 0, 3);
	expect_cost(hpt_key(0, large, HPT_4K), 0, 0, 3);
	expect_cost(hpt_key(0, 0, HPT_2M), 0, 0, 3);
	pair_end(&pair);
}

/* Blocks of one home line and one stride fill its group in order: the n-th costs n probes. */
Test(walk, the_nth_line_of_a_sequence_costs_n_probes)
{
	struct table_kind kind = {HPT_CLUSTERED, HPT_4K};
	struct hpt_key keys[20];
	unsigned int found = 0;
	uint64_t wanted = 0;

	begin_kind(&pair, &kind, 0, 0);
	for (uint64_t block = 0; found < 20; block++) {
		struct hpt_key key = page(&kind, 0, 8 * block);
		uint64_t tag = clustered_tag(key);
		uint64_t home = hpt_hash(&pair.table.desc, tag) >> 58 << HPT_LINE_SHIFT;
		uint64_t sequence = home << 32 | hpt_group_line(home, tag, 1);

		if (!block)
			wanted = sequence;
		if (sequence == wanted)
			keys[found++] = key;
	}
	for (unsigned int i = 0; i < 20; i++) {
		expect_cost(keys[i], 0, 1, i ? i : 1);
		cr_assert_eq(pair_map(&pair, keys[i], 1), 0);
	}
	for (unsigned int i = 0; i < 20; i++)
		expect_cost(keys[i], 1, 1, i + 1);
	/* The first goes: the others keep their places, and a miss still has to pass its line. */
	cr_assert_eq(pair_unmap(&pair, keys[0]), 0);
	expect_cost(keys[19], 1, 1, 20);
	expect_cost(keys[0], 0, 1, 20);
	for (unsigned int i = 19; i; i--) {
		cr_assert_eq(pair_unmap(&pair, keys[i]), 0);
		expect_cost(keys[0], 0, 1, i > 1 ? i : 1);
	}
	pair_end(&pair);
}

/* Reads a line of the table as one would who has no pointers to it: checked, and copied out. */
static const uint64_t *read_foreign(const struct test_memory *memory, uint64_t address,
				    uint64_t *copy)
{
	for (size_t i = 0; i < memory->outstanding; i++) {
		const struct test_block *block = &memory->blocks[i];

		if (address - block->address < block->size) {
			cr_assert_eq(address % HPT_LINE_SIZE, 0);
			memcpy(copy, (void *)(uintptr_t)(address + memory->offset), HPT_LINE_SIZE);
			return copy;
		}
	}
	cr_assert_fail("the walk asks for a line outside of the table");
	return NULL;
}

static enum hpt_answer walk_foreign(const struct hpt_desc *desc, struct hpt_key key,
				    uint64_t *entry, uint64_t *lines)
{
	enum hpt_answer answer = HPT_MISS;
	uint64_t copy[HPT_LINE_WORDS];
	struct hpt_probe probe;

	hpt_probe_start(desc, key, &probe);
	while (probe.line) {
		answer = hpt_probe_step(desc, &probe, read_foreign(&pair.memory, probe.line, copy),
					entry);
		cr_assert_leq(++*lines, HPT_PROBES_MAX);
		if (answer != HPT_NEXT)
			return answer;
	}
	return HPT_MISS;
}

static void expect_same_walk(const struct hpt_desc *desc, struct hpt_key key)
{
	struct hpt_ledger ledger = {0};
	uint64_t lines = 0;
	uint64_t walked = 0;
	uint64_t looked = 0;
	int error = hpt_lookup(&pair.table, key, &looked, &ledger);
	enum hpt_answer answer = walk_foreign(desc, key, &walked, &lines);

	cr_assert_eq(answer == HPT_HIT, !error);
	if (!error)
		cr_assert_eq(walked, looked);
	cr_assert_eq(lines, ledger.probes);
}

static bool growing_wanted(const struct table_kind *kind)
{
	return kind->organisation == HPT_CLUSTERED && pair.table.desc.split == UINT64_MAX;
}

TABLE_TEST(walk, a_foreign_reader_finds_what_the_lookup_finds)
{
	static struct hpt_desc copy;
	uint64_t random = 21;

	begin_kind(&pair, kind, 13, 0x7f000);
	/* Many pages, and a clustered table that is growing. */
	for (unsigned int i = 0; i < 6000 || growing_wanted(kind); i++)
		pair_map(&pair, page(kind, 4, model_random(&random) % 30000 * 3),
			 entry_of(kind, i));
	copy = pair.table.desc;
	cr_assert(hpt_desc_valid(&copy));
	for (uint64_t number = 0; number < 90000; number++)
		expect_same_walk(&copy, page(kind, 4, number));
	for (unsigned int i = 0; i < 10000; i++) {
		struct hpt_key key = {.vpn = model_random(&random) >> (i % 64),
				      .asid = (uint16_t)(model_random(&random) >> 48),
				      .size = (uint8_t)(i % 5)};

		expect_same_walk(&copy, key);
	}
	pair_end(&pair);
}

TABLE_TEST(walk, a_foreign_reader_follows_a_change_of_salt)
{
	static struct hpt_desc copy;
	uint64_t random = 22;

	if (kind->organisation == HPT_RADIX)
		return;
	for (enum hpt_hash_family family = 0; family < HPT_HASH_FAMILIES; family++) {
		struct hpt_config config = {.organisation = kind->organisation, .hash = family};

		pair = (struct pair){.memory = {.offset = 0x7f000}};
		cr_assert_eq(pair_begin(&pair, &config), 0);
		for (unsigned int i = 0; i < 4000; i++)
			pair_map(&pair, page(kind, 4, model_random(&random) % 10000 * 3),
				 entry_of(kind, i));
		pair_settle(&pair, UINT64_MAX);
		cr_assert_eq(pair_rekey(&pair, 99), 0);
		pair_settle(&pair, pair.table.counts.lines / 128);
		copy = pair.table.desc;
		cr_assert_eq(copy.hash, HPT_REKEYING);
		cr_assert(hpt_desc_valid(&copy));
		for (uint64_t number = 0; number < 30000; number++)
			expect_same_walk(&copy, page(kind, 4, number));
		pair_end(&pair);
	}
}

static struct hpt_desc valid_desc(void)
{
	return (struct hpt_desc){.magic = HPT_MAGIC,
				 .version = HPT_VERSION,
				 .organisation = HPT_CLUSTERED,
				 .split = UINT64_C(1) << 60,
				 .spill_lines = 128,
				 .current = {.lines_log2 = 10, .first_chunk = HPT_CHUNKS},
				 .old = {.lines_log2 = 9, .first_chunk = 0}};
}

Test(walk, a_descriptor_with_a_field_out_of_range_is_refused)
{
	static struct hpt_desc desc;

#define EXPECT_VALID(field, value, expected)                                        \
	do {                                                                        \
		desc = valid_desc();                                                \
		desc.field = value;                                                 \
		cr_assert_eq(hpt_desc_valid(&desc), expected, #field " = " #value); \
	} while (0)

	EXPECT_VALID(magic, HPT_MAGIC, true);
	EXPECT_VALID(magic, 0, false);
	EXPECT_VALID(magic, HPT_MAGIC ^ 1, false);
	EXPECT_VALID(version, HPT_VERSION + 1, false);
	EXPECT_VALID(organisation, HPT_ORGANISATIONS, false);
	EXPECT_VALID(organisation, UINT32_MAX, false);
	EXPECT_VALID(hash, HPT_SIPHASH, false); /* another than `family` */
	EXPECT_VALID(hash, HPT_REKEYING, true);
	EXPECT_VALID(hash, HPT_HASH_FAMILIES, false);
	EXPECT_VALID(family, HPT_SIPHASH, false);
	EXPECT_VALID(family, HPT_REKEYING, false);
	EXPECT_VALID(sealed, 1, true);
	EXPECT_VALID(sealed, 2, false);
	EXPECT_VALID(growing, 1, true);
	EXPECT_VALID(growing, 2, false);
	EXPECT_VALID(spill_lines, HPT_SPILL_PAGES * HPT_GROUP_LINES, true);
	EXPECT_VALID(spill_lines, HPT_SPILL_PAGES * HPT_GROUP_LINES + HPT_GROUP_LINES, false);
	EXPECT_VALID(spill_lines, 100, false);
	EXPECT_VALID(spill_lines, UINT32_MAX, false);
	EXPECT_VALID(current.lines_log2, HPT_LINES_LOG2_MIN, true);
	EXPECT_VALID(current.lines_log2, HPT_LINES_LOG2_MIN - 1, false);
	EXPECT_VALID(current.lines_log2, 0, false);
	EXPECT_VALID(current.lines_log2, HPT_LINES_LOG2_MAX, true);
	EXPECT_VALID(current.lines_log2, HPT_LINES_LOG2_MAX + 1, false);
	EXPECT_VALID(current.lines_log2, 64, false);
	EXPECT_VALID(old.lines_log2, 0, false);
	EXPECT_VALID(old.lines_log2, HPT_LINES_LOG2_MIN - 1, false);
	EXPECT_VALID(old.lines_log2, HPT_LINES_LOG2_MAX, true);
	EXPECT_VALID(old.lines_log2, HPT_LINES_LOG2_MAX + 1, false);
	EXPECT_VALID(current.first_chunk, 0, true);
	EXPECT_VALID(current.first_chunk, 1, false);
	EXPECT_VALID(current.first_chunk, HPT_CHUNKS + 1, false);
	EXPECT_VALID(old.first_chunk, HPT_CHUNKS, true);
	EXPECT_VALID(old.first_chunk, 2 * HPT_CHUNKS, false);
	EXPECT_VALID(old.first_chunk, UINT32_MAX, false);
#undef EXPECT_VALID
	desc = valid_desc();
	desc.old.lines_log2 = 0;
	desc.split = UINT64_MAX;
	cr_assert(hpt_desc_valid(&desc), "a table that does not grow has no old generation");
}

/* A line that does all it can to keep a walk going: it never matches and always points on. */
static void hostile_line(uint64_t *line, uint64_t *random, bool at_random)
{
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		line[i] = at_random ? model_random(random) : UINT64_MAX;
	if (at_random && model_random(random) & 1)
		for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
			line[i] = (line[i] | HPT_PRESENT) & ~HPT_LARGE;
}

static uint64_t walk_hostile(const struct hpt_desc *desc, struct hpt_key key, uint64_t *random,
			     bool at_random)
{
	uint64_t line[HPT_LINE_WORDS];
	struct hpt_probe probe;
	uint64_t lines = 0;
	uint64_t entry;

	hpt_probe_start(desc, key, &probe);
	while (probe.line) {
		cr_assert_lt(lines++, HPT_PROBES_MAX);
		hostile_line(line, random, at_random);
		if (hpt_probe_step(desc, &probe, line, &entry) != HPT_NEXT)
			break;
	}
	return lines;
}

/* Fills everything that a valid descriptor leaves open with random bits. */
static void random_desc(struct hpt_desc *desc, uint64_t *random)
{
	uint64_t *words = (uint64_t *)desc;

	for (size_t i = 0; i < sizeof(*desc) / sizeof(*words); i++)
		words[i] = model_random(random);
	desc->magic = HPT_MAGIC;
	desc->version = HPT_VERSION;
	desc->organisation %= HPT_ORGANISATIONS;
	desc->family %= HPT_HASH_FAMILIES;
	desc->hash = desc->hash & 1 ? desc->family : HPT_REKEYING;
	desc->sealed &= 1;
	desc->growing &= 1;
	desc->spill_lines %= HPT_SPILL_PAGES * HPT_GROUP_LINES + HPT_GROUP_LINES;
	desc->spill_lines &= ~(HPT_GROUP_LINES - 1);
	desc->current.lines_log2 %= HPT_LINES_LOG2_MAX + 2;
	desc->old.lines_log2 %= HPT_LINES_LOG2_MAX + 2;
	desc->current.first_chunk = desc->current.first_chunk & 1 ? HPT_CHUNKS : 0;
	desc->old.first_chunk = desc->old.first_chunk & 1 ? HPT_CHUNKS : 0;
}

Test(walk, any_valid_descriptor_is_walked_to_an_end)
{
	static struct hpt_desc desc;
	uint64_t random = 99;
	uint64_t longest = 0;
	unsigned int valid = 0;

	for (unsigned int i = 0; i < 1500; i++) {
		random_desc(&desc, &random);
		if (!hpt_desc_valid(&desc))
			continue;
		valid++;
		for (unsigned int j = 0; j < 16; j++) {
			struct hpt_key key = {.vpn = model_random(&random) >> (j & 1 ? 28 : 0),
					      .asid = (uint16_t)(model_random(&random) & 0xfff),
					      .size = (uint8_t)(j % 3)};
			uint64_t lines = walk_hostile(&desc, key, &random, j > 2);

			longest = lines > longest ? lines : longest;
		}
	}
	cr_assert_gt(valid, 500);
	cr_assert_gt(longest, HPT_SEQUENCE_MAX / 2, "the lines were not hostile enough");
	cr_assert_leq(longest, HPT_PROBES_MAX);
}
