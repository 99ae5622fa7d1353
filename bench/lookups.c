/* SPDX-License-Identifier: MIT */
/*
 * What a lookup costs, for every organisation, pattern and footprint, beside ref1: one dependent
 * random load over the same memory, the limit of a table that answers with one line.
 *
 * The tables of one footprint and layout stand beside each other, and each round times all of them.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/subject.h"
#include "bench/timing.h"

#define PATTERNS_IN_LAYOUT 3
#define FOOTPRINTS	   5
#define FEWER_ROUNDS	   3
#define MOST_ROWS	   (FOOTPRINTS * PATTERNS * HPT_ORGANISATIONS)

/* Patterns that ask for the same pages, so that one table serves all of them. */
struct layout {
	enum pattern patterns[PATTERNS_IN_LAYOUT];
	int count;
};

static const struct layout layouts[] = {
	{{UNIFORM, ZIPF, SEQUENTIAL}, 3},
	{{FRAGMENTED}, 1},
	{{SPARSE}, 1},
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

struct samples {
	double latency[ROUNDS], throughput[ROUNDS], batch[ROUNDS], ref1[ROUNDS], limit[ROUNDS];
};

struct row {
	struct workload workload;
	enum hpt_organisation organisation;
	uint64_t footprint_gib; /* 0: 64 MiB */
	double latency, throughput, batch, ref1, limit;
	double lines, bytes_per_page, load;
	uint64_t wrong;
};

static struct subject subjects[HPT_ORGANISATIONS];
static struct samples samples[HPT_ORGANISATIONS];
static struct query queries[QUERIES];
static uint64_t random_state;
static struct row rows[MOST_ROWS];
static size_t row_count;

static const char *footprint_name(uint64_t gib)
{
	static char name[16];

	if (!gib)
		return "64M";
	snprintf(name, sizeof(name), "%dG", (int)gib);
	return name;
}

static void new_queries(const struct row *row)
{
	workload_queries(&row->workload, &random_state, queries, QUERIES);
}

static void time_round(struct row *row, struct subject *subject, struct samples *into, int round)
{
	struct hpt *table = &subject->table;

	/* Not timed: what the caches can hold of a table is there, as while it is in use. */
	new_queries(row);
	subject_time(subject_loops.throughput, table, queries, &row->wrong);
	new_queries(row);
	into->ref1[round] = subject_time_ref1(subject, queries);
	new_queries(row);
	into->latency[round] = subject_time(subject_loops.latency, table, queries, &row->wrong);
	new_queries(row);
	into->throughput[round] =
		subject_time(subject_loops.throughput, table, queries, &row->wrong);
	new_queries(row);
	into->batch[round] = subject_time(subject_loops.batch, table, queries, &row->wrong);
	new_queries(row);
	into->limit[round] = subject_time_limit(subject, queries);
}

static void finish_row(struct row *row, const struct subject *subject, struct samples *from,
		       size_t rounds)
{
	const struct hpt_counts *counts = &subject->table.counts;
	struct hpt_ledger ledger = {0};
	uint64_t entry;

	for (size_t i = 0; i < QUERIES; i++)
		hpt_lookup(&subject->table, hpt_key(1, queries[i].vpn, HPT_4K), &entry, &ledger);
	row->lines = (double)ledger.lines / (double)ledger.lookups;
	row->bytes_per_page = (double)counts->bytes / (double)row->workload.pages;
	row->load = (double)counts->used / (double)counts->places;
	row->latency = timing_median(from->latency, rounds);
	row->throughput = timing_median(from->throughput, rounds);
	row->batch = timing_median(from->batch, rounds);
	row->ref1 = timing_median(from->ref1, rounds);
	row->limit = timing_median(from->limit, rounds);
}

static void print_row(const struct row *row)
{
	printf("%-10s %5s %-10s %8.1f %8.1f %8.1f %8.1f %6.3f %6.1f %6.3f %6.3f %8.2f %6.3f %s\n",
	       workload_name(row->workload.pattern), footprint_name(row->footprint_gib),
	       hpt_organisation_name(row->organisation), row->latency, row->throughput, row->batch,
	       row->ref1, row->latency / row->ref1, row->limit, row->batch / row->limit, row->lines,
	       row->bytes_per_page, row->load, row->wrong ? "WRONG" : "");
	fflush(stdout);
}

static json_t *row_json(const struct row *row)
{
	return json_pack("{s:s, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "workload",
			 workload_name(row->workload.pattern), "pages",
			 (json_int_t)row->workload.pages, "organisation",
			 hpt_organisation_name(row->organisation), "latency_ns", row->latency,
			 "throughput_ns", row->throughput, "batch_ns", row->batch, "ref1_ns",
			 row->ref1, "limit_ns", row->limit, "lines", row->lines, "bytes_per_page",
			 row->bytes_per_page, "load", row->load, "wrong", (json_int_t)row->wrong);
}

/*
 * Rounds of a row: all of them where a bar depends on it, which is all at 16 GiB, and uniform
 * above.
 */
static int rounds_of(const struct row *row)
{
	if (row->footprint_gib == 16 ||
	    (row->footprint_gib > 16 && row->workload.pattern == UNIFORM))
		return ROUNDS;
	return FEWER_ROUNDS;
}

/* One row for each of `count` tables, whose organisations are `built`. */
static void measure(struct bench *bench, const struct row *like, const enum hpt_organisation *built,
		    int count)
{
	struct row *first = &rows[row_count];
	int rounds = rounds_of(like);

	for (int i = 0; i < count; i++) {
		first[i] = *like;
		first[i].organisation = built[i];
	}
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++)
			time_round(&first[i], &subjects[i], &samples[i], round);
	}
	for (int i = 0; i < count; i++) {
		finish_row(&first[i], &subjects[i], &samples[i], (size_t)rounds);
		print_row(&first[i]);
		bench_row(bench, "rows", row_json(&first[i]));
		bench->failures += first[i].wrong;
	}
	row_count += (size_t)count;
}

