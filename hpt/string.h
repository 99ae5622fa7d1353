/* SPDX-License-Identifier: MIT */
/* Names and how they are found, without a C library. */
#ifndef HPT_STRING_H
#define HPT_STRING_H

#include <errno.h>
#include <stdbool.h>

static inline bool hpt_same_name(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Which of the names this is, or -ENOENT. */
static inline int hpt_find_name(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (hpt_same_name(names[i], name))
			return i;
	}
	return -ENOENT;
}

#endif
