/* SPDX-License-Identifier: MIT */
/*
 * Traces of DynamoRIO's drmemtrace as its view tool prints them; the form is in bench/trace.h. The
 * source is the tool's documentation ("Human-Readable View"), and its view.h and view.cpp in
 * clients/drcachesim/tools:
 *
 *	Output format:
 *	<--record#-> <--instr#->: <Wrkld.Tid> <record details>
 *	------------------------------------------------------------
 *	           7           0:    W0.T1234 <marker: W0.T1234 on core 7>
 *	           8           1:    W0.T1234 ifetch       5 byte(s) @ 0x00007fc205a61943 e8 b8 ...
 *	           9           1:    W0.T1234 write        8 byte(s) @ 0x00007fff9a9e3528 by PC ...
 *	View tool results:
 *	              1 : total instructions
 *
 * A thread without number has no prefix; only markers do that. The tool closes not every "<".
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "bench/trace_reader.h"

#define RECORD	"\"RECORD INSTRUCTION: THREAD DETAILS\""
#define DETAILS "ifetch, read, write, another record of drmemtrace's view or a \"<marker\""
#define NEWER	"the view of a DynamoRIO later than 9.0.1 (\"ifetch\", \"read\")"
#define DASHES	10

/* What is left of a line. Behind it stands a newline, which ends all numbers. */
struct rest {
	const char *text;
	size_t size;
};

static void skip(struct rest *rest, size_t size)
{
	rest->text += size;
	rest->size -= size;
}

/* Skips the word if it stands here. */
static bool word(struct rest *rest, const char *wanted)
{
	size_t size = strlen(wanted);

	if (rest->size < size || memcmp(rest->text, wanted, size))
		return false;
	skip(rest, size);
	return true;
}

static size_t spaces(struct rest *rest)
{
	size_t count = 0;

	while (count < rest->size && rest->text[count] == ' ')
		count++;
	skip(rest, count);
	return count;
}

static size_t digits(struct rest *rest)
{
	size_t count = 0;

	while (count < rest->size && rest->text[count] >= '0' && rest->text[count] <= '9')
		count++;
	skip(rest, count);
	return count;
}

/* Skips "W0.T1234 ", "T1234 " or "1234 ". A core that idles has a workload of -1. */
static bool thread(struct rest *rest)
{
	if (word(rest, "W")) {
		word(rest, "-");
		if (!digits(rest) || !word(rest, ".T"))
			return false;
	} else {
		word(rest, "T");
	}
	return digits(rest) && word(rest, " ");
}

/* Skips the columns in front of the details. */
static bool prefix(struct rest *rest)
{
	spaces(rest);
	if (!digits(rest))
		return false;
	if (spaces(rest) && !digits(rest))
		return false;
	if (!word(rest, ":") || !spaces(rest))
		return false;
	return thread(rest);
}

static bool dashes(struct rest rest)
{
	size_t count = 0;

	while (count < rest.size && rest.text[count] == '-')
		count++;
	return count == rest.size && count >= DASHES;
}

static bool header(struct rest rest)
{
	return dashes(rest) || word(&rest, "Output format:") || word(&rest, "<record#>") ||
	       word(&rest, "<--record#->");
}

/* Until November 2021 there was the thread alone: "T1234 ". */
static bool old_prefix(struct rest rest)
{
	return word(&rest, "T") && digits(&rest) && word(&rest, " ");
}

/* Until May 2022 an instruction had no name and no size: "  0x00007f3e83b0b7f2  48 83 45 f0". */
static bool old_instruction(struct rest details)
{
	return spaces(&details) && word(&details, "0x");
}

/* The details without prefix that stand for no access; TRACE_IGNORED for anything else. */
static enum trace_ignored bracket(struct rest rest)
{
	if (word(&rest, "<marker: "))
		return TRACE_MARKER;
	if (word(&rest, "<thread "))
		return TRACE_THREAD_EXIT;
	return word(&rest, "<entry type ") ? TRACE_ENTRY : TRACE_IGNORED;
}

