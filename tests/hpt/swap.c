/* SPDX-License-Identifier: MIT */
/* Pages that are swapped out: what their entries keep, what finds them, and what is refused. */
#include <errno.h>

#include "hpt/probe.h"
#include "tests/hpt/fixture.h"

#define LOCATION UINT64_C(0xfedcba987) /* of 36 bits */
#define NUMBER	 77

static struct pair pair;

static uint64_t lookup(struct hpt_key key)
{
	uint64_t entry = 0;

	cr_assert_eq(hpt_lookup(&pair.table, key, &entry, NULL), 0);
	return entry;
}

static uint64_t large_of(const struct table_kind *kind)
{
	return kind->size == HPT_2M ? HPT_LARGE : 0;
}

/* Each flag a bit: all combinations of those that may stand beside P. */
TABLE_TEST(swap, out_and_in_keep_the_permissions_and_nothing_of_the_access)
{
	static const uint64_t bits[] = {HPT_WRITE, HPT_USER,   HPT_ACCESSED, HPT_DIRTY,
					HPT_SOFT,  HPT_NOEXEC, HPT_GLOBAL};
	const uint64_t kept = ~(HPT_ACCESSED | HPT_DIRTY);

	begin_kind(&pair, kind, 0, 0x1000);
	for (unsigned int choice = 0; choice < 1u << 7; choice++) {
		struct hpt_key key = page(kind, 3, NUMBER + choice);
		uint64_t flags = large_of(kind);
		uint64_t old = 0;

		for (unsigned int bit = 0; bit < 7; bit++)
			flags |= choice >> bit & 1 ? bits[bit] : 0;
		cr_assert_eq(hpt_map(&pair.table, key, hpt_entry(0x1234, flags | HPT_PRESENT)), 0);
		cr_assert_eq(hpt_swap_out(&pair.table, key, LOCATION, &old), 0);
		cr_assert_eq(old, hpt_entry(0x1234, flags | HPT_PRESENT));
		cr_assert_eq(lookup(key), hpt_entry(LOCATION, (flags & kept) | HPT_SWAPPED));
		cr_assert_not(hpt_resident(lookup(key)));
		cr_assert_eq(hpt_swap_location(lookup(key)), LOCATION);
		cr_assert_eq(hpt_swap_in(&pair.table, key, 0x4321), 0);
		cr_assert_eq(lookup(key), hpt_entry(0x4321, (flags & kept) | HPT_PRESENT));
		cr_assert(hpt_resident(lookup(key)));
		model_set(&pair.model, key, lookup(key));
	}
	pair_end(&pair);
}

TABLE_TEST(swap, only_what_is_resident_goes_out_and_only_what_is_out_comes_in)
{
	struct hpt_key key = page(kind, 0, NUMBER);
	struct hpt_key absent = page(kind, 0, NUMBER + 1);
	struct hpt_key hidden = page(kind, 0, NUMBER + 2);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 5)), 0);
	cr_assert_eq(pair_map(&pair, hidden, entry_of(kind, 6) & ~HPT_PRESENT), 0);
	cr_assert_eq(pair_swap_in(&pair, key, 6), -EINVAL);
	cr_assert_eq(pair_swap_out(&pair, key, LOCATION), 0);
	cr_assert_eq(pair_swap_out(&pair, key, LOCATION), -EINVAL);
	cr_assert_eq(pair_swap_out(&pair, absent, LOCATION), -ENOENT);
	cr_assert_eq(pair_swap_in(&pair, absent, 6), -ENOENT);
	cr_assert_eq(pair_swap_out(&pair, hidden, LOCATION), -EINVAL);
	cr_assert_eq(pair_swap_in(&pair, hidden, 6), -EINVAL);
	for (unsigned int bit = 36; bit < 64; bit++) {
		cr_assert_eq(pair_swap_in(&pair, key, UINT64_C(1) << bit), -EINVAL);
		cr_assert_eq(pair_swap_out(&pair, key, UINT64_C(1) << bit), -EINVAL);
	}
	cr_assert_eq(pair_swap_in(&pair, key, 0), 0);
	cr_assert_eq(pair_swap_out(&pair, key, 0), 0);
	cr_assert_eq(pair_map(&pair, key, entry_of(kind, 1)), -EEXIST);
	cr_assert_eq(pair_unmap(&pair, key), 0);
	cr_assert_eq(hpt_swap_out(&pair.table, page(kind, 0, UINT64_C(1) << 45), 1, NULL), -ENOENT);
	pair_end(&pair);
}

