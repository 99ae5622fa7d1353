/* SPDX-License-Identifier: MIT */
/* Rows of `twostage measure` as a person reads them, as CSV, as JSON, and as a chart. */
#ifndef BENCH_MEASURE_PRINT_H
#define BENCH_MEASURE_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/measure.h"
#include "vmm/message.h"

/*
 * A row, under a heading of its own where the tables or the work are not those of the row before
 * (NULL: there is none).
 */
void measure_print_row(FILE *stream, const struct measure_row *before,
		       const struct measure_row *row);

void measure_csv_head(FILE *stream);
void measure_csv_row(FILE *stream, const struct measure_row *row);

/* The references of a row by slot (walk_ledger.h). */
void measure_slots_head(FILE *stream);
void measure_slots_row(FILE *stream, const struct measure_row *row);

/* A new reference. */
json_t *measure_json_row(const struct measure_row *row);

/*
 * Draws the latencies of rows, with the limits as lines, to a file by gnuplot. 0, or a negative
 * errno and the message: 69 where there is no gnuplot, 66 where the file cannot be written.
 */
int measure_plot(const char *file, const struct measure_row *rows, size_t count,
		 struct message *message);

/* Where rows go as they come: each of these may be NULL. */
struct measure_report {
	FILE *table, *csv, *slots;
	json_t *rows;		 /* an array */
	struct measure_row last; /* that was told, if any was */
	bool begun;
};

/* Writes the headings of CSV files. */
void measure_report_begin(struct measure_report *report);

void measure_report_row(struct measure_report *report, const struct measure_row *row);

/* "512G" */
const char *measure_size_text(uint64_t bytes, char text[24]);

#endif
