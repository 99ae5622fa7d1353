/* SPDX-License-Identifier: MIT */
/*
 * Sealed tables: what their memory shows, what opens it, and that nothing else is different. That
 * they agree with the model in every operation is what the streams test (features.c).
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "hpt/lookup.h"
#include "hpt/organisation.h"
#include "tests/hpt/fixture.h"

#define PAGES 3000

static const uint8_t secret[16] = "not to be known";
static struct pair pair;

static void begin(const struct table_kind *kind, bool sealed, uintptr_t offset)
{
	struct hpt_config config = {.organisation = kind->organisation, .sealed = sealed};

	memcpy(config.seal_key, secret, sizeof(secret));
	pair = (struct pair){.memory = {.offset = offset}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
}

/* Frames that no key, flag or count of these tests looks like. */
static uint64_t frame_of(uint64_t number)
{
	uint64_t random = number;

	return model_random(&random) >> 28 | UINT64_C(1) << 35;
}

/* Pages here and there, some in runs; every eleventh is swapped out. */
static struct hpt_key nth_page(const struct table_kind *kind, uint64_t number)
{
	return page(kind, (uint16_t)(number % 3), number / 20 * 64 + number % 20);
}

static uint64_t nth_entry(const struct table_kind *kind, uint64_t number)
{
	uint64_t large = kind->size == HPT_2M ? HPT_LARGE : 0;

	if (number % 11 == 0)
		return hpt_swap_entry(frame_of(number), large | HPT_WRITE);
	return hpt_entry(frame_of(number), large | HPT_PRESENT | HPT_USER);
}

static void fill(const struct table_kind *kind)
{
	for (uint64_t i = 0; i < PAGES; i++)
		cr_assert_eq(pair_map(&pair, nth_page(kind, i), nth_entry(kind, i)), 0);
	/* Some nodes and places have been used and are free again. */
	for (uint64_t i = 0; i < PAGES; i += 7)
		cr_assert_eq(pair_unmap(&pair, nth_page(kind, i)), 0);
}

/* The word as it is stored. */
static uint64_t *word_of(struct hpt_key key)
{
	struct hpt_found found;

	cr_assert(hpt_find(&pair.table, key, &found));
	return found.word;
}

static int compare_words(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a;
	uint64_t second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

/* How many words of the table's memory have one of these in their frame field. */
static unsigned int count_shown(uint64_t *frames, size_t count)
{
	unsigned int shown = 0;

	qsort(frames, count, sizeof(*frames), compare_words);
	for (size_t i = 0; i < pair.memory.outstanding; i++) {
		const struct test_block *block = &pair.memory.blocks[i];
		const uint64_t *words = (void *)(uintptr_t)(block->address + pair.memory.offset);

		for (size_t j = 0; j < block->size / sizeof(*words); j++) {
			uint64_t frame = hpt_frame(words[j]);

			shown += !!bsearch(&frame, frames, count, sizeof(frame), compare_words);
		}
	}
	return shown;
}

static unsigned int count_frames_shown(void)
{
	static uint64_t frames[PAGES];

	for (uint64_t i = 0; i < PAGES; i++)
		frames[i] = frame_of(i);
	return count_shown(frames, PAGES);
}

/* The pages of the blocks that the table has been given. */
static unsigned int count_addresses_shown(void)
{
	static uint64_t frames[1 << 15];
	size_t count = 0;

	for (size_t i = 0; i < pair.memory.outstanding; i++) {
		for (size_t at = 0; at < pair.memory.blocks[i].size; at += HPT_PAGE_SIZE) {
			cr_assert_lt(count, sizeof(frames) / sizeof(frames[0]));
			frames[count++] = (pair.memory.blocks[i].address + at) >> HPT_PAGE_SHIFT;
		}
	}
	return count_shown(frames, count);
}

TABLE_TEST(seal, the_memory_of_a_table_shows_no_frame_no_swap_location_and_no_node)
{
	bool has_nodes = kind->organisation == HPT_RADIX || kind->organisation == HPT_CHAINED;

	/* In the clear all of them are seen: so the search would find them. */
	begin(kind, false, 0x40000);
	fill(kind);
	cr_assert_geq(count_frames_shown(), pair.table.counts.entries);
	cr_assert_eq(count_addresses_shown() > 0, has_nodes);
	pair_end(&pair);

	begin(kind, true, 0x40000);
	fill(kind);
	cr_assert_eq(count_frames_shown(), 0);
	cr_assert_eq(count_addresses_shown(), 0);
	pair_end(&pair);
}

TABLE_TEST(seal, equal_frames_are_stored_unequal)
{
	static uint64_t stored[PAGES];

	begin(kind, true, 0);
	for (uint64_t i = 0; i < PAGES; i++)
		cr_assert_eq(pair_map(&pair, nth_page(kind, i), entry_of(kind, 0x1000)), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		stored[i] = hpt_frame(*word_of(nth_page(kind, i)));
	qsort(stored, PAGES, sizeof(stored[0]), compare_words);
	for (uint64_t i = 1; i < PAGES; i++)
		cr_assert_neq(stored[i], stored[i - 1]);
	pair_end(&pair);
}

/* The pad by OpenSSL: AES-128 of the page's tag. */
static uint64_t expected_pad(EVP_CIPHER_CTX *context, struct hpt_key key)
{
	const uint64_t block[2] = {hpt_tag(key), 0};
	uint64_t result[2];
	int length = 0;

	cr_assert(EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, secret, NULL));
	cr_assert(EVP_EncryptUpdate(context, (void *)result, &length, (const void *)block, 16));
	return (result[0] & 0xfffffffff) << 12;
}

TABLE_TEST(seal, a_frame_is_stored_under_aes_of_its_place_and_flags_in_the_clear)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	begin(kind, true, 0);
	fill(kind);
	for (uint64_t i = 1; i < PAGES; i += i % 7 == 6 ? 2 : 1) {
		struct hpt_key key = nth_page(kind, i);

		cr_assert_eq(*word_of(key) & HPT_ENTRY_MASK,
			     nth_entry(kind, i) ^ expected_pad(context, key));
	}
	EVP_CIPHER_CTX_free(context);
	pair_end(&pair);
}

