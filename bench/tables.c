/* SPDX-License-Identifier: MIT */
/*
 * What the tables cost and what they take, section by section (bench.h), in one run.
 *
 *     bench_tables [--quick] [--only SECTION] [--json FILE]
 *
 * It ends with one line for each bar:
 *
 *     bar: NAME measured VALUE target VALUE held|missed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/timing.h"

#define ARENA	       ((size_t)14 << 30)
#define BARS	       64
#define EX_USAGE       64
#define EX_UNAVAILABLE 69

static const struct bench_section *const sections[] = {
	&lookups_section, &peers_section,  &ranges_section,  &sealed_section,
	&growth_section,  &spaces_section, &readers_section, &hashes_section,
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

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

static int write_json(const char *name, json_t *object)
{
	int error = json_dump_file(object, name, JSON_INDENT(1));

	if (error)
		fprintf(stderr, "bench_tables: %s: cannot be written\n", name);
	return error;
}

static void usage(const char *found)
{
	fprintf(stderr,
		"bench_tables: found \"%s\", wanted --quick, --json FILE or --only SECTION, "
		"which is one of:",
		found);
	for (size_t i = 0; i < SECTIONS; i++)
		fprintf(stderr, " %s", sections[i]->name);
	fprintf(stderr, "\n");
	exit(EX_USAGE);
}

static const struct bench_section *find_section(const char *name)
{
	for (size_t i = 0; i < SECTIONS; i++) {
		if (!strcmp(sections[i]->name, name))
			return sections[i];
	}
	usage(name);
	return NULL;
}

/*
 * Our tables have huge pages, so everyone else's malloc() gets them as well: glibc reads how from
 * the environment, at the start of a process.
 */
static void use_huge_pages(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", true);
	execv("/proc/self/exe", argv);
	perror("bench_tables: no huge pages for malloc");
}

static void run(struct bench *bench, const struct bench_section *only)
{
	for (size_t i = 0; i < SECTIONS; i++) {
		uint64_t start = timing_now_ns();
		uint64_t own = timing_own_ns();

		if (only && sections[i] != only)
			continue;
		printf("%s== %s: %s\n\n", i && !only ? "\n" : "", sections[i]->name,
		       sections[i]->title);
		arena_reset(&bench->arena);
		sections[i]->run(bench);
		printf("\n(%s took %.0f s, %.0f s of them on the CPU)\n", sections[i]->name,
		       (double)(timing_now_ns() - start) * 1e-9,
		       (double)(timing_own_ns() - own) * 1e-9);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	const struct bench_section *only = NULL;
	const char *json = NULL;
	int error = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			bench.quick = true;
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			json = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = find_section(argv[++i]);
		else
			usage(argv[i]);
	}
	use_huge_pages(argv);
	if (arena_begin(&bench.arena, ARENA)) {
		fprintf(stderr, "bench_tables: no address space for %d GiB\n", (int)(ARENA >> 30));
		return EX_UNAVAILABLE;
	}
	bench.json = json_pack("{s:s}", "bench", "tables");
	timing_pin();
	run(&bench, only);
	print_bars(&bench);
	if (json)
		error = write_json(json, bench.json);
	json_decref(bench.json);
	return error || bench.failures;
}
