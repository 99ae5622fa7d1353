/* SPDX-License-Identifier: MIT */
/* Opening a trace, finding out what it is, and the loop over its lines or records. */
#include "bench/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/trace_reader.h"
#include "vmm/status.h"

#define RECORD 64 /* bytes, the largest of a record */

static const struct trace_reader *const readers[TRACE_FORMATS] = {
	[TRACE_LACKEY] = &trace_lackey_reader,
	[TRACE_DRMEMTRACE] = &trace_drmemtrace_reader,
	[TRACE_CHAMPSIM] = &trace_champsim_reader,
};

const char *trace_quote(char quoted[TRACE_QUOTED], const char *bytes, size_t size)
{
	static const char hexadecimal[] = "0123456789abcdef";
	size_t length = 0;

	quoted[length++] = '"';
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (length + 9 > TRACE_QUOTED) {
			memcpy(quoted + length, "...", 3);
			length += 3;
			break;
		}
		if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\') {
			quoted[length++] = (char)byte;
		} else {
			quoted[length++] = '\\';
			quoted[length++] = 'x';
			quoted[length++] = hexadecimal[byte >> 4];
			quoted[length++] = hexadecimal[byte & 15];
		}
	}
	quoted[length++] = '"';
	quoted[length] = 0;
	return quoted;
}

/* What is read next, in the decoded trace. */
static uint64_t place(const struct trace *trace)
{
	return trace->input.offset + trace->input.start;
}

int trace_refuse(struct trace *trace, const char *field, size_t byte, const char *format, ...)
{
	bool lines = !readers[trace->format]->record_size;
	uint64_t number = lines ? trace->counts.records + 1 : place(trace) + byte;
	char text[320];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	trace->error =
		message_set(&trace->problem, -EBADMSG, STATUS_DATA, "%s: %s %" PRIu64 ": %s%s%s",
			    trace->input.name, lines ? "line" : "byte", number, field ? field : "",
			    field ? ": " : "", text);
	return -1;
}

