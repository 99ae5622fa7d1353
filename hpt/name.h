/* SPDX-License-Identifier: MIT */
/* Names that are looked for without a libc. */
#ifndef HPT_NAME_H
#define HPT_NAME_H

#include <stdbool.h>

static inline bool hpt_name_is(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

#endif
