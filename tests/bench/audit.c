/* SPDX-License-Identifier: MIT */
/* The audit over real tables: a trace whose levels are known, and what holds of any trace. */
#include <errno.h>
#include <math.h>

#include "bench/audit.h"
#include "tests/bench/replay_fixture.h"

static void begin(struct audit *audit, struct audit_config *config)
{
	config->work.room = 1;
	if (config->work.caches == MMU_NONE)
		config->work.caches = MMU_SKYLAKE;
	config->guest_table = config->host_table = HPT_CLUSTERED;
	cr_assert_eq(audit_begin(audit, config), 0);
}

static void give(struct audit *audit, uint64_t vpn, uint64_t offset)
{
	struct trace_access one = access_of(vpn, offset);

	cr_assert_eq(audit_accesses(audit, &one, 1), 0);
}

#define VPN UINT64_C(0x1ffeffe00) /* the first of eight that share a line in every table */

/*
 * The very first walk, all caches cold: what is read for the first time is in memory.
 *
 * radix        the guest's four nodes lie in four neighbouring pages. Stage 2 of the first: four
 *              lines; the node: one. Stage 2 of each other one: a word of the host's leaf line that
 *              was read just now (L1), behind a walk cache (1); the node: one. The data page is in
 *              another region under a line of the root of its own: four.
 * hashed       one line in each of the three searches
 * cuckoo       three new lines a search, side by side
 * dmt          G4H4 is in the L1, G4 and UDH4 are in memory
 */
Test(audit, the_first_walk_costs_what_it_costs_by_hand)
{
	static struct audit audit;
	struct audit_config config = {.work.frames = LAYOUT_RUNS};

	begin(&audit, &config);
	give(&audit, VPN, 0);
	cr_assert_eq(audit.wrong, 0);
	cr_assert_eq(audit.walks, 1);
	cr_assert_eq(audit.refs[AUDIT_RADIX], 5 + 3 * 2 + 4);
	cr_assert_eq(audit.refs[AUDIT_HASHED], 3);
	cr_assert_eq(audit.cycles[AUDIT_REAL_RADIX], 5 * 200 + 3 * (1 + 4 + 200) + 4 * 200);
	cr_assert_eq(audit.cycles[AUDIT_REAL_HASHED], 3 * 200);
	cr_assert_eq(audit.cycles[AUDIT_REAL_CUCKOO], 3 * 200);
	cr_assert_eq(audit.cycles[AUDIT_REAL_CUCKOO_CACHED], 3 * (4 + 200));
	cr_assert_eq(audit.cycles[AUDIT_DMT], 4 + 200 + 200 + 12);
	cr_assert_eq(audit.cycles[AUDIT_WAYS_MOST], 3 * 200);
	cr_assert_eq(audit.cycles[AUDIT_EARLY], 3 * 200);
	cr_assert_eq(audit.cycles[AUDIT_CUCKOO_CACHES], 3 * (4 + 200));
	audit_end(&audit);
}

/*
 * The page beside it: all lines are in the L1, the page of the guest's table is in the guest's walk
 * cache or in the nested TLB (1), and the data page is not, since its number is another.
 */
