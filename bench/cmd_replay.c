/* SPDX-License-Identifier: MIT */
/* `twostage replay`: a memory trace through the walks. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/measure_options.h"
#include "bench/measure_print.h"
#include "bench/replay.h"
#include "bench/trace_report.h"
#include "vmm/command.h"
#include "vmm/host.h"
#include "vmm/output.h"
#include "vmm/status.h"
#include "vmm/version.h"

#define BATCH 1024

enum {
	OPTION_JSON = 0x100,
	OPTION_CSV,
	OPTION_SLOTS,
};

struct command_state {
	struct measure_options options;
	const char *path;
	struct output json, csv, slots;
	struct measure_report report;
	bool quiet; /* standard output has JSON or CSV */
	struct replay replay;
};

static const struct argp_option options[] = {
	{"json", OPTION_JSON, "FILE", 0, "write the rows as one JSON object (- is standard output)",
	 3},
	{"csv", OPTION_CSV, "FILE", 0, "write the rows as CSV", 3},
	{"slots", OPTION_SLOTS, "FILE", 0,
	 "write the references of each row as CSV, slot by slot: those of a nested radix walk are 24",
	 3},
	{0},
};

static int parse_value(struct command_state *command, int key, char *argument,
		       struct message *message)
{
	struct measure_options *measured = &command->options;

	switch (key) {
	case OPTION_JSON:
		measured->json = argument;
		return 0;
	case OPTION_CSV:
		measured->csv = argument;
		return 0;
	case OPTION_SLOTS:
		measured->slots = argument;
		return 0;
	default:
		return measure_table_option(measured, key, argument, message);
	}
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
	struct message message;
	int error = parse_value(state->input, key, argument, &message);

	if (error == ARGP_ERR_UNKNOWN)
		return ARGP_ERR_UNKNOWN;
	if (error)
		argp_error(state, "%s", message.text);
	return 0;
}

static void check_arguments(const struct command_state *command, struct argp_state *state)
{
	if (!command->path)
		argp_error(state, "found no trace, wanted TRACE or -");
	/* How full a table is while it grows is nobody's to choose. */
	if (command->options.load < 1)
		argp_error(state, "--load: found %g, wanted 1: tables grow as the trace goes on",
			   command->options.load);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct command_state *command = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		if (command->path)
			argp_error(state, "found \"%s\" as well, wanted one TRACE", argument);
		command->path = argument;
		return 0;
	case ARGP_KEY_END:
		check_arguments(command, state);
		return 0;
	default:
		return take_option(key, argument, state);
	}
}

static const struct argp tables_argp = {.options = measure_table_options, .parser = take_option};

static void show_row(void *context, const struct measure_row *row)
{
	struct command_state *command = context;

	measure_report_row(&command->report, row);
}

static json_t *result_json(struct command_state *command, const struct trace *trace, uint64_t wrong)
{
	struct host host;

	host_read(&host);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:O, s:I}", "twostage", TWOSTAGE_VERSION,
			 "command", "replay", "host", host_json(&host), "config",
			 measure_options_json(&command->options), "trace",
			 trace_json(trace, command->path, demand_pages(&command->replay.demand)),
			 "rows", command->report.rows, "wrong", (json_int_t)wrong);
}

static int open_files(struct command_state *command, struct message *message)
{
	struct measure_options *measured = &command->options;
	int error = output_open(&command->json, measured->json, message);

	if (!error)
		error = output_open(&command->csv, measured->csv, message);
	if (!error)
		error = output_open(&command->slots, measured->slots, message);
	command->quiet = command->json.stream == stdout || command->csv.stream == stdout ||
			 command->slots.stream == stdout;
	return error;
}

static int no_memory(int error, struct message *message)
{
	return message_set(message, error, STATUS_UNAVAILABLE,
			   "the tables do not fit into memory: %s", strerror(-error));
}

/* The whole trace, access by access. */
static int read_trace(struct command_state *command, struct trace *trace, struct message *message)
{
	struct trace_access accesses[BATCH];
	struct trace_meter meter;
	int error = 0;
	long count;

	trace_meter_begin(&meter);
	while ((count = trace_next(trace, accesses, BATCH, message)) > 0) {
		error = replay_accesses(&command->replay, accesses, (size_t)count);
		if (error)
			break;
		trace_meter_show(&meter, trace, command->replay.accesses);
	}
	trace_meter_end(&meter);
	return error ? no_memory(error, message) : (int)count;
}

/* What was read, and then the rows, as they are measured. */
static int show_all(struct command_state *command, const struct trace *trace,
		    struct message *message)
{
	uint64_t wrong;
	int error;

	if (!command->quiet)
		trace_print(stdout, trace, command->path, demand_pages(&command->replay.demand));
	command->report.table = command->quiet ? NULL : stdout;
	command->report.csv = command->csv.stream;
	command->report.slots = command->slots.stream;
	measure_report_begin(&command->report);
	error = replay_finish(&command->replay, &wrong);
	if (error)
		return no_memory(error, message);
	if (command->json.stream)
		error = output_json(&command->json, result_json(command, trace, wrong), message);
	if (!error)
		error = output_close(&command->csv, message);
	if (!error)
		error = output_close(&command->slots, message);
	if (!error && wrong)
		error = message_set(message, -EIO, STATUS_INTERNAL,
				    "%llu translations differed from the oracle",
				    (unsigned long long)wrong);
	return error;
}

static int replay_all(struct command_state *command, struct trace *trace, struct message *message)
{
	struct matrix *matrix = &command->options.matrix;
	int error;

	matrix->row = show_row;
	matrix->context = command;
	timing_pin();
	error = replay_begin(&command->replay, matrix);
	if (error)
		return no_memory(error, message);
	error = read_trace(command, trace, message);
	if (!error)
		error = show_all(command, trace, message);
	replay_end(&command->replay);
	return error;
}

static const char doc[] =
	"Walk both stages of address translation in software for every access of a memory trace, and "
	"print what a translation costs.\v"
	"TRACE is a file, or - for standard input: valgrind --tool=lackey --trace-mem=yes, the view of "
	"DynamoRIO's drmemtrace, or ChampSim's records, plain or compressed by xz or gzip; which of "
	"them is found out from its content. A page is mapped at both stages when an access first "
	"touches it. The rows are those of `twostage measure': references are counted for every access, "
	"as if there were no TLB; times are of a sample of the trace. The status is 65 if the trace is "
	"malformed, and 70 if a translation was wrong.";

int cmd_replay(int argc, char **argv)
{
	const struct argp_child children[] = {{&tables_argp, 0, NULL, 2}, command_help[0], {0}};
	const struct argp argp = {.options = options,
				  .parser = parse_option,
				  .args_doc = "TRACE|-",
				  .children = children,
				  .doc = doc};
	static struct command_state command;
	struct message message = {.status = 0};
	struct trace *trace = NULL;

	measure_options_begin(&command.options);
	if (argp_parse(&argp, argc, argv, 0, NULL, &command))
		return STATUS_USAGE;
	measure_options_end(&command.options);
	matrix_choose_best(&command.options.matrix, LAYOUT_DENSE);
	command.report.rows = json_array();
	if (!open_files(&command, &message) && !trace_open(&trace, command.path, &message))
		replay_all(&command, trace, &message);
	trace_close(trace);
	json_decref(command.report.rows);
	if (message.status)
		fprintf(stderr, "%s: %s\n", argv[0], message.text);
	return message.status;
}
