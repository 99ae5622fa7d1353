/* SPDX-License-Identifier: MIT */
/* Section miss: first touches in random order. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/permutation.h"
#include "bench/stage2.h"
#include "bench/timing.h"

#define SUBJECTS (HPT_ORGANISATIONS + 1) /* the bare one is the last */
#define BARE	 HPT_ORGANISATIONS
#define TARGET	 1.05

struct times {
	double own[ROUNDS];  /* ns a miss that guest and handler ran */
	double over[ROUNDS]; /* that of the bare one of the same round */
	double *each;	     /* ns that each miss took */
	uint64_t count;
};

static struct times all[SUBJECTS];

static void touch_all(const struct stage2 *stage2, uint64_t pages, struct times *times,
		      struct permutation *order)
{
	uint64_t before = timing_now_ns(), now;

	for (uint64_t i = 0; i < pages; i++) {
		stage2_touch(stage2, permutation_at(order, i));
		now = timing_now_ns();
		times->each[times->count++] = (double)(now - before);
		before = now;
	}
}

static void run_round(struct bench *bench, int subject, uint64_t pages, int round)
{
	static struct stage2 stage2;
	struct permutation order = permutation_of(pages, (uint64_t)round);
	struct ept_config config = stage2_config(pages, pages);
	uint64_t start;

	if (subject != BARE)
		config.organisation = (enum hpt_organisation)subject;
	stage2_begin(&stage2, &config, subject == BARE);
	start = stage2_own_ns();
	touch_all(&stage2, pages, &all[subject], &order);
	all[subject].own[round] = (double)(stage2_own_ns() - start) / (double)pages;
	for (uint64_t gfn = 0; gfn < pages; gfn++)
		bench->failures += stage2_load(&stage2, gfn) != gfn + 1;
	stage2_end(&stage2);
}

static void print_subject(struct bench *bench, int subject)
{
	const char *name =
		subject == BARE ? "bare" : hpt_organisation_name((enum hpt_organisation)subject);
	struct times *times = &all[subject];
	double own = timing_median(times->own, ROUNDS), over = timing_median(times->over, ROUNDS);
	double p50, p99;

	(void)timing_median(times->each, times->count); /* sorts */
	p50 = times->each[times->count / 2];
	p99 = times->each[times->count * 99 / 100];
	printf("%-10s %9.0f %9.3f %9.0f %9.0f\n", name, own, over, p50, p99);
	bench_row(bench, "miss",
		  json_pack("{s:s, s:f, s:f, s:f, s:f}", "table", name, "own_ns", own, "over_bare",
			    over, "p50_ns", p50, "p99_ns", p99));
	if (subject == HPT_CLUSTERED)
		bench_bar("stage-2 miss over the bare mechanism", over, TARGET, true);
	free(times->each);
}

static void run(struct bench *bench)
{
	uint64_t pages = bench->quick ? STAGE2_PAGES / 16 : STAGE2_PAGES / 2;

	for (int subject = 0; subject < SUBJECTS; subject++) {
		all[subject].each = malloc(ROUNDS * pages * sizeof(double));
		if (!all[subject].each)
			abort();
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int subject = SUBJECTS - 1; subject >= 0; subject--) {
			run_round(bench, subject, pages, round);
			all[subject].over[round] = all[subject].own[round] / all[BARE].own[round];
		}
	}
	printf("%-10s %9s %9s %9s %9s\n", "table", "ns run", "over bare", "p50 ns", "p99 ns");
	for (int subject = 0; subject < SUBJECTS; subject++)
		print_subject(bench, subject);
}

const struct bench_section stage2_miss_section = {
	"miss", "first touches of 32 MiB, 4 KiB a miss, in random order", run};
