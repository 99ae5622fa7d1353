/* SPDX-License-Identifier: MIT */
/*
 * Growth from nothing to 16 M pages, one hpt_map() after the other: the time of each, how many
 * places the worst of them moved, and the bytes a page on the way; beside the time of a full rehash
 * of the grown table, which is what an insertion would wait for that doubled it at once.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "hpt/adaptive_region.h"
#include "hpt/generation.h"
#include "hpt/histogram.h"

#define PAGES_LOG2	 24
#define PAGES_LOG2_QUICK 20
/* Bytes a page are counted from a sixteenth of the pages on: over four doublings. */
#define COUNTED_FROM_LOG2 4

enum order { SEQUENTIAL_ORDER, RANDOM_ORDER, ORDERS };

static const char *const order_names[ORDERS] = {"sequential", "random"};

struct growth {
	enum hpt_organisation organisation;
	enum order order;
	bool contiguous; /* frames */
	unsigned int pages_log2;
	struct permutation random;  /* of all pages */
	struct hpt_histogram times; /* nanoseconds of an insertion, reading the clock included */
	double own_share;	    /* of the time that the thread had the CPU */
	uint64_t most_moved;
	bool exceeded; /* the bound */
	double bytes_average;
	double bytes_least; /* at the highest load */
	double bytes_end;
};

static struct hpt table, doubled;

#define CUCKOO_PATH 8

/*
 * What one insertion may move, beside what had spilled: the places of a step of growth (DESIGN.md),
 * for cuckoo the path of its search, and of those of what had spilled, for adaptive the slots of a
 * region that changes its form. 0: nothing is ever moved.
 */
static uint64_t most_moves(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_CHAINED:
		return 32;
	case HPT_OPEN:
		return 256;
	case HPT_BUCKET:
		return 320;
	case HPT_CLUSTERED:
		return 64;
	case HPT_CUCKOO:
		return 64 + (1 + 64) * CUCKOO_PATH;
	case HPT_ADAPTIVE:
		return ADAPTIVE_MOVES_MAX;
	default:
		return 0;
	}
}

static int map_page(struct growth *growth, const struct workload *workload, uint64_t i)
{
	uint64_t vpn = growth->order == RANDOM_ORDER ? permutation_at(&growth->random, i) : i;

	return hpt_map(&table, hpt_key(1, vpn, HPT_4K), workload_entry(workload, vpn));
}

static void note_page(struct growth *growth, uint64_t time, const struct hpt_counts *before)
{
	uint64_t moved = table.counts.moves - before->moves;
	uint64_t bound = most_moves(growth->organisation);
	uint64_t spill = generation_spill_places(&table);
	double bytes = (double)table.counts.bytes / (double)table.counts.entries;
	uint64_t from = UINT64_C(1) << (growth->pages_log2 - COUNTED_FROM_LOG2);

	hpt_histogram_add(&growth->times, time);
	if (moved > growth->most_moved)
		growth->most_moved = moved;
	if (moved > bound + spill)
		growth->exceeded = true;
	if (table.counts.entries <= from)
		return;
	growth->bytes_average += bytes;
	growth->bytes_least = fmin(growth->bytes_least, bytes);
}

/* False where the arena was too small. */
static bool grow(struct growth *growth, struct arena *arena)
{
	const struct workload workload = {.contiguous = growth->contiguous};
	struct hpt_config config = {.organisation = growth->organisation,
				    .memory = arena_memory(arena)};
	uint64_t pages = UINT64_C(1) << growth->pages_log2;
	uint64_t start = timing_now_ns();
	uint64_t own = timing_own_ns();
	uint64_t last = start;

	arena_reset(arena);
	growth->bytes_least = INFINITY;
	growth->random = permutation_of(pages, 0);
	if (hpt_create(&table, &config))
		return false;
	for (uint64_t i = 0; i < pages; i++) {
		struct hpt_counts before = table.counts;
		uint64_t now;

		if (map_page(growth, &workload, i))
			return false;
		now = timing_now_ns();
		note_page(growth, now - last, &before);
		last = timing_now_ns();
	}
	growth->own_share = (double)(timing_own_ns() - own) / (double)(last - start);
	growth->bytes_average /= (double)(pages - (pages >> COUNTED_FROM_LOG2));
	growth->bytes_end = (double)table.counts.bytes / (double)pages;
	return true;
}

static uint64_t visit_to_copy(void *context, struct hpt_key key, uint64_t entry)
{
	int *error = context;

	*error |= hpt_map(&doubled, key, entry);
	return entry;
}

/*
 * Milliseconds for a table of twice the size with the same pages; NAN where there is none, and in
 * sequential order, which takes less.
 */
