/* SPDX-License-Identifier: MIT */
/*
 * execve(): arguments, what stays and what does not, and what fails. Runs in the tree that
 * tests/guest/tree.sh makes, where it is bin/execute. It executes itself:
 *
 *     execute --show ARG...      prints its arguments and its environment, ends with 3
 *     execute --state FD...      prints what is open, ignored, blocked, ends with 4
 *     execute --again N          executes itself N times, ends with 5
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/images/report.h"
#include "tests/images/wild.h"

#define SELF	    "bin/execute"
#define LONG_STRING (200 << 10)

extern char **environ;

static long status_of(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Executes it in a child and returns its status. */
static long run(const char *path, char *const arguments[], char *const environment[])
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		execve(path, arguments, environment);
		_exit(100 + errno);
	}
	return status_of(child);
}

static int show(char **argv)
{
	uint32_t mxcsr;
	uint16_t control;

	for (int i = 0; argv[i]; i++)
		printf("argument %d: '%s'\n", i, argv[i]);
	for (int i = 0; environ[i]; i++)
		printf("environment %d: '%s'\n", i, environ[i]);
	__asm__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
	printf("executed as '%s', control %x %x\n", (char *)getauxval(AT_EXECFN), mxcsr, control);
	return 3;
}

static int state(char **argv)
{
	struct sigaction action;
	sigset_t mask;
	char name[16] = "";

	for (int i = 0; argv[i]; i++)
		printf("descriptor %d: %s\n", i,
		       fcntl(atoi(argv[i]), F_GETFD) < 0 ? "not open" : "open");
	sigaction(SIGUSR1, NULL, &action);
	printf("SIGUSR1: %s\n", action.sa_handler == SIG_DFL ? "default" : "not default");
	sigaction(SIGUSR2, NULL, &action);
	printf("SIGUSR2: %s\n", action.sa_handler == SIG_IGN ? "ignored" : "not ignored");
	sigprocmask(SIG_BLOCK, NULL, &mask);
	printf("SIGTERM: %s\n", sigismember(&mask, SIGTERM) ? "blocked" : "not blocked");
	prctl(PR_GET_NAME, name);
	printf("name: %s\n", name);
	return 4;
}

static int again(int count)
{
	char text[20];

	if (!count)
		return 5;
	snprintf(text, sizeof(text), "%d", count - 1);
	execl(SELF, SELF, "--again", text, NULL);
	return 1;
}

static void check_arguments(struct report *report)
{
	char *arguments[] = {"any name", "--show", "one", "", "two words", NULL};
	char *environment[] = {"A=1", "EMPTY=", "B=2 3", NULL}, *none[] = {NULL};
	char *bare[] = {"x", "--show", NULL};
	uint32_t mxcsr = 0x1fa5, usual = 0x1f80;

	report_value(report, "arguments and environment", run(SELF, arguments, environment), 3);
	report_value(report, "without environment", run("./" SELF, bare, none), 3);
	report_value(report, "with none at all", run("links/../" SELF, bare, NULL), 3);
	/* What the registers of floating point were is nobody's business. */
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	report_value(report, "with other rounding", run(SELF, bare, none), 3);
	__asm__ volatile("ldmxcsr %0" ::"m"(usual));
}

static void check_failures(struct report *report)
{
	char *arguments[] = {"x", NULL};
	char *text = malloc(LONG_STRING);
	char *large[] = {"x", text, NULL};

	memset(text, 'x', LONG_STRING - 1);
	text[LONG_STRING - 1] = 0;
	report_call(report, "nothing", execve("bin/none", arguments, environ), ENOENT);
	report_call(report, "no path", execve("", arguments, environ), ENOENT);
	report_call(report, "in a file", execve("data/one/x", arguments, environ), ENOTDIR);
	report_call(report, "a directory", execve("bin", arguments, environ), EACCES);
	report_call(report, "not executable", execve("bin/plain", arguments, environ), EACCES);
	report_call(report, "a device", execve("/dev/null", arguments, environ), EACCES);
	report_call(report, "a loop", execve("links/loop", arguments, environ), ELOOP);
	report_call(report, "text", execve("bin/text", arguments, environ), ENOEXEC);
	report_call(report, "an empty file", execve("bin/empty", arguments, environ), ENOEXEC);
	report_call(report, "a script of nothing", execve("bin/lost", arguments, environ), ENOENT);
	report_call(report, "a long argument", execve(SELF, large, environ), E2BIG);
	report_call(report, "a long environment", execve(SELF, arguments, large), E2BIG);
	report_true(report, "nothing is lost by that", getpid() > 0 && text[77] == 'x');
	free(text);
}

static void handle(int number)
{
	(void)number;
}

