/* SPDX-License-Identifier: MIT */
/*
 * The smallest image: a greeting, then the arguments as they arrived. With options it ends with a
 * chosen status, prints its environment, or writes to stderr.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "images/common/args.h"

extern char **environ; /* <unistd.h> has it as an extension only */

struct options {
	uint64_t status;
	const char *stderr_text; /* NULL: nothing */
	bool env;
};

static int parse(struct options *options, char **argv)
{
	struct args args = args_start("hello", argv);
	const char *argument;
	int error;

	while ((argument = args_next(&args))) {
		if (strcmp(argument, "--") == 0)
			return 0; /* whatever follows is printed and not understood */
		if (strcmp(argument, "--status") == 0) {
			error = args_number(&args, argument, args_next(&args), 0, 255,
					    &options->status);
			if (error)
				return error;
		} else if (strcmp(argument, "--stderr") == 0) {
			options->stderr_text = args_next(&args);
			if (!options->stderr_text)
				return args_refuse(&args, argument, NULL, "a text");
		} else if (strcmp(argument, "--env") == 0) {
			options->env = true;
		} else if (argument[0] == '-') {
			return args_unknown(&args, argument, "--env, --status N or --stderr TEXT");
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int error = parse(&options, argv);

	if (error)
		return error;

	puts("hello from ring 3");
	for (int i = 1; i < argc; i++)
		printf("argv[%d]: %s\n", i, argv[i]);
	if (options.env) {
		for (char **entry = environ; *entry; entry++)
			printf("env: %s\n", *entry);
	}
	if (options.stderr_text)
		fprintf(stderr, "%s\n", options.stderr_text);
	return (int)options.status;
}
