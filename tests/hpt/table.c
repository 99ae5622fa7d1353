/* SPDX-License-Identifier: MIT */
/* What each function of hpt.h promises for one page: results, errors, exactness, counts. */
#include <errno.h>
#include <string.h>

#include "tests/hpt/fixture.h"

static struct pair pair;

TABLE_TEST(table, a_mapped_page_is_found_changed_and_removed)
{
	struct hpt_key key = page(kind, 3, 77);
	uint64_t entry = entry_of(kind, 0xabcdef);
	uint64_t seen = 0;

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_lookup(&pair, key, NULL), -ENOENT);
	cr_assert_eq(pair_map(&pair, key, entry), 0);
	cr_assert_eq(hpt_lookup(&pair.table, key, &seen, NULL), 0);
	cr_assert_eq(seen, entry);
	cr_assert_eq(pair_change(&pair, key, HPT_WRITE, HPT_DIRTY | HPT_NOEXEC), 0);
	cr_assert_eq(hpt_lookup(&pair.table, key, &seen, NULL), 0);
	cr_assert_eq(seen, (entry & ~HPT_WRITE) | HPT_DIRTY | HPT_NOEXEC);
	cr_assert_eq(pair_unmap(&pair, key), 0);
	cr_assert_eq(pair_lookup(&pair, key, NULL), -ENOENT);
	cr_assert_eq(pair_unmap(&pair, key), -ENOENT);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

TABLE_TEST(table, a_second_map_is_refused_and_changes_nothing)
{
	struct hpt_key key = page(kind, 0, 9);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 1)), 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 2)), -EEXIST);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 1)), -EEXIST);
	cr_assert_eq(hpt_unmap(&pair.table, key, NULL), 0);
	model_set(&pair.model, key, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 2)), 0);
	pair_end(&pair);
}

/* Every operation on a key that no table of this organisation can hold. */
static void expect_refused(const struct table_kind *kind, struct hpt_key key)
{
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 5)), -EINVAL);
	cr_assert_eq(pair_map_range(&pair, key, 1, entry_of(kind, 5)), -EINVAL);
	cr_assert_eq(pair_lookup(&pair, key, NULL), -ENOENT);
	cr_assert_eq(pair_unmap(&pair, key), -ENOENT);
	cr_assert_eq(pair_change(&pair, key, 0, HPT_DIRTY), -ENOENT);
}

TABLE_TEST(table, a_key_too_wide_for_the_table_is_refused_and_finds_nothing)
{
	uint16_t asid_end;

	begin_kind(&pair, kind, 0, 0);
	/* Page 0 of every ASID that a cut-off or spilled-over bit could turn the key into. */
	for (uint32_t asid = 0; asid < 1u << pair_asid_bits(&pair); asid = asid ? 2 * asid : 1)
		cr_assert_eq(pair_map(&pair, page(kind, (uint16_t)asid, 0), entry_of(kind, 1)), 0);
	for (unsigned int bit = pair_vpn_bits(&pair); bit < 64; bit++)
		expect_refused(kind, hpt_key(0, UINT64_C(1) << bit, kind->size));
	asid_end = (uint16_t)(1u << pair_asid_bits(&pair));
	for (uint16_t asid = asid_end; asid; asid = (uint16_t)(asid << 1))
		expect_refused(kind, page(kind, asid, 0));
	for (unsigned int size = HPT_SIZES; size < 256; size++)
		expect_refused(kind, (struct hpt_key){.vpn = 0, .size = (uint8_t)size});
	pair_end(&pair);
}

