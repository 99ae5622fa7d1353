/* SPDX-License-Identifier: MIT */
/*
 * The commands. Each is one file cmd_NAME.c and one row of the table in main.c.
 *
 * A command gets its own argument vector: argv[0] is "twostage NAME", the prefix of its messages.
 * It parses with argp, which ends the process by itself for --help (0) and for usage errors (64);
 * in every other case the command returns the exit status.
 */
#ifndef VMM_COMMAND_H
#define VMM_COMMAND_H

#include <argp.h>

struct command {
	const char *name;
	const char *help; /* one line */
	int (*run)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* The children of every command's parser: -h is --help. */
extern const struct argp_child command_help[];

/* For ARGP_KEY_ARG where there is nothing to name: a usage error, which ends the process. */
error_t command_no_argument(struct argp_state *state, const char *argument);

#endif
