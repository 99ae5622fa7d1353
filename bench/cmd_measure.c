/* SPDX-License-Identifier: MIT */
/* `twostage measure`: the matrix of walks, as a table, JSON, CSV and a chart. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/audit_report.h"
#include "bench/commands.h"
#include "bench/measure_options.h"
#include "bench/measure_print.h"
#include "vmm/command.h"
#include "vmm/host.h"
#include "vmm/options.h"
#include "vmm/output.h"
#include "vmm/status.h"
#include "vmm/version.h"

#define GIB (UINT64_C(1) << 30)

enum {
	OPTION_WORKLOAD = 0x100,
	OPTION_FOOTPRINT,
	OPTION_JSON,
	OPTION_CSV,
	OPTION_SLOTS,
	OPTION_PLOT,
	OPTION_AUDIT,
};

struct command_state {
	struct measure_options options;
	bool workloads_given;
	struct output json, csv, slots;
	struct measure_report report;
	struct measure_row *plotted;
	size_t plotted_count;
	bool progress;
};

static const struct argp_option options[] = {
	{"workload", OPTION_WORKLOAD, "NAME,...", 0,
	 "uniform, zipf, sequential, strided, chase, gups, btree, hashjoin, bfs, pagerank, keyvalue, "
	 "sparse, fragmented (default uniform,sequential,sparse)",
	 1},
	{"footprint", OPTION_FOOTPRINT, "SIZE,...", 0,
	 "mapped guest memory, 64M to 512G; of sparse the span, of which one page of 512 is mapped "
	 "(default 1G,16G)",
	 1},
	{"json", OPTION_JSON, "FILE", 0, "write the rows as one JSON object (- is standard output)",
	 3},
	{"csv", OPTION_CSV, "FILE", 0, "write the rows as CSV", 3},
	{"slots", OPTION_SLOTS, "FILE", 0,
	 "write the references of each row as CSV, slot by slot: those of a nested radix walk are 24",
	 3},
	{"plot", OPTION_PLOT, "FILE.svg", 0,
	 "draw the latencies, with the limits as lines (by gnuplot)", 3},
	{"audit", OPTION_AUDIT, "TRACE", 0,
	 "replay a memory trace (see `twostage help replay') under real tables and under the formulas "
	 "of DMT and EMT instead, and print by how much these err; caches are skylake's unless told",
	 4},
	{0},
};

static const char *workload_name_of(int number)
{
	return stream_name((enum stream_workload)number);
}

static int footprints_option(struct matrix *matrix, const char *text, struct message *message)
{
	char word[32];

	matrix->footprint_count = 0;
	for (;;) {
		size_t length = strcspn(text, ",");
		size_t kept = length < sizeof(word) ? length : sizeof(word) - 1;
		int error;

		if (matrix->footprint_count == MATRIX_FOOTPRINTS_MAX)
			return message_set(message, -EINVAL, STATUS_USAGE,
					   "--footprint: found more than %d sizes, wanted fewer",
					   MATRIX_FOOTPRINTS_MAX);
		memcpy(word, text, kept);
		word[kept] = 0;
		error = option_size("--footprint", word, STREAM_PAGES_MIN * HPT_PAGE_SIZE,
				    STREAM_PAGES_MAX * HPT_PAGE_SIZE,
				    &matrix->footprints[matrix->footprint_count++], message);
		if (error)
			return error;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

static int parse_value(struct command_state *command, int key, char *argument,
		       struct message *message)
{
	struct measure_options *measured = &command->options;

	switch (key) {
	case OPTION_WORKLOAD:
		command->workloads_given = true;
		return measure_option_list("--workload", argument, stream_find, workload_name_of,
					   STREAM_WORKLOADS, measured->matrix.workloads, message);
	case OPTION_FOOTPRINT:
		return footprints_option(&measured->matrix, argument, message);
	case OPTION_JSON:
		measured->json = argument;
		return 0;
	case OPTION_CSV:
		measured->csv = argument;
		return 0;
	case OPTION_SLOTS:
		measured->slots = argument;
		return 0;
	case OPTION_PLOT:
		measured->plot = argument;
		return 0;
	case OPTION_AUDIT:
		measured->audit = argument;
		return 0;
	default:
		return measure_table_option(measured, key, argument, message);
	}
}

/* An option of either table. */
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

/* A trace is a workload of its own, and an audit has forms of its own. */
static void check_audit(const struct command_state *command, struct argp_state *state)
{
	const struct measure_options *measured = &command->options;

	if (measured->audit && (command->workloads_given || measured->matrix.footprint_count ||
				measured->forms_given || measured->load < 1 || measured->csv ||
				measured->slots || measured->plot))
		argp_error(state, "--audit: found one of --workload, --footprint, --form, --load, "
				  "--csv, --slots and --plot as well, wanted none of them");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		return command_no_argument(state, argument);
	case ARGP_KEY_END:
		check_audit(state->input, state);
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
	if (command->plotted && command->plotted_count < MATRIX_ROWS_MAX)
		command->plotted[command->plotted_count++] = *row;
}

static void show_left_out(void *context, const struct measure_row *row, const char *reason)
{
	char size[24];

	(void)context;
	fprintf(stderr, "%s %s %s left out: %s\n", stream_name(row->work.workload),
		measure_size_text(row->work.footprint, size), form_kind(row->form)->name, reason);
}

