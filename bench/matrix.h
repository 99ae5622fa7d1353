/* SPDX-License-Identifier: MIT */
/*
 * The matrix of `twostage measure`: every workload over every footprint, in every form, over every
 * pair of organisations that the form leaves open.
 *
 * Radix over radix stays in memory for a workload and footprint, plain and with walk caches, and is
 * timed beside each other pair of tables; these are freed before the next pair's are built.
 */
#ifndef BENCH_MATRIX_H
#define BENCH_MATRIX_H

#include "bench/measure.h"

#define MATRIX_FOOTPRINTS_MAX 16
#define MATRIX_ROWS_MAX	      4096

struct matrix {
	bool forms[FORMS];
	bool workloads[STREAM_WORKLOADS];
	/* None chosen: the best for the workload, which is bucket in sparse space, else clustered.
	 */
	bool guest_tables[HPT_ORGANISATIONS], host_tables[HPT_ORGANISATIONS];
	uint64_t footprints[MATRIX_FOOTPRINTS_MAX]; /* bytes */
	size_t footprint_count;
	struct measure_work work; /* but for workload and footprint */
	/* Called for each row as soon as it is there, and for what is left out and why; `rows`
	 * begins anew with each group that was measured together. */
	void (*row)(void *context, const struct measure_row *row);
	void (*left_out)(void *context, const struct measure_row *row, const char *reason);
	/* Before a group is built and measured; for progress. */
	void (*group)(void *context, const struct measure_row *row, size_t number, size_t count);
	void *context;
};

/* Whether a form is chosen and over tables of these kinds, hashed or not. */
bool matrix_form_is_used(const struct matrix *matrix, enum form form, bool guest_hashed,
			 bool host_hashed);

/* Whether some form is over this pair of tables; radix over radix is not asked about. */
bool matrix_pair_is_used(const struct matrix *matrix, enum hpt_organisation guest,
			 enum hpt_organisation host);

/* What each of these rows is over radix of the same rounds. */
void matrix_compare(struct measure_row *rows, size_t count);

/* 0; -ENOMEM where a group did not fit into memory. *wrong: translations that differed. */
int matrix_run(const struct matrix *matrix, uint64_t *wrong);

/* Chooses the best organisation for such a space where none is chosen. */
void matrix_choose_best(struct matrix *matrix, enum layout_space space);

#endif
