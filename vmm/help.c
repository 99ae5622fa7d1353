/* SPDX-License-Identifier: MIT */
/* What all commands' option parsers have in common (see command.h). */
#include <argp.h>
#include <errno.h>

#include "vmm/command.h"

static error_t parse_help(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != 'h')
		return ARGP_ERR_UNKNOWN;
	argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
	return 0;
}

/* Listed behind --help and -?, which are argp's own. */
static const struct argp_option help_options[] = {
	{NULL, 'h', NULL, 0, "the same", -1},
	{0},
};

static const struct argp help_argp = {.options = help_options, .parser = parse_help};

const struct argp_child command_help[] = {{.argp = &help_argp}, {0}};

error_t command_no_argument(struct argp_state *state, const char *argument)
{
	argp_error(state, "found \"%s\", wanted no argument", argument);
	return EINVAL;
}
