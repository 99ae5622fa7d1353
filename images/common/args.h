/* SPDX-License-Identifier: MIT */
/*
 * The arguments of the guest images, read one at a time.
 *
 * A program calls args_next() until it gives NULL, once more for the value of an option, and has
 * the value read by args_number() or args_size(). They return 0, or EX_USAGE (64) after they have
 * written to stderr which option was wrong, what stood there and what was wanted; the program then
 * ends with that status.
 */
#ifndef IMAGES_COMMON_ARGS_H
#define IMAGES_COMMON_ARGS_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct args {
	const char *program; /* the name that starts every message */
	char **next;	     /* what args_next() gives; the list ends with NULL, as argv does */
};

static inline struct args args_start(const char *program, char **argv)
{
	/* A program may be started without even its own name. */
	return (struct args){.program = program, .next = argv[0] ? argv + 1 : argv};
}

/* The next argument, or NULL when none is left. */
static inline const char *args_next(struct args *args)
{
	return *args->next ? *args->next++ : NULL;
}

/* Says why @name (an option, or an operand such as SIZE) is refused. Returns EX_USAGE. */
static inline int args_refuse(const struct args *args, const char *name, const char *value,
			      const char *wanted)
{
	if (value)
		fprintf(stderr, "%s: %s: found '%s', wanted %s\n", args->program, name, value,
			wanted);
	else
		fprintf(stderr, "%s: %s: found nothing, wanted %s\n", args->program, name, wanted);
	return EX_USAGE;
}

/* Says that @argument is nothing the program knows. Returns EX_USAGE. */
static inline int args_unknown(const struct args *args, const char *argument, const char *wanted)
{
	return args_refuse(args, argument[0] == '-' ? "unknown option" : "unexpected argument",
			   argument, wanted);
}

/* Decimal digits at the start of @text into @number, the rest at @end. False: none or too many. */
static inline bool args_digits(const char *text, uint64_t *number, char **end)
{
	/* strtoull() alone would take spaces and signs. */
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(text, end, 10);
	return errno == 0;
}

/* A decimal number from @low to @high out of @text. @text may be NULL: then it is missing. */
static inline int args_number(const struct args *args, const char *name, const char *text,
			      uint64_t low, uint64_t high, uint64_t *number)
{
	char *end;
	char wanted[80];

	if (text && args_digits(text, number, &end) && *end == '\0' && *number >= low &&
	    *number <= high)
		return 0;
	snprintf(wanted, sizeof(wanted), "a number from %" PRIu64 " to %" PRIu64, low, high);
	return args_refuse(args, name, text, wanted);
}

/* The power of two that a size's suffix stands for, or -1. */
static inline int args_suffix_shift(const char *suffix)
{
	static const char *const suffixes[] = {"", "K", "M", "G"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(suffix, suffixes[i]) == 0)
			return 10 * i;
	}
	return -1;
}

/*
 * A size in bytes out of @text: digits and perhaps K, M or G (powers of two). It must be a multiple
 * of @unit, more than zero, and less than 2^63. @text may be NULL: then it is missing.
 */
static inline int args_size(const struct args *args, const char *name, const char *text,
			    uint64_t unit, uint64_t *size)
{
	char *end;
	char wanted[120];

	if (text && args_digits(text, size, &end)) {
		int shift = args_suffix_shift(end);

		if (shift >= 0 && *size > 0 && *size <= (uint64_t)INT64_MAX >> shift) {
			*size <<= shift;
			if (*size % unit == 0)
				return 0;
		}
	}
	snprintf(wanted, sizeof(wanted),
		 "bytes with an optional K, M or G, more than zero, a multiple of %" PRIu64, unit);
	return args_refuse(args, name, text, wanted);
}

#endif
