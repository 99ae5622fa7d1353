/* SPDX-License-Identifier: MIT */
/*
 * The options that `measure` and `replay` share: which forms, tables, pages and caches. Lists are
 * words with commas between them. Every value that cannot be is a usage error whose message names
 * the option, what was found and what was wanted.
 */
#ifndef BENCH_MEASURE_OPTIONS_H
#define BENCH_MEASURE_OPTIONS_H

#include <argp.h>
#include <jansson.h>

#include "bench/matrix.h"
#include "vmm/message.h"

struct measure_options {
	struct matrix matrix;
	bool forms_given;
	const char *audit; /* a trace, or NULL */
	const char *json, *csv, *slots, *plot;
	double load;
};

/* What is measured if nothing is said, but for workloads and footprints. */
void measure_options_begin(struct measure_options *options);

/* Fills in what was not given, when all was parsed. */
void measure_options_end(struct measure_options *options);

/* The rows of the options' tables. */
extern const struct argp_option measure_table_options[];

/*
 * One option of that table: 0, or a negative errno and the message; ARGP_ERR_UNKNOWN for a key of
 * another one.
 */
int measure_table_option(struct measure_options *options, int key, const char *text,
			 struct message *message);

/* The JSON object of what was chosen: a new reference. */
json_t *measure_options_json(const struct measure_options *options);

/* A list of names, each of which find() gives a number below `count` for. */
int measure_option_list(const char *option, const char *text, int (*find)(const char *name),
			const char *(*name)(int number), int count, bool *chosen,
			struct message *message);

#endif
