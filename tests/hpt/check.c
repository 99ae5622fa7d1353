/* SPDX-License-Identifier: MIT */
/* hpt_check() names each invariant when it alone is broken. */
#include "hpt/clustered.h"
#include "hpt/generation.h"
#include "hpt/radix.h"
#include "tests/hpt/fixture.h"

static struct pair pair;

/* Some used line that is not in the spill. */
static uint64_t *used_line(struct hpt *table)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	do
		line = generation_next_line(&walk);
	while (!clustered_line_used(line));
	return line;
}

static uint64_t *unused_line(struct hpt *table)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	do
		line = generation_next_line(&walk);
	while (clustered_line_used(line));
	return line;
}

/* The word of a page that is mapped by prepare() in a tree, and those on the way to it. */
static uint64_t *tree_word(struct hpt *table, int level)
{
	uint64_t *word = &table->desc.directory[0];
	uint64_t offset = table->memory.offset;

	for (int above = HPT_RADIX_LEVELS - 1; above >= level; above--) {
		uint64_t *node = (uint64_t *)(uintptr_t)(radix_node(*word) + offset);

		word = &node[radix_index(0, above)];
	}
	return word;
}

static void entry_in_unused_line(struct hpt *table)
{
	unused_line(table)[5] |= HPT_PRESENT;
}

static void no_entry_in_used_line(struct hpt *table)
{
	uint64_t *line = used_line(table);

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		line[i] &= ~HPT_ENTRY_MASK;
}

static void another_tag(struct hpt *table)
{
	used_line(table)[1] ^= UINT64_C(1) << 60;
}

static void one_tag_twice(struct hpt *table)
{
	uint64_t *from = used_line(table);
	uint64_t *to = unused_line(table);

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		to[i] = from[i];
}

static void large_page_over_small(struct hpt *table)
{
	cr_assert_eq(hpt_map(table, hpt_key(0, 0, HPT_2M), hpt_entry(0, HPT_LARGE)), 0);
}

static void passed_too_many(struct hpt *table)
{
	used_line(table)[4] += UINT64_C(1) << 48;
}

static void passed_by_a_stranger(struct hpt *table)
{
	unused_line(table)[4] += UINT64_C(1) << 48;
}

static void one_entry_more(struct hpt *table)
{
	table->counts.entries++;
}

static void one_line_used_less(struct hpt *table)
{
	table->counts.used--;
}

static void one_spilled_more(struct hpt *table)
{
	table->counts.spilled++;
}

static void one_line_more(struct hpt *table)
{
	table->counts.lines++;
}

static void one_byte_more(struct hpt *table)
{
	table->counts.bytes++;
}

static void no_magic(struct hpt *table)
{
	table->desc.magic++;
}

static void high_bit_in_leaf(struct hpt *table)
{
	*tree_word(table, 0) |= UINT64_C(1) << 60;
}

static void large_at_level_0(struct hpt *table)
{
	*tree_word(table, 0) |= HPT_LARGE;
}

static void flag_on_the_way(struct hpt *table)
{
	*tree_word(table, 2) |= HPT_WRITE;
}

static void one_word_more(struct hpt *table)
{
	*tree_word(table, 1) += RADIX_USED_ONE;
}

static void word_gone(struct hpt *table)
{
	*tree_word(table, 0) = 0;
}

struct breakage {
	enum hpt_organisation organisation;
	void (*inflict)(struct hpt *table);
	const char *message;
};

static const struct breakage breakages[] = {
	{HPT_CLUSTERED, no_magic, "the descriptor is valid"},
	{HPT_CLUSTERED, entry_in_unused_line, "a line that is not used has no entries"},
	{HPT_CLUSTERED, no_entry_in_used_line, "a used line has an entry"},
	{HPT_CLUSTERED, another_tag, "a used line is the one that its tag finds"},
	{HPT_CLUSTERED, one_tag_twice, "a used line is the one that its tag finds"},
	{HPT_CLUSTERED, large_page_over_small, "no 4 KiB page lies in a mapped 2 MiB page"},
	{HPT_CLUSTERED, passed_too_many, "a line's passed count is exact"},
	{HPT_CLUSTERED, passed_by_a_stranger, "a line's passed count is exact"},
	{HPT_CLUSTERED, one_entry_more, "counts.entries is the number of entries"},
	{HPT_CLUSTERED, one_line_used_less, "counts.used is the number of places that are taken"},
	{HPT_CLUSTERED, one_spilled_more,
	 "counts.spilled is the number of places taken in spill lines"},
	{HPT_CLUSTERED, one_line_more,
	 "counts.lines is the number of lines of the current generation"},
	{HPT_CLUSTERED, one_byte_more, "counts.bytes is the memory of generations and spill"},
	{HPT_RADIX, no_magic, "the descriptor is valid"},
	{HPT_RADIX, high_bit_in_leaf, "a leaf has no bits above its frame"},
	{HPT_RADIX, large_at_level_0, "large leaves stand at level 1 and nowhere else"},
	{HPT_RADIX, flag_on_the_way, "a word above the leaves is a node's address and P"},
	{HPT_RADIX, one_word_more, "a node's count is that of its words"},
	{HPT_RADIX, word_gone, "a node's count is that of its words"},
	{HPT_RADIX, one_entry_more, "counts.entries is the number of leaves"},
	{HPT_RADIX, one_line_more, "counts.bytes and lines are those of the nodes"},
	{HPT_RADIX, one_byte_more, "counts.bytes and lines are those of the nodes"},
};

#define BREAKAGES (sizeof(breakages) / sizeof(breakages[0]))

/* A parameter holds no pointers: the test runs in another process. */
ParameterizedTestParameters(check, a_broken_invariant_is_named)
{
	static unsigned int numbers[BREAKAGES];

	for (unsigned int i = 0; i < BREAKAGES; i++)
		numbers[i] = i;
	return cr_make_param_array(unsigned int, numbers, BREAKAGES);
}

ParameterizedTest(unsigned int *number, check, a_broken_invariant_is_named)
{
	const struct breakage *breakage = &breakages[*number];
	struct table_kind kind = {breakage->organisation, HPT_4K};

	begin_kind(&pair, &kind, 0, 0);
	for (uint64_t at = 0; at < 30; at++)
		cr_assert_eq(pair_map(&pair, page(&kind, 0, at * 24), entry_of(&kind, at)), 0);
	cr_assert_null(hpt_check(&pair.table));
	breakage->inflict(&pair.table);
	cr_assert_str_eq(hpt_check(&pair.table), breakage->message);
}

/* The same while a generation is half moved: what broke is found on either side of the split. */
Test(check, both_generations_are_looked_at_during_growth)
{
	struct table_kind kind = {HPT_CLUSTERED, HPT_4K};
	struct generation_walk walk = {.table = &pair.table};
	unsigned int lines[3] = {0};
	uint64_t number = 0;
	uint64_t *line;

	begin_kind(&pair, &kind, 0, 0);
	while (pair.table.counts.lines < 1024)
		cr_assert_eq(pair_map(&pair, page(&kind, 0, 8 * number++), 1), 0);
	cr_assert_neq(pair.table.desc.split, UINT64_MAX);
	while ((line = generation_next_line(&walk))) {
		lines[walk.part]++;
		line[4] += UINT64_C(1) << 48;
		cr_assert_str_eq(hpt_check(&pair.table), "a line's passed count is exact");
		line[4] -= UINT64_C(1) << 48;
	}
	cr_assert_eq(lines[0], 1024);
	cr_assert_eq(lines[1], 512 - 64);
	pair_end(&pair);
}
