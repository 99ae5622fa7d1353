/* SPDX-License-Identifier: MIT */
#include "vmm/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vmm/status.h"

#define NANOSECONDS UINT64_C(1000000000)
#define SECONDS_MAX UINT64_C(1000000000)

/*
 * Reads decimal digits, leaves *text at the first other character. False if there is none or the
 * number does not fit; unlike strtoull it takes neither signs nor leading space.
 */
static bool read_digits(const char **text, uint64_t *value)
{
	const char *digit = *text;
	uint64_t number = 0;

	if (*digit < '0' || *digit > '9')
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
			return false;
	}
	*text = digit;
	*value = number;
	return true;
}

/* The multiplier's power of two, or -1 if the rest of the text is no suffix. */
static int suffix_shift(const char *suffix)
{
	static const char names[] = "KMG";
	const char *found;

	if (!*suffix)
		return 0;
	found = strchr(names, *suffix);
	return found && !suffix[1] ? 10 * (int)(found - names + 1) : -1;
}

/* A size as a user would write it: "256M", or plain bytes where no suffix fits. */
static const char *size_text(uint64_t bytes, char text[24])
{
	static const char names[] = "KMG";
	int suffix = -1;

	while (suffix < 2 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		suffix++;
	}
	snprintf(text, 24, "%" PRIu64 "%.1s", bytes, suffix < 0 ? "" : &names[suffix]);
	return text;
}

int option_size(const char *option, const char *text, uint64_t least, uint64_t most,
		uint64_t *value, struct message *message)
{
	const char *rest = text;
	char low[24], high[24];
	uint64_t number;
	int shift;

	if (!read_digits(&rest, &number) || (shift = suffix_shift(rest)) < 0)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted SIZE: a whole number with an optional "
				   "K, M or G",
				   option, text);
	if (number > UINT64_MAX >> shift || number << shift < least || number << shift > most)
		return message_set(
			message, -EINVAL, STATUS_USAGE,
			"%s: found \"%s\", wanted a size from %s to %s, a multiple of 4K", option,
			text, size_text(least, low), size_text(most, high));
	if (number << shift & (HPT_PAGE_SIZE - 1))
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted a multiple of 4K", option, text);
	*value = number << shift;
	return 0;
}

int option_count(const char *option, const char *text, uint64_t least, uint64_t most,
		 uint64_t *value, struct message *message)
{
	const char *rest = text;
	uint64_t number;

	if (!read_digits(&rest, &number) || *rest || number < least || number > most)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted a whole number from %" PRIu64
				   " to %" PRIu64,
				   option, text, least, most);
	*value = number;
	return 0;
}

/* Reads ".123" as nanoseconds; an absent fraction is 0. */
static bool read_fraction(const char *text, uint64_t *nanoseconds)
{
	uint64_t unit = NANOSECONDS / 10;

	*nanoseconds = 0;
	if (!*text)
		return true;
	if (*text++ != '.' || !*text)
		return false;
	for (; *text >= '0' && *text <= '9' && unit; text++, unit /= 10)
		*nanoseconds += (uint64_t)(*text - '0') * unit;
	return !*text;
}

int option_seconds(const char *option, const char *text, uint64_t *nanoseconds,
		   struct message *message)
{
	const char *rest = text;
	uint64_t seconds, fraction;

	if (!read_digits(&rest, &seconds) || seconds > SECONDS_MAX ||
	    !read_fraction(rest, &fraction) || !(seconds || fraction))
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted SECONDS: a number above 0, at most "
				   "1000000000, such as 10 or 0.5",
				   option, text);
	*nanoseconds = seconds * NANOSECONDS + fraction;
	return 0;
}

int option_organisation(const char *option, const char *text, enum hpt_organisation *value,
			struct message *message)
{
	int found = hpt_organisation_find(text);
	char names[128] = "";

	if (found >= 0) {
		*value = (enum hpt_organisation)found;
		return 0;
	}
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
		strncat(names, hpt_organisation_name((enum hpt_organisation)i),
			sizeof(names) - strlen(names) - 1);
	}
	return message_set(message, -EINVAL, STATUS_USAGE,
			   "%s: found \"%s\", wanted an organisation: one of %s", option, text,
			   names);
}

int option_pages(const char *option, const char *text, int *value, struct message *message)
{
	static const char *const names[] = {"4k", "2m", "mixed"};

	for (int i = 0; i < 3; i++) {
		if (!strcmp(names[i], text)) {
			*value = i;
			return 0;
		}
	}
	return message_set(message, -EINVAL, STATUS_USAGE,
			   "%s: found \"%s\", wanted 4k, 2m or mixed", option, text);
}