TABLE_TEST(table, the_first_and_the_last_key_are_keys_like_any_other)
{
	uint64_t last;
	uint16_t asid;

	begin_kind(&pair, kind, 0, 0);
	last = (UINT64_C(1) << pair_vpn_bits(&pair)) / hpt_pages_in(kind->size) - 1;
	asid = (uint16_t)((1u << pair_asid_bits(&pair)) - 1);
	cr_assert_eq(pair_map(&pair, page(kind, 0, 0), entry_of(kind, 0)), 0);
	cr_assert_eq(pair_map(&pair, page(kind, asid, last), entry_of(kind, 0xfffffffff)), 0);
	cr_assert_eq(pair_map(&pair, page(kind, asid, last + 1), entry_of(kind, 1)), -EINVAL);
	pair_check(&pair);
	cr_assert_eq(pair_unmap(&pair, page(kind, asid, last)), 0);
	cr_assert_eq(pair_unmap(&pair, page(kind, 0, 0)), 0);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

TABLE_TEST(table, a_malformed_entry_is_refused)
{
	struct hpt_key key = page(kind, 1, 1);
	uint64_t entry = entry_of(kind, 1);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_map(&pair, key, 0), -EINVAL);
	cr_assert_eq(pair_map(&pair, key, entry ^ HPT_LARGE), -EINVAL);
	for (unsigned int bit = 48; bit < 64; bit++)
		cr_assert_eq(pair_map(&pair, key, entry | UINT64_C(1) << bit), -EINVAL);
	cr_assert_eq(pair.model.entries, 0);
	cr_assert_eq(pair_map_range(&pair, key, 2, hpt_entry(0xfffffffff, entry & 0xfff)), -EINVAL);
	cr_assert_eq(pair_map_range(&pair, key, UINT64_MAX, entry), -EINVAL);
	pair_end(&pair);
}

Test(table, a_large_page_in_the_middle_of_one_is_refused_but_found)
{
	for (unsigned int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		struct table_kind kind = {(enum hpt_organisation)organisation, HPT_2M};

		begin_kind(&pair, &kind, 0, 0);
		for (uint64_t vpn = 1; vpn < HPT_LARGE_PAGES; vpn++)
			cr_assert_eq(pair_map(&pair, hpt_key(0, vpn, HPT_2M), entry_of(&kind, 1)),
				     -EINVAL);
		cr_assert_eq(pair_map(&pair, hpt_key(0, 0, HPT_2M), entry_of(&kind, 1)), 0);
		for (uint64_t vpn = 0; vpn < HPT_LARGE_PAGES; vpn++) {
			cr_assert_eq(pair_lookup(&pair, hpt_key(0, vpn, HPT_2M), NULL), 0);
			cr_assert_eq(pair_lookup(&pair, hpt_key(0, vpn, HPT_4K), NULL), -ENOENT);
			cr_assert_eq(pair_change(&pair, hpt_key(0, vpn, HPT_4K), 0, 1), -ENOENT);
			cr_assert_eq(pair_unmap(&pair, hpt_key(0, vpn, HPT_4K)), -ENOENT);
		}
		cr_assert_eq(pair_change(&pair, hpt_key(0, 5, HPT_2M), 0, HPT_DIRTY), 0);
		cr_assert_eq(pair_unmap(&pair, hpt_key(0, 511, HPT_2M)), 0);
		pair_end(&pair);
	}
}

TABLE_TEST(table, only_flags_that_are_the_callers_can_be_changed)
{
	struct hpt_key key = page(kind, 0, 4);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_change(&pair, key, 0, HPT_DIRTY), -ENOENT);
	cr_assert_eq(pair_change(&pair, key, 0, HPT_LARGE), -EINVAL);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 6)), 0);
	for (unsigned int bit = 0; bit < 64; bit++) {
		int expected = bit < 12 && bit != 7 && bit != 9 ? 0 : -EINVAL;

		cr_assert_eq(pair_change(&pair, key, UINT64_C(1) << bit, 0), expected);
		cr_assert_eq(pair_change(&pair, key, 0, UINT64_C(1) << bit), expected);
		cr_assert_eq(pair_lookup(&pair, key, NULL), 0);
	}
	pair_end(&pair);
}

/* An entry of nothing is no entry: a change must not make one. (2 MiB entries keep HPT_LARGE.) */
Test(table, a_change_does_not_empty_an_entry)
{
	for (unsigned int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		struct table_kind kind = {(enum hpt_organisation)organisation, HPT_4K};
		struct hpt_key key = page(&kind, 0, 4);

		begin_kind(&pair, &kind, 0, 0);
		cr_assert_eq(pair_map(&pair, key, HPT_PRESENT | HPT_SOFT), 0);
		cr_assert_eq(pair_change(&pair, key, HPT_PRESENT | HPT_SOFT, 0), -EINVAL);
		cr_assert_eq(pair_lookup(&pair, key, NULL), 0);
		cr_assert_eq(pair_change(&pair, key, HPT_PRESENT, 0), 0);
		cr_assert_eq(pair_lookup(&pair, key, NULL), 0);
		cr_assert_eq(pair_change(&pair, key, HPT_SOFT, HPT_PRESENT), 0);
		pair_end(&pair);
	}
}

