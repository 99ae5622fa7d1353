/* SPDX-License-Identifier: MIT */
/* Traces of valgrind's lackey; the form is in bench/trace.h. */
#include <ctype.h>
#include <string.h>

#include "bench/trace_reader.h"

#define LINES "\"I  ADDRESS,SIZE\", \" L ...\", \" S ...\", \" M ...\" or a line of valgrind's own"

/* "==PID== ", "--PID-- " or "**PID** "; --time-stamp=yes puts a time in front of the PID. */
static bool of_valgrind(const char *line, size_t size)
{
	char mark = size ? line[0] : 0;
	size_t i = 2;

	if ((mark != '=' && mark != '-' && mark != '*') || size < 5 || line[1] != mark)
		return false;
	while (i < size && (isdigit((unsigned char)line[i]) || strchr(" :.", line[i])))
		i++;
	return i > 2 && i + 2 <= size && line[i] == mark && line[i + 1] == mark &&
	       (i + 2 == size || line[i + 2] == ' ');
}

static bool superblock(const char *line, size_t size)
{
	return size >= 3 && !memcmp(line, "SB ", 3);
}

/* By the three characters in front of the address; TRACE_KINDS if they are something else. */
static enum trace_kind access_kind(const char *line, size_t size)
{
	if (size < 3 || line[2] != ' ')
		return TRACE_KINDS;
	if (line[0] == 'I' && line[1] == ' ')
		return TRACE_FETCH;
	if (line[0] != ' ')
		return TRACE_KINDS;
	switch (line[1]) {
	case 'L':
		return TRACE_LOAD;
	case 'S':
		return TRACE_STORE;
	case 'M':
		return TRACE_MODIFY;
	default:
		return TRACE_KINDS;
	}
}

static bool lackey_begins(const char *bytes, size_t size)
{
	return access_kind(bytes, size) != TRACE_KINDS || superblock(bytes, size) ||
	       of_valgrind(bytes, size);
}

static int refuse_address(struct trace *trace, const char *text, const char *end)
{
	const char *comma = memchr(text, ',', (size_t)(end - text));
	char quoted[TRACE_QUOTED];

	return trace_refuse(trace, "address", 0, "found %s, wanted 1 to 16 hexadecimal digits%s",
			    trace_quote(quoted, text, (size_t)((comma ? comma : end) - text)),
			    comma ? "" : " and a comma");
}

static int read_superblock(struct trace *trace, const char *line, size_t size)
{
	uint64_t address;
	unsigned int digits = trace_hexadecimal(line + 3, &address);
	char quoted[TRACE_QUOTED];

	if (!digits || 3 + digits != size)
		return trace_refuse(trace, "superblock", 0,
				    "found %s, wanted 1 to 16 hexadecimal digits",
				    trace_quote(quoted, line + 3, size - 3));
	trace->counts.ignored[TRACE_SUPERBLOCK]++;
	return 0;
}

static int read_other(struct trace *trace, const char *line, size_t size)
{
	char quoted[TRACE_QUOTED];

	if (superblock(line, size))
		return read_superblock(trace, line, size);
	if (!of_valgrind(line, size))
		return trace_refuse(trace, NULL, 0, "found %s, wanted " LINES,
				    trace_quote(quoted, line, size));
	trace->counts.ignored[TRACE_VALGRIND]++;
	return 0;
}

static int lackey_read(struct trace *trace, const char *line, size_t size, struct trace_access *out)
{
	enum trace_kind kind = access_kind(line, size);
	const char *text = line + 3, *end = line + size;
	uint64_t address, bytes;
	unsigned int digits;
	char quoted[TRACE_QUOTED];

	if (kind == TRACE_KINDS)
		return read_other(trace, line, size);
	digits = trace_hexadecimal(text, &address);
	if (!digits || text[digits] != ',')
		return refuse_address(trace, text, end);
	text += digits + 1;
	digits = trace_decimal(text, &bytes);
	if (!digits || text + digits != end)
		return trace_refuse(trace, "size", 0, "found %s, wanted 1 to %d",
				    trace_quote(quoted, text, (size_t)(end - text)),
				    TRACE_SIZE_MAX);
	return trace_emit(trace, kind, address, bytes, out);
}

const struct trace_reader trace_lackey_reader = {
	.begins = lackey_begins,
	.read = lackey_read,
};
