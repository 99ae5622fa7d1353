/* SPDX-License-Identifier: MIT */
/*
 * What the sections of a benchmark have in common. A section measures one subject, prints its own
 * table under a heading, adds rows to the JSON object and notes the bars that it was set; those are
 * printed last, after all sections.
 *
 * To add a section: a file with a `const struct bench_section`, named here and in the table of
 * tables.c.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/arena.h"

struct bench {
	struct arena arena; /* a section starts with an empty one (arena_reset()) */
	bool quick;	    /* small footprints only: bars that need the large ones are left out */
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

/* Notes a bar for the end: held if `value` is at most, or else at least, `target`. */
void bench_bar(const char *name, double value, double target, bool at_most);

/* Adds a row, which it owns from now on, to the JSON array `section`. */
void bench_row(struct bench *bench, const char *section, json_t *row);

#endif