/* A page that is not present (swapped out, say) is mapped all the same. */
TABLE_TEST(table, an_entry_need_not_be_present)
{
	struct hpt_key key = page(kind, 0, 12);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 3) & ~HPT_PRESENT), 0);
	cr_assert_eq(pair_lookup(&pair, key, NULL), 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 3)), -EEXIST);
	cr_assert_eq(pair_visit_range(&pair, key, 1, PAIR_KEEP), 1);
	cr_assert_eq(pair_unmap(&pair, key), 0);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

TABLE_TEST(table, keys_that_differ_in_one_bit_are_never_mistaken)
{
	const struct table_kind other = {kind->organisation,
					 kind->size == HPT_4K ? HPT_2M : HPT_4K};
	uint64_t random = 11;

	for (unsigned int round = 0; round < 50; round++) {
		struct hpt_key key;
		unsigned int low = kind->size == HPT_2M ? 9 : 0;

		begin_kind(&pair, kind, model_random(&random), 0);
		key = hpt_key((uint16_t)model_random(&random), model_random(&random), kind->size);
		key.asid &= (uint16_t)((1u << pair_asid_bits(&pair)) - 1);
		key.vpn &= ((UINT64_C(1) << pair_vpn_bits(&pair)) - 1) >> low << low;
		cr_assert_eq(pair_map(&pair, key, entry_of(kind, round)), 0);
		for (unsigned int bit = low; bit < 64; bit++)
			cr_assert_eq(pair_lookup(&pair,
						 hpt_key(key.asid, key.vpn ^ UINT64_C(1) << bit,
							 kind->size),
						 NULL),
				     -ENOENT);
		for (unsigned int bit = 0; bit < 16; bit++)
			cr_assert_eq(pair_lookup(&pair,
						 hpt_key((uint16_t)(key.asid ^ 1u << bit), key.vpn,
							 kind->size),
						 NULL),
				     -ENOENT);
		cr_assert_eq(pair_lookup(&pair, hpt_key(key.asid, key.vpn, other.size), NULL),
			     -ENOENT);
		pair_end(&pair);
	}
}

/* Neighbours in the same line and node, one bit apart from each other, with everything mapped. */
TABLE_TEST(table, neighbours_of_one_bit_have_entries_of_their_own)
{
	begin_kind(&pair, kind, 0, 0);
	for (unsigned int bit = 0; bit < pair_vpn_bits(&pair) - 9; bit++)
		cr_assert_eq(
			pair_map(&pair, page(kind, 0, UINT64_C(1) << bit), entry_of(kind, bit)), 0);
	for (unsigned int bit = 0; bit < pair_asid_bits(&pair); bit++)
		cr_assert_eq(pair_map(&pair, page(kind, (uint16_t)(1u << bit), 0),
				      entry_of(kind, 100 + bit)),
			     0);
	pair_check(&pair);
	cr_assert_eq(pair_lookup(&pair, page(kind, 0, 0), NULL), -ENOENT);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	pair_end(&pair);
}

Test(table, pages_of_both_sizes_at_one_place_are_refused_by_radix)
{
	struct table_kind kind = {HPT_RADIX, HPT_4K};
	size_t held;

	begin_kind(&pair, &kind, 0, 0);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 512, HPT_2M), hpt_entry(1, HPT_LARGE)), 0);
	held = pair.memory.outstanding;
	for (uint64_t vpn = 512; vpn < 1024; vpn++)
		cr_assert_eq(pair_map(&pair, hpt_key(0, vpn, HPT_4K), 1), -EEXIST);
	cr_assert_eq(pair.memory.outstanding, held);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 1024, HPT_4K), 1), 0);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 1024, HPT_2M), hpt_entry(1, HPT_LARGE)), -EEXIST);
	cr_assert_eq(pair_unmap(&pair, hpt_key(0, 1024, HPT_4K)), 0);
	cr_assert_eq(pair_map(&pair, hpt_key(0, 1024, HPT_2M), hpt_entry(1, HPT_LARGE)), 0);
	pair_end(&pair);
}

