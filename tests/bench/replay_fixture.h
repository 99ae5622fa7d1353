/* SPDX-License-Identifier: MIT */
/* Replays of accesses that are made up. */
#ifndef TESTS_BENCH_REPLAY_FIXTURE_H
#define TESTS_BENCH_REPLAY_FIXTURE_H

#include <criterion/criterion.h>

#include "bench/replay.h"

struct told {
	struct measure_row rows[64];
	size_t count;
};

static inline void tell(void *context, const struct measure_row *row)
{
	struct told *told = context;

	cr_assert_lt(told->count, 64);
	told->rows[told->count++] = *row;
}

/* Pages of 4 KiB, all forms, clustered over clustered, no caches. */
static inline struct matrix all_forms(struct told *told)
{
	struct matrix matrix = {.row = tell, .context = told, .work = {.room = 1}};

	for (int form = 0; form < FORMS; form++)
		matrix.forms[form] = true;
	matrix.guest_tables[HPT_CLUSTERED] = true;
	matrix.host_tables[HPT_CLUSTERED] = true;
	return matrix;
}

static inline struct trace_access access_of(uint64_t vpn, uint64_t offset)
{
	return (struct trace_access){
		.address = vpn * HPT_PAGE_SIZE + offset, .size = 8, .kind = TRACE_LOAD};
}

#endif