/* What the header admits: one page at two times. */
TABLE_TEST(seal, two_entries_of_one_page_show_their_difference_and_no_more)
{
	struct hpt_key key = page(kind, 1, 9);
	uint64_t first, second;

	begin(kind, true, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 0x5555)), 0);
	first = *word_of(key);
	cr_assert_eq(pair_unmap(&pair, key), 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 0x1234)), 0);
	second = *word_of(key);
	cr_assert_eq(hpt_frame(first ^ second), 0x5555 ^ 0x1234);
	cr_assert_neq(hpt_frame(first), 0x5555);
	pair_end(&pair);
}

TABLE_TEST(seal, a_frame_that_is_put_in_another_pages_place_opens_to_garbage)
{
	struct hpt_key key = page(kind, 1, 9);
	struct hpt_key other = page(kind, 1, 10);
	uint64_t entry = 0;

	begin(kind, true, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 0x5555)), 0);
	cr_assert_eq(pair_map(&pair, other, entry_of(kind, 0x1234)), 0);
	hpt_store(word_of(other), *word_of(key) & HPT_ENTRY_MASK);
	cr_assert_eq(hpt_lookup(&pair.table, other, &entry, NULL), 0);
	cr_assert_neq(hpt_frame(entry), 0x5555);
	cr_assert_neq(hpt_frame(entry), 0x1234);
	cr_assert_eq(hpt_unmap(&pair.table, other, NULL), 0);
	model_set(&pair.model, other, 0);
	pair_end(&pair);
}

/* One word of the table, as a reader without pointers has it; NULL outside of the table. */
static const uint64_t *read_line(uint64_t address)
{
	for (size_t i = 0; i < pair.memory.outstanding; i++) {
		const struct test_block *block = &pair.memory.blocks[i];

		if (address - block->address < block->size && address % HPT_LINE_SIZE == 0)
			return (void *)(uintptr_t)(address + pair.memory.offset);
	}
	return NULL;
}

static bool walk(const struct hpt_desc *desc, struct hpt_key key, uint64_t *entry)
{
	enum hpt_answer answer = HPT_MISS;
	unsigned int lines = 0;
	struct hpt_probe probe;

	hpt_probe_start(desc, key, &probe);
	while (probe.line) {
		const uint64_t *line = read_line(probe.line);

		if (!line)
			return false;
		cr_assert_leq(++lines, HPT_PROBES_MAX);
		answer = hpt_probe_step(desc, &probe, line, entry);
		if (answer != HPT_NEXT)
			break;
	}
	*entry = hpt_open(desc, key, *entry);
	return answer == HPT_HIT;
}

