/* SPDX-License-Identifier: MIT */
/*
 * What a change of many neighbouring pages costs a page: protection, unmapping and mapping of
 * ranges in a large dense table, every organisation beside radix, whose leaves stand in order.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/subject.h"
#include "bench/timing.h"
#include "hpt/mix.h"

#define PAGES	      (UINT64_C(1) << 24)
#define PAGES_QUICK   (UINT64_C(1) << 20)
#define PAGES_A_ROUND (UINT64_C(1) << 18)
#define SIZES	      3

enum operation { PROTECT, UNMAP, MAP, OPERATIONS };

static const char *const operation_names[OPERATIONS] = {"protect", "unmap", "map"};

static const struct {
	const char *name;
	uint64_t pages;
} sizes[SIZES] = {{"2M", 512}, {"64M", 16384}, {"1G", 262144}};

static struct subject subjects[HPT_ORGANISATIONS];
static double samples[HPT_ORGANISATIONS][OPERATIONS][ROUNDS];

/* The worst size of each organisation and operation, over radix. */
static double worst[HPT_ORGANISATIONS][OPERATIONS];

/* One range, whose pages are mapped and may be written before the first and after the last. */
static int run_operation(struct hpt *table, enum operation operation, uint64_t vpn, uint64_t pages)
{
	struct hpt_key key = hpt_key(1, vpn, HPT_4K);

	switch (operation) {
	case PROTECT:
		return hpt_change_range(table, key, pages, HPT_WRITE, 0);
	case UNMAP:
		return hpt_unmap_range(table, key, pages);
	default:
		return hpt_map_range(table, key, pages,
				     hpt_entry(vpn, HPT_PRESENT | HPT_WRITE | HPT_USER));
	}
}

/*
 * One operation over PAGES_A_ROUND pages in ranges here and there, then the next over the same
 * ones. An odd step takes no range twice.
 */
static void time_round(struct bench *bench, struct hpt *table, int round, uint64_t pages,
		       double (*into)[ROUNDS])
{
	uint64_t last_range = table->counts.entries / pages - 1;
	uint64_t random = mix64((uint64_t)round + 1);

	for (int operation = 0; operation < OPERATIONS; operation++) {
		uint64_t start = timing_own_ns();

		for (uint64_t i = 0; i < PAGES_A_ROUND / pages; i++) {
			uint64_t range = (random + i * (random | 1)) & last_range;

			if (run_operation(table, (enum operation)operation, range * pages, pages))
				bench->failures++;
		}
		into[operation][round] = (double)(timing_own_ns() - start) / PAGES_A_ROUND;
	}
}

static void print_size(struct bench *bench, int size, int count)
{
	double radix[OPERATIONS];

	for (int i = 0; i < count; i++) {
		int organisation = (int)subjects[i].table.desc.organisation;
		json_t *row = json_pack("{s:s, s:I}", "table",
					hpt_organisation_name((enum hpt_organisation)organisation),
					"pages", (json_int_t)sizes[size].pages);

		printf("%5s %-10s", sizes[size].name,
		       hpt_organisation_name((enum hpt_organisation)organisation));
		for (int operation = 0; operation < OPERATIONS; operation++) {
			double time = timing_median(samples[i][operation], ROUNDS);
			double ratio;

			if (organisation == HPT_RADIX)
				radix[operation] = time;
			ratio = time / radix[operation];
			worst[organisation][operation] =
				fmax(worst[organisation][operation], ratio);
			printf(" %8.2f %6.2f", time, ratio);
			json_object_set_new(row, operation_names[operation], json_real(time));
		}
		printf("\n");
		fflush(stdout);
		bench_row(bench, "ranges", row);
	}
}

/* The hashed organisation whose worst size is the least. */
static void bar_of(enum operation operation, int count)
{
	double best = INFINITY;
	char name[80];

	printf("%s over radix, the worst size:", operation_names[operation]);
	for (int i = 0; i < count; i++) {
		int organisation = (int)subjects[i].table.desc.organisation;

		if (organisation == HPT_RADIX)
			continue;
		printf(" %s %.2f", hpt_organisation_name((enum hpt_organisation)organisation),
		       worst[organisation][operation]);
		best = fmin(best, worst[organisation][operation]);
	}
	printf("\n");
	snprintf(name, sizeof(name), "range-%s-over-radix", operation_names[operation]);
	bench_bar(name, best, 2, true);
}

static void run(struct bench *bench)
{
	const struct workload workload = {.pattern = UNIFORM,
					  .pages = bench->quick ? PAGES_QUICK : PAGES};
	int count = 0;

	/* Radix comes first: all others are held against it. */
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		enum hpt_organisation organisation = (enum hpt_organisation)i;

		if (subject_build(&subjects[count], organisation, &workload, &bench->arena))
			printf("%s left out: no room\n", hpt_organisation_name(organisation));
		else
			count++;
	}
	printf("%5s %-10s", "range", "table");
	for (int operation = 0; operation < OPERATIONS; operation++)
		printf(" %8s %6s", operation_names[operation], "/radix");
	printf("\n");
	for (int size = 0; size < SIZES; size++) {
		for (int round = 0; round < ROUNDS; round++) {
			for (int i = 0; i < count; i++)
				time_round(bench, &subjects[i].table, round, sizes[size].pages,
					   samples[i]);
		}
		print_size(bench, size, count);
	}
	for (int i = 0; i < count; i++)
		bench->failures += subjects[i].table.counts.entries != workload.pages;
	bar_of(PROTECT, count);
	bar_of(MAP, count);
}

const struct bench_section ranges_section = {
	.name = "ranges",
	.title = "nanoseconds a page of a range operation in a large dense table",
	.run = run,
};
