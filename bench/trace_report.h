/* SPDX-License-Identifier: MIT */
/* What a trace was and what was read of it, for people and as JSON; and the progress of reading. */
#ifndef BENCH_TRACE_REPORT_H
#define BENCH_TRACE_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/trace.h"

/* Accesses of all kinds. */
uint64_t trace_accesses(const struct trace *trace);

/* Two lines: what was read; and what was ignored, by reason. */
void trace_print(FILE *stream, const struct trace *trace, const char *path, uint64_t pages);

/* A new reference. */
json_t *trace_json(const struct trace *trace, const char *path, uint64_t pages);

struct trace_meter {
	uint64_t begun; /* timing_now_ns(); 0: nothing is shown */
	uint64_t shown;
};

/* Shows progress where standard error is a terminal: bytes, and accesses a second. */
void trace_meter_begin(struct trace_meter *meter);
void trace_meter_show(struct trace_meter *meter, const struct trace *trace, uint64_t accesses);
void trace_meter_end(struct trace_meter *meter);

#endif
