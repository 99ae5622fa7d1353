/* SPDX-License-Identifier: MIT */
/*
 * The bars of two-stage walks, each timed beside its limits and beside nested radix in the same
 * rounds.
 *
 *     bench_walks [--quick] [--only CASE] [--json FILE]
 *
 * A case is one mapping, over which some walkers are measured together; its tables are freed before
 * the next case's are built. It ends with one line for each bar:
 *
 *     bar: NAME measured VALUE target VALUE held|missed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure_print.h"
#include "bench/walks.h"

#define QUERIES	 (1u << 16)
#define EX_USAGE 64
#define GIB	 (UINT64_C(1) << 30)

struct built {
	struct stages *stages[WALKS_SUBJECTS];
	struct walker *walkers[WALKS_SUBJECTS];
	struct measure_row rows[WALKS_SUBJECTS];
	size_t count;
};

static void free_case(struct built *built)
{
	for (size_t i = 0; i < WALKS_SUBJECTS; i++) {
		if (built->walkers[i]) {
			walker_destroy(built->walkers[i]);
			free(built->walkers[i]);
		}
		/* Subjects over the same tables share them. */
		for (size_t other = i + 1; built->stages[i] && other < WALKS_SUBJECTS; other++) {
			if (built->stages[other] == built->stages[i])
				built->stages[other] = NULL;
		}
		if (built->stages[i]) {
			stages_destroy(built->stages[i]);
			free(built->stages[i]);
		}
	}
	*built = (struct built){.count = 0};
}

static bool same_tables(const struct walks_subject *one, const struct walks_subject *other)
{
	return one->guest == other->guest && one->host == other->host && one->hash == other->hash &&
	       one->sealed == other->sealed;
}

static int build_stages(struct built *built, const struct walks_case *with, size_t number,
			struct measure_work *work)
{
	const struct walks_subject *subject = &with->subjects[number];
	struct stages_config config;
	struct stages *stages;
	int error;

	for (size_t i = 0; i < number; i++) {
		if (same_tables(subject, &with->subjects[i])) {
			built->stages[number] = built->stages[i];
			return 0;
		}
	}
	work->hash = subject->hash;
	work->sealed = subject->sealed;
	stages = malloc(sizeof(*stages));
	error = stages ? measure_stages(work, subject->guest, subject->host, &config) : -1;
	if (!error)
		error = stages_build(stages, &config);
	if (error)
		free(stages);
	else
		built->stages[number] = stages;
	return error;
}

static int build_case(struct built *built, const struct walks_case *with, struct measure_work *work)
{
	for (; built->count < WALKS_SUBJECTS && with->subjects[built->count].used; built->count++) {
		const struct walks_subject *subject = &with->subjects[built->count];
		int error = build_stages(built, with, built->count, work);

		if (error)
			return error;
		built->rows[built->count] = (struct measure_row){.form = subject->form,
								 .guest_table = subject->guest,
								 .host_table = subject->host};
		built->walkers[built->count] = calloc(1, sizeof(struct walker));
		if (!built->walkers[built->count])
			return -1;
		error = walker_create(built->walkers[built->count], subject->form,
				      built->stages[built->count], MMU_SOFTWARE);
		if (error) {
			free(built->walkers[built->count]);
			built->walkers[built->count] = NULL;
			return error;
		}
	}
	return 0;
}

/* What each row is over the first subject, which is radix, and over RRP. */
static void compare(struct built *built)
{
	const struct measure_row *rr = &built->rows[0];

	for (size_t i = 0; i < built->count; i++) {
		struct measure_row *row = &built->rows[i];

		row->over_rr = row->latency / rr->latency;
		row->batch_over_radix = row->batch / rr->batch;
		row->over_rrp = 0.0 / 0.0;
		for (size_t other = 0; other < built->count; other++) {
			if (built->rows[other].form == FORM_RRP)
				row->over_rrp = row->latency / built->rows[other].latency;
		}
	}
}

static double value_of(const struct built *built, const struct walks_bar *bar)
{
	const struct measure_row *row = &built->rows[bar->subject];
	const struct measure_row *other = &built->rows[bar->other];

	switch (bar->kind) {
	case WALKS_OVER_REF1:
		return row->latency / row->ref1;
	case WALKS_OVER_REF2:
		return row->latency / row->ref2;
	case WALKS_OVER:
		return row->latency / other->latency;
	case WALKS_BATCH_OVER_LIMIT:
		return row->batch / row->limit_batch;
	case WALKS_BATCH_OVER:
		return row->batch / other->batch;
	default:
		return (double)row->ledger.refs / (double)row->counted;
	}
}

