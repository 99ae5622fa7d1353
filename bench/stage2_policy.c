/* SPDX-License-Identifier: MIT */
/*
 * Section policy: what the clock of ept/evict.c misses beside random replacement and beside MIN,
 * which knows the future, on recorded references of the workloads (stream.h); and what another lead
 * of the front hand would do. Policies alone (policy.h): no page is touched.
 *
 * References to one page in a row are one. Misses are those on pages that had lost their frames;
 * first touches are the same for all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/policy.h"
#include "bench/stream.h"
#include "ept/evict.h"

#define REFERENCES 400000
#define SPAN	   STREAM_PAGES_MIN

static const enum stream_workload workloads[] = {
	STREAM_UNIFORM,	 STREAM_ZIPF, STREAM_SEQUENTIAL, STREAM_BTREE,
	STREAM_HASHJOIN, STREAM_BFS,  STREAM_PAGERANK,	 STREAM_KEYVALUE,
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static const unsigned int shares[] = {2, 4, 16}; /* of the footprint are frames: 1 of so many */
static const unsigned int leads[] = {2, 4, 8, 16, 32};

#define SHARES (sizeof(shares) / sizeof(shares[0]))
#define LEADS  (sizeof(leads) / sizeof(leads[0]))

struct recorded {
	uint32_t pages[REFERENCES];
	struct policy_trace trace;
	uint64_t footprint; /* pages that are referred to */
};

static struct recorded recorded[WORKLOADS];

static void record(struct recorded *to, enum stream_workload workload, size_t wanted)
{
	struct stream_config config = {.workload = workload, .pages = SPAN, .seed = 1};
	struct stream stream;
	struct stream_access access;
	bool *seen = calloc(SPAN, sizeof(*seen));
	size_t count = 0;

	if (!seen || stream_create(&stream, &config) < 0)
		abort();
	to->footprint = 0;
	while (count < wanted) {
		stream_next(&stream, &access, 1);
		if (count && to->pages[count - 1] == access.page)
			continue;
		to->pages[count++] = (uint32_t)access.page;
		to->footprint += !seen[access.page];
		seen[access.page] = true;
	}
	to->trace = (struct policy_trace){.pages = to->pages, .count = count, .span = SPAN};
	stream_destroy(&stream);
	free(seen);
}

static double per_thousand(uint64_t events, const struct recorded *of)
{
	return (double)events * 1000 / (double)of->trace.count;
}

struct line {
	double clock, rescues, random, min;
};

static void check(int ret)
{
	if (ret < 0) {
		fprintf(stderr, "bench_stage2: no memory for a trace\n");
		exit(70);
	}
}

static struct line simulate(const struct recorded *of, unsigned int share)
{
	const struct policy_clock clock = {.lead = EPT_LEAD};
	struct policy_counts counts;
	struct line line;

	check(policy_clock(&of->trace, of->footprint / share, &clock, &counts));
	line.clock = per_thousand(counts.swapped, of);
	line.rescues = per_thousand(counts.rescues, of);
	check(policy_random(&of->trace, of->footprint / share, 1, &counts));
	line.random = per_thousand(counts.swapped, of);
	check(policy_min(&of->trace, of->footprint / share, &counts));
	line.min = per_thousand(counts.swapped, of);
	return line;
}

static void compare(struct bench *bench, const struct recorded *of, const char *name)
{
	for (size_t i = 0; i < SHARES; i++) {
		struct line line = simulate(of, shares[i]);

		printf("%-11s %7lu  1/%-4u %8.1f %8.1f %8.1f %8.1f\n", name,
		       (unsigned long)of->footprint, shares[i], line.clock, line.rescues,
		       line.random, line.min);
		bench_row(bench, "policy",
			  json_pack("{s:s, s:I, s:i, s:f, s:f, s:f, s:f}", "workload", name,
				    "footprint", (json_int_t)of->footprint, "share", (int)shares[i],
				    "clock", line.clock, "rescues", line.rescues, "random",
				    line.random, "min", line.min));
	}
}

/* The leads side by side, sums over all workloads. */
static void compare_leads(struct bench *bench, unsigned int share)
{
	for (size_t i = 0; i < LEADS; i++) {
		const struct policy_clock clock = {.lead = leads[i]};
		double misses = 0, rescues = 0;

		for (size_t w = 0; w < WORKLOADS; w++) {
			struct policy_counts counts;

			check(policy_clock(&recorded[w].trace, recorded[w].footprint / share,
					   &clock, &counts));
			misses += per_thousand(counts.swapped, &recorded[w]) / WORKLOADS;
			rescues += per_thousand(counts.rescues, &recorded[w]) / WORKLOADS;
		}
		printf("1/%-4u 1/%-4u %8.1f %8.1f\n", share, leads[i], misses, rescues);
		bench_row(bench, "lead",
			  json_pack("{s:i, s:i, s:f, s:f}", "share", (int)share, "lead",
				    (int)leads[i], "misses", misses, "rescues", rescues));
	}
}

static void run(struct bench *bench)
{
	size_t wanted = bench->quick ? REFERENCES / 4 : REFERENCES;

	printf("a thousand references: misses on pages that had gone; rescues of the clock\n\n");
	printf("%-11s %7s  %-6s %8s %8s %8s %8s\n", "workload", "pages", "frames", "clock",
	       "rescues", "random", "MIN");
	for (size_t w = 0; w < WORKLOADS; w++) {
		record(&recorded[w], workloads[w], wanted);
		compare(bench, &recorded[w], stream_name(workloads[w]));
	}
	printf("\nall workloads, by the lead of the front hand, now 1/%d\n\n", EPT_LEAD);
	printf("%-6s %-6s %8s %8s\n", "frames", "lead", "clock", "rescues");
	for (size_t i = 0; i < SHARES; i++)
		compare_leads(bench, shares[i]);
}

const struct bench_section stage2_policy_section = {
	"policy", "which page goes: the clock beside random replacement and MIN", run};
