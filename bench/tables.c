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
#include <unistd.h>

#include "bench/bench.h"
#include "bench/timing.h"

#define ARENA	       ((size_t)14 << 30)
#define EX_UNAVAILABLE 69

static const struct bench_section *const sections[] = {
	&lookups_section, &peers_section,  &ranges_section,  &sealed_section,
	&growth_section,  &spaces_section, &readers_section, &hashes_section,
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

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

int main(int argc, char **argv)
{
	struct bench bench = {.name = "tables", .sections = sections, .section_count = SECTIONS};

	bench_options(&bench, argc, argv);
	use_huge_pages(argv);
	if (arena_begin(&bench.arena, ARENA)) {
		fprintf(stderr, "bench_tables: no address space for %d GiB\n", (int)(ARENA >> 30));
		return EX_UNAVAILABLE;
	}
	timing_pin();
	return bench_run(&bench);
}
