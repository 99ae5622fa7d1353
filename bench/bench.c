/* SPDX-License-Identifier: MIT */
/* See bench.h. */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/timing.h"

#define BARS	 64
#define EX_USAGE 64

static struct bar {
	char name[96];
	double value;
	double target;
	bool at_most;
} bars[BARS];
static size_t bar_count;

void bench_bar(const char *name, double value, double target, bool at_most)
{
	struct bar *bar = &bars[bar_count];

	if (bar_count == BARS)
		abort();
	bar_count++;
	snprintf(bar->name, sizeof(bar->name), "%s", name);
	bar->value = value;
	bar->target = target;
	bar->at_most = at_most;
}

void bench_row(struct bench *bench, const char *section, json_t *row)
{
	json_t *rows = json_object_get(bench->json, section);

	if (!rows) {
		rows = json_array();
		json_object_set_new(bench->json, section, rows);
	}
	json_array_append_new(rows, row);
}

static void print_bars(struct bench *bench)
{
	printf("\n");
	for (size_t i = 0; i < bar_count; i++) {
		const struct bar *bar = &bars[i];
		bool held = bar->at_most ? bar->value <= bar->target : bar->value >= bar->target;

		printf("bar: %s measured %.3f target %.3f %s\n", bar->name, bar->value, bar->target,
		       held ? "held" : "missed");
		bench_row(bench, "bars",
			  json_pack("{s:s, s:f, s:f, s:b}", "name", bar->name, "measured",
				    bar->value, "target", bar->target, "held", held));
	}
}

static int write_json(const struct bench *bench)
{
	int error = json_dump_file(bench->json, bench->json_name, JSON_INDENT(1));

	if (error)
		fprintf(stderr, "bench_%s: %s: cannot be written\n", bench->name, bench->json_name);
	return error;
}

static void usage(const struct bench *bench, const char *found)
{
	fprintf(stderr,
		"bench_%s: found \"%s\", wanted --quick, --json FILE or --only SECTION, which is "
		"one of:",
		bench->name, found);
	for (size_t i = 0; i < bench->section_count; i++)
		fprintf(stderr, " %s", bench->sections[i]->name);
	fprintf(stderr, "\n");
	exit(EX_USAGE);
}

static const struct bench_section *find_section(const struct bench *bench, const char *name)
{
	for (size_t i = 0; i < bench->section_count; i++) {
		if (!strcmp(bench->sections[i]->name, name))
			return bench->sections[i];
	}
	usage(bench, name);
	return NULL;
}

void bench_options(struct bench *bench, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			bench->quick = true;
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			bench->json_name = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			bench->only = find_section(bench, argv[++i]);
		else
			usage(bench, argv[i]);
	}
}

static void run(struct bench *bench, const struct bench_section *section)
{
	uint64_t start = timing_now_ns();
	uint64_t own = timing_own_ns();

	printf("== %s: %s\n\n", section->name, section->title);
	if (bench->arena.base)
		arena_reset(&bench->arena);
	section->run(bench);
	printf("\n(%s took %.0f s, %.0f s of them on the CPU)\n", section->name,
	       (double)(timing_now_ns() - start) * 1e-9, (double)(timing_own_ns() - own) * 1e-9);
	fflush(stdout);
}

int bench_run(struct bench *bench)
{
	int error = 0;

	bench->json = json_pack("{s:s}", "bench", bench->name);
	for (size_t i = 0; i < bench->section_count; i++) {
		if (bench->only && bench->sections[i] != bench->only)
			continue;
		printf("%s", i && !bench->only ? "\n" : "");
		run(bench, bench->sections[i]);
	}
	print_bars(bench);
	if (bench->json_name)
		error = write_json(bench);
	json_decref(bench->json);
	return error || bench->failures;
}
