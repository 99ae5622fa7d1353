/* SPDX-License-Identifier: MIT */
/* The caches of a core: what is found where, for whom, how it is counted, and what is left out. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include "ept/mmu_caches.h"
#include "hpt/mix.h"

static struct mmu_caches caches;

static void begin(enum mmu_profile profile)
{
	cr_assert_eq(mmu_caches_create(&caches, profile), 0);
}

static uint64_t lookups(enum mmu_kind kind)
{
	return caches.units[kind].lookups;
}

static uint64_t hits(enum mmu_kind kind)
{
	return caches.units[kind].hits;
}

Test(mmu_caches, profiles_have_names)
{
	cr_assert_eq(mmu_profile_find("none"), MMU_NONE);
	cr_assert_eq(mmu_profile_find("zen4"), MMU_ZEN4);
	cr_assert_eq(mmu_profile_find("skylake"), MMU_SKYLAKE);
	for (int profile = 0; profile < MMU_PROFILES; profile++)
		cr_assert_eq(mmu_profile_find(mmu_profile_name(profile)), profile);
	cr_assert_lt(mmu_profile_find("zen"), 0);
	cr_assert_lt(mmu_profile_find("zen44"), 0);
	cr_assert_lt(mmu_profile_find(""), 0);
	cr_assert_null(mmu_profile_name(MMU_PROFILES));
	cr_assert_null(mmu_profile_name(-1));
	cr_assert_eq(mmu_caches_create(&caches, MMU_PROFILES), -EINVAL);
	cr_assert_eq(mmu_caches_create(&caches, -1), -EINVAL);
}

static enum mmu_stage stage_of(enum mmu_kind kind)
{
	bool guest = kind < MMU_HOST_WALK || (kind >= MMU_GUEST_CUCKOO && kind < MMU_HOST_CUCKOO);

	return guest ? MMU_GUEST : MMU_HOST;
}

static int level_of(enum mmu_kind kind)
{
	return kind >= MMU_GUEST_CUCKOO ? (int)(kind - MMU_GUEST_CUCKOO) % 2
					: (int)(kind - MMU_GUEST_WALK) % MMU_WALK_LEVELS;
}

/* Asks a kind, but for the data caches, for the i-th of neighbouring keys of its own size. */
static bool find_nth(enum mmu_kind kind, uint64_t i, uint64_t *value)
{
	enum mmu_stage stage = stage_of(kind);
	int level = level_of(kind);
	enum hpt_size size;

	if (kind <= MMU_L2_TLB)
		return mmu_tlb_find(&caches, 1, i, &size, value) ==
		       (kind == MMU_L1_TLB ? MMU_TLB_L1_HIT : MMU_TLB_L2_HIT);
	if (kind == MMU_NESTED_TLB)
		return mmu_nested_find(&caches, i, &size, value);
	if (kind >= MMU_GUEST_CUCKOO)
		return mmu_cuckoo_find(&caches, stage, level, 1, i << MMU_CUCKOO_SHIFT(level),
				       value);
	return mmu_walk_find(&caches, stage, 1, i << 9 * (level + 1), value) == level;
}

static void put_nth(enum mmu_kind kind, uint64_t i, uint64_t value)
{
	enum mmu_stage stage = stage_of(kind);
	int level = level_of(kind);

	if (kind <= MMU_L2_TLB)
		mmu_tlb_put(&caches, 1, i, HPT_4K, value);
	else if (kind == MMU_NESTED_TLB)
		mmu_nested_put(&caches, i, HPT_4K, value);
	else if (kind >= MMU_GUEST_CUCKOO)
		mmu_cuckoo_put(&caches, stage, level, 1, i << MMU_CUCKOO_SHIFT(level), value);
	else
		mmu_walk_put(&caches, stage, 1, i << 9 * (level + 1), level, value);
}

/* How many neighbours a kind holds when it has the core to itself; the data caches not among them.
 */
static const unsigned int capacities[MMU_PROFILES][MMU_L1_DATA] = {
	[MMU_ZEN4] = {72, 3072, 16, 3072, 64, 64, 3072, 64, 64, 16, 2, 16, 2},
	[MMU_SKYLAKE] = {64, 1536, 24, 32, 4, 2, 32, 4, 2, 16, 2, 16, 2},
};