TABLE_TEST(seal, walks_and_batches_find_what_lookups_find)
{
	static struct hpt_key keys[2 * PAGES];
	static uint64_t entries[2 * PAGES];

	begin(kind, true, 0x7f000);
	fill(kind);
	for (uint64_t i = 0; i < 2 * PAGES; i++)
		keys[i] = nth_page(kind, i);
	hpt_lookup_batch(&pair.table, keys, entries, 2 * PAGES);
	for (uint64_t i = 0; i < 2 * PAGES; i++) {
		uint64_t looked = 0, walked = 0;
		bool found = !hpt_lookup(&pair.table, keys[i], &looked, NULL);

		cr_assert_eq(entries[i], looked);
		cr_assert_eq(walk(&pair.table.desc, keys[i], &walked), found);
		cr_assert(!found || walked == looked);
	}
	pair_end(&pair);
}

TABLE_TEST(seal, with_another_key_a_walk_ends_and_learns_no_frame)
{
	static struct hpt_desc other;
	const uint8_t guess[16] = "not to be knowm";
	unsigned int found = 0;

	begin(kind, true, 0);
	fill(kind);
	other = pair.table.desc;
	aes_expand(&other.seal, guess);
	for (uint64_t i = 1; i < PAGES; i += i % 7 == 6 ? 2 : 1) {
		uint64_t entry = 0;

		if (!walk(&other, nth_page(kind, i), &entry))
			continue;
		found++;
		cr_assert_neq(hpt_frame(entry), frame_of(i));
		cr_assert_eq(entry & HPT_FLAGS_MASK, nth_entry(kind, i) & HPT_FLAGS_MASK);
	}
	/* Who cannot open nodes does not even get to the entries, but for the first of a chain. */
	cr_assert_eq(found > 0,
		     kind->organisation != HPT_RADIX && kind->organisation != HPT_CHAINED);
	pair_end(&pair);
}

TABLE_TEST(seal, a_lookup_reads_the_same_lines_sealed_or_not)
{
	struct hpt_ledger clear = {0}, sealed = {0};

	begin(kind, false, 0);
	fill(kind);
	for (uint64_t i = 0; i < 2 * PAGES; i++)
		pair_lookup(&pair, nth_page(kind, i), &clear);
	pair_end(&pair);
	begin(kind, true, 0);
	fill(kind);
	for (uint64_t i = 0; i < 2 * PAGES; i++)
		pair_lookup(&pair, nth_page(kind, i), &sealed);
	pair_end(&pair);
	cr_assert_arr_eq(&clear, &sealed, sizeof(clear));
}

/* A 2 MiB entry has HPT_LARGE, which nothing takes away. */
Test(seal, an_entry_without_flags_is_refused)
{
	for (unsigned int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		struct table_kind kind = {(enum hpt_organisation)organisation, HPT_4K};
		struct hpt_key key = page(&kind, 0, 4);
		uint64_t entry = 0;

		begin(&kind, true, 0);
		cr_assert_eq(pair_map(&pair, key, hpt_entry(5, 0)), -EINVAL);
		cr_assert_eq(pair_map_range(&pair, key, 2, hpt_entry(5, 0)), -EINVAL);
		cr_assert_eq(pair_map(&pair, key, hpt_entry(5, HPT_PRESENT)), 0);
		cr_assert_eq(pair_change(&pair, key, HPT_PRESENT, 0), -EINVAL);
		cr_assert_eq(hpt_change_range(&pair.table, key, 1, HPT_PRESENT, 0), 0);
		cr_assert_eq(hpt_lookup(&pair.table, key, &entry, NULL), 0);
		cr_assert_eq(entry, hpt_entry(5, HPT_PRESENT));
		cr_assert_eq(pair_change(&pair, key, HPT_PRESENT, HPT_SOFT), 0);
		pair_end(&pair);
	}
}

/* hpt_map_found() after a lookup that missed, at every step of filling a table. */
TABLE_TEST(seal, what_is_mapped_after_a_lookup_is_sealed_as_well)
{
	begin(kind, true, 0);
	for (uint64_t i = 0; i < PAGES; i++) {
		struct hpt_key key = nth_page(kind, i);
		struct hpt_found found;

		cr_assert_not(hpt_find(&pair.table, key, &found));
		cr_assert_eq(hpt_map_found(&pair.table, key, nth_entry(kind, i), &found), 0);
		cr_assert_eq(hpt_set_found(&pair.table, key, &found, HPT_SOFT), 0);
		model_set(&pair.model, key, nth_entry(kind, i) | HPT_SOFT);
	}
	cr_assert_eq(count_frames_shown(), 0);
	cr_assert_eq(count_addresses_shown(), 0);
	pair_end(&pair);
}