unsigned int trace_hexadecimal(const char *text, uint64_t *value)
{
	/* Digits as their value + 1. */
	static const unsigned char digits[256] = {
		['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	};
	unsigned int count = 0, digit;
	uint64_t sum = 0;

	while (count < 16 && (digit = digits[(unsigned char)text[count]])) {
		sum = sum << 4 | (digit - 1);
		count++;
	}
	*value = sum;
	return count;
}

unsigned int trace_decimal(const char *text, uint64_t *value)
{
	unsigned int count = 0, digit;
	uint64_t sum = 0;

	while (count < 16 && (digit = (unsigned char)text[count] - (unsigned int)'0') < 10) {
		sum = sum * 10 + digit;
		count++;
	}
	*value = sum;
	return count;
}

int trace_emit_slowly(struct trace *trace, enum trace_kind kind, uint64_t address, uint64_t size,
		      struct trace_access *out)
{
	uint64_t last = address + size - 1, first_part = 4096 - (address & 4095);
	int count = 1;

	if (size - 1 >= TRACE_SIZE_MAX)
		return trace_refuse(trace, "size", 0, "found \"%" PRIu64 "\", wanted 1 to %d", size,
				    TRACE_SIZE_MAX);
	if (!trace_canonical(address))
		return trace_refuse(trace, "address", 0,
				    "found 0x%" PRIx64 ", wanted " TRACE_CANONICAL, address);
	if (last < address || !trace_canonical(last))
		return trace_refuse(trace, "address", 0,
				    "found %" PRIu64 " bytes at 0x%" PRIx64
				    ", wanted all of them at canonical addresses",
				    size, address);
	out[0] = (struct trace_access){address, (uint32_t)size, (uint8_t)kind};
	if (first_part < size) {
		out[0].size = (uint32_t)first_part;
		out[1] = (struct trace_access){address + first_part, (uint32_t)(size - first_part),
					       (uint8_t)kind};
		count = 2;
	}
	trace->counts.accesses[kind] += (uint64_t)count;
	trace->counts.splits += count == 2;
	trace->counts.upper_half += address >> 47 ? (uint64_t)count : 0;
	trace->counts.instructions += kind == TRACE_FETCH;
	return count;
}

/* Where the window's first NUL byte is. Only what is new is looked through: all at once is cheap.
 */
static void find_nul(struct trace *trace)
{
	const struct trace_input *input = &trace->input;
	size_t scanned = (size_t)(trace->scanned - input->offset);
	const char *nul;

	if (trace->nul != UINT64_MAX || scanned == input->end)
		return;
	nul = memchr(input->window + scanned, 0, input->end - scanned);
	if (nul)
		trace->nul = input->offset + (uint64_t)(nul - input->window);
	trace->scanned = input->offset + input->end;
}

static size_t read_lines(struct trace *trace, struct trace_access *out, size_t room)
{
	const struct trace_reader *reader = readers[trace->format];
	struct trace_input *input = &trace->input;
	size_t count = 0;

	find_nul(trace);
	while (count + TRACE_RECORD_MAX <= room) {
		const char *line = input->window + input->start;
		size_t left = input->end - input->start, length;
		const char *newline = left ? memchr(line, '\n', left) : NULL;
		int got;

		length = newline ? (size_t)(newline - line) : left;
		/* In this order it does not matter how much of the line has come. */
		if (trace->nul <
		    place(trace) + (length < TRACE_LINE_MAX ? length : TRACE_LINE_MAX)) {
			trace_refuse(trace, NULL, 0, "found a NUL byte, wanted text");
			break;
		}
		if (length > TRACE_LINE_MAX) {
			trace_refuse(trace, NULL, 0, "found more than %d bytes, wanted a newline",
				     TRACE_LINE_MAX);
			break;
		}
		if (!newline)
			break;
		got = reader->read(trace, line, length, out + count);
		if (got < 0)
			break;
		trace->counts.records++;
		input->start += length + 1;
		count += (size_t)got;
	}
	return count;
}

static size_t read_records(struct trace *trace, struct trace_access *out, size_t room)
{
	const struct trace_reader *reader = readers[trace->format];
	struct trace_input *input = &trace->input;
	size_t count = 0;

	while (count + TRACE_RECORD_MAX <= room &&
	       input->end - input->start >= reader->record_size) {
		int got = reader->read(trace, input->window + input->start, reader->record_size,
				       out + count);

		if (got < 0)
			break;
		trace->counts.records++;
		input->start += reader->record_size;
		count += (size_t)got;
	}
	return count;
}

static void finish(struct trace *trace)
{
	size_t left = trace->input.end - trace->input.start;
	size_t record_size = readers[trace->format]->record_size;
	char quoted[TRACE_QUOTED];

	trace->finished = !left;
	if (left && record_size)
		trace_refuse(trace, NULL, 0, "found the last %zu bytes, wanted a record of %zu",
			     left, record_size);
	else if (left)
		trace_refuse(trace, NULL, 0, "found the end behind %s, wanted a newline first",
			     trace_quote(quoted, trace->input.window + trace->input.start, left));
}

/* Fills in at least one access unless the trace is at its end or broken; `room` takes a record. */
static size_t fill(struct trace *trace, struct trace_access *out, size_t room)
{
	struct trace_input *input = &trace->input;

	while (!trace->error && !trace->finished) {
		size_t count = readers[trace->format]->record_size ? read_records(trace, out, room)
								   : read_lines(trace, out, room);
		int more;

		if (count || trace->error)
			return count;
		more = trace_input_more(input, &trace->problem);
		if (more < 0)
			trace->error = more;
		else if (!more)
			finish(trace);
	}
	return 0;
}

static size_t take_pending(struct trace *trace, struct trace_access *accesses, size_t count)
{
	size_t left = trace->pending_end - trace->pending_start;

	if (count > left)
		count = left;
	memcpy(accesses, trace->pending + trace->pending_start, count * sizeof(*accesses));
	trace->pending_start += count;
	return count;
}

long trace_next(struct trace *trace, struct trace_access *accesses, size_t count,
		struct message *message)
{
	size_t got = take_pending(trace, accesses, count);

	if (got)
		return (long)got;
	if (count >= TRACE_RECORD_MAX) {
		got = fill(trace, accesses, count);
	} else {
		trace->pending_start = 0;
		trace->pending_end = fill(trace, trace->pending, TRACE_RECORD_MAX);
		got = take_pending(trace, accesses, count);
	}
	if (got || !trace->error)
		return (long)got;
	*message = trace->problem;
	return trace->error;
}

/*
 * Whether the first bytes tell the format, whatever comes behind them. Bytes 8 and 9 of a record of
 * ChampSim are 0 or 1, those of a text are not; a text is told by its first line.
 */
static bool enough(const struct trace_input *input)
{
	size_t size = input->end - input->start;
	const char *bytes = input->window;
	bool line = size > TRACE_LINE_MAX || (size && memchr(bytes, '\n', size));

	if (size >= 10 && (unsigned char)bytes[8] <= 1 && (unsigned char)bytes[9] <= 1)
		return trace_champsim_reader.begins(bytes, size) || (line && size >= RECORD);
	return line && size >= 10;
}

static int find_format(struct trace *trace, struct message *message)
{
	struct trace_input *input = &trace->input;
	char quoted[TRACE_QUOTED];
	const char *newline;
	size_t length;
	int more = 1;

	while (more > 0 && !enough(input))
		more = trace_input_more(input, message);
	if (more < 0)
		return more;
	newline = memchr(input->window, '\n', input->end);
	length = newline ? (size_t)(newline - input->window) : input->end;
	for (int i = TRACE_FORMATS - 1; i >= 0; i--) {
		if (readers[i]->begins(input->window,
				       readers[i]->record_size ? input->end : length)) {
			trace->format = (enum trace_format)i;
			return 0;
		}
	}
	return message_set(
		message, -EBADMSG, STATUS_DATA,
		"%s: byte 0: found %s, wanted a trace of lackey (\"I  04001000,3\"), of "
		"drmemtrace's view (\"Output format:\") or of ChampSim (records of 64 bytes)",
		input->name, input->end ? trace_quote(quoted, input->window, length) : "nothing");
}

int trace_open(struct trace **trace, const char *path, struct message *message)
{
	struct trace *opened = calloc(1, sizeof(*opened));
	int error;

	*trace = NULL;
	if (!opened)
		return message_set(message, -ENOMEM, STATUS_INTERNAL, "out of memory");
	opened->nul = UINT64_MAX;
	error = trace_input_open(&opened->input, path, message);
	if (error) {
		free(opened);
		return error;
	}
	error = find_format(opened, message);
	if (error)
		trace_close(opened);
	else
		*trace = opened;
	return error;
}

void trace_close(struct trace *trace)
{
	if (!trace)
		return;
	trace_input_close(&trace->input);
	free(trace);
}

enum trace_format trace_format(const struct trace *trace)
{
	return trace->format;
}

enum trace_compression trace_compression(const struct trace *trace)
{
	return trace_input_compression(&trace->input);
}

const struct trace_counts *trace_counts(const struct trace *trace)
{
	return &trace->counts;
}

struct trace_progress trace_progress(const struct trace *trace)
{
	return (struct trace_progress){trace->input.consumed, trace->input.total};
}

const char *trace_format_name(enum trace_format format)
{
	static const char *const names[TRACE_FORMATS] = {"lackey", "drmemtrace", "ChampSim"};

	return names[format];
}

const char *trace_compression_name(enum trace_compression compression)
{
	static const char *const names[TRACE_COMPRESSIONS] = {"none", "xz", "gzip"};

	return names[compression];
}

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[TRACE_KINDS] = {"fetch", "load", "store", "modify"};

	return names[kind];
}

const char *trace_ignored_name(enum trace_ignored reason)
{
	static const char *const names[TRACE_IGNORED] = {
		"lines of valgrind", "superblocks",
		"headers",	     "results",
		"markers",	     "ends of threads",
		"other entries",     "instructions not fetched",
		"prefetches",	     "flushes",
		"rests of bytes",
	};

	return names[reason];
}
