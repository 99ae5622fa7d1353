/* SPDX-License-Identifier: MIT */
/*
 * What a lookup costs, for every organisation, pattern and footprint, beside ref1: one dependent
 * random load over the same memory, timed in the same rounds, the limit of a table that answers
 * with one line.
 *
 *     bench_tables [--quick] [--json FILE]
 *
 * All forms read their page numbers from the same prepared stream. In the latency form the next
 * lookup waits for the entry of the last; every entry is checked against the oracle.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arena.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "hpt/mix.h"

#define ARENA	       ((size_t)14 << 30)
#define STREAM	       (1 << 18)
#define GIB_PAGES_LOG2 18

struct row {
	struct workload workload;
	enum hpt_organisation organisation;
	uint64_t footprint_gib; /* 0: 64 MiB */
	double latency, throughput, batch, ref1;
	double lines, bytes_per_page, load;
	uint64_t wrong;
};

static struct arena arena;
static uint64_t numbers[STREAM];
static struct hpt_key keys[STREAM];
static uint64_t entries[STREAM];
static volatile uint64_t always_zero;

static struct hpt_key key_of(const struct workload *workload, uint64_t number)
{
	return hpt_key(1, workload_vpn(workload, number), HPT_4K);
}

/* Nanoseconds a load: each waits for the one before. */
static double time_ref1(void)
{
	uint64_t lines = (arena.used - ((size_t)2 << 20)) / HPT_LINE_SIZE;
	const uint64_t *first = (void *)(arena.base + ((size_t)2 << 20));
	uint64_t zero = always_zero;
	uint64_t wait = 0;
	uint64_t start = timing_now_ns();

	for (size_t i = 0; i < STREAM; i++) {
		uint64_t line = (__uint128_t)(mix64(numbers[i] + wait)) * lines >> 64;

		wait = first[line * HPT_LINE_WORDS] & zero;
	}
	always_zero = wait;
	return (double)(timing_now_ns() - start) / STREAM;
}

/* The next lookup starts from the last one's entry: what it differs from the oracle by, 0. */
static double time_latency(const struct row *row, const struct hpt *table, uint64_t *wrong)
{
	uint64_t difference = 0;
	uint64_t start = timing_now_ns();

	for (size_t i = 0; i < STREAM; i++) {
		uint64_t number = numbers[i] ^ difference;
		uint64_t entry = 0;

		hpt_lookup(table, key_of(&row->workload, number), &entry, NULL);
		difference = entry ^ workload_entry(number);
		*wrong += !!difference;
	}
	return (double)(timing_now_ns() - start) / STREAM;
}

static double time_throughput(const struct row *row, const struct hpt *table, uint64_t *wrong)
{
	uint64_t start = timing_now_ns();

	for (size_t i = 0; i < STREAM; i++) {
		uint64_t entry = 0;

		hpt_lookup(table, key_of(&row->workload, numbers[i]), &entry, NULL);
		*wrong += entry != workload_entry(numbers[i]);
	}
	return (double)(timing_now_ns() - start) / STREAM;
}

static double time_batch(const struct row *row, const struct hpt *table, uint64_t *wrong)
{
	uint64_t start = timing_now_ns();

	for (size_t i = 0; i < STREAM; i++)
		keys[i] = key_of(&row->workload, numbers[i]);
	hpt_lookup_batch(table, keys, entries, STREAM);
	for (size_t i = 0; i < STREAM; i++)
		*wrong += entries[i] != workload_entry(numbers[i]);
	return (double)(timing_now_ns() - start) / STREAM;
}

static void count_lines(struct row *row, const struct hpt *table)
{
	struct hpt_ledger ledger = {0};
	uint64_t entry;

	for (size_t i = 0; i < STREAM; i++)
		hpt_lookup(table, key_of(&row->workload, numbers[i]), &entry, &ledger);
	row->lines = (double)ledger.lines / (double)ledger.lookups;
	row->bytes_per_page = (double)table->counts.bytes / (double)row->workload.pages;
	row->load = (double)table->counts.used / (double)table->counts.places;
}

static void measure(struct row *row, const struct hpt *table)
{
	double latency[ROUNDS], throughput[ROUNDS], batch[ROUNDS], ref1[ROUNDS];
	uint64_t state = 1;

	for (int round = 0; round < ROUNDS; round++) {
		workload_stream(&row->workload, &state, numbers, STREAM);
		ref1[round] = time_ref1();
		workload_stream(&row->workload, &state, numbers, STREAM);
		latency[round] = time_latency(row, table, &row->wrong);
		workload_stream(&row->workload, &state, numbers, STREAM);
		throughput[round] = time_throughput(row, table, &row->wrong);
		workload_stream(&row->workload, &state, numbers, STREAM);
		batch[round] = time_batch(row, table, &row->wrong);
	}
	count_lines(row, table);
	row->latency = timing_median(latency, ROUNDS);
	row->throughput = timing_median(throughput, ROUNDS);
	row->batch = timing_median(batch, ROUNDS);
	row->ref1 = timing_median(ref1, ROUNDS);
}

static void print_row(const struct row *row)
{
	char footprint[16] = "64M";

	if (row->footprint_gib)
		snprintf(footprint, sizeof(footprint), "%dG", (int)row->footprint_gib);
	printf("%-10s %5s %-10s %8.1f %8.1f %8.1f %8.1f %6.3f %6.3f %8.2f %6.3f %s\n",
	       workload_name(row->workload.pattern), footprint,
	       hpt_organisation_name(row->organisation), row->latency, row->throughput, row->batch,
	       row->ref1, row->latency / row->ref1, row->lines, row->bytes_per_page, row->load,
	       row->wrong ? "WRONG" : "");
	fflush(stdout);
}

