/* SPDX-License-Identifier: MIT */
/* Small traces of each format with what is in them, written down by hand. */
#ifndef TESTS_BENCH_TRACE_GOLDEN_H
#define TESTS_BENCH_TRACE_GOLDEN_H

#include "tests/bench/trace_fixture.h"

/* A line, or a record of ChampSim. */
struct golden_part {
	const char *line;   /* with its newline, or NULL: */
	uint64_t ip;	    /* a record, */
	uint64_t stores[2]; /* with these operands */
	uint64_t loads[4];
	enum trace_ignored reason; /* of a line without accesses */
	size_t count;
	struct trace_access accesses[TRACE_RECORD_MAX];
};

struct golden {
	const char *name;
	enum trace_format format;
	const struct golden_part *parts;
	size_t count;
};

#define GOLDEN_TRACES 6
extern const struct golden golden_traces[GOLDEN_TRACES];

/* The first `parts` of a trace. */
struct bytes golden_bytes(const struct golden *golden, size_t parts);
/* What reading them gives. */
void golden_reading(const struct golden *golden, size_t parts, struct reading *reading);

#endif