Test(table, organisations_have_names_and_are_found_by_them)
{
	cr_assert_str_eq(hpt_organisation_name(HPT_RADIX), "radix");
	cr_assert_str_eq(hpt_organisation_name(HPT_CLUSTERED), "clustered");
	cr_assert_eq(hpt_organisation_find("radix"), HPT_RADIX);
	cr_assert_eq(hpt_organisation_find("clustered"), HPT_CLUSTERED);
	cr_assert_lt(hpt_organisation_find("cluster"), 0);
	cr_assert_lt(hpt_organisation_find("clustered "), 0);
	cr_assert_lt(hpt_organisation_find(""), 0);
}

Test(table, an_organisation_that_does_not_exist_is_refused)
{
	static struct hpt table;
	struct hpt_config config = {.organisation = HPT_ORGANISATIONS};

	cr_assert_eq(hpt_create(&table, &config), -EINVAL);
	config.organisation = (enum hpt_organisation)UINT32_MAX;
	cr_assert_eq(hpt_create(&table, &config), -EINVAL);
}

Test(table, creating_fails_cleanly_at_every_allocation)
{
	/* 20 million pages need 4 million lines, 128 chunks. */
	struct hpt_config config = {.organisation = HPT_CLUSTERED, .pages = 20000000};

	for (uint64_t n = 1; n <= 128; n += n < 3 ? 1 : 25) {
		pair = (struct pair){.memory = {.first_failure = n, .last_failure = n}};
		cr_assert_eq(pair_begin(&pair, &config), -ENOMEM);
	}
	pair = (struct pair){0};
	config.pages = 1000000;
	cr_assert_eq(pair_begin(&pair, &config), 0);
	cr_assert_eq(pair.table.counts.lines, 1u << 18);
	cr_assert_eq(pair.table.counts.bytes, 1u << 24);
	pair_visit_all(&pair, PAIR_KEEP);
	hpt_destroy(&pair.table);
	test_memory_end(&pair.memory);
	model_end(&pair.model);
}

/* The nodes above the one that cannot be had go again, those that others use stay. */
TABLE_TEST(table, a_map_that_runs_out_of_memory_leaves_nothing_behind)
{
	const uint64_t numbers[] = {0, 1 << 6, 1 << 9, 1 << 18, 1 << 26};

	for (uint64_t n = 1; kind->organisation == HPT_RADIX && n <= 4; n++) {
		begin_kind(&pair, kind, 0, 0);
		for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			struct hpt_key key = page(kind, 0, numbers[i]);
			size_t held = pair.memory.outstanding;

			pair.memory.first_failure = pair.memory.calls + n;
			pair.memory.last_failure = pair.memory.first_failure;
			if (pair_map(&pair, key, entry_of(kind, 1)) == -ENOMEM)
				cr_assert_eq(pair.memory.outstanding, held);
			pair_check(&pair);
			pair.memory.last_failure = 0;
			pair_map(&pair, key, entry_of(kind, 1));
			pair_check(&pair);
		}
		cr_assert(n == 4 || pair.memory.failures);
		pair_visit_all(&pair, PAIR_UNMAP);
		pair_expect_empty(&pair);
		pair_end(&pair);
	}
}

/* The expected pages fit without growth where they are contiguous. */
Test(table, a_table_made_for_n_contiguous_pages_holds_them_without_growth)
{
	static const uint64_t pages[] = {1, 8, 320, 321, 328, 4096, 20480, 20488, 100000};

	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct hpt_config config = {.organisation = HPT_CLUSTERED, .pages = pages[i]};
		struct hpt_key key = hpt_key(0, 0x12340, HPT_4K);

		pair = (struct pair){0};
		cr_assert_eq(pair_begin(&pair, &config), 0);
		cr_assert_eq(pair_map_range(&pair, key, pages[i], 0x1001), 0);
		cr_assert_eq(pair.table.counts.moves, 0, "%lu pages", (unsigned long)pages[i]);
		cr_assert_eq(pair.table.desc.split, UINT64_MAX);
		pair_compare(&pair);
		hpt_destroy(&pair.table);
		test_memory_end(&pair.memory);
		model_end(&pair.model);
	}
}
