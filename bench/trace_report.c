/* SPDX-License-Identifier: MIT */
/* See trace_report.h. */
#include "bench/trace_report.h"

#include <inttypes.h>
#include <unistd.h>

#include "bench/timing.h"

#define SECOND	 UINT64_C(1000000000)
#define INTERVAL (SECOND / 4) /* between two lines of progress */

uint64_t trace_accesses(const struct trace *trace)
{
	const struct trace_counts *counts = trace_counts(trace);
	uint64_t accesses = 0;

	for (int kind = 0; kind < TRACE_KINDS; kind++)
		accesses += counts->accesses[kind];
	return accesses;
}

void trace_print(FILE *stream, const struct trace *trace, const char *path, uint64_t pages)
{
	const struct trace_counts *counts = trace_counts(trace);
	const char *separator = "";

	fprintf(stream,
		"%s: %s, %s: %" PRIu64 " accesses of %" PRIu64 " pages by %" PRIu64
		" instructions, %" PRIu64 " split at a page boundary, %" PRIu64
		" in the upper half\nignored: ",
		path, trace_format_name(trace_format(trace)),
		trace_compression_name(trace_compression(trace)), trace_accesses(trace), pages,
		counts->instructions, counts->splits, counts->upper_half);
	for (int reason = 0; reason < TRACE_IGNORED; reason++) {
		if (!counts->ignored[reason])
			continue;
		fprintf(stream, "%s%" PRIu64 " %s", separator, counts->ignored[reason],
			trace_ignored_name((enum trace_ignored)reason));
		separator = ", ";
	}
	fprintf(stream, "%s\n", *separator ? "" : "nothing");
}

static void set_count(json_t *object, const char *name, uint64_t count)
{
	json_object_set_new(object, name, json_integer((json_int_t)count));
}

json_t *trace_json(const struct trace *trace, const char *path, uint64_t pages)
{
	const struct trace_counts *counts = trace_counts(trace);
	json_t *object = json_pack("{s:s, s:s, s:s}", "file", path, "format",
				   trace_format_name(trace_format(trace)), "compression",
				   trace_compression_name(trace_compression(trace)));
	json_t *accesses = json_object();
	json_t *ignored = json_object();

	for (int kind = 0; kind < TRACE_KINDS; kind++)
		set_count(accesses, trace_kind_name((enum trace_kind)kind), counts->accesses[kind]);
	for (int reason = 0; reason < TRACE_IGNORED; reason++) {
		if (counts->ignored[reason])
			set_count(ignored, trace_ignored_name((enum trace_ignored)reason),
				  counts->ignored[reason]);
	}
	set_count(object, "records", counts->records);
	set_count(object, "instructions", counts->instructions);
	json_object_set_new(object, "accesses", accesses);
	set_count(object, "pages", pages);
	set_count(object, "splits", counts->splits);
	set_count(object, "upper_half", counts->upper_half);
	json_object_set_new(object, "ignored", ignored);
	return object;
}

void trace_meter_begin(struct trace_meter *meter)
{
	*meter = (struct trace_meter){.begun = isatty(STDERR_FILENO) ? timing_now_ns() : 0};
	meter->shown = meter->begun;
}

void trace_meter_show(struct trace_meter *meter, const struct trace *trace, uint64_t accesses)
{
	struct trace_progress progress;
	uint64_t now;

	if (!meter->begun)
		return;
	now = timing_now_ns();
	if (now - meter->shown < INTERVAL)
		return;
	meter->shown = now;
	progress = trace_progress(trace);
	fprintf(stderr, "\r\033[K%" PRIu64 " KiB", progress.consumed >> 10);
	if (progress.total)
		fprintf(stderr, " of %" PRIu64 " (%.0f %%)", progress.total >> 10,
			100 * (double)progress.consumed / (double)progress.total);
	fprintf(stderr, ", %" PRIu64 " accesses, %.0f a second\r", accesses,
		(double)accesses * SECOND / (double)(now - meter->begun));
}

void trace_meter_end(struct trace_meter *meter)
{
	if (meter->begun)
		fputs("\r\033[K", stderr);
}
