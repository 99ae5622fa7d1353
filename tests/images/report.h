/* SPDX-License-Identifier: MIT */
/*
 * Checks that report themselves. A probe is a table of sections, each a function that makes some
 * checks; every check prints one line, "ok SECTION: WHAT" or "FAIL SECTION: WHAT: found ..., wanted
 * ...", and the probe ends with status 1 when any failed. Nothing that differs between two good
 * runs (addresses, times, numbers of processes) is ever printed by a check that holds.
 */
#ifndef TESTS_IMAGES_REPORT_H
#define TESTS_IMAGES_REPORT_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "images/common/args.h"

struct report {
	const char *section;
	unsigned int checks;
	unsigned int failed;
};

struct report_section {
	const char *name;
	void (*run)(struct report *report);
};

/* The name of error number @error, 0 being success; NULL for those that no check waits for. */
static inline const char *report_error_name(int error)
{
	switch (error) {
	case 0:
		return "success";
	case E2BIG:
		return "E2BIG";
	case EACCES:
		return "EACCES";
	case ECHILD:
		return "ECHILD";
	case EISDIR:
		return "EISDIR";
	case ELOOP:
		return "ELOOP";
	case EMFILE:
		return "EMFILE";
	case ENAMETOOLONG:
		return "ENAMETOOLONG";
	case ENOEXEC:
		return "ENOEXEC";
	case ENOTDIR:
		return "ENOTDIR";
	case ENXIO:
		return "ENXIO";
	case EPIPE:
		return "EPIPE";
	case ERANGE:
		return "ERANGE";
	case ESPIPE:
		return "ESPIPE";
	case EAGAIN:
		return "EAGAIN";
	case EBADF:
		return "EBADF";
	case ECHILD:
		return "ECHILD";
	case EINTR:
		return "EINTR";
	case EPERM:
		return "EPERM";
	case ESRCH:
		return "ESRCH";
	case EEXIST:
		return "EEXIST";
	case EFAULT:
		return "EFAULT";
	case EINVAL:
		return "EINVAL";
	case ENOENT:
		return "ENOENT";
	case ENOMEM:
		return "ENOMEM";
	case ENOSYS:
		return "ENOSYS";
	case ENOTTY:
		return "ENOTTY";
	case EOPNOTSUPP:
		return "EOPNOTSUPP";
	case ETIMEDOUT:
		return "ETIMEDOUT";
	default:
		return NULL;
	}
}

static inline void report_line(struct report *report, bool held, const char *what)
{
	report->checks++;
	if (!held)
		report->failed++;
	printf("%s %s: %s", held ? "ok" : "FAIL", report->section, what);
}

/* Checks that @held is true. */
static inline void report_true(struct report *report, const char *what, bool held)
{
	report_line(report, held, what);
	puts(held ? "" : ": found false, wanted true");
}

/* Checks that @found is @wanted. Only for values that every good run has alike. */
static inline void report_value(struct report *report, const char *what, long found, long wanted)
{
	report_line(report, found == wanted, what);
	if (found == wanted)
		printf(": %ld\n", found);
	else
		printf(": found %ld, wanted %ld\n", found, wanted);
}

/*
 * Checks a system call whose result (-1 and errno, or anything else for success) was @result: it
 * must have failed with the error number @wanted, or succeeded where that is 0.
 */
static inline void report_call(struct report *report, const char *what, long result, int wanted)
{
	int found = result == -1 ? errno : 0;
	const char *name = report_error_name(found);

	report_line(report, found == wanted, what);
	if (found == wanted)
		printf(": %s\n", name);
	else if (name)
		printf(": found %s, wanted %s\n", name, report_error_name(wanted));
	else
		printf(": found error %d, wanted %s\n", found, report_error_name(wanted));
}

static inline const struct report_section *report_find(const struct report_section *sections,
						       const char *name)
{
	for (; sections->name; sections++) {
		if (strcmp(sections->name, name) == 0)
			return sections;
	}
	return NULL;
}

static inline void report_run(struct report *report, const struct report_section *section)
{
	report->section = section->name;
	section->run(report);
}

/*
 * Runs the sections that the rest of @args names, or all of them, and prints the count. @sections
 * ends with an empty entry. Returns the exit status: 0, 1 when a check failed, 64 for a section
 * that is unknown (then nothing has run).
 */
static inline int report_main(struct args *args, const struct report_section *sections)
{
	struct report report = {0};
	const struct report_section *section;
	const char *name;

	for (char **argument = args->next; *argument; argument++) {
		if (!report_find(sections, *argument)) {
			args_unknown(args, *argument, "one of these sections, or none for all:");
			for (section = sections; section->name; section++)
				fprintf(stderr, "  %s\n", section->name);
			return EX_USAGE;
		}
	}
	/* Should a check end the program, the lines before it shall be seen. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (!*args->next) {
		for (section = sections; section->name; section++)
			report_run(&report, section);
	}
	while ((name = args_next(args)))
		report_run(&report, report_find(sections, name));
	printf("%u checks, %u failed\n", report.checks, report.failed);
	return report.failed ? 1 : 0;
}

#endif
