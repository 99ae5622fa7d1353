/* SPDX-License-Identifier: MIT */
/* Replacement policies: MIN by hand and by trying all, and the clock beside the real one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "bench/policy.h"
#include "bench/stream.h"
#include "ept/evict.h"
#include "hpt/mix.h"

static struct policy_trace trace_of(const uint32_t *pages, size_t count, uint32_t span)
{
	return (struct policy_trace){.pages = pages, .count = count, .span = span};
}

static uint64_t min_misses(const struct policy_trace *trace, uint64_t frames)
{
	struct policy_counts counts;

	cr_assert_eq(policy_min(trace, frames, &counts), 0);
	cr_assert_eq(counts.rescues, 0);
	return counts.first + counts.swapped;
}

/* The string of most textbooks: 9 misses with three frames (Silberschatz, "Operating Systems"). */
Test(policy, min_of_the_textbooks_string_has_nine_misses)
{
	const uint32_t pages[] = {7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1};
	struct policy_trace trace = trace_of(pages, sizeof(pages) / sizeof(pages[0]), 8);

	cr_assert_eq(min_misses(&trace, 3), 9);
	cr_assert_eq(min_misses(&trace, 1), 20);
	cr_assert_eq(min_misses(&trace, 8), 6);
}

/* The fewest misses from reference i on, whatever is evicted. `held`: a bit a page. */
static uint64_t fewest(const struct policy_trace *trace, size_t i, unsigned int held,
		       unsigned int frames)
{
	uint64_t best = UINT64_MAX;
	unsigned int bit;

	while (i < trace->count && held >> trace->pages[i] & 1)
		i++;
	if (i == trace->count)
		return 0;
	bit = 1u << trace->pages[i];
	if ((unsigned int)__builtin_popcount(held) < frames)
		return 1 + fewest(trace, i + 1, held | bit, frames);
	for (unsigned int page = 0; page < trace->span; page++) {
		uint64_t misses;

		if (!(held >> page & 1))
			continue;
		misses = 1 + fewest(trace, i + 1, (held & ~(1u << page)) | bit, frames);
		if (misses < best)
			best = misses;
	}
	return best;
}

Test(policy, nobody_has_fewer_misses_than_min)
{
	uint64_t random = 1;

	for (int round = 0; round < 300; round++) {
		uint32_t pages[14];
		struct policy_trace trace = trace_of(pages, 14, 5);
		unsigned int frames = 1 + (unsigned int)(mix64_next(&random) % 3);
		struct policy_counts counts;

		for (int i = 0; i < 14; i++)
			pages[i] = (uint32_t)(mix64_next(&random) % 5);
		cr_assert_eq(min_misses(&trace, frames), fewest(&trace, 0, 0, frames));
		cr_assert_eq(policy_random(&trace, frames, random, &counts), 0);
		cr_assert_geq(counts.first + counts.swapped, min_misses(&trace, frames));
		cr_assert_eq(counts.first + counts.swapped - counts.evicted,
			     counts.first < frames ? counts.first : frames);
	}
}

/* Of uniform references with 1 of 4 pages in memory, 3 of 4 miss: within four standard errors. */
Test(policy, random_replacement_of_uniform_references_misses_by_the_formula)
{
	enum { SPAN = 1024, COUNT = 200000 };
	static uint32_t pages[COUNT];
	struct policy_trace trace = trace_of(pages, COUNT, SPAN);
	struct policy_counts counts;
	uint64_t random = 5;

	for (int i = 0; i < COUNT; i++)
		pages[i] = (uint32_t)(mix64_next(&random) % SPAN);
	cr_assert_eq(policy_random(&trace, SPAN / 4, 9, &counts), 0);
	cr_assert_float_eq((double)(counts.first + counts.swapped) / COUNT, 0.75, 4 * 0.433 / 447);
}

static struct ept ept;

static struct ept_counts run_real(const struct policy_trace *trace, uint64_t frames)
{
	static struct ept_snapshot snapshot;
	struct ept_config config = {
		.ranges = {{0, (uint64_t)(trace->span + 63) / 64 * 64 << HPT_PAGE_SHIFT}},
		.range_count = 1,
		.host_mem = frames << HPT_PAGE_SHIFT,
		.organisation = HPT_CLUSTERED};
	const char *what = "";
	int ret = ept_create(&ept, &config, &what);

	if (ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP)
		cr_skip_test("%s", what);
	cr_assert_eq(ret, 0, "%s", what);
	for (size_t i = 0; i < trace->count; i++) {
		volatile uint64_t *word =
			ept_window_address(&ept, (gpa_t)trace->pages[i] << HPT_PAGE_SHIFT);

		*word = i + 1;
	}
	ept_read(&ept, &snapshot);
	ept_destroy(&ept);
	return snapshot.counts;
}

static void compare(enum stream_workload workload, uint64_t frames)
{
	enum { SPAN = STREAM_PAGES_MIN, COUNT = 30000 };
	static struct stream_access accesses[COUNT];
	static uint32_t pages[COUNT];
	struct policy_trace trace = trace_of(pages, COUNT, SPAN);
	struct policy_clock clock = {.lead = EPT_LEAD};
	struct stream_config config = {.workload = workload, .pages = SPAN, .seed = 3};
	struct policy_counts counts;
	struct ept_counts real;
	struct stream stream;

	cr_assert_eq(stream_create(&stream, &config), 0);
	stream_next(&stream, accesses, COUNT);
	stream_destroy(&stream);
	for (int i = 0; i < COUNT; i++)
		pages[i] = (uint32_t)(accesses[i].page % SPAN);
	cr_assert_eq(policy_clock(&trace, frames, &clock, &counts), 0);
	real = run_real(&trace, frames);
	cr_assert_gt(counts.evicted, 0);
	cr_assert_eq(counts.first, real.touches);
	cr_assert_eq(counts.swapped, real.swapped, "%lu, the real clock has %lu",
		     (unsigned long)counts.swapped, (unsigned long)real.swapped);
	cr_assert_eq(counts.evicted, real.swaps_out);
	/* The kernel may take pages out of the window as well, but hardly ever. */
	cr_assert_eq(counts.rescues, real.rescues, "%lu, the real clock has %lu",
		     (unsigned long)counts.rescues, (unsigned long)real.rescues);
}

Test(policy, the_model_of_the_clock_does_what_the_real_one_does, .timeout = 120)
{
	compare(STREAM_UNIFORM, 2000);
	compare(STREAM_ZIPF, 1000);
	compare(STREAM_ZIPF, 100);
	compare(STREAM_BTREE, 500);
	compare(STREAM_KEYVALUE, 3000);
	compare(STREAM_SEQUENTIAL, 1000);
}
