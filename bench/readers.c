/* SPDX-License-Identifier: MIT */
/*
 * Lookups beside a writer: 16 M pages asked for at random in a table with readers, alone and while
 * a thread on another CPU maps, changes and unmaps other pages of the same table as fast as it can;
 * and in a table without readers, for what being ready for them costs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/loops.h"
#include "bench/subject.h"
#include "bench/timing.h"
#include "hpt/mix.h"

#define PAGES	    (UINT64_C(1) << 24)
#define PAGES_QUICK (UINT64_C(1) << 20)
#define LIMIT	    1.2
#define WRITTEN	    1024 /* pages that the writer has mapped at a time */

enum form { PLAIN, ALONE, BESIDE, FORMS };

static const enum hpt_organisation measured[] = {
	HPT_RADIX, HPT_CHAINED, HPT_OPEN, HPT_BUCKET, HPT_CLUSTERED, HPT_CUCKOO, HPT_ADAPTIVE};

static struct hpt plain, with_readers;
static struct query queries[QUERIES];
static uint64_t random_state;

static struct {
	_Atomic bool running, ended;
	_Atomic uint64_t operations;
	uint64_t pages; /* of the address space that it writes */
	int cpu;
} writer;

/* Maps some pages, changes each, unmaps each: ASID 2, which no lookup asks for. */
static void write_some(uint64_t *random)
{
	uint64_t first = *random;

	for (int pass = 0; pass < 3; pass++) {
		uint64_t state = first;

		for (int i = 0; i < WRITTEN; i++) {
			uint64_t vpn = mix64_next(&state) % writer.pages;
			struct hpt_key key = hpt_key(2, vpn, HPT_4K);

			if (pass == 0)
				hpt_map(&with_readers, key, hpt_entry(vpn, HPT_PRESENT));
			else if (pass == 1)
				hpt_change(&with_readers, key, 0, HPT_WRITE);
			else
				hpt_unmap(&with_readers, key, NULL);
		}
		*random = state;
	}
	atomic_fetch_add(&writer.operations, 3 * WRITTEN);
}

static void *write_on(void *unused)
{
	uint64_t random = 7;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(writer.cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	while (!atomic_load(&writer.ended)) {
		if (atomic_load(&writer.running))
			write_some(&random);
		else
			sched_yield();
	}
	return unused;
}

/* The arena takes all back at the end: a grace period longer than any reader. */
static void retire(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
}

static int build(struct bench *bench, struct hpt *table, enum hpt_organisation organisation,
		 const struct workload *workload, bool readers)
{
	struct hpt_config config = {
		.organisation = organisation,
		.pages = workload->pages + WRITTEN * 8,
		.memory = arena_memory(&bench->arena),
	};
	int error;

	if (readers)
		config.memory.retire = retire;
	arena_mark(&bench->arena);
	error = hpt_create(table, &config);
	return error ? error : workload_map(workload, table);
}

static double time_form(struct bench *bench, enum form form, const struct workload *workload)
{
	double time;

	workload_queries(workload, &random_state, queries, QUERIES);
	atomic_store(&writer.running, form == BESIDE);
	time = subject_time(subject_loops.latency, form == PLAIN ? &plain : &with_readers, queries,
			    &bench->failures);
	atomic_store(&writer.running, false);
	return time;
}

static void measure(struct bench *bench, enum hpt_organisation organisation,
		    const struct workload *workload)
{
	static double times[FORMS][ROUNDS];
	const char *name = hpt_organisation_name(organisation);
	double median[FORMS];
	uint64_t before = atomic_load(&writer.operations);
	char bar[96];

	for (int round = 0; round < ROUNDS; round++) {
		for (int form = 0; form < FORMS; form++)
			times[form][round] = time_form(bench, (enum form)form, workload);
	}
	for (int form = 0; form < FORMS; form++)
		median[form] = timing_median(times[form], ROUNDS);
	printf("%-10s %8.1f %8.1f %8.1f %8.3f %8.3f %10llu\n", name, median[PLAIN], median[ALONE],
	       median[BESIDE], median[ALONE] / median[PLAIN], median[BESIDE] / median[ALONE],
	       (unsigned long long)(atomic_load(&writer.operations) - before));
	fflush(stdout);
	bench_row(bench, "readers",
		  json_pack("{s:s, s:f, s:f, s:f}", "table", name, "plain_ns", median[PLAIN],
			    "alone_ns", median[ALONE], "beside_ns", median[BESIDE]));
	if (bench->quick)
		return;
	snprintf(bar, sizeof(bar), "lookups-beside-a-writer-over-alone-%s", name);
	bench_bar(bar, median[BESIDE] / median[ALONE], LIMIT, true);
}

/* A CPU that the reader is not on; -1 if there is none. */
static int other_cpu(void)
{
	int here = sched_getcpu();
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 1 ? (here + 1) % (int)count : -1;
}

static void run(struct bench *bench)
{
	const struct workload workload = {.pattern = UNIFORM,
					  .pages = bench->quick ? PAGES_QUICK : PAGES};

	writer.cpu = other_cpu();
	if (writer.cpu < 0) {
		printf("left out: one CPU has no place for a writer beside a reader\n");
		return;
	}
	writer.pages = workload.pages;
	printf("%-10s %8s %8s %8s %8s %8s %10s\n", "table", "plain", "alone", "beside", "/plain",
	       "/alone", "written");
	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++) {
		pthread_t thread;

		arena_reset(&bench->arena);
		if (build(bench, &plain, measured[i], &workload, false) ||
		    build(bench, &with_readers, measured[i], &workload, true)) {
			printf("%s left out: no room\n", hpt_organisation_name(measured[i]));
			continue;
		}
		atomic_store(&writer.ended, false);
		if (pthread_create(&thread, NULL, write_on, NULL)) {
			printf("left out: no thread\n");
			return;
		}
		measure(bench, measured[i], &workload);
		atomic_store(&writer.ended, true);
		pthread_join(thread, NULL);
	}
}

const struct bench_section readers_section = {
	.name = "readers",
	.title = "nanoseconds a lookup at random, without and with readers, and beside a writer",
	.run = run,
};
