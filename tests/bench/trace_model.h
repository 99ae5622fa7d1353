/* SPDX-License-Identifier: MIT */
/*
 * What bench/trace.h says of the formats once more, naively: regular expressions for lines, sums of
 * bytes for records, the whole trace in memory.
 */
#ifndef TESTS_BENCH_TRACE_MODEL_H
#define TESTS_BENCH_TRACE_MODEL_H

#include "tests/bench/trace_fixture.h"

struct model {
	struct trace_access *accesses; /* in front of the first fault */
	size_t count;
	bool fault;
	uint64_t place; /* its line, from 1, or the byte at which its record begins */
};

/* Of a trace that is known to be of this format. */
void model_read(enum trace_format format, const struct bytes *bytes, struct model *model);
void model_free(struct model *model);

#endif
