/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the image loader: no input may crash it, and an accepted one keeps the promises of
 * image.h.
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined -DFUZZ_ENGINE (the engine brings main).
 * Otherwise this is a program that replays the files it is given, which is also what AFL runs:
 * afl-fuzz -i SEEDS -o OUT ./fuzz_image @@. Good seeds are the files that bad_images writes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vmm/image_invariants.h"
#include "vmm/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A refusal is one line of printable ASCII that has a field, whatever the file holds. */
static void check_problem(void *context, const struct image_problem *problem)
{
	unsigned *problems = context;

	++*problems;
	if (!strstr(problem->text, ": found ") || !strstr(problem->text, ", wanted "))
		abort();
	for (const char *c = problem->text; *c; c++) {
		if (*c < ' ' || *c > '~')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct image_ram small = {.count = 1, .range = {{0, 64 << 20}}};
	static const struct image_ram large = {
		.count = 2,
		.range = {{0, 3ull << 30}, {4ull << 30, 5ull << 30}},
	};
	const struct image_ram *rams[] = {NULL, &small, &large};

	for (size_t i = 0; i < sizeof(rams) / sizeof(rams[0]); i++) {
		struct image image;
		unsigned problems = 0;
		const char *broken = NULL;
		int error = image_parse(bytes, size, rams[i], &image, check_problem, &problems);

		if (error != (problems ? -ENOEXEC : 0))
			abort();
		if (!error)
			broken = image_broken_promise(&image, bytes, size, rams[i]);
		if (broken) {
			fprintf(stderr, "broken promise: %s\n", broken);
			abort();
		}
	}
	return 0;
}

#ifndef FUZZ_ENGINE
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct image_problem problem;
		void *bytes;
		size_t size;

		if (image_read_file(argv[i], &bytes, &size, &problem)) {
			fprintf(stderr, "%s: %s\n", argv[i], problem.text);
			continue;
		}
		LLVMFuzzerTestOneInput(bytes, size);
		free(bytes);
	}
	return 0;
}
#endif