/* Builds the tables of `count` organisations beside each other and measures them. */
static void run_tables(struct bench *bench, const struct layout *layout, struct row *like,
		       const enum hpt_organisation *wanted, int count)
{
	enum hpt_organisation built[HPT_ORGANISATIONS];
	int tables = 0;

	arena_reset(&bench->arena);
	for (int i = 0; i < count; i++) {
		if (subject_build(&subjects[tables], wanted[i], &like->workload, &bench->arena))
			printf("%-10s %5s %-10s left out: no room in %d GiB\n",
			       workload_name(like->workload.pattern),
			       footprint_name(like->footprint_gib),
			       hpt_organisation_name(wanted[i]), (int)(bench->arena.size >> 30));
		else
			built[tables++] = wanted[i];
	}
	for (int i = 0; i < layout->count; i++) {
		like->workload.pattern = layout->patterns[i];
		measure(bench, like, built, tables);
	}
}

/* Why a row is not measured; NULL if it is. */
static const char *reason_to_leave_out(const struct row *row, const struct arena *arena)
{
	const char *refusal = subject_refusal(row->organisation, &row->workload, arena);
	bool adaptive = (int)row->organisation == hpt_organisation_find("adaptive");

	if (refusal || row->footprint_gib <= 16)
		return refusal;
	if (row->workload.pattern == SPARSE) {
		if (row->footprint_gib > 128)
			return "as at 128 GiB, and minutes to build";
		return row->organisation == HPT_BUCKET || adaptive
			       ? NULL
			       : "gigabytes each, of which bytes a page is all that is asked";
	}
	if (row->footprint_gib <= 128)
		return NULL;
	if (row->workload.pattern == FRAGMENTED)
		return "as at 128 GiB, and minutes to build";
	return row->organisation == HPT_RADIX || row->organisation == HPT_CLUSTERED ||
			       row->organisation == HPT_CUCKOO || adaptive
		       ? NULL
		       : "3 to 8 GiB and minutes to build";
}

/* Names what is left out: one line for each reason. */
static void print_left_out(const struct layout *layout, const struct row *like,
			   const char *const *reasons)
{
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		bool said = !reasons[i];

		for (int j = 0; j < i; j++)
			said = said || reasons[j] == reasons[i];
		if (said)
			continue;
		for (int pattern = 0; pattern < layout->count; pattern++)
			printf("%s%s", pattern ? ", " : "",
			       workload_name(layout->patterns[pattern]));
		printf(" %s left out:", footprint_name(like->footprint_gib));
		for (int j = i; j < HPT_ORGANISATIONS; j++) {
			if (reasons[j] == reasons[i])
				printf(" %s", hpt_organisation_name((enum hpt_organisation)j));
		}
		printf(" (%s)\n", reasons[i]);
	}
}

