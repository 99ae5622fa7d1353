/* SPDX-License-Identifier: MIT */
/* See matrix.h. */
#include "bench/matrix.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Forms over one pair of tables: those of radix come first and are always there. */
#define REFERENCES 2

struct group {
	const struct matrix *matrix;
	struct measure_work work;
	struct stages *radix; /* NULL: it does not fit */
	struct walker *walkers[MEASURE_SUBJECTS_MAX];
	struct measure_row rows[MEASURE_SUBJECTS_MAX];
	size_t count;
};

/* Bytes of this machine's memory. */
static double memory_size(void)
{
	return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

/* Whether a tree for every page of its own is more than half of the memory. */
static bool radix_is_too_large(const struct measure_work *work)
{
	double pages = (double)work->footprint / HPT_PAGE_SIZE / LAYOUT_SPREAD;

	return stream_space(work->workload) == LAYOUT_SPARSE &&
	       pages * HPT_PAGE_SIZE > memory_size() / 2;
}

static int add_walker(struct group *group, enum form form, struct stages *stages)
{
	struct walker *walker = calloc(1, sizeof(*walker));
	struct measure_row *row = &group->rows[group->count];
	int error;

	if (!walker)
		return -ENOMEM;
	error = walker_create(walker, form, stages, MMU_SOFTWARE);
	if (error) {
		free(walker);
		return error;
	}
	*row = (struct measure_row){
		.form = form,
		.guest_table = stages->config.guest_table,
		.host_table = stages->config.host_table,
	};
	group->walkers[group->count++] = walker;
	return 0;
}

static void end_group(struct group *group)
{
	while (group->count) {
		struct walker *walker = group->walkers[--group->count];

		walker_destroy(walker);
		free(walker);
	}
}

static const struct measure_row *row_of(const struct measure_row *rows, size_t count,
					enum form form)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].form == form)
			return &rows[i];
	}
	return NULL;
}

void matrix_compare(struct measure_row *rows, size_t count)
{
	const struct measure_row *rr = row_of(rows, count, FORM_RR);
	const struct measure_row *rrp = row_of(rows, count, FORM_RRP);

	for (size_t i = 0; i < count; i++) {
		struct measure_row *row = &rows[i];

		row->over_rr = rr ? row->latency / rr->latency : NAN;
		row->over_rrp = rrp ? row->latency / rrp->latency : NAN;
		row->batch_over_radix = rr ? row->batch / rr->batch : NAN;
	}
}

/* Measures what is in the group; rows from `first` on are told. */
static int measure_group(struct group *group, size_t first, uint64_t *wrong)
{
	const struct matrix *matrix = group->matrix;
	struct measure_subject subjects[MEASURE_SUBJECTS_MAX];
	int error;

	for (size_t i = 0; i < group->count; i++)
		subjects[i] = (struct measure_subject){group->walkers[i], &group->rows[i]};
	error = measure(subjects, group->count, &group->work);
	if (error)
		return error;
	matrix_compare(group->rows, group->count);
	for (size_t i = 0; i < group->count; i++) {
		*wrong += group->rows[i].wrong;
		if (i >= first && matrix->forms[group->rows[i].form])
			matrix->row(matrix->context, &group->rows[i]);
	}
	return 0;
}

/* Whether a form is over tables of these kinds, guest and host hashed or not. */
bool matrix_form_is_used(const struct matrix *matrix, enum form form, bool guest_hashed,
			 bool host_hashed)
{
	const struct form_kind *kind = form_kind(form);

	return matrix->forms[form] && kind->guest_hashed == guest_hashed &&
	       kind->host_hashed == host_hashed;
}

bool matrix_pair_is_used(const struct matrix *matrix, enum hpt_organisation guest,
			 enum hpt_organisation host)
{
	bool guest_wanted = guest == HPT_RADIX || matrix->guest_tables[guest];
	bool host_wanted = host == HPT_RADIX || matrix->host_tables[host];

	if ((guest == HPT_RADIX && host == HPT_RADIX) || !guest_wanted || !host_wanted)
		return false;
	for (int form = 0; form < FORMS; form++) {
		if (matrix_form_is_used(matrix, (enum form)form, guest != HPT_RADIX,
					host != HPT_RADIX))
			return true;
	}
	return false;
}

static int add_references(struct group *group)
{
	int error;

	if (!group->radix)
		return 0;
	error = add_walker(group, FORM_RR, group->radix);
	return error ? error : add_walker(group, FORM_RRP, group->radix);
}

/* The forms over one pair of tables, beside radix. */
static int run_pair(struct group *group, enum hpt_organisation guest, enum hpt_organisation host,
		    uint64_t *wrong)
{
	struct stages *stages = malloc(sizeof(*stages));
	struct stages_config config;
	size_t references;
	int error;

	if (!stages)
		return -ENOMEM;
	error = measure_stages(&group->work, guest, host, &config);
	if (!error)
		error = stages_build(stages, &config);
	if (error) {
		free(stages);
		return error;
	}
	error = add_references(group);
	references = group->count;
	for (int form = 0; form < FORMS && !error; form++) {
		if (matrix_form_is_used(group->matrix, (enum form)form, guest != HPT_RADIX,
					host != HPT_RADIX))
			error = add_walker(group, (enum form)form, stages);
	}
	if (!error)
		error = measure_group(group, references, wrong);
	end_group(group);
	stages_destroy(stages);
	free(stages);
	return error;
}

