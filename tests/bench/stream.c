/* SPDX-License-Identifier: MIT */
/* What holds for the streams of all workloads. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "hpt/mix.h"
#include "tests/bench/fixture.h"

#define ACCESSES 200000

static const uint64_t sizes[] = {
	STREAM_PAGES_MIN, 16385, 20011, 65536, 99991, 262144, 1000003, 65797, STREAM_PAGES_MAX - 1,
	STREAM_PAGES_MAX,
};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

#define for_each_workload(workload)                                                       \
	for (enum stream_workload workload = STREAM_UNIFORM; workload < STREAM_WORKLOADS; \
	     workload++)

static struct stream_access whole[ACCESSES];
static struct stream_access cut[ACCESSES];

static bool is_seeded(enum stream_workload workload)
{
	return workload != STREAM_SEQUENTIAL && workload != STREAM_STRIDED;
}

static void expect_same(enum stream_workload workload)
{
	for (size_t i = 0; i < ACCESSES; i++)
		cr_assert(same_access(whole[i], cut[i]), "%s: access %zu", stream_name(workload),
			  i);
}

Test(stream, workloads_are_found_by_their_names)
{
	for_each_workload(workload) cr_assert_eq(stream_find(stream_name(workload)), (int)workload);
	cr_assert_eq(stream_find("chas"), -ENOENT);
	cr_assert_eq(stream_find(""), -ENOENT);
}

Test(stream, workloads_have_the_space_that_they_are_named_after)
{
	for_each_workload(workload) cr_assert_eq(stream_space(workload),
						 workload == STREAM_SPARSE	 ? LAYOUT_SPARSE
						 : workload == STREAM_FRAGMENTED ? LAYOUT_FRAGMENTED
										 : LAYOUT_DENSE);
}

Test(stream, sizes_and_workloads_out_of_range_are_refused)
{
	struct stream stream;
	struct stream_config config = {.workload = STREAM_BFS, .pages = STREAM_PAGES_MIN - 1};

	cr_assert_eq(stream_create(&stream, &config), -EINVAL);
	config.pages = STREAM_PAGES_MAX + 1;
	cr_assert_eq(stream_create(&stream, &config), -EINVAL);
	config.pages = STREAM_PAGES_MIN;
	config.workload = STREAM_WORKLOADS;
	cr_assert_eq(stream_create(&stream, &config), -EINVAL);
}

Test(stream, a_stream_is_the_same_however_it_is_cut_into_calls)
{
	uint64_t random = 1;

	for_each_workload(workload)
	{
		struct stream stream = begin_stream(workload, 20011, 7);

		stream_next(&stream, whole, ACCESSES);
		stream_destroy(&stream);
		stream = begin_stream(workload, 20011, 7);
		for (size_t i = 0; i < ACCESSES;) {
			size_t count = mix64_next(&random) % 200;

			count = count < ACCESSES - i ? count : ACCESSES - i;
			stream_next(&stream, &cut[i], count);
			i += count;
		}
		stream_destroy(&stream);
		expect_same(workload);
		stream = begin_stream(workload, 20011, 7);
		for (size_t i = 0; i < ACCESSES; i++)
			cut[i] = next_access(&stream);
		stream_destroy(&stream);
		expect_same(workload);
	}
}

Test(stream, another_seed_is_another_stream)
{
	for_each_workload(workload)
	{
		size_t same = 0;

		for (uint64_t seed = 0; seed < 2; seed++) {
			struct stream stream = begin_stream(workload, 1000003, seed);

			stream_next(&stream, seed ? cut : whole, ACCESSES);
			stream_destroy(&stream);
		}
		for (size_t i = 0; i < ACCESSES; i++)
			same += whole[i].page == cut[i].page;
		/* What the workload does in an order is the same, at most: relations, edges. */
		if (is_seeded(workload))
			cr_assert_lt(same, ACCESSES * 3 / 5, "%s: %zu", stream_name(workload),
				     same);
		else
			cr_assert_eq(same, ACCESSES);
	}
}

Test(stream, every_access_is_a_word_of_a_mapped_page)
{
	for_each_workload(workload)
	{
		for (size_t n = 0; n < SIZES; n++) {
			struct stream stream = begin_stream(workload, sizes[n], n);

			stream_next(&stream, whole, ACCESSES);
			stream_destroy(&stream);
			for (size_t i = 0; i < ACCESSES; i++) {
				cr_assert_lt(whole[i].page, sizes[n], "%s of %lu pages: %lu",
					     stream_name(workload), sizes[n], whole[i].page);
				cr_assert_eq(whole[i].offset % 8, 0);
				cr_assert_lt(whole[i].offset, PAGE_BYTES);
			}
		}
	}
}

/* Long enough for an iteration over the graph, and for nearly all ranks of zipf. */
Test(stream, the_whole_footprint_is_accessed)
{
	const uint64_t pages = 17001;
	bool *touched = calloc(pages, sizeof(*touched));

	cr_assert_not_null(touched);
	for_each_workload(workload)
	{
		struct stream stream = begin_stream(workload, pages, 1);
		uint64_t count = 0;

		for (int round = 0; round < 100; round++) {
			stream_next(&stream, whole, ACCESSES);
			for (size_t i = 0; i < ACCESSES; i++)
				touched[whole[i].page] = true;
		}
		stream_destroy(&stream);
		for (uint64_t i = 0; i < pages; i++) {
			count += touched[i];
			touched[i] = false;
		}
		cr_assert_geq(count, pages * 96 / 100, "%s: %lu", stream_name(workload), count);
	}
	free(touched);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

Test(stream, of_512_GiB_takes_less_than_a_second_and_64_MiB)
{
	struct rusage before;
	struct rusage after;

	getrusage(RUSAGE_SELF, &before);
	for_each_workload(workload)
	{
		double start = seconds();
		struct stream stream = begin_stream(workload, STREAM_PAGES_MAX, 1);

		next_access(&stream);
		cr_assert_lt(seconds() - start, 1, "%s: %f s", stream_name(workload),
			     seconds() - start);
		/* What is only reserved is used up now. */
		for (int round = 0; round < 40; round++)
			stream_next(&stream, whole, ACCESSES);
		stream_destroy(&stream);
	}
	getrusage(RUSAGE_SELF, &after);
	cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 64 << 10, "%ld KiB",
		     after.ru_maxrss - before.ru_maxrss);
}
