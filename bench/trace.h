/* SPDX-License-Identifier: MIT */
/*
 * Memory traces of other tools as one stream of accesses. Read front to back, never sought in, so
 * a pipe does; memory does not grow with the trace. What kind a trace is, and how it is compressed,
 * is found out from its first bytes; names of files mean nothing.
 *
 * lackey: what `valgrind --tool=lackey --trace-mem=yes --log-file=FILE PROGRAM` writes. An access
 * is a line: "I  04016b80,3" (fetch), " L 1ffeffe7e0,8" (load), " S ..." (store) or " M ..."
 * (modify); address in hexadecimal, size in decimal. Valgrind's own lines ("==PID== ...",
 * "--PID-- ...", "**PID** ...") and superblocks ("SB 04016b80") are ignored. Output of the program
 * itself is not accepted, since it could not be told from damage. Hence --log-file; for a pipe,
 *
 *	valgrind --tool=lackey --trace-mem=yes --log-fd=9 PROGRAM 9>&1 >/dev/null | ...
 *
 * drmemtrace: what `drrun -t drmemtrace -tool view` of DynamoRIO prints since May 2022 (later than
 * release 9.0.1). A record is a line
 *
 *	RECORD INSTRUCTION: THREAD NAME SIZE byte(s) @ 0xADDRESS ...
 *
 * where NAME is ifetch, read or write if it is an access. THREAD was T1, then 1, and is W0.T1 now;
 * the column INSTRUCTION is of November 2022. All forms are read, and headers may be missing.
 * Instructions that were not fetched again (string instructions), prefetches, flushes, markers and
 * the like are ignored. Before 2026 the view names an instruction that was not fetched "ifetch" if
 * it disassembles: such a line counts as a fetch. The closing number of instructions must be that
 * of the lines, or 0, which some versions print.
 *
 * ChampSim: records of 64 bytes, little-endian, without header (`struct input_instr` in ChampSim's
 * inc/trace_instruction.h). A record is a fetch, then its loads, then its stores; a memory operand
 * of 0 is none. Sizes are not recorded: each access has size 1. CloudSuite's records of 96 bytes
 * are not read: their second is refused.
 *
 * Each may be compressed by xz or gzip, of several streams or members too. liblzma may take
 * TRACE_XZ_MEMORY.
 *
 * Every line or record is an access, or ignored and counted by its reason, or an error: nothing is
 * skipped silently. Errors of the trace are -EBADMSG with status 65 and a message:
 *
 *	FILE: line 7: size: found "-3", wanted 1 to 4096
 *	FILE: byte 136: is_branch: found 7, wanted 0 or 1
 *	FILE: compressed byte 4096: found the end of the file, wanted the rest of the xz stream
 *
 * Lines begin at 1 and bytes at 0, both of the decompressed trace. Errors are
 *
 * - a last line without newline: nobody can tell "I  04016b80,1" from the start of
 *   "I  04016b80,15"; a last record of fewer than 64 bytes; a compressed stream without its end;
 * - an address of more than 16 digits, one that is not canonical for 48 bits (bits 63 to 47 are not
 *   all the same), an access that runs across the end of either half;
 * - a size of 0 or above 4096, a sign, anything else that is not a digit;
 * - a line of more than TRACE_LINE_MAX bytes, one with a NUL byte;
 * - any other line or field that is not of the trace's kind.
 *
 * Kernel addresses (the upper half) are handed out as they are and counted. Keys of tables have
 * 36-bit VPNs, and as only canonical addresses pass, trace_vpn() is unique.
 *
 * A check of xz or gzip comes behind the data that it is for: what came before a damage that only
 * the check finds has been handed out when the error comes.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/message.h"

#define TRACE_LINE_MAX	65536 /* bytes of a line, without its newline */
#define TRACE_SIZE_MAX	4096  /* bytes of an access in the trace */
#define TRACE_XZ_MEMORY (UINT64_C(128) << 20)

/*
 * A modify is a load and a store of the same bytes by one instruction, as lackey notes it: one
 * access that writes. The other formats have a load and a store for it.
 */