Test(mmu_caches, each_kind_holds_as_many_neighbours_as_its_source_says)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		for (int kind = 0; kind < MMU_L1_DATA; kind++) {
			unsigned int capacity = capacities[profile][kind];
			unsigned int found = 0;
			uint64_t value = 0;

			begin(profile);
			if (kind == MMU_L2_TLB)
				cr_assert_eq(mmu_caches_without(&caches, "l1-tlb"), 0);
			for (unsigned int i = 0; i < capacity; i++)
				put_nth(kind, i, 3 * i);
			for (unsigned int i = 0; i < capacity; i++)
				cr_assert(find_nth(kind, i, &value) && value == 3 * i, "%s %s: %u",
					  mmu_profile_name(profile), mmu_kind_name(kind), i);
			put_nth(kind, capacity, 1);
			for (unsigned int i = capacity + 1; i-- > 0;)
				found += find_nth(kind, i, &value);
			cr_assert_eq(found, capacity, "%s %s: %u after one more",
				     mmu_profile_name(profile), mmu_kind_name(kind), found);
			mmu_caches_destroy(&caches);
		}
	}
}

Test(mmu_caches, a_page_is_found_under_either_size_and_counted_once)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		enum hpt_size size;
		uint64_t value;

		begin(profile);
		mmu_tlb_put(&caches, 5, 0x12345, HPT_4K, 111);
		mmu_tlb_put(&caches, 5, 0x40000, HPT_2M, 222);
		cr_assert_eq(mmu_tlb_find(&caches, 5, 0x12345, &size, &value), MMU_TLB_L1_HIT);
		cr_assert(size == HPT_4K && value == 111);
		for (uint64_t i = 0; i < 512; i++) {
			cr_assert_eq(mmu_tlb_find(&caches, 5, 0x40000 + i, &size, &value),
				     MMU_TLB_L1_HIT);
			cr_assert(size == HPT_2M && value == 222);
		}
		cr_assert_eq(mmu_tlb_find(&caches, 5, 0x40200, &size, &value), MMU_TLB_MISS);
		cr_assert_eq(mmu_tlb_find(&caches, 5, 0x12344, &size, &value), MMU_TLB_MISS);
		cr_assert_eq(mmu_tlb_find(&caches, 6, 0x12345, &size, &value), MMU_TLB_MISS);
		cr_assert_eq(mmu_tlb_find(&caches, 6, 0x40000, &size, &value), MMU_TLB_MISS);
		cr_assert_eq(lookups(MMU_L1_TLB), 517);
		cr_assert_eq(hits(MMU_L1_TLB), 513);
		cr_assert_eq(lookups(MMU_L2_TLB), 4);
		cr_assert_eq(hits(MMU_L2_TLB), 0);

		mmu_nested_put(&caches, 0x40000, HPT_2M, 333);
		cr_assert(mmu_nested_find(&caches, 0x401ff, &size, &value));
		cr_assert(size == HPT_2M && value == 333);
		cr_assert_not(mmu_nested_find(&caches, 0x12345, &size, &value));
		cr_assert_eq(lookups(MMU_NESTED_TLB), 2);
		cr_assert_eq(hits(MMU_NESTED_TLB), 1);
		mmu_caches_destroy(&caches);
	}
}

