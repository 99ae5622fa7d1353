/* SPDX-License-Identifier: MIT */
/*
 * Experiments: questions about hashed page tables that are answered in seconds, on the very tables
 * that the machine runs on, with the theory beside the measurement.
 *
 * An experiment is a file experiment_NAME.c and a row of the table in experiment.c. It makes
 * claims, each of which holds what a model says against what was measured, and draws charts. What
 * it counts is the same in each run (its seeds are fixed), and is what tests assert; claims about
 * time say so, since on a shared machine they may fail for reasons of their own.
 */
#ifndef BENCH_EXPERIMENT_H
#define BENCH_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/message.h"

#define EXPERIMENT_CLAIMS 64
#define EXPERIMENT_CHARTS 4
#define EXPERIMENT_SERIES 10
#define EXPERIMENT_POINTS 64
#define EXPERIMENT_NOTES  8

enum experiment_relation { EXPERIMENT_EQUAL, EXPERIMENT_AT_MOST, EXPERIMENT_AT_LEAST };

/*
 * Measured is equal to, at most, or at least what the model says. The residual is measured / model
 * - 1, or where the model says 0 what was measured; up to the tolerance, in the same unit, it may
 * go the wrong way.
 */
struct experiment_claim {
	const char *unit; /* "lines", "ns" */
	enum experiment_relation relation;
	bool timed; /* what was measured is a time, or made of times */
	double model;
	double measured;
	double tolerance;
	char text[120];
	char missing[200]; /* why it could not be measured here; empty: it was */
};

/* One line, or one cloud of points, of a chart. */
struct experiment_series {
	const char *name;
	bool model; /* drawn as a line; what is measured, as points */
	size_t count;
	double x[EXPERIMENT_POINTS];
	double y[EXPERIMENT_POINTS];
};

struct experiment_chart {
	const char *title, *x, *y; /* what is on the axes, units included */
	bool log_x, log_y;
	size_t count;
	struct experiment_series series[EXPERIMENT_SERIES];
};

/* What a run found out. */
struct experiment_result {
	size_t claim_count, chart_count, note_count;
	struct experiment_claim claims[EXPERIMENT_CLAIMS];
	struct experiment_chart charts[EXPERIMENT_CHARTS];
	char notes[EXPERIMENT_NOTES][320];
	double seconds;
};

struct experiment {
	const char *name;
	const char *question;
	const char *model; /* in words and formulas */
	/*
	 * Fills in the result, which is empty. 0 also where a claim does not hold; a negative errno
	 * with the message where the experiment could not be made.
	 */
	int (*run)(struct experiment_result *result, struct message *message);
};

/* Experiment number i, in the order of the list; NULL from the end of it on. */
const struct experiment *experiment_number(size_t i);

/* The experiment of this name, or NULL. */
const struct experiment *experiment_find(const char *name);

/* Runs it: an empty result, the time that it took. As struct experiment's run. */
int experiment_run(const struct experiment *experiment, struct experiment_result *result,
		   struct message *message);

/* -ENOMEM for an experiment's tables, with the message. */
int experiment_no_memory(struct message *message);

/*
 * -EIO, with the message: an answer was not the one that it had to be, which no model excuses.
 * `what` names it.
 */
int experiment_wrong(struct message *message, const char *what);

/*
 * Adds a claim, whose text is made of `format`, and returns it, for its `timed`. More
 * than there is room for end the process.
 */
struct experiment_claim *experiment_claim(struct experiment_result *result,
					  struct experiment_claim claim, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, by its parts. `unit` stays the caller's, as in all of these. */
struct experiment_claim *experiment_equal(struct experiment_result *result, const char *unit,
					  double model, double measured, double tolerance,
					  const char *format, ...)
	__attribute__((format(printf, 6, 7)));
struct experiment_claim *experiment_at_most(struct experiment_result *result, const char *unit,
					    double model, double measured, double tolerance,
					    const char *format, ...)
	__attribute__((format(printf, 6, 7)));
struct experiment_claim *experiment_at_least(struct experiment_result *result, const char *unit,
					     double model, double measured, double tolerance,
					     const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* A claim that could not be measured on this host. */
struct experiment_claim *experiment_missing(struct experiment_result *result, const char *unit,
					    const char *reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds a remark that belongs to the result: what was done otherwise here, and why. */
void experiment_note(struct experiment_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds a chart; its texts stay the caller's and are read after the run. */
struct experiment_chart *experiment_chart(struct experiment_result *result, const char *title,
					  const char *x, const char *y);

/* Adds a series to a chart; `name` as above. */
struct experiment_series *experiment_series(struct experiment_chart *chart, const char *name,
					    bool model);
void experiment_point(struct experiment_series *series, double x, double y);

/* Of a claim that was measured. */
double experiment_residual(const struct experiment_claim *claim);

/* Whether it was measured and holds. */
bool experiment_claim_holds(const struct experiment_claim *claim);

/* Whether there are claims, all were measured, and all hold. */
bool experiment_holds(const struct experiment_result *result);

/* The claim that comes nearest to failing, or fails by most: what sums the result up. NULL: none
 * was measured. */
const struct experiment_claim *experiment_worst(const struct experiment_result *result);

extern const struct experiment nonresident_experiment;
extern const struct experiment softtlb_experiment;
extern const struct experiment fork_experiment;
extern const struct experiment shared_experiment;
extern const struct experiment prefetch_experiment;
extern const struct experiment flood_experiment;
extern const struct experiment sealed_experiment;
extern const struct experiment nested_experiment;
extern const struct experiment consistency_experiment;

#endif
