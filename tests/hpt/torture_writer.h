/* SPDX-License-Identifier: MIT */
/* What the writer of the torture does to the table, and what it finds wrong (torture.c). */
#ifndef TESTS_HPT_TORTURE_WRITER_H
#define TESTS_HPT_TORTURE_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hpt/hpt.h"

struct writer {
	uint64_t random;
	uint64_t steps;
};

extern struct hpt tortured;

/* Answers that are neither old nor new; marks that are not there; marks that nobody has set. */
extern atomic_ulong wrong, lost_marks, stray_marks;

/* The segment that was changed as a whole last. */
extern atomic_uint busy_segment;

/* Maps the pages of a run that is not mapped. */
void writer_map_run(struct writer *writer, unsigned int run);

/* Changes something. */
void writer_step(struct writer *writer);

/*
 * Where the table holds regions in forms: whether segments have been in every one of them, each
 * come from another. Prints how often they went from which to which since the last time.
 */
bool writer_forms(void);

#endif
