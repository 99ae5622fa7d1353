/* SPDX-License-Identifier: MIT */
/* Section pressure: random stores to four times as many pages as there are frames. */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/stage2.h"
#include "bench/timing.h"
#include "hpt/mix.h"

#define FRAMES	(STAGE2_PAGES / 4)
#define STORES	12000
#define SAMPLES 5 /* in memory; on a device 3 */
#define TARGET	0.8

struct run {
	double own;  /* evictions a second that guest and handler ran */
	double wall; /* or that passed */
};

static struct run run_round(struct bench *bench, const char *swap, uint64_t seed, bool is_bare)
{
	static struct stage2 stage2;
	struct ept_config config = stage2_config(STAGE2_PAGES, FRAMES);
	uint64_t now, start, evicted, page;
	struct run run;

	config.swap = swap;
	stage2_begin(&stage2, &config, is_bare);
	for (uint64_t gfn = 0; gfn < STAGE2_PAGES; gfn++)
		stage2_touch(&stage2, gfn);
	evicted = stage2_evicted(&stage2);
	now = timing_now_ns();
	start = stage2_own_ns();
	for (int i = 0; i < STORES; i++) {
		page = mix64_next(&seed) % STAGE2_PAGES;
		bench->failures += stage2_load(&stage2, page) != page + 1;
		stage2_touch(&stage2, page);
	}
	evicted = stage2_evicted(&stage2) - evicted;
	run.own = (double)evicted * 1e9 / (double)(stage2_own_ns() - start);
	run.wall = (double)evicted * 1e9 / (double)(timing_now_ns() - now);
	stage2_end(&stage2);
	return run;
}

static double compare(struct bench *bench, const char *swap, const char *where, bool by_wall)
{
	double rate[2][SAMPLES], over[SAMPLES], ours, bare, ratio;
	int samples = bench->quick ? 1 : by_wall ? 3 : SAMPLES;

	for (int i = 0; i < samples; i++) {
		for (int is_bare = 0; is_bare < 2; is_bare++) {
			struct run run = run_round(bench, swap, (uint64_t)i, is_bare);

			rate[is_bare][i] = by_wall ? run.wall : run.own;
		}
		over[i] = rate[0][i] / rate[1][i];
	}
	ours = timing_median(rate[0], (size_t)samples);
	bare = timing_median(rate[1], (size_t)samples);
	ratio = timing_median(over, (size_t)samples);
	printf("%-10s %-9s %12.0f %12.0f %8.3f\n", where, by_wall ? "passed" : "run", ours, bare,
	       ratio);
	bench_row(bench, "pressure",
		  json_pack("{s:s, s:b, s:f, s:f, s:f}", "swap", where, "time_passed", by_wall,
			    "evictions_per_s", ours, "bare_per_s", bare, "over_bare", ratio));
	return ratio;
}

static void run(struct bench *bench)
{
	printf("%-10s %-9s %12s %12s %8s\n", "swap in", "time", "evictions/s", "bare", "ratio");
	bench_bar("eviction under pressure, throughput over the bare mechanism's",
		  compare(bench, stage2_swap_in_memory(), "memory", false), TARGET, false);
	(void)compare(bench, NULL, "TMPDIR", true);
}

const struct bench_section stage2_pressure_section = {
	"pressure", "random stores to 64 MiB with 16 MiB of frames", run};
