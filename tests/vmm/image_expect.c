/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vmm/image_expect.h"
#include "tests/vmm/image_invariants.h"
#include "vmm/status.h"

const struct image_ram any_ram = {
	.count = 2,
	.range = {{0, 3ull << 30}, {4ull << 30, UINT64_MAX}},
};

static void note_problem(void *context, const struct image_problem *problem)
{
	struct problems *problems = context;

	if (!problems->count++)
		problems->first = *problem;
}

int parse(const struct built *built, const struct image_ram *ram, struct image *image,
	  struct problems *problems)
{
	/* An allocation of exactly this size: the address sanitizer sees a byte too far. */
	void *bytes = malloc(built->size ? built->size : 1);
	int error;

	cr_assert(bytes);
	memcpy(bytes, built->bytes, built->size);
	*problems = (struct problems){0};
	error = image_parse(bytes, built->size, ram, image, note_problem, problems);
	cr_assert_eq(error, problems->count ? -ENOEXEC : 0);
	if (!error) {
		const char *broken = image_broken_promise(image, bytes, built->size, ram);

		cr_assert_null(broken, "not so: %s", broken);
	}
	free(bytes);
	return error;
}

void expect_accepted(const struct built *built, struct image *image)
{
	struct problems problems;
	int error = parse(built, &any_ram, image, &problems);

	cr_assert_eq(error, 0, "%s", problems.first.text);
}

void expect_refused(const struct built *built, const struct image_ram *ram, const char *field)
{
	char start[64];
	struct image image;
	struct problems problems;

	snprintf(start, sizeof(start), "%s: found ", field);
	cr_assert_eq(parse(built, ram, &image, &problems), -ENOEXEC);
	cr_expect_eq(problems.first.status, STATUS_DATA);
	cr_expect_eq(strncmp(problems.first.text, start, strlen(start)), 0, "%s",
		     problems.first.text);
	cr_expect_not_null(strstr(problems.first.text, ", wanted "));
}

void expect_refused_with(const struct built *built, const char *text)
{
	struct image image;
	struct problems problems;

	cr_assert_eq(parse(built, &any_ram, &image, &problems), -ENOEXEC);
	cr_expect_str_eq(problems.first.text, text);
}
