/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a trace, decompressed, in a window of fixed size that moves on. For bench/trace*.c.
 */
#ifndef BENCH_TRACE_INPUT_H
#define BENCH_TRACE_INPUT_H

#include <lzma.h>
#include <stdbool.h>
#include <zlib.h>

#include "bench/trace.h"

#define TRACE_FILE_BYTES   65536
#define TRACE_WINDOW_BYTES (4 * TRACE_LINE_MAX)
#define TRACE_NAME_MAX	   160

struct trace_decoder;

struct trace_input {
	int fd;
	bool keep;		       /* the file is not to be closed: standard input */
	char name[TRACE_NAME_MAX + 1]; /* of the file, printable, for messages */
	uint64_t total;		       /* struct trace_progress */
	uint64_t consumed;

	/* As it is in the file, not decoded yet: bytes file_start to file_end. */
	unsigned char *file;
	size_t file_start;
	size_t file_end;
	bool at_end; /* of the file */

	const struct trace_decoder *decoder;
	bool started;  /* the decoder was */
	bool between;  /* gzip: behind a member */
	bool finished; /* all is decoded */
	int error;     /* where decoding came to an end, and what there is to say */
	struct message problem;
	union {
		lzma_stream xz;
		z_stream gzip;
	};

	/* Decoded, not read yet: bytes start to end of the window. Readers advance `start`. */
	char *window;
	size_t start;
	size_t end;
	uint64_t offset; /* of the window's first byte in the decoded trace */
};

/* On an error, which is trace_open()'s, nothing is left to be closed. */
int trace_input_open(struct trace_input *input, const char *path, struct message *message);

/*
 * Decodes more behind what is in the window, which must have room: what was read already is moved
 * out of it. Returns 1 if there is more now, 0 at the end, or trace_next()'s errors.
 */
int trace_input_more(struct trace_input *input, struct message *message);

enum trace_compression trace_input_compression(const struct trace_input *input);

void trace_input_close(struct trace_input *input);

#endif
