/* SPDX-License-Identifier: MIT */
/*
 * What a hash family costs a clustered table, and what `local` gains and pays: lookups of 64 GiB of
 * pages at random and one after another, and the lines that a lookup reads where the pages are in
 * one piece and where they lie in segments of 64 MiB. All tables stand beside each other, so that
 * each takes its turn in every round.
 */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/loops.h"
#include "bench/subject.h"
#include "bench/timing.h"

#define PAGES	    (UINT64_C(1) << 24) /* 64 GiB */
#define PAGES_QUICK (UINT64_C(1) << 19)

/* What is asked of the dense tables, and at last of the fragmented ones. */
enum question { RANDOM, SEQUENCE, SEQUENCE_THROUGHPUT, FRAGMENTS, QUESTIONS };

static struct hpt tables[HPT_HASH_FAMILIES];
static struct query queries[QUERIES];
static uint64_t random_state;
static double times[HPT_HASH_FAMILIES][QUESTIONS][ROUNDS];
static double lines[HPT_HASH_FAMILIES][2];
static double bytes[HPT_HASH_FAMILIES][2];

/* Segment by segment: pages and frames of one follow each other. */
static int map(const struct workload *workload, struct hpt *table)
{
	int error = 0;

	for (uint64_t i = 0; i < workload->pages && !error; i += SEGMENT_PAGES)
		error = hpt_map_range(table, hpt_key(1, workload_vpn(workload, i), HPT_4K),
				      SEGMENT_PAGES, workload_entry(workload, i));
	return error;
}

/* A table of each family for the workload; false where there is no room for them. */
static bool build(struct bench *bench, const struct workload *workload)
{
	struct hpt_config config = {
		.organisation = HPT_CLUSTERED,
		.pages = workload->pages,
		.memory = arena_memory(&bench->arena),
	};

	arena_reset(&bench->arena);
	for (int family = 0; family < HPT_HASH_FAMILIES; family++) {
		config.hash = (enum hpt_hash_family)family;
		arena_mark(&bench->arena);
		if (hpt_create(&tables[family], &config) || map(workload, &tables[family]))
			return false;
	}
	return true;
}

static void time_round(struct bench *bench, const struct workload *workload, int round,
		       enum question question)
{
	for (int family = 0; family < HPT_HASH_FAMILIES; family++) {
		workload_queries(workload, &random_state, queries, QUERIES);
		times[family][question][round] =
			subject_time(question == SEQUENCE_THROUGHPUT ? subject_loops.throughput
								     : subject_loops.latency,
				     &tables[family], queries, &bench->failures);
	}
}

/* Lines a lookup and bytes a page of each table. */
static void count(const struct workload *workload, int column)
{
	workload_queries(workload, &random_state, queries, QUERIES);
	for (int family = 0; family < HPT_HASH_FAMILIES; family++) {
		struct hpt_ledger ledger = {0};
		uint64_t entry;

		for (size_t i = 0; i < QUERIES; i++)
			hpt_lookup(&tables[family], hpt_key(1, queries[i].vpn, HPT_4K), &entry,
				   &ledger);
		lines[family][column] = (double)ledger.lines / QUERIES;
		bytes[family][column] =
			(double)tables[family].counts.bytes / (double)workload->pages;
	}
}

static void print(struct bench *bench)
{
	printf("%-10s %8s %8s %8s %8s %8s %8s %8s %8s\n", "", "random", "in order", "", "lines",
	       "bytes", "segments", "", "");
	printf("%-10s %8s %8s %8s %8s %8s %8s %8s %8s\n", "hash", "latency", "latency", "through.",
	       "a lookup", "a page", "latency", "lines", "bytes");
	for (int family = 0; family < HPT_HASH_FAMILIES; family++) {
		const char *name = hpt_hash_family_name((enum hpt_hash_family)family);
		double median[QUESTIONS];

		for (int question = 0; question < QUESTIONS; question++)
			median[question] = timing_median(times[family][question], ROUNDS);
		printf("%-10s %8.1f %8.1f %8.1f %8.3f %8.1f %8.1f %8.3f %8.1f\n", name,
		       median[RANDOM], median[SEQUENCE], median[SEQUENCE_THROUGHPUT],
		       lines[family][0], bytes[family][0], median[FRAGMENTS], lines[family][1],
		       bytes[family][1]);
		bench_row(bench, "hashes",
			  json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "hash", name,
				    "random_ns", median[RANDOM], "sequential_ns", median[SEQUENCE],
				    "sequential_throughput_ns", median[SEQUENCE_THROUGHPUT],
				    "lines", lines[family][0], "bytes", bytes[family][0],
				    "fragmented_ns", median[FRAGMENTS], "fragmented_lines",
				    lines[family][1], "fragmented_bytes", bytes[family][1]));
	}
}

static void run(struct bench *bench)
{
	const uint64_t pages = bench->quick ? PAGES_QUICK : PAGES;
	const struct workload dense = {.pattern = UNIFORM, .contiguous = true, .pages = pages};
	const struct workload sequence = {
		.pattern = SEQUENTIAL, .contiguous = true, .pages = pages};
	const struct workload fragments = {
		.pattern = FRAGMENTED, .contiguous = true, .pages = pages};

	if (!build(bench, &dense)) {
		printf("left out: no room\n");
		return;
	}
	for (int round = 0; round < ROUNDS; round++) {
		time_round(bench, &dense, round, RANDOM);
		time_round(bench, &sequence, round, SEQUENCE);
		time_round(bench, &sequence, round, SEQUENCE_THROUGHPUT);
	}
	count(&dense, 0);
	if (!build(bench, &fragments)) {
		printf("left out: no room\n");
		return;
	}
	for (int round = 0; round < ROUNDS; round++)
		time_round(bench, &fragments, round, FRAGMENTS);
	count(&fragments, 1);
	print(bench);
}

const struct bench_section hashes_section = {
	.name = "hashes",
	.title = "hash families in a clustered table: nanoseconds, lines a lookup, bytes a page",
	.run = run,
};