/* False where the table did not fit into the arena. */
static bool run_row(struct row *row)
{
	static struct hpt table;
	struct hpt_config config = {.organisation = row->organisation,
				    .pages = row->workload.pages,
				    .memory = arena_memory(&arena)};
	int error;

	arena_reset(&arena);
	error = hpt_create(&table, &config);
	if (!error)
		error = workload_map(&row->workload, &table);
	if (error) {
		printf("%-10s %4dG %-10s does not fit into %d GiB\n",
		       workload_name(row->workload.pattern), (int)row->footprint_gib,
		       hpt_organisation_name(row->organisation), (int)(ARENA >> 30));
		return false;
	}
	measure(row, &table);
	print_row(row);
	return true;
}

static json_t *row_json(const struct row *row)
{
	return json_pack("{s:s, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "workload",
			 workload_name(row->workload.pattern), "pages",
			 (json_int_t)row->workload.pages, "organisation",
			 hpt_organisation_name(row->organisation), "latency_ns", row->latency,
			 "throughput_ns", row->throughput, "batch_ns", row->batch, "ref1_ns",
			 row->ref1, "lines", row->lines, "bytes_per_page", row->bytes_per_page,
			 "load", row->load, "wrong", (json_int_t)row->wrong);
}

/* What the bars ask for. */
struct best {
	double latency;	     /* over ref1, 16 to 128 GiB */
	double latency_512;  /* over ref1 */
	double sparse_bytes; /* of bucket, the largest */
	uint64_t wrong;
};

static void note_best(struct best *best, const struct row *row, double *of_footprint)
{
	double ratio = row->latency / row->ref1;

	best->wrong += row->wrong;
	if (row->workload.pattern == UNIFORM && ratio < *of_footprint)
		*of_footprint = ratio;
	if (row->workload.pattern == SPARSE && row->organisation == HPT_BUCKET &&
	    row->bytes_per_page > best->sparse_bytes)
		best->sparse_bytes = row->bytes_per_page;
}

/* Large tables one by one where it matters; all of them where they are built quickly. */
static bool wanted(enum pattern pattern, uint64_t gib, enum hpt_organisation organisation)
{
	if (gib <= 16)
		return true;
	if (pattern == SPARSE)
		return organisation == HPT_BUCKET && gib <= 128;
	return pattern == UNIFORM && (organisation == HPT_RADIX || organisation == HPT_CLUSTERED ||
				      organisation == HPT_CUCKOO);
}

static void run_all(const uint64_t *gibs, size_t count, struct best *best, json_t *rows)
{
	for (size_t i = 0; i < count; i++) {
		double of_footprint = 1e9;

		for (int pattern = 0; pattern < PATTERNS; pattern++) {
			for (int organisation = 0; organisation < HPT_ORGANISATIONS;
			     organisation++) {
				struct row row = {
					.workload = {.pattern = (enum pattern)pattern,
						     .pages = gibs[i] ? gibs[i] << GIB_PAGES_LOG2
								      : SEGMENT_PAGES},
					.organisation = (enum hpt_organisation)organisation,
					.footprint_gib = gibs[i],
				};

				if (!wanted(row.workload.pattern, gibs[i], row.organisation) ||
				    !run_row(&row))
					continue;
				note_best(best, &row, &of_footprint);
				json_array_append_new(rows, row_json(&row));
			}
		}
		if (gibs[i] == 512)
			best->latency_512 = of_footprint;
		else if (gibs[i] >= 16 && of_footprint > best->latency)
			best->latency = of_footprint;
	}
}

static int write_json(const char *name, json_t *rows)
{
	json_t *object = json_pack("{s:s, s:o}", "bench", "tables", "rows", rows);
	int error = json_dump_file(object, name, JSON_INDENT(1));

	if (error)
		fprintf(stderr, "bench_tables: %s: cannot be written\n", name);
	json_decref(object);
	return error;
}

int main(int argc, char **argv)
{
	static const uint64_t gibs[] = {0, 1, 16, 128, 512};
	struct best best = {0};
	json_t *rows = json_array();
	const char *json = NULL;
	size_t count = 5;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick")) {
			count = 2;
		} else if (!strcmp(argv[i], "--json") && i + 1 < argc) {
			json = argv[++i];
		} else {
			fprintf(stderr,
				"bench_tables: found \"%s\", wanted --quick or --json FILE\n",
				argv[i]);
			return 64;
		}
	}
	if (arena_begin(&arena, ARENA)) {
		fprintf(stderr, "bench_tables: no address space for %d GiB\n", (int)(ARENA >> 30));
		return 69;
	}
	timing_pin();
	printf("%-10s %5s %-10s %8s %8s %8s %8s %6s %6s %8s %6s\n", "pattern", "", "table",
	       "latency", "through", "batch", "ref1", "/ref1", "lines", "B/page", "load");
	run_all(gibs, count, &best, rows);
	if (count == 5) {
		bar_print("random-latency-over-ref1-16-to-128-GiB", best.latency, 1.10, true);
		bar_print("random-latency-over-ref1-512-GiB", best.latency_512, 1.25, true);
	}
	bar_print("sparse-bytes-a-page-bucket", best.sparse_bytes, 16.5, true);
	bar_print("wrong-entries", (double)best.wrong, 0, true);
	return (json ? write_json(json, rows) : 0) || best.wrong;
}
