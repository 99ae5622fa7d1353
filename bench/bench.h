/* SPDX-License-Identifier: MIT */
/*
 * What the sections of a benchmark have in common. A section measures one subject, prints its own
 * table under a heading, adds rows to the JSON object and notes the bars that it was set; those are
 * printed last, after all sections.
 *
 * To add a section: a file with a `const struct bench_section`, named here and in the table of
 * its program (tables.c, stage2.c).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/arena.h"

struct bench_section;

struct bench {
	const char *name; /* "tables": of bench_tables */
	const struct bench_section *const *sections;
	size_t section_count;
	struct arena
		arena; /* if there is one, a section starts with an empty one (arena_reset()) */
	bool quick;    /* small footprints only: bars that need the large ones are left out */
	const struct bench_section *only; /* NULL: all */
	const char *json_name;		  /* NULL: none is written */
	json_t *json;
	uint64_t failures; /* wrong answers and bounds that were exceeded: the benchmark fails */
};

struct bench_section {
	const char *name; /* for --only */
	const char *title;
	void (*run)(struct bench *bench);
};

extern const struct bench_section lookups_section;
extern const struct bench_section peers_section;
extern const struct bench_section ranges_section;
extern const struct bench_section sealed_section;
extern const struct bench_section hashes_section;
extern const struct bench_section growth_section;
extern const struct bench_section spaces_section;
extern const struct bench_section readers_section;
extern const struct bench_section stage2_miss_section;
extern const struct bench_section stage2_around_section;
extern const struct bench_section stage2_pressure_section;
extern const struct bench_section stage2_bytes_section;
extern const struct bench_section stage2_policy_section;
extern const struct bench_section stage2_clone_section;
extern const struct bench_section stage2_restore_section;

/*
 * Reads [--quick] [--only SECTION] [--json FILE] into *bench, which has its name and sections. What
 * else it finds ends the program with 64.
 */
void bench_options(struct bench *bench, int argc, char **argv);

/* Runs the sections, prints the bars, writes the JSON file: the program's exit status. */
int bench_run(struct bench *bench);

/* Notes a bar for the end: held if `value` is at most, or else at least, `target`. */
void bench_bar(const char *name, double value, double target, bool at_most);

/* Adds a row, which it owns from now on, to the JSON array `section`. */
void bench_row(struct bench *bench, const char *section, json_t *row);

#endif