static void note_bars(const struct built *built, const struct walks_case *with, json_t *bars)
{
	for (size_t i = 0; i < WALKS_BARS && with->bars[i].name; i++) {
		const struct walks_bar *bar = &with->bars[i];
		double value = value_of(built, bar);
		bool held = bar->at_most ? value <= bar->target : value >= bar->target;

		json_array_append_new(bars, json_pack("{s:s, s:f, s:f, s:b}", "name", bar->name,
						      "measured", value, "target", bar->target,
						      "held", held));
	}
}

static uint64_t run_case(const struct walks_case *with, json_t *rows, json_t *bars)
{
	static struct built built;
	struct measure_subject subjects[WALKS_SUBJECTS];
	struct measure_work work = {
		.workload = with->workload,
		.footprint = with->gib * GIB,
		.frames = with->frames,
		.room = 1,
		.queries = QUERIES,
	};
	uint64_t start = timing_now_ns();
	uint64_t failures = 0;
	int error = build_case(&built, with, &work);

	for (size_t i = 0; i < built.count; i++)
		subjects[i] = (struct measure_subject){built.walkers[i], &built.rows[i]};
	if (!error)
		error = measure(subjects, built.count, &work);
	printf("== %s: %s\n\n", with->name, with->title);
	if (error) {
		printf("left out: the tables do not fit into memory\n\n");
		free_case(&built);
		return 1;
	}
	compare(&built);
	for (size_t i = 0; i < built.count; i++) {
		built.rows[i].work.sealed = with->subjects[i].sealed;
		measure_print_row(stdout, i ? &built.rows[i - 1] : NULL, &built.rows[i]);
		failures += built.rows[i].wrong;
		json_array_append_new(rows, measure_json_row(&built.rows[i]));
	}
	printf("limits of the last row: ref1 %.1f, ref2 %.1f, in batches %.1f ns; %.0f s\n\n",
	       built.rows[built.count - 1].ref1, built.rows[built.count - 1].ref2,
	       built.rows[built.count - 1].limit_batch, (double)(timing_now_ns() - start) * 1e-9);
	fflush(stdout);
	note_bars(&built, with, bars);
	free_case(&built);
	return failures;
}

static void print_bars(const json_t *bars)
{
	size_t i;
	json_t *bar;

	json_array_foreach(bars, i, bar)
		printf("bar: %s measured %.3f target %.3f %s\n",
		       json_string_value(json_object_get(bar, "name")),
		       json_real_value(json_object_get(bar, "measured")),
		       json_real_value(json_object_get(bar, "target")),
		       json_is_true(json_object_get(bar, "held")) ? "held" : "missed");
}

static void usage(const char *found)
{
	fprintf(stderr,
		"bench_walks: found \"%s\", wanted --quick, --json FILE or --only CASE, which is "
		"one of:",
		found);
	for (size_t i = 0; i < walks_case_count; i++)
		fprintf(stderr, " %s", walks_cases[i].name);
	fprintf(stderr, "\n");
	exit(EX_USAGE);
}

static const char *find_case(const char *name)
{
	for (size_t i = 0; i < walks_case_count; i++) {
		if (!strcmp(walks_cases[i].name, name))
			return name;
	}
	usage(name);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *only = NULL, *json = NULL;
	json_t *rows = json_array(), *bars = json_array();
	uint64_t failures = 0;
	bool quick = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			quick = true;
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			json = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = find_case(argv[++i]);
		else
			usage(argv[i]);
	}
	timing_pin();
	for (size_t i = 0; i < walks_case_count; i++) {
		const struct walks_case *with = &walks_cases[i];

		if ((only && strcmp(only, with->name)) || (quick && with->gib > 1))
			continue;
		failures += run_case(with, rows, bars);
	}
	print_bars(bars);
	if (json) {
		json_t *all =
			json_pack("{s:s, s:o, s:o}", "bench", "walks", "rows", rows, "bars", bars);

		if (json_dump_file(all, json, JSON_INDENT(1))) {
			fprintf(stderr, "bench_walks: %s: cannot be written\n", json);
			failures++;
		}
	}
	return failures != 0;
}
