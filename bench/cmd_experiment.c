/* SPDX-License-Identifier: MIT */
/* `twostage experiment`: questions that are answered on real tables, beside their models. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/experiment_print.h"
#include "bench/timing.h"
#include "vmm/command.h"
#include "vmm/host.h"
#include "vmm/output.h"
#include "vmm/status.h"
#include "vmm/version.h"

enum { OPTION_JSON = 0x100, OPTION_PLOT };

#define CHOSEN_MAX 32

struct command_state {
	const struct experiment *chosen[CHOSEN_MAX];
	size_t count;
	bool list, all;
	const char *json_name;
	const char *plot; /* directory */
	struct output json;
	json_t *experiments;
	struct experiment_result *result;
	bool quiet; /* standard output has the JSON */
};

static const struct argp_option options[] = {
	{"json", OPTION_JSON, "FILE", 0,
	 "write the results as one JSON object (- is standard output)", 1},
	{"plot", OPTION_PLOT, "DIR", 0,
	 "draw each into DIR/NAME.svg (by gnuplot); DIR is made if it is not there", 1},
	{0},
};

static void refuse(struct argp_state *state, const char *name)
{
	char names[512] = "";
	size_t length = 0;

	for (size_t i = 0; experiment_number(i) && length < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i ? ", " : "", experiment_number(i)->name);
	argp_error(state, "found \"%s\", wanted list, all, or one or more of %s", name, names);
}

static void choose(struct command_state *command, const char *name, struct argp_state *state)
{
	const struct experiment *experiment = experiment_find(name);

	if (!strcmp(name, "list"))
		command->list = true;
	else if (!strcmp(name, "all"))
		command->all = true;
	else if (!experiment)
		refuse(state, name);
	else if (command->count == CHOSEN_MAX)
		argp_error(state, "found more than %d names, wanted fewer", CHOSEN_MAX);
	else
		command->chosen[command->count++] = experiment;
	if (command->list + command->all + !!command->count > 1)
		argp_error(state, "found \"%s\" as well, wanted either list, or all, or names",
			   name);
}

static void check_arguments(const struct command_state *command, struct argp_state *state)
{
	if (!command->list && !command->all && !command->count)
		argp_error(state, "found no argument, wanted list, all, or names of experiments");
	if (command->list && command->plot)
		argp_error(state, "--plot: found it beside list, wanted experiments that are run");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct command_state *command = state->input;

	switch (key) {
	case OPTION_JSON:
		command->json_name = argument;
		return 0;
	case OPTION_PLOT:
		command->plot = argument;
		return 0;
	case ARGP_KEY_ARG:
		choose(command, argument, state);
		return 0;
	case ARGP_KEY_END:
		check_arguments(command, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Found out before anything is run. */
static int open_files(struct command_state *command, struct message *message)
{
	const char *plot = command->plot;
	struct stat status;

	if (plot && mkdir(plot, 0777) && errno != EEXIST)
		return message_set(message, -errno, STATUS_NOINPUT, "--plot: %s: cannot make: %s",
				   plot, strerror(errno));
	if (plot && (stat(plot, &status) || !S_ISDIR(status.st_mode)))
		return message_set(message, -ENOTDIR, STATUS_NOINPUT,
				   "--plot: found %s, which is a file, wanted a directory", plot);
	if (plot && access(plot, W_OK | X_OK))
		return message_set(message, -errno, STATUS_NOINPUT, "--plot: %s: cannot write: %s",
				   plot, strerror(errno));
	return output_open(&command->json, command->json_name, message);
}

static int plot_one(const struct command_state *command, const struct experiment *experiment,
		    struct message *message)
{
	char *file;
	int error;

	if (asprintf(&file, "%s/%s.svg", command->plot, experiment->name) < 0)
		return experiment_no_memory(message);
	error = experiment_plot(file, experiment, command->result, message);
	free(file);
	return error;
}

static int run_one(struct command_state *command, const struct experiment *experiment,
		   struct message *message)
{
	struct message reason;
	int error;

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%s ...\r", experiment->name);
	error = experiment_run(experiment, command->result, &reason);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (error)
		return message_set(message, error, reason.status, "%s: %.400s", experiment->name,
				   reason.text);
	if (!command->quiet)
		experiment_print(stdout, experiment, command->result);
	json_array_append_new(command->experiments, experiment_json(experiment, command->result));
	return command->plot ? plot_one(command, experiment, message) : 0;
}

static int run_chosen(struct command_state *command, struct message *message)
{
	int error = 0;

	for (size_t i = 0; i < command->count && !error; i++)
		error = run_one(command, command->chosen[i], message);
	return error;
}

/* Every experiment there is: to be told of, or run. */
static int run_all(struct command_state *command, struct message *message)
{
	const struct experiment *experiment;
	int error = 0;

	for (size_t i = 0; (experiment = experiment_number(i)) && !error; i++) {
		if (command->all)
			error = run_one(command, experiment, message);
		else if (!command->quiet)
			experiment_print_question(stdout, experiment);
		if (command->list)
			json_array_append_new(command->experiments,
					      experiment_question_json(experiment));
	}
	return error;
}

static json_t *config_json(const struct command_state *command)
{
	json_t *names = json_array();

	for (size_t i = 0; i < command->count; i++)
		json_array_append_new(names, json_string(command->chosen[i]->name));
	if (!command->count)
		json_array_append_new(names, json_string(command->all ? "all" : "list"));
	return json_pack("{s:o, s:s?}", "experiments", names, "plot", command->plot);
}

static json_t *result_json(struct command_state *command, const struct host *host)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:O}", "twostage", TWOSTAGE_VERSION, "command",
			 "experiment", "host", host_json(host), "config", config_json(command),
			 "experiments", command->experiments);
}

static int run(struct command_state *command, struct message *message)
{
	int error = open_files(command, message);
	struct host host;

	if (error)
		return error;
	/* How many CPUs there are is asked before there is one left. */
	host_read(&host);
	command->quiet = command->json.stream == stdout;
	timing_pin();
	error = command->count ? run_chosen(command, message) : run_all(command, message);
	if (!error && command->json.stream)
		error = output_json(&command->json, result_json(command, &host), message);
	return error;
}

static const char arguments[] = "list\nNAME...\nall";
static const char doc[] =
	"Answer questions about hashed page tables by experiment, each in seconds, on the very tables "
	"that guests run on.\v"
	"An experiment holds claims, counted or timed, against what a model says: the residual is "
	"measured over model, less 1 (where the model is 0, what was measured), and behind it stands "
	"how much it may be. Counts are the same in each run. A claim that does not hold, or that cannot be measured on this host, is part of the "
	"result, not an error: the status is 0. `list' names the experiments and their questions.";

int cmd_experiment(int argc, char **argv)
{
	const struct argp_child children[] = {command_help[0], {0}};
	const struct argp argp = {.options = options,
				  .parser = parse_option,
				  .args_doc = arguments,
				  .children = children,
				  .doc = doc};
	struct command_state command = {.count = 0};
	struct message message = {.status = 0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &command))
		return STATUS_USAGE;
	command.experiments = json_array();
	command.result = calloc(1, sizeof(*command.result));
	if (!command.result)
		experiment_no_memory(&message);
	else
		run(&command, &message);
	json_decref(command.experiments);
	free(command.result);
	if (message.status)
		fprintf(stderr, "%s: %s\n", argv[0], message.text);
	return message.status;
}