static bool drmemtrace_begins(const char *bytes, size_t size)
{
	struct rest rest = {bytes, size}, columns = rest;

	return header(rest) || bracket(rest) != TRACE_IGNORED || old_prefix(rest) ||
	       prefix(&columns);
}

static int ignore(struct trace *trace, enum trace_ignored reason)
{
	trace->counts.ignored[reason]++;
	return 0;
}

static int refuse(struct trace *trace, const char *field, struct rest found, const char *wanted)
{
	char quoted[TRACE_QUOTED];

	return trace_refuse(trace, field, 0, "found %s, wanted %s",
			    trace_quote(quoted, found.text, found.size), wanted);
}

/* Up to the next space. */
static struct rest token(struct rest rest)
{
	const char *space = memchr(rest.text, ' ', rest.size);

	if (space)
		rest.size = (size_t)(space - rest.text);
	return rest;
}

static bool hexadecimal(struct rest *rest, uint64_t *value)
{
	unsigned int count = trace_hexadecimal(rest->text, value);

	skip(rest, count);
	return count && (!rest->size || rest->text[0] == ' ');
}

/*
 * "   8 byte(s) @ 0x00007fff9a9e3528 ...", behind a name: size and address. The size is left for
 * trace_emit() to judge: a flush has what size it likes.
 */
static int operand(struct trace *trace, struct rest *rest, uint64_t *size, uint64_t *address)
{
	struct rest start;
	unsigned int count;

	spaces(rest);
	start = *rest;
	count = trace_decimal(rest->text, size);
	skip(rest, count);
	if (!count || (rest->size && rest->text[0] != ' '))
		return refuse(trace, "size", token(start), "1 to 4096");
	start = *rest;
	if (!word(rest, " byte(s) @ 0x"))
		return refuse(trace, NULL, start, "\" byte(s) @ 0xADDRESS\"");
	start = *rest;
	if (!hexadecimal(rest, address))
		return refuse(trace, "address", token(start), "1 to 16 hexadecimal digits");
	return 0;
}

/* Behind the address of everything that is no instruction: " by PC 0x00007fc205a61943". */
static int program_counter(struct trace *trace, struct rest rest)
{
	struct rest start = rest;
	uint64_t address;

	if (!spaces(&rest) || !word(&rest, "by PC 0x"))
		return refuse(trace, NULL, start, "\" by PC 0xADDRESS\"");
	start = rest;
	if (!hexadecimal(&rest, &address) || rest.size)
		return refuse(trace, "PC", start, "1 to 16 hexadecimal digits");
	return 0;
}

static int read_instruction(struct trace *trace, struct rest rest, bool fetched,
			    struct trace_access *out)
{
	uint64_t size, address;
	int count = operand(trace, &rest, &size, &address);

	if (count < 0)
		return count;
	if (!rest.size)
		return refuse(trace, NULL, rest, "the instruction behind its address");
	if (fetched && !(word(&rest, " non-fetched instruction") && !rest.size))
		count = trace_emit(trace, TRACE_FETCH, address, size, out);
	else
		count = ignore(trace, TRACE_NOT_FETCHED);
	trace->listed += count >= 0;
	return count;
}

static int read_data(struct trace *trace, struct rest rest, enum trace_kind kind,
		     enum trace_ignored reason, struct trace_access *out)
{
	uint64_t size, address;
	int error = operand(trace, &rest, &size, &address);

	if (!error)
		error = program_counter(trace, rest);
	if (error)
		return error;
	return kind == TRACE_KINDS ? ignore(trace, reason)
				   : trace_emit(trace, kind, address, size, out);
}

/* Pairs of digits, spaces in front of them and between. */
static bool bytes_only(struct rest rest)
{
	if (!spaces(&rest) || !rest.size)
		return false;
	while (rest.size) {
		if (rest.size < 2 || !isxdigit((unsigned char)rest.text[0]) ||
		    !isxdigit((unsigned char)rest.text[1]))
			return false;
		skip(&rest, 2);
		if (rest.size && !spaces(&rest))
			return false;
	}
	return true;
}

