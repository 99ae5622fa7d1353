/* SPDX-License-Identifier: MIT */
/*
 * The guest's working set over time: samples of the second stage (ept/sample.h), taken while
 * all vCPUs are out of the guest.
 */
#ifndef VMM_WORKING_SET_H
#define VMM_WORKING_SET_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ept/ept.h"

struct working_set_row {
	uint64_t ns; /* of the run */
	struct ept_sample sample;
};

struct working_set {
	uint64_t interval_ns; /* 0: none are taken */
	struct working_set_row *rows;
	size_t count;
	size_t room;
};

/* Takes a sample if one is due, `ns` into the run. 0, or -ENOMEM: none is taken any more. */
int working_set_tick(struct working_set *set, struct ept *ept, uint64_t ns);

/* At most this many lines are printed, each of which stands for as many samples. */
#define WORKING_SET_LINES 24

/* Nothing, and an empty array, for NULL. */
void working_set_print(FILE *stream, const struct working_set *set);
json_t *working_set_json(const struct working_set *set);

void working_set_destroy(struct working_set *set);

#endif
