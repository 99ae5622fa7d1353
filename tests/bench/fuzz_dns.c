/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the resolver: no bytes, as a client's or as the origin's, break a promise of
 * tests/bench/dns_invariants.h.
 *
 * An input is a message; or, if its first byte is the number of one of those that are written down,
 * that message with bytes changed: two bytes a change, for its place and what to put there.
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined -DFUZZ_ENGINE (the engine brings main).
 * Otherwise this is a program that replays the files it is given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/dns_invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size)
{
	static struct dns_resolver *resolver;
	const char *broken;

	if (!resolver)
		resolver = dns_fresh_resolver();
	broken = dns_broken_promise(resolver, data, size);
	if (broken) {
		fprintf(stderr, "broken promise: %s\n", broken);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t changed[256];

	if (!size || data[0] >= DNS_GOLDEN) {
		check(data, size);
		return 0;
	}
	memcpy(changed, dns_golden[data[0]].bytes, dns_golden[data[0]].size);
	for (size_t i = 1; i + 2 <= size; i += 2)
		changed[data[i] % dns_golden[data[0]].size] = data[i + 1];
	check(changed, dns_golden[data[0]].size);
	return 0;
}

#ifndef FUZZ_ENGINE
static int replay(const char *name)
{
	static uint8_t data[1 << 17];
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
