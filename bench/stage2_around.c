/* SPDX-License-Identifier: MIT */
/* Section around: touches of page after page, and how many pages a miss should bring then. */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/stage2.h"
#include "bench/timing.h"

#define WIDTHS 10 /* 1, 2, 4 to EPT_AROUND_MAX */
#define TARGET 6.0

_Static_assert(1 << (WIDTHS - 1) == EPT_AROUND_MAX, "the last width is the largest");

static double own[WIDTHS][2][ROUNDS]; /* ns a page; [1]: the bare mechanism's */
static double cheaper[WIDTHS][ROUNDS];

static double run_round(struct bench *bench, unsigned int width, bool is_bare)
{
	static struct stage2 stage2;
	struct ept_config config = stage2_config(STAGE2_PAGES, STAGE2_PAGES);
	uint64_t start, ran;

	config.around = width;
	stage2_begin(&stage2, &config, is_bare);
	start = stage2_own_ns();
	for (uint64_t gfn = 0; gfn < STAGE2_PAGES; gfn++)
		stage2_touch(&stage2, gfn);
	ran = stage2_own_ns() - start;
	for (uint64_t gfn = 0; gfn < STAGE2_PAGES; gfn++)
		bench->failures += stage2_load(&stage2, gfn) != gfn + 1;
	stage2_end(&stage2);
	return (double)ran / STAGE2_PAGES;
}

static void run(struct bench *bench)
{
	int rounds = bench->quick ? 3 : 5, best = 0;
	double medians[WIDTHS];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < WIDTHS; i++) {
			for (int is_bare = 0; is_bare < 2; is_bare++)
				own[i][is_bare][round] = run_round(bench, 1u << i, is_bare);
			cheaper[i][round] = own[0][0][round] / own[i][0][round];
		}
	}
	printf("%-6s %9s %9s %9s\n", "pages", "ns a page", "bare", "cheaper");
	for (int i = 0; i < WIDTHS; i++) {
		double bare = timing_median(own[i][1], (size_t)rounds);
		double times = timing_median(cheaper[i], (size_t)rounds);

		medians[i] = timing_median(own[i][0], (size_t)rounds);
		if (medians[i] < medians[best])
			best = i;
		printf("%-6d %9.0f %9.0f %8.1fx\n", 1 << i, medians[i], bare, times);
		bench_row(bench, "around",
			  json_pack("{s:i, s:f, s:f, s:f}", "pages", 1 << i, "own_ns", medians[i],
				    "bare_ns", bare, "cheaper", times));
	}
	printf("\nbest: %d pages\n", 1 << best);
	bench_bar("sequential misses, cheaper a page with fault-around",
		  timing_median(cheaper[best], (size_t)rounds), TARGET, false);
}

const struct bench_section stage2_around_section = {
	"around", "first touches of 64 MiB in order, by the pages that a miss may bring", run};
