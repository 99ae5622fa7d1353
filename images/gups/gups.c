/* SPDX-License-Identifier: MIT */
/*
 * Random read-modify-write over a table of 64-bit words, after the RandomAccess test ("GUPS") of
 * the HPC Challenge benchmarks: the access that a translation cache likes least.
 *
 * Word i of the table starts as i. The numbers r are those of SplitMix64 (images/common/mix.h)
 * started at the seed; the word that r picks is the upper half of the 128-bit product r * words,
 * and r is xored into it. Unlike the original there is one generator, no batches, and the table
 * need not be a power of two.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "images/common/args.h"
#include "images/common/mix.h"

#define DEFAULT_SIZE	     (UINT64_C(4) << 20)
#define DEFAULT_SEED	     1
#define UPDATES_PER_WORD     4
#define DEFAULT_UPDATES_MOST (UINT64_C(1) << 24) /* a fraction of a second natively */

struct options {
	uint64_t size;
	uint64_t updates;
	bool updates_given;
	uint64_t seed;
};

static int parse(struct options *options, char **argv)
{
	struct args args = args_start("gups", argv);
	const char *argument;
	int error;

	while ((argument = args_next(&args))) {
		if (strcmp(argument, "--updates") == 0) {
			error = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					    &options->updates);
			options->updates_given = true;
		} else if (strcmp(argument, "--seed") == 0) {
			error = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					    &options->seed);
		} else if (argument[0] == '-' || options->size) {
			error = args_unknown(&args, argument, "one SIZE, --updates N or --seed N");
		} else {
			error = args_size(&args, "SIZE", argument, sizeof(uint64_t),
					  &options->size);
		}
		if (error)
			return error;
	}
	if (!options->size)
		options->size = DEFAULT_SIZE;
	if (!options->updates_given) {
		options->updates = options->size / sizeof(uint64_t) * UPDATES_PER_WORD;
		if (options->updates > DEFAULT_UPDATES_MOST)
			options->updates = DEFAULT_UPDATES_MOST;
	}
	return 0;
}

static void update(uint64_t *table, uint64_t words, uint64_t updates, uint64_t seed)
{
	uint64_t state = seed;

	while (updates--) {
		uint64_t number = mix64_next(&state);

		table[mix64_below(number, words)] ^= number;
	}
}

int main(int argc, char **argv)
{
	struct options options = {.seed = DEFAULT_SEED};
	uint64_t words, checksum = 0;
	uint64_t *table;
	int error = parse(&options, argv);

	(void)argc;
	if (error)
		return error;

	table = mmap(NULL, options.size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED) {
		perror("gups: mmap");
		return 1;
	}
	words = options.size / sizeof(uint64_t);
	for (uint64_t i = 0; i < words; i++)
		table[i] = i;
	update(table, words, options.updates, options.seed);
	for (uint64_t i = 0; i < words; i++)
		checksum = mix64_sum(checksum, table[i]);
	printf("words %" PRIu64 "\nupdates %" PRIu64 "\nchecksum 0x%016" PRIx64 "\n", words,
	       options.updates, checksum);
	return 0;
}
