/* SPDX-License-Identifier: MIT */
/* See dns_wire.h. Every step is checked against the end of the message. */
#include "bench/dns_wire.h"

#include <stdbool.h>

#define HEADER	   12
#define FIXED	   10 /* type, class, TTL and length of a record, behind its name */
#define POINTER	   0xc0
#define LABEL_MOST 63

/* Behind the name at `at`; a pointer, if there may be one, ends it. 0: it does not end, or cannot
 * be.
 */
static size_t name_end(const uint8_t *message, size_t size, size_t at, bool pointer)
{
	while (at < size) {
		uint8_t label = message[at];

		if ((label & POINTER) == POINTER)
			return pointer && at + 2 <= size ? at + 2 : 0;
		if (label > LABEL_MOST)
			return 0;
		at += label + 1u;
		if (!label)
			return at;
	}
	return 0;
}

size_t wire_question_end(const uint8_t *message, size_t size)
{
	size_t end = size > HEADER ? name_end(message, size, HEADER, false) : 0;

	return end && end + 4 <= size ? end + 4 : 0;
}

size_t wire_each_ttl(uint8_t *message, size_t size, void (*change)(void *context, uint8_t *ttl),
		     void *context)
{
	size_t at = wire_question_end(message, size);
	size_t records =
		(size_t)wire_get16(message + WIRE_ANSWERS) + wire_get16(message + WIRE_AUTHORITIES);

	for (size_t i = 0; i < records; i++) {
		at = at ? name_end(message, size, at, true) : 0;
		if (!at || size - at < FIXED)
			return i;
		change(context, message + at + 4);
		at += FIXED + wire_get16(message + at + 8);
	}
	return records;
}