Test(mmu_caches, sizes_share_an_l1_or_not_as_the_core_has_it)
{
	enum hpt_size size;
	uint64_t value;

	/* Skylake: pages of 2 MiB do not drive out those of 4 KiB. */
	begin(MMU_SKYLAKE);
	for (uint64_t i = 0; i < 64; i++)
		mmu_tlb_put(&caches, 0, i, HPT_4K, i);
	for (uint64_t i = 512; i < 512 + 1000; i++)
		mmu_tlb_put(&caches, 0, i * 512, HPT_2M, i);
	for (uint64_t i = 0; i < 64; i++)
		cr_assert_eq(mmu_tlb_find(&caches, 0, i, &size, &value), MMU_TLB_L1_HIT);
	mmu_caches_destroy(&caches);

	/* Zen 4: 72 of whatever size. */
	begin(MMU_ZEN4);
	for (uint64_t i = 0; i < 36; i++) {
		mmu_tlb_put(&caches, 0, i, HPT_4K, i);
		mmu_tlb_put(&caches, 0, (512 + i) * 512, HPT_2M, i);
	}
	cr_assert_eq(mmu_tlb_find(&caches, 0, 0, &size, &value), MMU_TLB_L1_HIT);
	mmu_tlb_put(&caches, 0, 2000 * 512, HPT_2M, 7);
	cr_assert_eq(mmu_tlb_find(&caches, 0, 512 * 512, &size, &value), MMU_TLB_L2_HIT,
		     "the eldest is out of the L1");
	mmu_caches_destroy(&caches);
}

Test(mmu_caches, an_l2_hit_refills_the_l1)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		enum hpt_size size;
		uint64_t value;

		begin(profile);
		for (uint64_t i = 0; i < 256; i++)
			mmu_tlb_put(&caches, 9, i, HPT_4K, i + 1000);
		cr_assert_eq(mmu_tlb_find(&caches, 9, 0, &size, &value), MMU_TLB_L2_HIT);
		cr_assert(size == HPT_4K && value == 1000);
		cr_assert_eq(mmu_tlb_find(&caches, 9, 0, &size, &value), MMU_TLB_L1_HIT);
		cr_assert(size == HPT_4K && value == 1000);
		mmu_caches_destroy(&caches);
	}
}

Test(mmu_caches, a_walk_starts_at_the_lowest_node_that_is_known)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		const uint64_t vpn = UINT64_C(0x123456789);
		uint64_t node;

		begin(profile);
		for (int stage = MMU_GUEST; stage <= MMU_HOST; stage++) {
			node = 42;
			cr_assert_eq(mmu_walk_find(&caches, stage, 3, vpn, &node), 3);
			cr_assert_eq(node, 42, "the root is the walker's");
			for (int level = 3; level >= 0; level--) {
				node = 42;
				mmu_walk_put(&caches, stage, 3, vpn, level,
					     1000 + 10 * stage + level);
				cr_assert_eq(mmu_walk_find(&caches, stage, 3, vpn, &node), level);
				cr_assert_eq((int)node,
					     level == 3 ? 42 : 1000 + 10 * stage + level);
			}
			/* A page that shares only the nodes above, for each level. */
			for (int level = 0; level < 4; level++)
				cr_assert_eq(mmu_walk_find(&caches, stage, 3,
							   vpn ^ UINT64_C(1) << 9 * level, &node),
					     level);
			cr_assert_eq(mmu_walk_find(&caches, stage, 2, vpn, &node), 3);
			/* Counted a level as far as it went: 1 + 4, 4 and the last. */
			cr_assert_eq(lookups(MMU_GUEST_WALK + 3 * stage), 10);
			cr_assert_eq(hits(MMU_GUEST_WALK + 3 * stage), 2);
			cr_assert_eq(lookups(MMU_GUEST_WALK + 3 * stage + 1), 8);
			cr_assert_eq(hits(MMU_GUEST_WALK + 3 * stage + 1), 2);
			cr_assert_eq(lookups(MMU_GUEST_WALK + 3 * stage + 2), 6);
			cr_assert_eq(hits(MMU_GUEST_WALK + 3 * stage + 2), 2);
		}
		mmu_caches_destroy(&caches);
	}
}

