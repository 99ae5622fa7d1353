/* SPDX-License-Identifier: MIT */
/* `twostage info`: which KVM this is, what it can do, and what that means for timings. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "vmm/command.h"
#include "vmm/host.h"
#include "vmm/output.h"
#include "vmm/status.h"
#include "vmm/version.h"

enum { OPTION_JSON = 0x100 }; /* long options have keys that are no letters */

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	const char **json = state->input;

	switch (key) {
	case OPTION_JSON:
		*json = argument;
		return 0;
	case ARGP_KEY_ARG:
		return command_no_argument(state, argument);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"json", OPTION_JSON, "FILE", 0,
	 "write the same as one JSON object to FILE (- is standard output)", 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.children = command_help,
	.doc = "Say which KVM this machine has (vmx, svm, pvm or none), what it can do, and what that "
	       "means for timings.\vThe status is 0 where there is no KVM, too: then the kind is "
	       "\"none\" and the fix is named. With --json - only the JSON is printed.",
};

int cmd_info(int argc, char **argv)
{
	const char *json = NULL;
	struct message message;
	struct output output;
	struct host host;

	if (argp_parse(&argp, argc, argv, 0, NULL, &json))
		return STATUS_USAGE;
	if (output_open(&output, json, &message)) {
		fprintf(stderr, "twostage info: %s\n", message.text);
		return message.status;
	}
	host_read(&host);
	if (!json || strcmp(json, "-"))
		host_print(stdout, &host);
	if (json && output_json(&output,
				json_pack("{s:s, s:s, s:o}", "twostage", TWOSTAGE_VERSION,
					  "command", "info", "host", host_json(&host)),
				&message)) {
		fprintf(stderr, "twostage info: %s\n", message.text);
		return message.status;
	}
	return 0;
}
