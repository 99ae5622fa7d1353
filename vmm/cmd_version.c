/* SPDX-License-Identifier: MIT */
#include <argp.h>
#include <stdio.h>

#include "vmm/command.h"
#include "vmm/version.h"

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	return key == ARGP_KEY_ARG ? command_no_argument(state, argument) : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse_option, .children = command_help, .doc = "Print the version."};

int cmd_version(int argc, char **argv)
{
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	puts("twostage " TWOSTAGE_VERSION);
	return 0;
}
