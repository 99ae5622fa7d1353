/* SPDX-License-Identifier: MIT */
/* See shrink.h. */
#include "tests/hpt/shrink.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hpt/stream.h"

/* A walk in a circle is a failure, too. */
#define SECONDS_MAX 60

/* Tries without each part of `part` records; returns how many records are left. */
static size_t leave_out(struct stream_record *records, size_t count, size_t part, shrink_test fails,
			void *context)
{
	struct stream_record *rest = malloc(count * sizeof(*records));
	size_t at = 0;

	while (rest && at < count) {
		size_t end = at + part < count ? at + part : count;

		memcpy(rest, records, at * sizeof(*rest));
		memcpy(&rest[at], &records[end], (count - end) * sizeof(*rest));
		if (fails(context, rest, count - (end - at))) {
			count -= end - at;
			memcpy(records, rest, count * sizeof(*rest));
		} else {
			at = end;
		}
	}
	free(rest);
	return count;
}

size_t shrink(struct stream_record *records, size_t count, shrink_test fails, void *context)
{
	for (size_t part = (count + 1) / 2; part;) {
		size_t left = leave_out(records, count, part, fails, context);

		/* Records that go may free others to go: the smallest parts are tried again. */
		if (part > 1 || left == count)
			part /= 2;
		count = left;
	}
	return count;
}

static void run_quietly(void (*run)(const void *context), const void *context)
{
	const struct rlimit no_core = {0, 0};
	int null = open("/dev/null", O_WRONLY);

	setrlimit(RLIMIT_CORE, &no_core);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	alarm(SECONDS_MAX);
	signal(SIGABRT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	run(context);
	_exit(0);
}

bool shrink_run_fails(void (*run)(const void *context), const void *context)
{
	pid_t child = fork();
	int status;

	if (!child)
		run_quietly(run, context);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return status != 0;
}

static void run_stream(const void *stream)
{
	stream_run(stream);
}

bool stream_fails(const struct stream *stream)
{
	return shrink_run_fails(run_stream, stream);
}

static bool part_fails(void *context, const struct stream_record *records, size_t count)
{
	struct stream part = *(const struct stream *)context;

	part.records = records;
	part.count = count;
	return stream_fails(&part);
}

static void print_stream(const struct stream *stream)
{
	fprintf(stderr, "%s, features 0x%x:\n", hpt_organisation_name(stream->organisation),
		stream->features);
	for (size_t i = 0; i < stream->count; i++) {
		const struct stream_record *record = &stream->records[i];

		fprintf(stderr, "\t{%u, %u, %u, 0x%x, 0x%llx},\n", record->what, record->key,
			record->count, record->entry, (unsigned long long)record->number);
	}
}

bool stream_fails_shortened(const struct stream *stream)
{
	struct stream shortest = *stream;
	struct stream_record *records;

	if (!stream_fails(stream))
		return false;
	records = malloc(stream->count * sizeof(*records));
	if (records) {
		memcpy(records, stream->records, stream->count * sizeof(*records));
		shortest.records = records;
		shortest.count = shrink(records, stream->count, part_fails, &shortest);
	}
	print_stream(&shortest);
	/* Once more, to hear what it says. */
	if (!fork()) {
		stream_run(&shortest);
		_exit(0);
	}
	wait(NULL);
	free(records);
	return true;
}