/* "pref", "pref-r-L1-NT", "pref-HW": there are many. */
static bool prefetch(struct rest name)
{
	if (!word(&name, "pref") || (name.size && name.text[0] != '-'))
		return false;
	for (size_t i = 0; i < name.size; i++) {
		if (name.text[i] != '-' && !isalnum((unsigned char)name.text[i]))
			return false;
	}
	return true;
}

static bool is(struct rest name, const char *wanted)
{
	return name.size == strlen(wanted) && !memcmp(name.text, wanted, name.size);
}

static int read_details(struct trace *trace, struct rest rest, struct trace_access *out)
{
	struct rest name = token(rest), details = rest;
	enum trace_ignored reason = bracket(rest);

	skip(&rest, name.size);
	if (is(name, "ifetch"))
		return read_instruction(trace, rest, true, out);
	if (is(name, "read"))
		return read_data(trace, rest, TRACE_LOAD, 0, out);
	if (is(name, "write"))
		return read_data(trace, rest, TRACE_STORE, 0, out);
	if (reason != TRACE_IGNORED)
		return ignore(trace, reason);
	if (is(name, "non-fetched"))
		return read_instruction(trace, rest, false, out);
	if (is(name, "iflush") || is(name, "dflush"))
		return read_data(trace, rest, TRACE_KINDS, TRACE_FLUSH, out);
	if (prefetch(name))
		return read_data(trace, rest, TRACE_KINDS, TRACE_PREFETCH, out);
	if (bytes_only(details))
		return ignore(trace, TRACE_BYTES);
	return refuse(trace, NULL, details, old_instruction(details) ? NEWER : DETAILS);
}

static int read_record(struct trace *trace, struct rest line, struct trace_access *out)
{
	struct rest details = line;
	enum trace_ignored reason;

	if (prefix(&details))
		return read_details(trace, details, out);
	if (is(line, "View tool results:")) {
		trace->view = VIEW_TOTAL;
		return ignore(trace, TRACE_RESULTS);
	}
	reason = header(line) ? TRACE_HEADER : bracket(line);
	if (reason != TRACE_IGNORED)
		return ignore(trace, reason);
	return refuse(trace, NULL, line, old_prefix(line) ? NEWER : RECORD);
}

/* "   8 : total instructions"; some versions count none where they have no disassembly. */
static int read_total(struct trace *trace, struct rest line)
{
	struct rest rest = line;
	uint64_t total = 0;

	spaces(&rest);
	skip(&rest, trace_decimal(rest.text, &total));
	if (!is(rest, " : total instructions") && !is(rest, " : total disassembled instructions"))
		return refuse(trace, NULL, line, "\"NUMBER : total instructions\"");
	if (total && total != trace->listed)
		return trace_refuse(trace, "total instructions", 0,
				    "found %" PRIu64 ", wanted %" PRIu64 " as in the lines before",
				    total, trace->listed);
	trace->view = VIEW_CLOSED;
	return ignore(trace, TRACE_RESULTS);
}

/* Another view may follow, or, behind a line of "=", what another tool has to say. */
static int read_closed(struct trace *trace, struct rest line)
{
	if (is(line, "Output format:")) {
		trace->view = VIEW_RECORDS;
		trace->listed = 0;
		return ignore(trace, TRACE_HEADER);
	}
	if (line.size && line.text[0] == '=')
		trace->view = VIEW_OTHERS;
	else if (line.size && trace->view == VIEW_CLOSED)
		return refuse(trace, NULL, line,
			      "the end, another view or the line of another tool");
	return ignore(trace, TRACE_RESULTS);
}

static int drmemtrace_read(struct trace *trace, const char *line, size_t size,
			   struct trace_access *out)
{
	struct rest rest = {line, size};

	switch (trace->view) {
	case VIEW_RECORDS:
		return read_record(trace, rest, out);
	case VIEW_TOTAL:
		return read_total(trace, rest);
	default:
		return read_closed(trace, rest);
	}
}

const struct trace_reader trace_drmemtrace_reader = {
	.begins = drmemtrace_begins,
	.read = drmemtrace_read,
};
