/* SPDX-License-Identifier: MIT */
#include "vmm/cmdline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t cmdline_encode(const char *value, char *target)
{
	static const char digits[] = "0123456789ABCDEF";
	char *end = target;

	if (!*value)
		*end++ = '%';
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if (byte > ' ' && byte < 127 && byte != '%') {
			*end++ = *value;
			continue;
		}
		*end++ = '%';
		*end++ = digits[byte >> 4];
		*end++ = digits[byte & 15];
	}
	*end = 0;
	return (size_t)(end - target);
}

/* Makes room for `size` more bytes and a zero. */
static int reserve(struct cmdline *line, size_t size)
{
	size_t wanted = line->length + size + 1;
	char *text;

	if (wanted <= line->room)
		return 0;
	text = realloc(line->text, 2 * wanted);
	if (!text)
		return -ENOMEM;
	line->text = text;
	line->room = 2 * wanted;
	return 0;
}

static void separate(struct cmdline *line)
{
	if (line->length)
		line->text[line->length++] = ' ';
}

int cmdline_add_encoded(struct cmdline *line, const char *prefix, const char *value)
{
	size_t length = strlen(prefix);
	int error = reserve(line, 1 + length + 3 * strlen(value) + 1);

	if (error)
		return error;
	separate(line);
	memcpy(line->text + line->length, prefix, length);
	line->length += length;
	line->length += cmdline_encode(value, line->text + line->length);
	return 0;
}

int cmdline_add(struct cmdline *line, const char *format, ...)
{
	va_list arguments;
	int length, error;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	error = length < 0 ? -ENOMEM : reserve(line, 1 + (size_t)length);
	if (error)
		return error;
	separate(line);
	va_start(arguments, format);
	vsnprintf(line->text + line->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	line->length += (size_t)length;
	return 0;
}