Test(mmu_caches, a_cuckoo_row_covers_a_gibibyte_or_512)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		const uint64_t vpn = UINT64_C(5) << 27 | 3 << 18;
		const uint64_t last[] = {vpn | 0x3ffff, UINT64_C(5) << 27 | 0x7ffffff};
		uint64_t value = 0;

		begin(profile);
		for (int stage = MMU_GUEST; stage <= MMU_HOST; stage++) {
			for (int level = MMU_CUCKOO_PMD; level <= MMU_CUCKOO_PUD; level++) {
				mmu_cuckoo_put(&caches, stage, level, 1, vpn, 10 * stage + level);
				cr_assert(mmu_cuckoo_find(&caches, stage, level, 1, last[level],
							  &value));
				cr_assert_eq((int)value, 10 * stage + level);
				cr_assert_not(mmu_cuckoo_find(&caches, stage, level, 1,
							      last[level] + 1, &value));
				cr_assert_not(
					mmu_cuckoo_find(&caches, stage, level, 2, vpn, &value));
				cr_assert_eq(lookups(MMU_GUEST_CUCKOO + 2 * stage + level), 3);
				cr_assert_eq(hits(MMU_GUEST_CUCKOO + 2 * stage + level), 1);
			}
		}
		mmu_caches_destroy(&caches);
	}
}

/* A stream over all that a walker asks. What it asks does not depend on the answers. */
static void run_stream(unsigned int steps)
{
	uint64_t random = 1;

	for (unsigned int step = 0; step < steps; step++) {
		enum mmu_kind kind = mix64_next(&random) % MMU_KINDS;
		uint64_t i = mix64_next(&random) % (mix64_next(&random) & 1 ? 20 : 5000);
		uint64_t value = 0;
		bool hit;

		if (kind >= MMU_L1_DATA) {
			mmu_data_access(&caches, i & 1 ? i : i * 2048);
			continue;
		}
		hit = find_nth(kind, i, &value);
		cr_assert(!hit || value == i + 1, "%s", mmu_kind_name(kind));
		if (!hit)
			put_nth(kind, i, i + 1);
	}
}

static bool begins_with(const char *name, const char *group)
{
	size_t length = strlen(group);

	return !strncmp(name, group, length) && (!name[length] || name[length] == '-');
}

/* Kinds that what one of them answers may matter to: one way through the core. */
static unsigned int way_of(enum mmu_kind kind)
{
	return kind <= MMU_L2_TLB	 ? 0
	       : kind == MMU_NESTED_TLB	 ? 1
	       : kind < MMU_HOST_WALK	 ? 2
	       : kind < MMU_GUEST_CUCKOO ? 3
	       : kind < MMU_L1_DATA	 ? kind
					 : MMU_L1_DATA;
}

/* Ablates by name and runs the stream beside a run with everything. */
static void ablate(enum mmu_profile profile, const char *name)
{
	struct mmu_report with[MMU_KINDS], without[MMU_KINDS];
	bool touched[MMU_KINDS] = {false};

	begin(profile);
	run_stream(20000);
	mmu_caches_report(&caches, with);
	mmu_caches_destroy(&caches);
	begin(profile);
	cr_assert_eq(mmu_caches_without(&caches, name), 0, "%s", name);
	run_stream(20000);
	mmu_caches_report(&caches, without);
	mmu_caches_destroy(&caches);
	for (int kind = 0; kind < MMU_KINDS; kind++) {
		if (!begins_with(with[kind].name, name))
			continue;
		touched[way_of(kind)] = true;
		cr_assert_gt(with[kind].hits, 0, "%s is in use", with[kind].name);
		cr_assert_eq(without[kind].lookups, 0, "%s without %s", with[kind].name, name);
		cr_assert_eq(without[kind].hits, 0);
	}
	for (int kind = 0; kind < MMU_KINDS; kind++) {
		if (begins_with(with[kind].name, name))
			continue;
		cr_assert_gt(without[kind].hits, 0, "%s without %s", with[kind].name, name);
		/* Zen's TLBs and walk caches share arrays. */
		if (touched[way_of(kind)] || (profile == MMU_ZEN4 && kind < MMU_GUEST_CUCKOO))
			continue;
		cr_assert_eq(without[kind].lookups, with[kind].lookups);
		cr_assert_eq(without[kind].hits, with[kind].hits, "%s without %s", with[kind].name,
			     name);
	}
}

Test(mmu_caches, what_is_left_out_by_name_never_hits_nor_counts_and_the_rest_stays, .timeout = 60)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		unsigned int names = 0;

		for (; mmu_ablation_name(names); names++)
			ablate(profile, mmu_ablation_name(names));
		cr_assert_eq(names, 8);
		for (int kind = 0; kind < MMU_KINDS; kind++)
			ablate(profile, mmu_kind_name(kind));
	}
}

