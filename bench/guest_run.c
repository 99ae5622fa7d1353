/* SPDX-License-Identifier: MIT */
/* See guest_run.h. */
#include "bench/guest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE     4096
#define ARGUMENTS_MAX 48
#define TIMEOUT	      "60"

/* Where the command may be, and its images, beside the program that runs: installed, built, a test
 * that was built. */
static const char *const command_places[] = {"twostage", "../twostage"};
static const char *const image_places[] = {"images", "../lib/twostage/images", "../images"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The folder of the program that runs. */
static bool read_folder(char folder[PATH_SIZE])
{
	ssize_t length = readlink("/proc/self/exe", folder, PATH_SIZE - 1);
	char *slash;

	if (length <= 0)
		return false;
	folder[length] = 0;
	slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	return slash;
}

static bool find_file(char file[PATH_SIZE], const char *folder, const char *place, const char *name)
{
	int length = snprintf(file, PATH_SIZE, "%s/%s%s%s", folder, place, name ? "/" : "",
			      name ? name : "");

	return length < PATH_SIZE && !access(file, name ? R_OK : X_OK);
}

static bool find_command(const char *folder, char command[PATH_SIZE])
{
	for (size_t i = 0; i < COUNT(command_places); i++) {
		if (find_file(command, folder, command_places[i], NULL))
			return true;
	}
	return false;
}

static bool find_image(const char *folder, const char *name, char image[PATH_SIZE])
{
	if (strchr(name, '/'))
		return snprintf(image, PATH_SIZE, "%s", name) < PATH_SIZE;
	for (size_t i = 0; i < COUNT(image_places); i++) {
		if (find_file(image, folder, image_places[i], name))
			return true;
	}
	return false;
}

static size_t add_all(char **arguments, size_t count, const char *const *more)
{
	for (; *more && count < ARGUMENTS_MAX; more++)
		arguments[count++] = (char *)*more;
	return count;
}

/* Becomes the command; the report goes to `report`, what is printed nowhere. */
static void become_command(const char *command, char **arguments)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	execv(command, arguments);
	_exit(127);
}

/* The status of the process, or -1. */
static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the command says that is missing. */
static void check_report(struct guest_run *run, int status)
{
	const char *reason = "it has written no report";
	const char *by = NULL;

	if (run->report)
		json_unpack(run->report, "{s:{s:s, s:s}}", "exit", "by", &by, "reason", &reason);
	/* 69 of the VMM's own: there is no guest on this host. */
	if (run->report && !(by && !strcmp(by, "vmm") && status == 69))
		return;
	snprintf(run->missing, sizeof(run->missing), "%.200s (status %d)", reason, status);
	json_decref(run->report);
	run->report = NULL;
}

static void run_command(struct guest_run *run, const char *command, char **arguments, int report)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (!child)
		become_command(command, arguments);
	status = child < 0 ? -1 : wait_for(child);
	lseek(report, 0, SEEK_SET);
	run->report = json_loadfd(report, 0, NULL);
	check_report(run, status);
}

void guest_run(struct guest_run *run, const char *image, const char *const *options,
	       const char *const *arguments)
{
	static char folder[PATH_SIZE], command[PATH_SIZE], file[PATH_SIZE];
	char *all[ARGUMENTS_MAX + 1] = {NULL};
	char report_name[64];
	size_t count = 0;
	int report;

	*run = (struct guest_run){.report = NULL};
	if (!read_folder(folder) || !find_command(folder, command)) {
		snprintf(run->missing, sizeof(run->missing),
			 "there is no twostage beside the program that runs");
		return;
	}
	if (!find_image(folder, image, file)) {
		snprintf(run->missing, sizeof(run->missing), "there is no image %.100s", image);
		return;
	}
	report = memfd_create("report", 0);
	if (report < 0) {
		snprintf(run->missing, sizeof(run->missing), "memfd_create: %s", strerror(errno));
		return;
	}
	snprintf(report_name, sizeof(report_name), "/proc/self/fd/%d", report);
	count = add_all(all, count,
			(const char *[]){command, "run", "--timeout", TIMEOUT, "--json",
					 report_name, NULL});
	count = add_all(all, count, options);
	count = add_all(all, count, (const char *[]){file, "--", NULL});
	add_all(all, count, arguments);
	run_command(run, command, all, report);
	close(report);
}

/* Whether the guest ended by itself, and well. */
static bool ended_well(const json_t *report)
{
	const char *by = "";
	int status = -1;

	json_unpack((json_t *)report, "{s:{s:s, s:i}}", "exit", "by", &by, "status", &status);
	return !strcmp(by, "guest") && !status;
}

double guest_run_number(const struct guest_run *run, const char *path)
{
	const json_t *value = run->report;

	if (!value || !ended_well(value))
		return NAN;
	while (value && *path) {
		size_t length = strcspn(path, ".");
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)length, path);
		value = json_object_get(value, key);
		path += length + (path[length] == '.');
	}
	return json_is_number(value) ? json_number_value(value) : NAN;
}