static void tell_group(const struct group *group, enum hpt_organisation guest,
		       enum hpt_organisation host, size_t number, size_t count)
{
	struct measure_row row = {.work = group->work, .guest_table = guest, .host_table = host};

	if (group->matrix->group)
		group->matrix->group(group->matrix->context, &row, number, count);
}

static size_t count_pairs(const struct matrix *matrix)
{
	size_t count = 0;

	for (int pair = 0; pair < HPT_ORGANISATIONS * HPT_ORGANISATIONS; pair++)
		count += matrix_pair_is_used(matrix,
					     (enum hpt_organisation)(pair / HPT_ORGANISATIONS),
					     (enum hpt_organisation)(pair % HPT_ORGANISATIONS));
	return count;
}

/* Radix alone, and then beside every other pair. */
static int run_pairs(struct group *group, size_t *number, size_t groups, uint64_t *wrong)
{
	const struct matrix *matrix = group->matrix;
	bool alone = group->radix && (matrix->forms[FORM_RR] || matrix->forms[FORM_RRP]);
	int error = 0;

	if (alone) {
		tell_group(group, HPT_RADIX, HPT_RADIX, ++*number, groups);
		error = add_references(group);
		if (!error)
			error = measure_group(group, 0, wrong);
		end_group(group);
	}
	for (int pair = 0; pair < HPT_ORGANISATIONS * HPT_ORGANISATIONS && !error; pair++) {
		enum hpt_organisation guest = (enum hpt_organisation)(pair / HPT_ORGANISATIONS);
		enum hpt_organisation host = (enum hpt_organisation)(pair % HPT_ORGANISATIONS);

		if (!matrix_pair_is_used(matrix, guest, host))
			continue;
		tell_group(group, guest, host, ++*number, groups);
		error = run_pair(group, guest, host, wrong);
	}
	return error;
}

static void choose(bool *tables, enum hpt_organisation best)
{
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		if (tables[i])
			return;
	}
	tables[best] = true;
}

void matrix_choose_best(struct matrix *matrix, enum layout_space space)
{
	enum hpt_organisation best = space == LAYOUT_SPARSE ? HPT_BUCKET : HPT_CLUSTERED;

	choose(matrix->guest_tables, best);
	choose(matrix->host_tables, best);
}

static int run_work(const struct matrix *asked, enum stream_workload workload, uint64_t footprint,
		    size_t *number, size_t groups, uint64_t *wrong)
{
	static struct group group;
	struct matrix chosen = *asked;
	const struct matrix *matrix = &chosen;
	struct stages_config config;
	int error;

	matrix_choose_best(&chosen, stream_space(workload));
	group = (struct group){.matrix = matrix, .work = matrix->work};
	group.work.workload = workload;
	group.work.footprint = footprint;
	error = measure_stages(&group.work, HPT_RADIX, HPT_RADIX, &config);
	if (error) {
		struct measure_row row = {.work = group.work};

		*number += count_pairs(matrix) + 1;
		matrix->left_out(matrix->context, &row,
				 "the footprint, or its pages of 2 MiB, do not fit the workload");
		return 0;
	}
	if (radix_is_too_large(&group.work)) {
		struct measure_row row = {.work = group.work, .form = FORM_RR};

		matrix->left_out(matrix->context, &row, "radix has a node of 4 KiB for every page");
	} else {
		group.radix = malloc(sizeof(*group.radix));
		error = group.radix ? stages_build(group.radix, &config) : -ENOMEM;
	}
	if (!error)
		error = run_pairs(&group, number, groups, wrong);
	if (group.radix && !error)
		stages_destroy(group.radix);
	free(group.radix);
	return error;
}

int matrix_run(const struct matrix *matrix, uint64_t *wrong)
{
	struct matrix any = *matrix;
	size_t groups = 0, number = 0;
	int error = 0;

	/* As many groups whatever is the best. */
	matrix_choose_best(&any, LAYOUT_DENSE);

	*wrong = 0;
	for (int workload = 0; workload < STREAM_WORKLOADS; workload++)
		groups += matrix->workloads[workload] * matrix->footprint_count;
	groups *= count_pairs(&any) + (matrix->forms[FORM_RR] || matrix->forms[FORM_RRP]);
	for (int workload = 0; workload < STREAM_WORKLOADS; workload++) {
		for (size_t i = 0; i < matrix->footprint_count && !error; i++) {
			if (matrix->workloads[workload])
				error = run_work(matrix, (enum stream_workload)workload,
						 matrix->footprints[i], &number, groups, wrong);
		}
	}
	return error;
}