static void show_progress(void *context, const struct measure_row *row, size_t number, size_t count)
{
	struct command_state *command = context;
	char size[24];

	if (command->progress)
		fprintf(stderr, "\r\033[K%zu of %zu: %s %s %s over %s\r", number, count,
			stream_name(row->work.workload),
			measure_size_text(row->work.footprint, size),
			hpt_organisation_name(row->guest_table),
			hpt_organisation_name(row->host_table));
}

static json_t *result_json(struct command_state *command, uint64_t wrong)
{
	struct host host;

	host_read(&host);
	return json_pack("{s:s, s:s, s:o, s:o, s:O, s:I}", "twostage", TWOSTAGE_VERSION, "command",
			 "measure", "host", host_json(&host), "config",
			 measure_options_json(&command->options), "rows", command->report.rows,
			 "wrong", (json_int_t)wrong);
}

static int open_files(struct command_state *command, struct message *message)
{
	struct measure_options *measured = &command->options;
	int error = output_open(&command->json, measured->json, message);
	bool quiet;

	if (!error)
		error = output_open(&command->csv, measured->csv, message);
	if (!error)
		error = output_open(&command->slots, measured->slots, message);
	if (error)
		return error;
	quiet = command->json.stream == stdout || command->csv.stream == stdout ||
		command->slots.stream == stdout;
	command->report.table = quiet ? NULL : stdout;
	command->report.csv = command->csv.stream;
	command->report.slots = command->slots.stream;
	measure_report_begin(&command->report);
	if (measured->plot)
		command->plotted = calloc(MATRIX_ROWS_MAX, sizeof(*command->plotted));
	return 0;
}

static int measure_all(struct command_state *command, struct message *message)
{
	struct matrix *matrix = &command->options.matrix;
	uint64_t wrong;
	int error;

	matrix->row = show_row;
	matrix->left_out = show_left_out;
	matrix->group = show_progress;
	matrix->context = command;
	timing_pin();
	error = matrix_run(matrix, &wrong);
	if (command->progress)
		fputs("\r\033[K", stderr);
	if (error)
		return message_set(message, error, STATUS_UNAVAILABLE,
				   "the tables do not fit into memory: %s", strerror(-error));
	if (command->json.stream)
		error = output_json(&command->json, result_json(command, wrong), message);
	if (!error)
		error = output_close(&command->csv, message);
	if (!error)
		error = output_close(&command->slots, message);
	if (!error && command->options.plot)
		error = measure_plot(command->options.plot, command->plotted,
				     command->plotted_count, message);
	if (!error && wrong)
		error = message_set(message, -EIO, STATUS_INTERNAL,
				    "%llu translations differed from the oracle",
				    (unsigned long long)wrong);
	return error;
}

static void set_defaults(struct command_state *command)
{
	struct matrix *matrix = &command->options.matrix;

	measure_options_end(&command->options);
	if (!command->workloads_given) {
		matrix->workloads[STREAM_UNIFORM] = true;
		matrix->workloads[STREAM_SEQUENTIAL] = true;
		matrix->workloads[STREAM_SPARSE] = true;
	}
	if (!matrix->footprint_count) {
		matrix->footprints[matrix->footprint_count++] = GIB;
		matrix->footprints[matrix->footprint_count++] = 16 * GIB;
	}
}

static const char doc[] =
	"Walk both stages of address translation in software, over real tables, and print what a "
	"translation costs, beside nested radix and the physical limit.\v"
	"A row is one form of the walk over one pair of tables: counted references (and what the model "
	"says), dependent steps and distinct lines; nanoseconds of a translation alone, the same over "
	"ref1 and ref2, one and two dependent loads of the same tables' memory, and over RR and RRP, "
	"timed in the same rounds; and of many, one after the other and in batches, the latter over "
	"batched RR. Only tables exist, no memory behind the pages: half a terabyte takes gigabytes. "
	"A row whose counts differ from the model by more than 15 % says \"model?\". The status is 70 if "
	"a translation was wrong.";

int cmd_measure(int argc, char **argv)
{
	const struct argp_child children[] = {{&tables_argp, 0, NULL, 2}, command_help[0], {0}};
	const struct argp argp = {
		.options = options, .parser = parse_option, .children = children, .doc = doc};
	struct command_state command = {.progress = isatty(STDERR_FILENO)};
	struct message message = {.status = 0};

	measure_options_begin(&command.options);
	if (argp_parse(&argp, argc, argv, 0, NULL, &command))
		return STATUS_USAGE;
	if (command.options.audit) {
		measure_options_end(&command.options);
		matrix_choose_best(&command.options.matrix, LAYOUT_DENSE);
		audit_command(&command.options, &message);
		if (message.status)
			fprintf(stderr, "%s: %s\n", argv[0], message.text);
		return message.status;
	}
	set_defaults(&command);
	command.report.rows = json_array();
	if (!open_files(&command, &message))
		measure_all(&command, &message);
	json_decref(command.report.rows);
	free(command.plotted);
	if (message.status)
		fprintf(stderr, "%s: %s\n", argv[0], message.text);
	return message.status;
}
