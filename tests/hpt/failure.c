/* SPDX-License-Identifier: MIT */
/*
 * Every operation on a table that has no room left, the n-th of its allocations failing: nothing
 * that the table shows changes but what is stated, and with memory the operation succeeds.
 */
#include <errno.h>

#include "hpt/lookup.h"
#include "tests/hpt/fixture.h"

#define RUNS	  0 /* number of the first page of 5 regions with contiguous frames */
#define RUN_PAGES (5 * 512)
#define SCATTERED 3072 /* and of 40 pages that have each a frame of their own */
#define LONE	  8192 /* and of pages that lie in 512 each */
#define FREE	  4096 /* where nothing is mapped */
#define IN_RUN	  2100 /* a page of the last region, which stays whole */
#define SWAPPED	  700  /* the first of a run of pages that are swapped out, in the free part */

static struct pair pair;
static uint64_t lone; /* how many lone pages are mapped */

static void fail(uint64_t first, bool once)
{
	pair.memory.first_failure = first ? pair.memory.calls + first : 0;
	pair.memory.last_failure = once ? pair.memory.first_failure : UINT64_MAX;
	if (!first)
		pair.memory.last_failure = 0;
}

static struct hpt_key lone_page(const struct table_kind *kind, uint64_t n)
{
	return page(kind, 1, LONE + 512 * n);
}

/* A table whose reserves are used up, and where at least one page more cannot be mapped. */
static void starve(const struct table_kind *kind, bool readers, bool sealed)
{
	struct hpt_config config = {.organisation = kind->organisation, .sealed = sealed};
	const uint64_t out = hpt_swap_entry(90, entry_of(kind, 0));

	pair = (struct pair){.memory = {.readers = readers}, .model = {.bucket_count = 4096}};
	cr_assert_eq(pair_begin(&pair, &config), 0);
	cr_assert_eq(pair_map_range(&pair, page(kind, 1, RUNS), RUN_PAGES, entry_of(kind, 0)), 0);
	cr_assert_eq(pair_map_range(&pair, page(kind, 1, FREE + SWAPPED), 64, out), 0);
	for (uint64_t i = 0; i < 40; i++)
		pair_map(&pair, page(kind, 1, SCATTERED + 7 * i), entry_of(kind, 5000 * i));
	pair_settle(&pair, UINT64_MAX);
	fail(1, false);
	for (uint64_t i = 0; i < 4; i++)
		pair_unmap(&pair, page(kind, 1, RUNS + 3 + i * 512));
	for (lone = 0; lone < 100000; lone++) {
		if (pair_map(&pair, lone_page(kind, lone), entry_of(kind, 3 * lone)))
			break;
	}
	cr_assert_lt(lone, 100000);
	fail(0, false);
}

static int map_one(const struct table_kind *kind)
{
	return pair_map(&pair, lone_page(kind, lone), entry_of(kind, 1));
}

static int map_some(const struct table_kind *kind)
{
	return pair_map_range(&pair, page(kind, 1, FREE - 700), 1300, entry_of(kind, 7));
}

static int map_what_was_not_found(const struct table_kind *kind)
{
	struct hpt_key key = lone_page(kind, lone);
	struct hpt_found found;
	int error;

	cr_assert(!hpt_find(&pair.table, key, &found));
	error = hpt_map_found(&pair.table, key, entry_of(kind, 1), &found);
	if (!error)
		model_set(&pair.model, key, entry_of(kind, 1));
	return error;
}

static int set_what_was_found(const struct table_kind *kind)
{
	struct hpt_key key = page(kind, 1, IN_RUN);
	struct hpt_found found;
	int error;

	cr_assert(hpt_find(&pair.table, key, &found));
	error = hpt_set_found(&pair.table, key, &found, HPT_DIRTY);
	if (!error)
		model_set(&pair.model, key, model_get(&pair.model, key) | HPT_DIRTY);
	return error;
}

static int unmap_one(const struct table_kind *kind)
{
	return pair_unmap(&pair, page(kind, 1, IN_RUN));
}

static int change_one(const struct table_kind *kind)
{
	return pair_change(&pair, page(kind, 1, IN_RUN), HPT_WRITE, HPT_DIRTY);
}

static int mark_one(const struct table_kind *kind)
{
	return pair_mark(&pair, page(kind, 1, IN_RUN), HPT_ACCESSED);
}

static int swap_one_out(const struct table_kind *kind)
{
	return pair_swap_out(&pair, page(kind, 1, IN_RUN), 12345);
}

static int swap_one_in(const struct table_kind *kind)
{
	return pair_swap_in(&pair, page(kind, 1, FREE + SWAPPED + 5), 12345);
}

/* Each page of a range is as it was or as it was to be; the model learns which. */
static void learn(const struct table_kind *kind, uint64_t first, uint64_t count, bool unmapped)
{
	for (uint64_t i = 0; i < count; i++) {
		struct hpt_key key = page(kind, 1, first + i);
		uint64_t before = model_get(&pair.model, key);
		uint64_t wanted = unmapped || !before ? 0 : (before & ~HPT_WRITE) | HPT_SOFT;
		uint64_t now = 0;

		hpt_lookup(&pair.table, key, &now, NULL);
		cr_assert(now == before || now == wanted);
		model_set(&pair.model, key, now);
	}
}

static int unmap_some(const struct table_kind *kind)
{
	int error = hpt_unmap_range(&pair.table, page(kind, 1, IN_RUN), 30);

	learn(kind, IN_RUN, 30, true);
	return error;
}

static int change_some(const struct table_kind *kind)
{
	int error = hpt_change_range(&pair.table, page(kind, 1, IN_RUN), 30, HPT_WRITE, HPT_SOFT);

	learn(kind, IN_RUN, 30, false);
	return error;
}