Test(mmu_caches, every_kind_has_a_name_of_its_own_and_is_in_an_ablation)
{
	for (int kind = 0; kind < MMU_KINDS; kind++) {
		unsigned int groups = 0;

		cr_assert_not_null(mmu_kind_name(kind));
		for (int other = 0; other < kind; other++)
			cr_assert_str_neq(mmu_kind_name(kind), mmu_kind_name(other));
		for (unsigned int i = 0; mmu_ablation_name(i); i++)
			groups += begins_with(mmu_kind_name(kind), mmu_ablation_name(i));
		cr_assert_eq(groups, 1, "%s", mmu_kind_name(kind));
	}
	cr_assert_null(mmu_kind_name(MMU_KINDS));
}

Test(mmu_caches, names_of_no_kind_are_refused_and_nothing_is_left_out)
{
	static const char *const names[] = {
		"",	   "-",		  "tlb",	"nested",    "l1-tlb-",
		"guest-",  "guest-walk-", "Nested-tlb", "l1-tlb-4k", "guest-walk-pd",
		"data-l4", "none"};

	begin(MMU_ZEN4);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int error = mmu_caches_without(&caches, names[i]);

		if (strcmp(names[i], "nested"))
			cr_assert_eq(error, -EINVAL, "\"%s\"", names[i]);
		else
			cr_assert_eq(error, 0, "the one that begins so");
	}
	for (int kind = 0; kind < MMU_KINDS; kind++)
		cr_assert_eq(!caches.units[kind].holds[0], kind == MMU_NESTED_TLB);
	mmu_caches_destroy(&caches);
}

Test(mmu_caches, without_any_nothing_hits_and_nothing_is_counted)
{
	uint64_t value;
	struct mmu_report rows[MMU_KINDS];

	begin(MMU_NONE);
	cr_assert_eq(mmu_caches_without(&caches, "nested-tlb"), 0);
	run_stream(10000);
	put_nth(MMU_L1_TLB, 5, 6);
	cr_assert_not(find_nth(MMU_L1_TLB, 5, &value));
	cr_assert_eq(mmu_data_access(&caches, 1), MMU_DATA_MEMORY);
	cr_assert_eq(mmu_data_access(&caches, 1), MMU_DATA_MEMORY);
	mmu_caches_invalidate_gva(&caches, 1, 5, HPT_4K);
	mmu_caches_invalidate_gpa(&caches, 5, HPT_2M);
	mmu_caches_flush(&caches);
	mmu_caches_report(&caches, rows);
	for (int kind = 0; kind < MMU_KINDS; kind++) {
		cr_assert_str_eq(rows[kind].name, mmu_kind_name(kind));
		cr_assert_eq(rows[kind].lookups, 0);
		cr_assert_eq(rows[kind].hits, 0);
	}
	mmu_caches_destroy(&caches);
}

Test(mmu_caches, counts_begin_anew_and_what_is_cached_stays)
{
	struct mmu_report rows[MMU_KINDS];
	enum hpt_size size;
	uint64_t value;

	begin(MMU_SKYLAKE);
	mmu_nested_put(&caches, 7, HPT_4K, 70);
	cr_assert(mmu_nested_find(&caches, 7, &size, &value));
	mmu_caches_reset_counts(&caches);
	mmu_caches_report(&caches, rows);
	cr_assert_eq(rows[MMU_NESTED_TLB].lookups + rows[MMU_NESTED_TLB].hits, 0);
	cr_assert_eq(caches.units[MMU_NESTED_TLB].holds[HPT_4K]->hits, 0);
	cr_assert(mmu_nested_find(&caches, 7, &size, &value));
	cr_assert_not(mmu_nested_find(&caches, 8, &size, &value));
	mmu_caches_report(&caches, rows);
	cr_assert_eq(rows[MMU_NESTED_TLB].lookups, 2);
	cr_assert_eq(rows[MMU_NESTED_TLB].hits, 1);
	mmu_caches_destroy(&caches);
}
