/* SPDX-License-Identifier: MIT */
/*
 * Touches one page in each of some blocks of eight, chosen so that all of them belong to one place
 * of a page table that is hashed by a multiplication everybody knows, or chosen evenly: as many,
 * over as much address space. Then reads them back.
 *
 * The page table is the guest kernel's clustered one (hpt/clustered.h): a block's place is named by
 * the top bits of its tag times hpt/hash.h's multiplier. The addresses are the program's own choice
 * wherever it runs, so that it prints the same everywhere.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "images/common/args.h"
#include "images/common/mix.h"

#define PAGE_SIZE   UINT64_C(4096)
#define BLOCK_BYTES (8 * PAGE_SIZE)
#define MULTIPLIER  UINT64_C(0x9522ba04fb086523)
#define TAG_USED    (UINT64_C(1) << 63)
#define TAG_ASID    46

/* Where the blocks lie: the same place everywhere, so that they are the same ones. */
#define START	  (UINT64_C(1) << 40)
#define PAGES_MAX 4096
#define BITS_MAX  16

struct options {
	uint64_t pages;
	uint64_t bits;
	uint64_t asid;
	bool even;
};

static int parse(struct options *options, char **argv)
{
	struct args args = args_start("flood", argv);
	const char *argument;
	int error = 0;

	while (!error && (argument = args_next(&args))) {
		if (strcmp(argument, "--bits") == 0)
			error = args_number(&args, argument, args_next(&args), 1, BITS_MAX,
					    &options->bits);
		else if (strcmp(argument, "--asid") == 0)
			error = args_number(&args, argument, args_next(&args), 1, UINT16_MAX,
					    &options->asid);
		else if (strcmp(argument, "--even") == 0)
			options->even = true;
		else if (argument[0] == '-' || options->pages)
			error = args_unknown(&args, argument,
					     "one PAGES, --bits N, --asid N or --even");
		else
			error = args_number(&args, "PAGES", argument, 1, PAGES_MAX,
					    &options->pages);
	}
	if (!error && !options->pages)
		return args_number(&args, "PAGES", NULL, 1, PAGES_MAX, &options->pages);
	return error;
}

/* The top bits of the block's hash. */
static uint64_t place(const struct options *options, uint64_t address)
{
	uint64_t tag = TAG_USED | options->asid << TAG_ASID | address / BLOCK_BYTES;

	return tag * MULTIPLIER >> (64 - options->bits);
}

/* Writes the address of each page; returns how many bytes of address space they lie in. */
static uint64_t choose(const struct options *options, uint64_t *addresses)
{
	uint64_t wanted = place(options, START);
	uint64_t address = START;

	for (uint64_t i = 0; i < options->pages; address += BLOCK_BYTES) {
		uint64_t number = (address - START) / BLOCK_BYTES;
		bool chosen = options->even ? number % (UINT64_C(1) << options->bits) == 0
					    : place(options, address) == wanted;

		if (chosen)
			addresses[i++] = address;
	}
	return address - START;
}

int main(int argc, char **argv)
{
	static uint64_t addresses[PAGES_MAX];
	struct options options = {.bits = 8, .asid = 1};
	uint64_t bytes, good = 0, checksum = 0;
	int error = parse(&options, argv);
	void *mapped;

	(void)argc;
	if (error)
		return error;
	bytes = choose(&options, addresses);
	mapped = mmap((void *)START, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (mapped == MAP_FAILED) {
		perror("flood: mmap");
		return 1;
	}
	for (uint64_t i = 0; i < options.pages; i++)
		*(volatile uint64_t *)addresses[i] = mix64(addresses[i]);
	for (uint64_t i = 0; i < options.pages; i++) {
		uint64_t found = *(volatile uint64_t *)addresses[i];

		good += found == mix64(addresses[i]);
		checksum = mix64_sum(checksum, found);
	}
	printf("pages %" PRIu64 "\nverified %" PRIu64 "\nchecksum 0x%016" PRIx64 "\n",
	       options.pages, good, checksum);
	return good != options.pages;
}