Test(audit, the_walk_of_its_neighbour_costs_what_it_costs_by_hand)
{
	static struct audit audit;
	struct audit_config config = {.work.frames = LAYOUT_RUNS};
	uint64_t before[AUDIT_METRICS];

	begin(&audit, &config);
	give(&audit, VPN, 0);
	for (int i = 0; i < AUDIT_METRICS; i++)
		before[i] = audit.cycles[i];
	give(&audit, VPN, 2048);
	cr_assert_eq(audit.walks, 1, "the TLB has it");
	give(&audit, VPN + 1, 0);
	cr_assert_eq(audit.walks, 2);
	for (int i = 0; i < AUDIT_METRICS; i++)
		before[i] = audit.cycles[i] - before[i];
	cr_assert_eq(before[AUDIT_REAL_RADIX], 1 + 4 + 1 + 4);
	cr_assert_eq(before[AUDIT_REAL_HASHED], 1 + 4 + 4);
	cr_assert_eq(before[AUDIT_REAL_CUCKOO], 1 + 4 + 4);
	cr_assert_eq(before[AUDIT_REAL_CUCKOO_CACHED], 4 + 1 + 4 + 4 + 4);
	cr_assert_eq(before[AUDIT_DMT], 1 + 4 + 4 + 12);
	cr_assert_eq(before[AUDIT_WAYS_MOST], 1 + 4 + 4);
	cr_assert_eq(before[AUDIT_EARLY], 1 + 4 + 4);
	cr_assert_eq(before[AUDIT_CUCKOO_CACHES], 4 + 1 + 4 + 4 + 4);
	cr_assert_float_eq(audit_cycles(&audit, AUDIT_DMT), (416 + 21) / 2.0, 1e-9);
	cr_assert_float_eq(audit_error(&audit, AUDIT_DMT, AUDIT_CUCKOO_CACHED),
			   100 * (437.0 - 629) / 629, 1e-9);
	audit_end(&audit);
}

static void random_trace(struct audit *audit)
{
	for (uint64_t i = 0; i < 30000; i++)
		give(audit, (mix64(mix64(i) % 5000) >> 44) * 3, mix64(i) % 512 * 8);
	cr_assert_eq(audit->wrong, 0);
	cr_assert_gt(audit->walks, 5000);
}

/* Without data caches each reference is in memory: costs are counts. */
Test(audit, without_data_caches_cycles_are_steps, .timeout = 60)
{
	static struct audit audit;
	struct audit_config config = {.work.without = "data"};
	uint64_t radix;

	begin(&audit, &config);
	random_trace(&audit);
	radix = audit.cycles[AUDIT_REAL_RADIX] - 200 * audit.refs[AUDIT_RADIX];
	cr_assert_leq(radix, 6 * audit.walks, "a search has a walk cache at most");
	cr_assert_leq(audit.cycles[AUDIT_REAL_HASHED] - 200 * audit.refs[AUDIT_HASHED],
		      2 * audit.walks);
	cr_assert_leq(audit.cycles[AUDIT_DMT], 612 * audit.walks);
	audit_end(&audit);
}

/* Early return is at most the real walk, that is at most the dearest of each step. */
static void proxies_are_ordered(struct audit_config config)
{
	static struct audit audit;

	begin(&audit, &config);
	random_trace(&audit);
	cr_assert_leq(audit.cycles[AUDIT_EARLY], audit.cycles[AUDIT_REAL_CUCKOO]);
	cr_assert_leq(audit.cycles[AUDIT_REAL_CUCKOO], audit.cycles[AUDIT_WAYS_MOST]);
	cr_assert_gt(audit.cycles[AUDIT_CUCKOO_CACHES], audit.cycles[AUDIT_EARLY]);
	/* A guest's line behind the ways, as there are in growth, has a search of its own. */
	cr_assert_leq(audit.cycles[AUDIT_CUCKOO_CACHES],
		      audit.cycles[AUDIT_EARLY] + 4 * audit.refs[AUDIT_CUCKOO]);
	cr_assert_geq(audit.cycles[AUDIT_DMT], (12 + 3) * audit.walks);
	for (int i = 0; i < AUDIT_METRICS; i++)
		cr_assert(isfinite(audit_cycles(&audit, (enum audit_metric)i)));
	audit_end(&audit);
}

Test(audit, early_return_is_at_most_the_walk_and_the_maximum_at_least, .timeout = 60)
{
	proxies_are_ordered((struct audit_config){.work.caches = MMU_ZEN4});
	proxies_are_ordered((struct audit_config){.work.frames = LAYOUT_RUNS});
	proxies_are_ordered((struct audit_config){.work.guest_pages = STAGES_MIXED,
						  .work.host_pages = STAGES_MIXED});
}

Test(audit, without_caches_there_is_no_audit)
{
	static struct audit audit;
	struct audit_config config = {.work.caches = MMU_NONE};

	cr_assert_eq(audit_begin(&audit, &config), -EINVAL);
}