static void check_state(struct report *report)
{
	struct sigaction handler = {.sa_handler = handle}, ignore = {.sa_handler = SIG_IGN};
	int kept = dup(0), closed = fcntl(0, F_DUPFD_CLOEXEC, 0);
	char first[20], second[20];
	char *arguments[] = {"x", "--state", "1", first, second, NULL};
	sigset_t mask;

	snprintf(first, sizeof(first), "%d", kept);
	snprintf(second, sizeof(second), "%d", closed);
	sigaction(SIGUSR1, &handler, NULL);
	sigaction(SIGUSR2, &ignore, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	prctl(PR_SET_NAME, "something else");
	report_value(report, "what stays", run(SELF, arguments, environ), 4);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	report_true(report, "is still open here", fcntl(closed, F_GETFD) == FD_CLOEXEC);
	close(kept);
	close(closed);
}

static void check_script(struct report *report)
{
	char *arguments[] = {"replaced", "one", "two", NULL}, *none[] = {NULL};

	report_value(report, "a script", run("bin/script", arguments, none), 3);
}

static void check_vfork(struct report *report)
{
	char *arguments[] = {"spawned", "--show", NULL}, *none[] = {NULL};
	volatile int seen = 0;
	long status;
	pid_t child;
	int error;

	fflush(stdout);
	child = vfork();
	if (!child) {
		seen = 1;
		execve(SELF, arguments, none);
		_exit(1);
	}
	status = status_of(child);
	report_true(report, "the parent waited", seen);
	report_value(report, "vfork", status, 3);
	child = vfork();
	if (!child) {
		execve("bin/none", arguments, none);
		seen = errno;
		_exit(7);
	}
	report_value(report, "vfork of what fails", status_of(child), 7);
	report_value(report, "with the error", seen, ENOENT);
	fflush(stdout);
	error = posix_spawn(&child, SELF, NULL, NULL, arguments, none);
	/* First it ends, so that what it prints comes first. */
	status = error ? -1 : status_of(child);
	report_value(report, "posix_spawn", error, 0);
	report_value(report, "its status", status, 3);
	report_value(report, "posix_spawn of nothing",
		     posix_spawn(&child, "bin/none", NULL, NULL, arguments, none), ENOENT);
}

static void *wait_for_ever(void *context)
{
	char byte;

	read(*(int *)context, &byte, 1);
	return NULL;
}

static void *execute(void *context)
{
	static char *none[] = {NULL};

	execle(SELF, "of a thread", "--show", context, NULL, none);
	return NULL;
}

static void check_threads(struct report *report)
{
	pthread_t thread;
	int ends[2];
	pid_t child;

	if (pipe(ends))
		return;
	fflush(stdout);
	child = fork();
	if (!child) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, wait_for_ever, &ends[0]);
		pthread_create(&thread, NULL, execute, "here");
		pthread_join(thread, NULL);
		_exit(1);
	}
	report_value(report, "a thread executes", status_of(child), 3);
	close(ends[0]);
	close(ends[1]);
}

static void check_again(struct report *report)
{
	char *arguments[] = {SELF, "--again", "12", NULL};

	report_value(report, "one after the other", run(SELF, arguments, environ), 5);
}

static void check_wild(struct report *report)
{
	unsigned int refused = 0;
	long path = (long)SELF;
	char *arguments[] = {"x", NULL, NULL};
	char *last;

	wild_pointers(report, "path", SYS_execve, (long[4]){0, 0, 0}, 0);
	wild_pointers(report, "arguments", SYS_execve, (long[4]){path, 0, 0}, 1);
	wild_pointers(report, "environment", SYS_execve, (long[4]){path, (long)arguments, 0}, 2);
	for (unsigned int i = 0; i < WILD_COUNT(wild_addresses); i++) {
		arguments[1] = (char *)wild_addresses[i];
		refused += execve(SELF, arguments, environ) == -1 && errno == EFAULT;
	}
	report_value(report, "an argument", refused, WILD_COUNT(wild_addresses));
	last = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(last + 4096, 4096);
	memset(last, 'x', 4096);
	arguments[1] = last + 4000;
	report_call(report, "a string without an end", execve(SELF, arguments, environ), EFAULT);
	report_call(report, "a path without an end", execve(last + 100, arguments, environ),
		    EFAULT);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"arguments", check_arguments},
		{"failures", check_failures},
		{"state", check_state},
		{"script", check_script},
		{"vfork", check_vfork},
		{"threads", check_threads},
		{"again", check_again},
		{"wild", check_wild},
		{NULL, NULL},
	};
	struct args args = args_start("execute", argv);

	if (argc > 1 && !strcmp(argv[1], "--show"))
		return show(argv);
	if (argc > 1 && !strcmp(argv[1], "--state"))
		return state(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "--again"))
		return again(atoi(argv[2]));
	return report_main(&args, sections);
}