/* One page of a range is out, and each operation is tried on it. */
TABLE_TEST(swap, no_operation_makes_an_entry_that_is_both_present_and_out)
{
	struct hpt_key key = page(kind, 0, NUMBER);
	uint64_t both = HPT_PRESENT | HPT_SWAPPED | large_of(kind);

	begin_kind(&pair, kind, 0, 0);
	cr_assert_eq(pair_map(&pair, key, both), -EINVAL);
	cr_assert_eq(pair_map_range(&pair, key, 4, both), -EINVAL);
	cr_assert_eq(pair_map_range(&pair, key, 40, entry_of(kind, 512)), 0);
	cr_assert_eq(pair_swap_out(&pair, page(kind, 0, NUMBER + 5), LOCATION), 0);
	cr_assert_eq(pair_change(&pair, page(kind, 0, NUMBER + 5), 0, HPT_PRESENT), -EINVAL);
	cr_assert_eq(pair_change(&pair, page(kind, 0, NUMBER + 5), 0, HPT_SWAPPED), -EINVAL);
	cr_assert_eq(pair_change(&pair, page(kind, 0, NUMBER + 5), HPT_SWAPPED, 0), -EINVAL);
	cr_assert_eq(pair_change(&pair, page(kind, 0, NUMBER + 5), HPT_PRESENT, HPT_SOFT), 0);
	cr_assert_eq(hpt_change_range(&pair.table, key, 40, 0, HPT_SWAPPED), -EINVAL);
	cr_assert_eq(hpt_change_range(&pair.table, key, 40, HPT_SWAPPED, 0), -EINVAL);
	cr_assert_eq(hpt_change_range(&pair.table, key, 40, HPT_WRITE, HPT_PRESENT | HPT_USER), 0);
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t entry = lookup(page(kind, 0, NUMBER + i));

		cr_assert_eq(hpt_resident(entry), i != 5);
		cr_assert_eq(!!(entry & HPT_SWAPPED), i == 5);
		cr_assert_eq(entry & (HPT_USER | HPT_WRITE), HPT_USER);
		model_set(&pair.model, page(kind, 0, NUMBER + i), entry);
	}
	pair_end(&pair);
}

/* The walk for foreign readers and the batch give the swapped entry like any other. */
TABLE_TEST(swap, a_page_that_is_out_is_found_by_batches_and_visited)
{
	static struct hpt_key keys[64];
	static uint64_t entries[64];

	begin_kind(&pair, kind, 0, 0);
	for (unsigned int i = 0; i < 64; i++) {
		keys[i] = page(kind, 1, i);
		cr_assert_eq(pair_map(&pair, keys[i],
				      i % 3 ? entry_of(kind, i)
					    : hpt_swap_entry(i, large_of(kind) | HPT_USER)),
			     0);
	}
	hpt_lookup_batch(&pair.table, keys, entries, 64);
	for (unsigned int i = 0; i < 64; i++) {
		cr_assert_eq(entries[i], lookup(keys[i]));
		cr_assert_eq(hpt_resident(entries[i]), i % 3 != 0);
	}
	cr_assert_eq(pair_visit_range(&pair, keys[0], 64, PAIR_KEEP), 64);
	pair_end(&pair);
}

/* A 2 MiB leaf at the place of a node, with and without P, is no node. */
Test(swap, a_large_page_that_is_out_is_no_node_of_the_tree)
{
	struct table_kind kind = {HPT_RADIX, HPT_2M};
	uint64_t nodes;

	begin_kind(&pair, &kind, 0, 0);
	cr_assert_eq(pair_map(&pair, page(&kind, 0, 1), hpt_swap_entry(LOCATION, HPT_LARGE)), 0);
	cr_assert_eq(pair_map(&pair, page(&kind, 0, 2), entry_of(&kind, 512)), 0);
	cr_assert_eq(pair_swap_out(&pair, page(&kind, 0, 2), 1), 0);
	nodes = pair.memory.outstanding;
	for (uint64_t vpn = 512; vpn < 1536; vpn += 37) {
		cr_assert_eq(pair_lookup(&pair, hpt_key(0, vpn, HPT_4K), NULL), -ENOENT);
		cr_assert_eq(pair_map(&pair, hpt_key(0, vpn, HPT_4K), HPT_PRESENT), -EEXIST);
		cr_assert_eq(pair_unmap(&pair, hpt_key(0, vpn, HPT_4K)), -ENOENT);
	}
	cr_assert_eq(pair_visit_range(&pair, hpt_key(0, 0, HPT_4K), 4096, PAIR_KEEP), 0);
	cr_assert_eq(pair.memory.outstanding, nodes);
	pair_end(&pair);
}