static double time_rehash(const struct growth *growth, struct arena *arena)
{
	struct hpt_config config = {.organisation = growth->organisation,
				    .pages = UINT64_C(2) << growth->pages_log2,
				    .memory = arena_memory(arena)};
	uint64_t start = timing_own_ns();
	int error;

	if (growth->organisation == HPT_RADIX || growth->order != RANDOM_ORDER)
		return NAN;
	error = hpt_create(&doubled, &config);
	if (!error)
		hpt_visit(&table, visit_to_copy, &error);
	return error ? NAN : (double)(timing_own_ns() - start) * 1e-6;
}

static void print_growth(struct bench *bench, const struct growth *growth, double rehash)
{
	const struct hpt_histogram *times = &growth->times;
	unsigned long long p50 = hpt_histogram_quantile(times, 50, 100);
	unsigned long long p99 = hpt_histogram_quantile(times, 99, 100);
	unsigned long long p9999 = hpt_histogram_quantile(times, 9999, 10000);
	const char *name = hpt_organisation_name(growth->organisation);

	printf("%-10s %-10s %6llu %6llu %8llu %10llu %10.0f %7llu %8.2f %8.2f %6.0f%%%s\n",
	       order_names[growth->order], name, p50, p99, p9999, (unsigned long long)times->max,
	       rehash, (unsigned long long)growth->most_moved, growth->bytes_average,
	       growth->bytes_least, 100 * growth->own_share,
	       growth->exceeded ? " MORE THAN MAY BE MOVED" : "");
	fflush(stdout);
	bench_row(bench, "growth",
		  json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:I, s:f, s:f, s:f}", "order",
			    order_names[growth->order], "table", name, "p50_ns", (json_int_t)p50,
			    "p99_ns", (json_int_t)p99, "p9999_ns", (json_int_t)p9999, "max_ns",
			    (json_int_t)times->max, "rehash_ms", isnan(rehash) ? 0 : rehash,
			    "most_moved", (json_int_t)growth->most_moved, "bytes_per_page_average",
			    growth->bytes_average, "bytes_per_page_least", growth->bytes_least,
			    "own_share", growth->own_share));
}

/* Grows one table and prints it; false where it does not fit. */
static bool run_growth(struct bench *bench, struct growth *growth)
{
	growth->pages_log2 = bench->quick ? PAGES_LOG2_QUICK : PAGES_LOG2;
	if (!grow(growth, &bench->arena)) {
		printf("%-10s %-10s left out: no room\n", order_names[growth->order],
		       hpt_organisation_name(growth->organisation));
		return false;
	}
	print_growth(bench, growth, time_rehash(growth, &bench->arena));
	bench->failures += growth->exceeded;
	return true;
}

static void bars_of_adaptive(struct bench *bench, const struct growth *scattered)
{
	static struct growth contiguous;

	contiguous.organisation = scattered->organisation;
	contiguous.contiguous = true;
	bench_bar("adaptive-dense-scattered-frames-bytes-a-page-at-maximum-load",
		  scattered->bytes_least, 9.5, true);
	printf("and with contiguous frames:\n");
	if (run_growth(bench, &contiguous))
		bench_bar("adaptive-dense-contiguous-frames-bytes-a-page", contiguous.bytes_end, 1,
			  true);
}

/* Where each page is hashed by itself, the order of insertions makes no difference. */
static enum order first_order(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_CHAINED:
	case HPT_OPEN:
	case HPT_BUCKET:
		return RANDOM_ORDER;
	default:
		return SEQUENTIAL_ORDER;
	}
}

/* One organisation, in both orders where they differ. */
static void run_organisation(struct bench *bench, enum hpt_organisation organisation)
{
	static struct growth growths[ORDERS];
	uint64_t bound = most_moves(organisation);
	uint64_t most_moved = 0;
	char name[80];

	for (int order = (int)first_order(organisation); order < ORDERS; order++) {
		growths[order] =
			(struct growth){.organisation = organisation, .order = (enum order)order};
		if (!run_growth(bench, &growths[order]))
			return;
		if (growths[order].most_moved > most_moved)
			most_moved = growths[order].most_moved;
	}
	snprintf(name, sizeof(name), "growth-most-places-moved-%s",
		 hpt_organisation_name(organisation));
	if (bound)
		bench_bar(name, (double)most_moved,
			  (double)(bound + generation_spill_places(&table)), true);
	if ((int)organisation == hpt_organisation_find("adaptive"))
		bars_of_adaptive(bench, &growths[SEQUENTIAL_ORDER]);
}

static void run(struct bench *bench)
{
	printf("%-10s %-10s %6s %6s %8s %10s %10s %7s %8s %8s %7s\n", "order", "table", "p50",
	       "p99", "p99.99", "max", "rehash ms", "moved", "B/page", "at best", "own CPU");
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		run_organisation(bench, (enum hpt_organisation)i);
	printf("\nown CPU: the share of the time that the thread had it; what is missing is in the "
	       "largest times\n");
}

const struct bench_section growth_section = {
	.name = "growth",
	.title = "nanoseconds an insertion while a table grows from nothing to 16 M pages",
	.run = run,
};
