/* SPDX-License-Identifier: MIT */
/* See working_set.h. */
#include "vmm/working_set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

static int make_room(struct working_set *set)
{
	size_t room = set->room ? 2 * set->room : 64;
	struct working_set_row *rows;

	if (set->count < set->room)
		return 0;
	rows = reallocarray(set->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	set->rows = rows;
	set->room = room;
	return 0;
}

/* An interval that was missed, since the vCPU was in a miss, is no sample of its own. */
static bool is_due(const struct working_set *set, uint64_t ns)
{
	uint64_t last = set->count ? set->rows[set->count - 1].ns : 0;

	return set->interval_ns && ns - last >= set->interval_ns - set->interval_ns / 8;
}

int working_set_tick(struct working_set *set, struct ept *ept, uint64_t ns)
{
	struct working_set_row *row;
	int error;

	if (!is_due(set, ns))
		return 0;
	error = make_room(set);
	if (error) {
		set->interval_ns = 0;
		return error;
	}
	row = &set->rows[set->count];
	row->ns = ns;
	error = ept_take_sample(ept, &row->sample);
	set->count += !error;
	return error;
}

void working_set_print(FILE *stream, const struct working_set *set)
{
	size_t step;

	if (!set || !set->count)
		return;
	step = (set->count + WORKING_SET_LINES - 1) / WORKING_SET_LINES;
	fprintf(stream, "\n%-18s %14s %14s %14s %14s\n", "seconds", "touched pages", "written",
		"with frames", "swapped out");
	for (size_t i = 0; i < set->count; i += step) {
		const struct working_set_row *row = &set->rows[i];

		fprintf(stream, "%-18.3f %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n",
			(double)row->ns / 1e9, row->sample.accessed, row->sample.dirty,
			row->sample.resident, row->sample.away);
	}
	if (step > 1)
		fprintf(stream, "one of %zu samples is shown\n", step);
}

json_t *working_set_json(const struct working_set *set)
{
	json_t *array = json_array();

	for (size_t i = 0; set && i < set->count; i++) {
		const struct working_set_row *row = &set->rows[i];

		json_array_append_new(array, json_pack("{s:f, s:I, s:I, s:I, s:I}", "seconds",
						       (double)row->ns / 1e9, "accessed",
						       (json_int_t)row->sample.accessed, "dirty",
						       (json_int_t)row->sample.dirty, "resident",
						       (json_int_t)row->sample.resident, "swapped",
						       (json_int_t)row->sample.away));
	}
	return array;
}

void working_set_destroy(struct working_set *set)
{
	free(set->rows);
	*set = (struct working_set){0};
}
