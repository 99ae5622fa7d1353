/* SPDX-License-Identifier: MIT */
/* Traces that valgrind makes of a real program here and now. Skipped where there is no valgrind. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/trace_fixture.h"

#define IMAGE "build/images/hello"

static const char *program(void)
{
	return access(IMAGE, X_OK) ? "/bin/true" : IMAGE;
}

static void need_valgrind(void)
{
	if (system("valgrind --tool=lackey --version >/dev/null 2>&1"))
		cr_skip_test("valgrind is missing");
}

/* "==123==   guest instrs:  128,758", as lackey itself has counted. */
static uint64_t counted_by_lackey(const char *line)
{
	uint64_t value = 0;

	for (line = strstr(line, "guest instrs:") + 13; *line && *line != '\n'; line++) {
		if (*line >= '0' && *line <= '9')
			value = value * 10 + (uint64_t)(*line - '0');
	}
	return value;
}

/* Lines by their beginning, without any of the reader's code. */
static void count_lines(const char *path, uint64_t lines[TRACE_KINDS + 1], uint64_t *instructions)
{
	static const char *const starts[TRACE_KINDS] = {"I  ", " L ", " S ", " M "};
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	cr_assert(file);
	while (getline(&line, &room, file) > 0) {
		int kind = 0;

		while (kind < TRACE_KINDS && strncmp(line, starts[kind], 3) != 0)
			kind++;
		lines[kind]++;
		if (strstr(line, "guest instrs: "))
			*instructions = counted_by_lackey(line);
	}
	free(line);
	fclose(file);
}

Test(trace_valgrind, every_instruction_that_lackey_counted_is_a_fetch, .timeout = 120)
{
	char path[] = "/tmp/trace-XXXXXX", command[256];
	uint64_t lines[TRACE_KINDS + 1] = {0}, instructions = 0, accesses = 0;
	struct reading found;
	int file;

	need_valgrind();
	file = mkstemp(path);
	cr_assert_neq(file, -1);
	close(file);
	snprintf(command, sizeof(command),
		 "valgrind --tool=lackey --trace-mem=yes --log-file=%s %s >/dev/null", path,
		 program());
	cr_assert_eq(system(command), 0);
	count_lines(path, lines, &instructions);
	read_path(path, 1000, &found);
	unlink(path);
	cr_assert_eq(found.error, 0, "%s", found.message.text);
	cr_expect_null(reading_broken_promise(&found));
	cr_expect_gt(instructions, 100);
	cr_expect_eq(found.counts.instructions, instructions);
	cr_expect_eq(found.counts.instructions, lines[TRACE_FETCH]);
	for (int i = 0; i < TRACE_KINDS; i++)
		accesses += lines[i];
	cr_expect_eq(found.count, accesses + found.counts.splits);
	cr_expect_eq(found.counts.ignored[TRACE_VALGRIND], lines[TRACE_KINDS]);
	reading_free(&found);
}

Test(trace_valgrind, a_program_is_read_while_it_runs, .timeout = 120)
{
	char command[256], path[32];
	struct reading found;
	FILE *pipe;

	need_valgrind();
	snprintf(command, sizeof(command),
		 "valgrind --tool=lackey --trace-mem=yes --trace-superblocks=yes --log-fd=9 %s "
		 "9>&1 >/dev/null",
		 program());
	pipe = popen(command, "r");
	cr_assert(pipe);
	snprintf(path, sizeof(path), "/dev/fd/%d", fileno(pipe));
	read_path(path, 1000, &found);
	cr_expect_eq(pclose(pipe), 0);
	cr_assert_eq(found.error, 0, "%s", found.message.text);
	cr_expect_null(reading_broken_promise(&found));
	cr_expect_eq(found.format, TRACE_LACKEY);
	cr_expect_gt(found.counts.ignored[TRACE_SUPERBLOCK], 10);
	cr_expect_gt(found.counts.accesses[TRACE_LOAD], 10);
	cr_expect_gt(found.counts.accesses[TRACE_STORE], 10);
	reading_free(&found);
}
