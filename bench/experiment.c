/* SPDX-License-Identifier: MIT */
/* See experiment.h. */
#include "bench/experiment.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/timing.h"
#include "vmm/status.h"

static const struct experiment *const experiments[] = {
	&nonresident_experiment, &fork_experiment,     &shared_experiment,
	&softtlb_experiment,	 &prefetch_experiment, &nested_experiment,
	&flood_experiment,	 &sealed_experiment,   &consistency_experiment,
};

#define EXPERIMENTS (sizeof(experiments) / sizeof(experiments[0]))

const struct experiment *experiment_number(size_t i)
{
	return i < EXPERIMENTS ? experiments[i] : NULL;
}

const struct experiment *experiment_find(const char *name)
{
	for (size_t i = 0; i < EXPERIMENTS; i++) {
		if (!strcmp(experiments[i]->name, name))
			return experiments[i];
	}
	return NULL;
}

int experiment_run(const struct experiment *experiment, struct experiment_result *result,
		   struct message *message)
{
	uint64_t start = timing_now_ns();
	int error;

	memset(result, 0, sizeof(*result));
	error = experiment->run(result, message);
	result->seconds = (double)(timing_now_ns() - start) * 1e-9;
	return error;
}

int experiment_no_memory(struct message *message)
{
	return message_set(message, -ENOMEM, STATUS_UNAVAILABLE,
			   "the tables do not fit into memory");
}

int experiment_wrong(struct message *message, const char *what)
{
	return message_set(message, -EIO, STATUS_INTERNAL, "a wrong answer: %s", what);
}

/* What an experiment adds is known when it is written: too much is a bug of its own. */
static void need_room(size_t count, size_t most)
{
	if (count >= most)
		abort();
}

static struct experiment_claim *add_claim(struct experiment_result *result,
					  const struct experiment_claim *claim, const char *format,
					  va_list arguments)
{
	struct experiment_claim *added = &result->claims[result->claim_count];

	need_room(result->claim_count, EXPERIMENT_CLAIMS);
	result->claim_count++;
	*added = *claim;
	vsnprintf(added->text, sizeof(added->text), format, arguments);
	return added;
}

struct experiment_claim *experiment_claim(struct experiment_result *result,
					  struct experiment_claim claim, const char *format, ...)
{
	struct experiment_claim *added;
	va_list arguments;

	va_start(arguments, format);
	added = add_claim(result, &claim, format, arguments);
	va_end(arguments);
	return added;
}

struct experiment_claim *experiment_missing(struct experiment_result *result, const char *unit,
					    const char *reason, const char *format, ...)
{
	const struct experiment_claim claim = {.unit = unit};
	struct experiment_claim *added;
	va_list arguments;

	va_start(arguments, format);
	added = add_claim(result, &claim, format, arguments);
	va_end(arguments);
	snprintf(added->missing, sizeof(added->missing), "%s", reason);
	return added;
}

/* The three relations differ in nothing else. */
#define DEFINE_CLAIM(name, relation_)                                                     \
	struct experiment_claim *name(struct experiment_result *result, const char *unit, \
				      double model, double measured, double tolerance,    \
				      const char *format, ...)                            \
	{                                                                                 \
		const struct experiment_claim claim = {.unit = unit,                      \
						       .relation = relation_,             \
						       .model = model,                    \
						       .measured = measured,              \
						       .tolerance = tolerance};           \
		struct experiment_claim *added;                                           \
		va_list arguments;                                                        \
                                                                                          \
		va_start(arguments, format);                                              \
		added = add_claim(result, &claim, format, arguments);                     \
		va_end(arguments);                                                        \
		return added;                                                             \
	}

DEFINE_CLAIM(experiment_equal, EXPERIMENT_EQUAL)
DEFINE_CLAIM(experiment_at_most, EXPERIMENT_AT_MOST)
DEFINE_CLAIM(experiment_at_least, EXPERIMENT_AT_LEAST)

void experiment_note(struct experiment_result *result, const char *format, ...)
{
	va_list arguments;

	need_room(result->note_count, EXPERIMENT_NOTES);
	va_start(arguments, format);
	vsnprintf(result->notes[result->note_count++], sizeof(result->notes[0]), format, arguments);
	va_end(arguments);
}

struct experiment_chart *experiment_chart(struct experiment_result *result, const char *title,
					  const char *x, const char *y)
{
	struct experiment_chart *chart = &result->charts[result->chart_count];

	need_room(result->chart_count, EXPERIMENT_CHARTS);
	result->chart_count++;
	chart->title = title;
	chart->x = x;
	chart->y = y;
	return chart;
}

struct experiment_series *experiment_series(struct experiment_chart *chart, const char *name,
					    bool model)
{
	struct experiment_series *series = &chart->series[chart->count];

	need_room(chart->count, EXPERIMENT_SERIES);
	chart->count++;
	series->name = name;
	series->model = model;
	return series;
}

void experiment_point(struct experiment_series *series, double x, double y)
{
	need_room(series->count, EXPERIMENT_POINTS);
	series->x[series->count] = x;
	series->y[series->count] = y;
	series->count++;
}

double experiment_residual(const struct experiment_claim *claim)
{
	return claim->model != 0 ? claim->measured / claim->model - 1 : claim->measured;
}

/* By how much the residual goes beyond what it may; at most 0 where the claim holds. */
static double excess(const struct experiment_claim *claim)
{
	double residual = experiment_residual(claim);

	if (claim->relation == EXPERIMENT_EQUAL)
		residual = fabs(residual);
	else if (claim->relation == EXPERIMENT_AT_LEAST)
		residual = -residual;
	return residual - claim->tolerance;
}

bool experiment_claim_holds(const struct experiment_claim *claim)
{
	return !claim->missing[0] && excess(claim) <= 0;
}

bool experiment_holds(const struct experiment_result *result)
{
	for (size_t i = 0; i < result->claim_count; i++) {
		if (!experiment_claim_holds(&result->claims[i]))
			return false;
	}
	return result->claim_count;
}

const struct experiment_claim *experiment_worst(const struct experiment_result *result)
{
	const struct experiment_claim *worst = NULL;

	for (size_t i = 0; i < result->claim_count; i++) {
		const struct experiment_claim *claim = &result->claims[i];

		if (!claim->missing[0] && (!worst || excess(claim) > excess(worst)))
			worst = claim;
	}
	return worst;
}
