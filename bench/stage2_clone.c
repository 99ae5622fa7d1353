/* SPDX-License-Identifier: MIT */
/*
 * Section clone: a clone of a guest that has touched 1 GiB, beside an eager copy of it.
 *
 * The eager copy is a second stage 2 with frames of its own for every page, into which the content
 * is written a block at a time by pwrite(), the fastest way that was found into a memfd, and mapped
 * as ranges. Neither is in a window afterwards. What a clone leaves to a thread, the taking down of
 * the old window, is not in its time, but told.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/stage2.h"
#include "bench/timing.h"
#include "ept/clone.h"

#define PAGES  (UINT64_C(1) << 18)
#define TARGET 100.0
#define WRITES 4096 /* pages that are written afterwards */

static const enum hpt_organisation tables[] = {HPT_RADIX, HPT_CLUSTERED, HPT_ADAPTIVE};

struct times {
	double clone[ROUNDS], eager[ROUNDS];
	double over[ROUNDS];   /* the eager copy's time over the clone's */
	double behind[ROUNDS]; /* the old window's end */
	double part[ROUNDS];   /* ns a page that is written and parts */
};

static struct stage2 first, copy;
static struct ept twin;

static void fail_with(const char *what)
{
	fprintf(stderr, "bench_stage2: clone: %s\n", what);
	exit(1);
}

static void make_first(const struct ept_config *config)
{
	stage2_begin(&first, config, false);
	for (uint64_t gfn = 0; gfn < config->ranges[0].size >> HPT_PAGE_SHIFT; gfn++)
		stage2_touch(&first, gfn);
}

/* ms */
static double copy_eagerly(const struct ept_config *config)
{
	uint64_t pages = config->ranges[0].size >> HPT_PAGE_SHIFT;
	uint64_t begin = timing_own_ns();
	struct ept *to = &copy.ept;

	stage2_begin(&copy, config, false);
	for (uint64_t gfn = 0; gfn < pages; gfn += EPT_BLOCK_PAGES) {
		uint64_t frame = ept_window_frame(&to->window, gfn << HPT_PAGE_SHIFT);
		uint64_t source = ept_window_frame(&first.ept.window, gfn << HPT_PAGE_SHIFT);

		if (pwrite(to->pool.fd, ept_pool_frame(&first.ept.pool, source), EPT_BLOCK_SIZE,
			   (off_t)(frame << HPT_PAGE_SHIFT)) != EPT_BLOCK_SIZE ||
		    hpt_map_range(&to->table, hpt_key(0, gfn, HPT_4K), EPT_BLOCK_PAGES,
				  hpt_entry(frame, HPT_PRESENT | HPT_WRITE)) < 0)
			fail_with("the eager copy failed");
	}
	return (double)(timing_own_ns() - begin) / 1e6;
}

/* Every page reads as it was in both, and what the clone writes is its own. */
static void check(struct bench *bench, uint64_t pages, double *part)
{
	char *window = ept_window_address(&twin, 0);
	uint64_t start;

	first.window = ept_window_address(&first.ept, 0);
	for (uint64_t gfn = 0; gfn < pages; gfn += 61)
		bench->failures += stage2_load(&first, gfn) != gfn + 1;
	start = stage2_own_ns();
	for (uint64_t i = 0; i < WRITES; i++)
		*(volatile uint64_t *)(void *)(window + ((i * 7 % pages) << HPT_PAGE_SHIFT)) = 5;
	*part = (double)(stage2_own_ns() - start) / WRITES;
	for (uint64_t i = 0; i < WRITES; i++)
		bench->failures += stage2_load(&first, i * 7 % pages) != i * 7 % pages + 1;
}

static void run_round(struct bench *bench, enum hpt_organisation organisation, uint64_t pages,
		      struct times *times, int round)
{
	struct ept_config config = stage2_config(pages, pages);
	struct ept_clone_config clone = {.cpu_count = 1, .cpus = {config.cpus[0]}};
	const char *what = "";
	uint64_t begin;

	config.organisation = organisation;
	config.around = EPT_AROUND_MAX;
	config.clones = true;
	make_first(&config);
	times->eager[round] = copy_eagerly(&config);
	stage2_end(&copy);
	begin = timing_own_ns();
	if (ept_clone(&twin, &first.ept, &clone, &what) < 0)
		fail_with(what);
	times->clone[round] = (double)(timing_own_ns() - begin) / 1e6;
	times->over[round] = times->eager[round] / times->clone[round];
	begin = timing_now_ns();
	pthread_join(first.ept.old_window.thread, NULL);
	first.ept.old_window.has_thread = false;
	times->behind[round] = (double)(timing_now_ns() - begin) / 1e6;
	check(bench, pages, &times->part[round]);
	ept_destroy(&twin);
	stage2_end(&first);
}

static void run(struct bench *bench)
{
	uint64_t pages = bench->quick ? PAGES / 16 : PAGES;
	int rounds = bench->quick ? 3 : 5;
	static struct times all[sizeof(tables) / sizeof(tables[0])];

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
			run_round(bench, tables[i], pages, &all[i], round);
	}
	printf("%-10s %9s %9s %9s %11s %11s\n", "table", "clone", "eager", "over", "old window",
	       "ns a write");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const char *name = hpt_organisation_name(tables[i]);
		double clone = timing_median(all[i].clone, (size_t)rounds);
		double eager = timing_median(all[i].eager, (size_t)rounds);
		double over = timing_median(all[i].over, (size_t)rounds);
		double behind = timing_median(all[i].behind, (size_t)rounds);
		double part = timing_median(all[i].part, (size_t)rounds);
		char bar[64];

		printf("%-10s %6.2f ms %6.1f ms   1/%5.0f %8.1f ms %11.0f\n", name, clone, eager,
		       over, behind, part);
		bench_row(bench, "clone",
			  json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f}", "table", name, "pages",
				    (int)pages, "clone_ms", clone, "eager_ms", eager, "over", over,
				    "old_window_ms", behind, "part_ns", part));
		snprintf(bar, sizeof(bar), "eager copy of 1 GiB over clone, %s", name);
		if (!bench->quick && tables[i] != HPT_RADIX)
			bench_bar(bar, over, TARGET, false);
	}
}

const struct bench_section stage2_clone_section = {
	"clone",
	"a clone of a guest that has touched 1 GiB, beside an eager copy; writes part pages", run};
