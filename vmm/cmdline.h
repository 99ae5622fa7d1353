/* SPDX-License-Identifier: MIT */
/*
 * Kernel command lines: text that grows, and the encoding of guest/abi.h for words that may hold
 * any byte.
 */
#ifndef VMM_CMDLINE_H
#define VMM_CMDLINE_H

#include <stddef.h>

/* Starts as {0}; text is zero-terminated once something was added; the owner frees text. */
struct cmdline {
	char *text;
	size_t length;
	size_t room;
};

/*
 * Both append a word, after a space unless it is the first. The second one takes the form of
 * printf. 0 or -ENOMEM, which leaves the line as it was.
 */
int cmdline_add_encoded(struct cmdline *line, const char *prefix, const char *value);
int cmdline_add(struct cmdline *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Encodes `value`: bytes up to space, '%' and bytes from 127 on as %XX, an empty value as "%".
 * Writes at most 3 * strlen(value) + 2 bytes, with the terminating zero; returns the length.
 */
size_t cmdline_encode(const char *value, char *target);

#endif
