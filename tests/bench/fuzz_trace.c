/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the readers of traces: no input may crash them, what they hand out keeps the promises of
 * bench/trace.h, and how many accesses are asked for at once changes nothing.
 *
 * An input is a trace; or, if its first byte is the number of one of the traces that are written
 * down, that trace with bytes changed: three bytes a change, two for its place and one to put
 * there.
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined -DFUZZ_ENGINE (the engine brings main).
 * Otherwise this is a program that replays the files it is given.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/trace_golden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bytes *bytes)
{
	struct reading many, few;
	const char *broken;

	read_bytes(bytes, 1000, &many);
	read_bytes(bytes, 3, &few);
	broken = reading_broken_promise(&many);
	if (!broken && !reading_same(&many, &few))
		broken = "accesses do not depend on how many are asked for";
	if (broken) {
		fprintf(stderr, "broken promise: %s (%s)\n", broken, many.message.text);
		abort();
	}
	reading_free(&many);
	reading_free(&few);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = {0};

	if (size && data[0] < GOLDEN_TRACES) {
		const struct golden *golden = &golden_traces[data[0]];

		bytes = golden_bytes(golden, golden->count);
		for (size_t i = 1; i + 3 <= size; i += 3)
			bytes.bytes[(data[i] | (size_t)data[i + 1] << 8) % bytes.size] =
				data[i + 2];
	} else {
		bytes_append(&bytes, data, size);
	}
	check(&bytes);
	bytes_free(&bytes);
	return 0;
}

#ifndef FUZZ_ENGINE
static int replay(const char *name)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(name, "rb");
	size_t size;

	if (!file) {
		perror(name);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(int count, char **names)
{
	int failed = 0;

	for (int i = 1; i < count; i++)
		failed |= replay(names[i]);
	return failed;
}
#endif
