/* SPDX-License-Identifier: MIT */
/* What an experiment found out, as text, as JSON and as charts. */
#ifndef BENCH_EXPERIMENT_PRINT_H
#define BENCH_EXPERIMENT_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/experiment.h"

/* Name and question of one that is not run. */
void experiment_print_question(FILE *stream, const struct experiment *experiment);
json_t *experiment_question_json(const struct experiment *experiment);

/* Question, model, claims, the numbers of the charts, and whether all of it holds. */
void experiment_print(FILE *stream, const struct experiment *experiment,
		      const struct experiment_result *result);

/*
 * {name, question, theory, claim, model, measured, residual, holds, claims, charts, notes,
 * seconds}: `claim` with its model, measured and residual is the one that comes nearest to failing
 * (null: none was measured), `theory` the model in words. NULL: no memory.
 */
json_t *experiment_json(const struct experiment *experiment,
			const struct experiment_result *result);

/* Draws the charts into `file`, one below the other. 0, or a negative errno with the message: 69
 * without gnuplot, 66 where the file cannot be written. */
int experiment_plot(const char *file, const struct experiment *experiment,
		    const struct experiment_result *result, struct message *message);

#endif
