/* SPDX-License-Identifier: MIT */
/* The command table, and the only place that ends the process. */
#include <argp.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/commands.h"
#include "vmm/command.h"
#include "vmm/status.h"
#include "vmm/version.h"

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
	{"run", "boot an image on two page tables and pass its exit status through", cmd_run},
	{"measure", "measure walks through both stages, in software, over real tables",
	 cmd_measure},
	{"replay", "walk both stages for every access of a memory trace", cmd_replay},
	{"experiment", "answer questions about hashed page tables, beside their models",
	 cmd_experiment},
	{"inspect", "say what a file is and whether it can be launched", cmd_inspect},
	{"info", "say which KVM this is and what that means for timings", cmd_info},
	{"version", "print the version", cmd_version},
	{"help", "explain a command: help [COMMAND]", cmd_help},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *stream)
{
	fputs("usage: twostage COMMAND [OPTION...]\n\ncommands:\n", stream);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-12s%s\n", commands[i].name, commands[i].help);
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

static int unknown_command(const char *name)
{
	fprintf(stderr, "twostage: found \"%s\", wanted a command\n", name);
	print_commands(stderr);
	return STATUS_USAGE;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-?");
}

/* `help COMMAND' is `COMMAND --help'. */
static int cmd_help(int argc, char **argv)
{
	char option[] = "--help";
	char *arguments[] = {argv[0], option, NULL};
	const struct command *command = argc < 2 ? NULL : find_command(argv[1]);

	if (argc > 2) {
		fprintf(stderr, "%s: found \"%s\" as well, wanted one COMMAND\n", argv[0], argv[2]);
		return STATUS_USAGE;
	}
	if (command && command->run != cmd_help)
		return run_command(command, 2, arguments);
	if (argc == 2 && !command && !is_help(argv[1]))
		return unknown_command(argv[1]);
	print_commands(stdout);
	return 0;
}

/*
 * What reached stdout only as far as stdio's buffer may still fail to be written. At exit, since
 * argp ends the process by itself.
 */
static void check_stdout(void)
{
	if (fflush(stdout))
		fprintf(stderr, "twostage: stdout: cannot write: %m\n");
	else if (ferror(stdout))
		fprintf(stderr, "twostage: stdout: cannot write\n");
	else
		return;
	_exit(STATUS_NOINPUT);
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_commands(stderr);
		return STATUS_USAGE;
	}
	if (is_help(argv[1])) {
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
	return unknown_command(argv[1]);
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
	static char output[1 << 14];

	if (!hold_standard_descriptors()) {
		/* Standard error may be the one that is missing: then nobody hears this. */
		fprintf(stderr,
			"twostage: /dev/null: cannot stand in for a closed standard descriptor; "
			"fix: start with all three open\n");
		exit(STATUS_UNAVAILABLE);
	}
	/* The longest help has room, so that its error is found where it has a reason. */
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, output, _IOFBF, sizeof(output));
	if (atexit(check_stdout)) {
		fputs("twostage: out of memory\n", stderr);
		exit(STATUS_INTERNAL);
	}
	argp_err_exit_status = STATUS_USAGE;
	exit(dispatch(argc, argv));
}