/* pair_visit_range() sees to it that pages which were visited have their answers. */
static int visited(uint64_t failures)
{
	return pair.memory.failures > failures ? -ENOMEM : 0;
}

static int visit_some(const struct table_kind *kind)
{
	uint64_t failures = pair.memory.failures;

	pair_visit_range(&pair, page(kind, 1, IN_RUN), 200, PAIR_UNMAP_ODD);
	return visited(failures);
}

static int visit_all(const struct table_kind *kind)
{
	uint64_t failures = pair.memory.failures;

	(void)kind;
	pair_visit_all(&pair, PAIR_FRAME);
	return visited(failures);
}

static uint64_t keep(void *context, struct hpt_key key, uint64_t entry)
{
	uint64_t *last = context;

	cr_assert(!*last || key.vpn > *last - 1);
	*last = key.vpn + 1;
	return entry;
}

static int visit_in_order(const struct table_kind *kind)
{
	uint64_t last = 0;

	return hpt_visit_ordered(&pair.table, page(kind, 1, 0), UINT64_C(1) << 26, keep, &last);
}

static int count_all(const struct table_kind *kind)
{
	struct hpt_statistics statistics;
	int error = hpt_statistics(&pair.table, &statistics);

	(void)kind;
	cr_assert(error || statistics.pages == pair.model.entries);
	return error;
}

static int change_salt(const struct table_kind *kind)
{
	int error = pair_rekey(&pair, 77);

	return kind->organisation == HPT_RADIX && error == -EOPNOTSUPP ? 0 : error;
}

static int settle(const struct table_kind *kind)
{
	int error = pair_rekey(&pair, 78);

	(void)kind;
	if (error == -EOPNOTSUPP)
		return 0;
	return error == -ENOMEM ? error : pair_settle(&pair, UINT64_MAX);
}

static int unmap_everything(const struct table_kind *kind)
{
	(void)kind;
	hpt_unmap_all(&pair.table);
	model_end(&pair.model);
	model_begin(&pair.model);
	return 0;
}

static const struct operation {
	const char *name;
	int (*run)(const struct table_kind *kind);
	enum { NEVER, BY_RUNS, BY_HASHES, ALWAYS } refused; /* by which tables */
} operations[] = {
	{"map", map_one, ALWAYS},
	{"map a range", map_some, ALWAYS},
	{"map what was not found", map_what_was_not_found, ALWAYS},
	{"set flags of what was found", set_what_was_found, BY_RUNS},
	{"unmap", unmap_one, BY_RUNS},
	{"change", change_one, BY_RUNS},
	{"mark", mark_one, NEVER},
	{"swap out", swap_one_out, BY_RUNS},
	{"swap in", swap_one_in, BY_RUNS},
	{"unmap a range", unmap_some, BY_RUNS},
	{"change a range", change_some, BY_RUNS},
	{"visit a range", visit_some, BY_RUNS},
	{"visit all", visit_all, BY_RUNS},
	{"visit in order", visit_in_order, BY_HASHES},
	{"statistics", count_all, BY_RUNS},
	{"change the salt", change_salt, BY_HASHES},
	{"change the salt and settle", settle, BY_HASHES},
	{"unmap all", unmap_everything, NEVER},
};

static uint64_t refused; /* how often the operation has been */

/* Whether the n-th allocation was asked for; that fails, alone or with all that follow. */
static bool run_with_failure(const struct table_kind *kind, const struct operation *operation,
			     uint64_t n, bool once)
{
	uint64_t failures = pair.memory.failures;
	bool failed;
	int error;

	fail(n, once);
	error = operation->run(kind);
	failed = pair.memory.failures > failures;
	cr_assert(!error || (failed && error == -ENOMEM), "%s: %d", operation->name, error);
	cr_assert(!error || operation->refused, "%s needs memory", operation->name);
	fail(0, false);
	if (error) {
		pair_check(&pair);
		refused++;
		error = operation->run(kind);
		cr_assert(!error, "%s again: %d", operation->name, error);
	}
	return failed;
}

/* Where there are no runs, or no hash, an operation may do without memory, but not elsewhere. */
static void expect_refused(const struct table_kind *kind, const struct operation *operation,
			   bool sealed)
{
	bool has_runs = kind->organisation == HPT_ADAPTIVE && kind->size == HPT_4K && !sealed;
	bool expected = operation->refused == ALWAYS;

	if (operation->refused == BY_RUNS)
		expected = has_runs;
	if (operation->refused == BY_HASHES)
		expected = kind->organisation != HPT_RADIX;
	cr_assert(refused || !expected, "%s has not been refused once", operation->name);
}

static void run_with_failures(const struct table_kind *kind, bool readers, bool sealed)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		bool failed = !readers || operations[i].run != set_what_was_found;

		refused = 0;
		for (uint64_t n = 1; failed; n++) {
			cr_assert_lt(n, 100);
			for (int once = 0; once < 2; once++) {
				starve(kind, readers, sealed);
				failed = run_with_failure(kind, &operations[i], n, once);
				pair_end(&pair);
			}
		}
		if (!readers || operations[i].run != set_what_was_found)
			expect_refused(kind, &operations[i], sealed);
	}
}

TABLE_TEST(failure, an_operation_without_memory_changes_nothing_and_succeeds_with_it)
{
	run_with_failures(kind, false, false);
}

TABLE_TEST(failure, so_it_is_where_there_are_readers_and_where_frames_are_sealed)
{
	run_with_failures(kind, true, false);
	run_with_failures(kind, false, true);
}
