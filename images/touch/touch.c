/* SPDX-License-Identifier: MIT */
/*
 * Writes a tag into every page of a fresh anonymous mapping, in a chosen order, then reads all of
 * them back from the first to the last. The checksum is taken while reading, so it depends on size
 * and seed alone and is the same for every order.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "images/common/args.h"
#include "images/touch/order.h"
#include "images/touch/tag.h"

#define DEFAULT_STRIDE 64
#define WORDS_PER_PAGE (TOUCH_PAGE_SIZE / sizeof(uint64_t))

struct options {
	uint64_t size;
	enum order_kind order;
	uint64_t stride; /* 0: not given */
	uint64_t seed;
};

static int parse_order(struct args *args, const char *option, enum order_kind *order)
{
	const char *name = args_next(args);

	for (int kind = 0; name && kind < ORDER_KINDS; kind++) {
		if (strcmp(name, order_names[kind]) == 0) {
			*order = kind;
			return 0;
		}
	}
	return args_refuse(args, option, name, "sequential, reverse, strided or random");
}

static int parse(struct options *options, char **argv)
{
	struct args args = args_start("touch", argv);
	const char *argument;
	int error;

	while ((argument = args_next(&args))) {
		if (strcmp(argument, "--order") == 0)
			error = parse_order(&args, argument, &options->order);
		else if (strcmp(argument, "--seed") == 0)
			error = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					    &options->seed);
		else if (strcmp(argument, "--stride") == 0)
			error = args_number(&args, argument, args_next(&args), 1, UINT32_MAX,
					    &options->stride);
		else if (argument[0] == '-' || options->size)
			error = args_unknown(&args, argument,
					     "one SIZE, --order ORDER, --seed N or --stride PAGES");
		else
			error = args_size(&args, "SIZE", argument, TOUCH_PAGE_SIZE, &options->size);
		if (error)
			return error;
	}
	if (!options->size) /* nothing given: let the reader of sizes say so */
		return args_size(&args, "SIZE", NULL, TOUCH_PAGE_SIZE, &options->size);
	if (options->stride && options->order != ORDER_STRIDED)
		return args_refuse(&args, "--stride with --order", order_names[options->order],
				   "--order strided");
	if (!options->stride)
		options->stride = DEFAULT_STRIDE;
	return 0;
}

static void write_tags(uint64_t *words, uint64_t pages, const struct options *options)
{
	struct order order = order_start(options->order, pages, options->stride, options->seed);

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t page = order_next(&order);

		words[page * WORDS_PER_PAGE] = touch_tag(page, options->seed);
	}
}

/* Returns how many pages hold what they must; the first that does not goes to stderr. */
static uint64_t verify_tags(const uint64_t *words, uint64_t pages, uint64_t seed,
			    uint64_t *checksum)
{
	uint64_t good = 0;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t tag = words[page * WORDS_PER_PAGE];
		/* Never written: another value means that a frame was not zeroed or is shared. */
		uint64_t last = words[(page + 1) * WORDS_PER_PAGE - 1];
		uint64_t wanted = touch_tag(page, seed);

		*checksum = mix64_sum(*checksum, tag);
		if (tag == wanted && last == 0)
			good++;
		else if (good == page) /* the first one only */
			fprintf(stderr,
				"touch: page %" PRIu64 ": found tag 0x%016" PRIx64
				" and last word 0x%016" PRIx64 ", wanted 0x%016" PRIx64 " and 0\n",
				page, tag, last, wanted);
	}
	return good;
}

int main(int argc, char **argv)
{
	struct options options = {.seed = TOUCH_SEED};
	uint64_t pages, good, checksum = 0;
	uint64_t *words;
	int error = parse(&options, argv);

	(void)argc;
	if (error)
		return error;

	words = mmap(NULL, options.size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (words == MAP_FAILED) {
		perror("touch: mmap");
		return 1;
	}
	pages = options.size / TOUCH_PAGE_SIZE;
	printf("pages %" PRIu64 "\norder %s\n", pages, order_names[options.order]);
	write_tags(words, pages, &options);
	good = verify_tags(words, pages, options.seed, &checksum);
	printf("verified %" PRIu64 "\nchecksum 0x%016" PRIx64 "\n", good, checksum);
	return good == pages ? 0 : 1;
}
