/* SPDX-License-Identifier: MIT */
/*
 * What the readers of the formats share: bench/trace.c drives them, one file each has what a format
 * looks like. Included by bench/trace*.c only.
 */
#ifndef BENCH_TRACE_READER_H
#define BENCH_TRACE_READER_H

#include <stdbool.h>

#include "bench/trace_input.h"

struct trace {
	struct trace_input input;
	enum trace_format format;
	struct trace_counts counts;

	/* An access that does not fit the caller's array. */
	struct trace_access pending[TRACE_RECORD_MAX];
	size_t pending_start;
	size_t pending_end;

	/* Set once, by trace_refuse() or the input: what every further trace_next() returns. */
	int error;
	struct message problem;
	bool finished; /* read to the end, all well */

	/* Text only, as offsets in the decoded trace. */
	uint64_t scanned; /* up to here it was looked through for NUL bytes */
	uint64_t nul;	  /* the first of them, or UINT64_MAX */

	/* drmemtrace only. */
	enum { VIEW_RECORDS, VIEW_TOTAL, VIEW_CLOSED, VIEW_OTHERS } view;
	uint64_t listed; /* instructions of this view */
};

/* A format, of lines or of records of a fixed size: the other member is 0 or NULL. */
struct trace_reader {
	/* Whether a trace of this format may begin so: with this line, if it has lines. */
	bool (*begins)(const char *bytes, size_t size);
	/*
	 * One line, behind which a newline stands, without NUL bytes; or one record. Returns how
	 * many accesses it has filled in, and notes the line in the counts; or, after
	 * trace_refuse(), -1 without having changed the counts.
	 */
	int (*read)(struct trace *trace, const char *bytes, size_t size, struct trace_access *out);
	size_t record_size; /* 0: lines */
};

extern const struct trace_reader trace_lackey_reader;
extern const struct trace_reader trace_drmemtrace_reader;
extern const struct trace_reader trace_champsim_reader;

#define TRACE_CANONICAL "a canonical address: up to 0x7fffffffffff, or from 0xffff800000000000"

/*
 * Refuses the line or record at hand. `field` may be NULL; `byte` is the field's place in a record
 * of fixed size, and means nothing for lines. `format` has the form "found ..., wanted ...".
 * Returns -1.
 */
int trace_refuse(struct trace *trace, const char *field, size_t byte, const char *format, ...)
	__attribute__((format(printf, 4, 5), cold));

#define TRACE_QUOTED 64

/* The bytes in quotes as printable ASCII, cut where the room ends. Returns `quoted`. */
const char *trace_quote(char quoted[TRACE_QUOTED], const char *bytes, size_t size);

/* Numbers in a line: 1 to 16 digits; stops at any other byte. Returns how many it has read. */
unsigned int trace_hexadecimal(const char *text, uint64_t *value);
unsigned int trace_decimal(const char *text, uint64_t *value);

static inline bool trace_canonical(uint64_t address)
{
	return address + (UINT64_C(1) << 47) < UINT64_C(1) << 48;
}

/* What trace_emit() does not do in a few instructions. */
int trace_emit_slowly(struct trace *trace, enum trace_kind kind, uint64_t address, uint64_t size,
		      struct trace_access *out);

/* One access of a line: fills in one or two, counts them and returns their number, or refuses. */
static inline int trace_emit(struct trace *trace, enum trace_kind kind, uint64_t address,
			     uint64_t size, struct trace_access *out)
{
	if (size - 1 >= TRACE_SIZE_MAX || address >> 47 || (address & 4095) + size > 4096)
		return trace_emit_slowly(trace, kind, address, size, out);
	*out = (struct trace_access){address, (uint32_t)size, (uint8_t)kind};
	trace->counts.accesses[kind]++;
	trace->counts.instructions += kind == TRACE_FETCH;
	return 1;
}

#endif