enum trace_kind { TRACE_FETCH, TRACE_LOAD, TRACE_STORE, TRACE_MODIFY, TRACE_KINDS };

enum trace_format { TRACE_LACKEY, TRACE_DRMEMTRACE, TRACE_CHAMPSIM, TRACE_FORMATS };

enum trace_compression { TRACE_PLAIN, TRACE_XZ, TRACE_GZIP, TRACE_COMPRESSIONS };

/* Why a line is no access. */
enum trace_ignored {
	TRACE_VALGRIND,	  /* lackey: valgrind's own */
	TRACE_SUPERBLOCK, /* lackey: start of a superblock */
	TRACE_HEADER,	  /* drmemtrace: headers and lines of dashes */
	TRACE_RESULTS, /* drmemtrace: the closing lines, and results of tools that ran beside it */
	TRACE_MARKER,  /* drmemtrace, as all below */
	TRACE_THREAD_EXIT, /* end of a thread */
	TRACE_ENTRY,	   /* "<entry type N>", for which the view tool itself has no name */
	TRACE_NOT_FETCHED, /* an instruction that goes on: the fetch was a line before */
	TRACE_PREFETCH,	   /* by software or hardware */
	TRACE_FLUSH,	   /* of a cache line */
	TRACE_BYTES,	   /* the rest of an instruction's bytes, for which there was no room */
	TRACE_IGNORED
};

/*
 * Lies within one page of 4 KiB: what runs across a page boundary in the trace is handed out as two
 * accesses, the lower first.
 */
struct trace_access {
	uint64_t address; /* canonical */
	uint32_t size;	  /* 1 to 4096 bytes */
	uint8_t kind;	  /* enum trace_kind */
};

/*
 * What has been read so far. An access counts when it is read; trace_next() with less than
 * TRACE_RECORD_MAX places may hand it out later.
 */
struct trace_counts {
	uint64_t records;		/* whole lines, or records of ChampSim */
	uint64_t instructions;		/* that were fetched */
	uint64_t accesses[TRACE_KINDS]; /* handed out, both parts of a split one */
	uint64_t splits;		/* accesses that ran across a page boundary */
	uint64_t upper_half;		/* accesses of kernel addresses */
	uint64_t ignored[TRACE_IGNORED];
};

#define TRACE_RECORD_MAX 8 /* no line or record has more accesses */

struct trace_progress {
	uint64_t consumed; /* bytes taken from the file, compressed ones if it is compressed */
	uint64_t total;	   /* bytes of the file, 0 if that is not known: a pipe */
};

struct trace;

/*
 * Opens a file, a pipe or, as "-", standard input (which stays open when the trace is closed),
 * reads until the trace's kind is known, and fills in *trace, which the caller closes. 0, -EBADMSG
 * with status 65, another negative errno with status 66 for a file that cannot be read, or -ENOMEM
 * with status 70. *trace is NULL after an error.
 */
int trace_open(struct trace **trace, const char *path, struct message *message);

/*
 * Fills in up to `count` accesses (at least 1) and returns their number, 0 at the trace's end, or
 * what trace_open() may return. What comes before an error is handed out first; from then on every
 * call returns the error. Waits for a pipe only while it has nothing to hand out. Fastest with
 * hundreds of places.
 */
long trace_next(struct trace *trace, struct trace_access *accesses, size_t count,
		struct message *message);

enum trace_format trace_format(const struct trace *trace);
enum trace_compression trace_compression(const struct trace *trace);
const struct trace_counts *trace_counts(const struct trace *trace);
struct trace_progress trace_progress(const struct trace *trace);

/* NULL does nothing. */
void trace_close(struct trace *trace);

/* Names for people: "lackey", "xz", "fetch", "markers". */
const char *trace_format_name(enum trace_format format);
const char *trace_compression_name(enum trace_compression compression);
const char *trace_kind_name(enum trace_kind kind);
const char *trace_ignored_name(enum trace_ignored reason);

/* The 36-bit VPN. */
static inline uint64_t trace_vpn(uint64_t address)
{
	return address >> 12 & ((UINT64_C(1) << 36) - 1);
}

#endif