static void run_layout(struct bench *bench, const struct layout *layout, uint64_t gib)
{
	struct row like = {
		.workload = {.pattern = layout->patterns[0],
			     .pages = gib ? gib << GIB_PAGES_LOG2 : SEGMENT_PAGES},
		.footprint_gib = gib,
	};
	enum hpt_organisation wanted[HPT_ORGANISATIONS];
	const char *reasons[HPT_ORGANISATIONS];
	int count = 0;
	int at_once;

	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		like.organisation = (enum hpt_organisation)i;
		reasons[i] = reason_to_leave_out(&like, &bench->arena);
		if (!reasons[i])
			wanted[count++] = like.organisation;
	}
	/* One table at a time where memory asks for it. */
	at_once = gib > 128 ? 1 : count;
	for (int i = 0; i < count; i += at_once)
		run_tables(bench, layout, &like, &wanted[i], at_once);
	print_left_out(layout, &like, reasons);
}

/* The best organisation's latency over ref1, uniform. */
static double best_over_ref1(uint64_t gib)
{
	double best = INFINITY;

	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];

		if (row->workload.pattern == UNIFORM && row->footprint_gib == gib)
			best = fmin(best, row->latency / row->ref1);
	}
	return best;
}

static double most_sparse_bytes(enum hpt_organisation organisation)
{
	double most = 0;

	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].workload.pattern == SPARSE && rows[i].organisation == organisation)
			most = fmax(most, rows[i].bytes_per_page);
	}
	return most;
}

/* An organisation's latency over that of the best of all others. */
static double over_best_other(enum hpt_organisation organisation, enum pattern pattern,
			      uint64_t gib)
{
	double others = INFINITY;
	double own = INFINITY;

	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];

		if (row->workload.pattern != pattern || row->footprint_gib != gib)
			continue;
		if (row->organisation == organisation)
			own = row->latency;
		else
			others = fmin(others, row->latency);
	}
	return own / others;
}

static void bars_of_adaptive(enum hpt_organisation adaptive, bool quick)
{
	char name[80];

	bench_bar("sparse-bytes-a-page-adaptive", most_sparse_bytes(adaptive), 16.5, true);
	for (int i = 0; i < SCATTERED; i++) {
		enum pattern pattern = (enum pattern)i;

		printf("adaptive over the best other, %s, 1 GiB: %.3f\n", workload_name(pattern),
		       over_best_other(adaptive, pattern, 1));
		if (quick)
			continue;
		snprintf(name, sizeof(name), "adaptive-over-best-fixed-%s-16-GiB",
			 workload_name(pattern));
		bench_bar(name, over_best_other(adaptive, pattern, 16), 1.15, true);
	}
}

static void run(struct bench *bench)
{
	static const uint64_t gibs[FOOTPRINTS] = {0, 1, 16, 128, 512};
	int adaptive = hpt_organisation_find("adaptive");
	int count = bench->quick ? 2 : FOOTPRINTS;
	uint64_t wrong = 0;

	printf("%-10s %5s %-10s %8s %8s %8s %8s %6s %6s %6s %6s %8s %6s\n", "pattern", "", "table",
	       "latency", "through", "batch", "ref1", "/ref1", "limit", "/limit", "lines", "B/page",
	       "load");
	for (int i = 0; i < count; i++) {
		for (size_t layout = 0; layout < LAYOUTS; layout++)
			run_layout(bench, &layouts[layout], gibs[i]);
	}
	for (size_t i = 0; i < row_count; i++)
		wrong += rows[i].wrong;
	if (!bench->quick) {
		bench_bar("random-latency-over-ref1-16-to-128-GiB",
			  fmax(best_over_ref1(16), best_over_ref1(128)), 1.10, true);
		bench_bar("random-latency-over-ref1-512-GiB", best_over_ref1(512), 1.25, true);
	}
	bench_bar("sparse-bytes-a-page-bucket", most_sparse_bytes(HPT_BUCKET), 16.5, true);
	if (adaptive >= 0)
		bars_of_adaptive((enum hpt_organisation)adaptive, bench->quick);
	bench_bar("wrong-entries", (double)wrong, 0, true);
}

const struct bench_section lookups_section = {
	.name = "lookups",
	.title = "nanoseconds a lookup, every organisation beside one load of the same memory",
	.run = run,
};
