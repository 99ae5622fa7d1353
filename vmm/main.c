/* SPDX-License-Identifier: MIT */
/* The command table, and the only place that ends the process. */
#include <argp.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/status.h"
#include "vmm/version.h"

static const struct command commands[] = {
	{"run", "boot an image on two page tables and pass its exit status through", cmd_run},
	{"inspect", "say what a file is and whether it can be launched", cmd_inspect},
	{"info", "say which KVM this is and what that means for timings", cmd_info},
	{"version", "print the version", cmd_version},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *stream)
{
	fputs("usage: twostage COMMAND [OPTION...]\n\ncommands:\n", stream);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-10s%s\n", commands[i].name, commands[i].help);
	fputs("\n`twostage COMMAND --help' explains a command.\n", stream);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "twostage %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

/* What reached stdout only as far as stdio's buffer may still fail to be written. */
static int flush_stdout(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "twostage: stdout: cannot write: %m\n");
	return STATUS_NOINPUT;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_commands(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?")) {
		print_commands(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		char *version[] = {argv[0], NULL};

		return cmd_version(1, version);
	}
	command = find_command(argv[1]);
	if (command)
		return run_command(command, argc - 1, argv + 1);
	fprintf(stderr, "twostage: found \"%s\", wanted a command\n", argv[1]);
	print_commands(stderr);
	return STATUS_USAGE;
}

/*
 * A standard descriptor that we were started without would be the next file that is opened, and the
 * guest's console would be written into it. One that fails (EBADF) as if it were closed stands in.
 */
static bool hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (!hold_standard_descriptors())
		exit(STATUS_UNAVAILABLE);
	argp_err_exit_status = STATUS_USAGE;
	exit(flush_stdout(dispatch(argc, argv)));
}
