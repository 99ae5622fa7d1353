/* SPDX-License-Identifier: MIT */
/* Traces made in memory, and what became of reading them. Without Criterion: the fuzzer has it too.
 */
#ifndef TESTS_BENCH_TRACE_FIXTURE_H
#define TESTS_BENCH_TRACE_FIXTURE_H

#include <stdbool.h>

#include "bench/trace.h"

/* What read_bytes() opens, and so what its messages begin with. */
#define TRACE_FD   100
#define TRACE_PATH "/dev/fd/100"

struct bytes {
	unsigned char *bytes;
	size_t size;
};

void bytes_append(struct bytes *bytes, const void *more, size_t size);
void bytes_text(struct bytes *bytes, const char *text);
/* One record of ChampSim, without registers. */
void bytes_record(struct bytes *bytes, uint64_t ip, uint8_t is_branch, const uint64_t stores[2],
		  const uint64_t loads[4]);
void bytes_free(struct bytes *bytes);

/* One stream or member; TRACE_PLAIN copies. */
struct bytes bytes_compressed(const struct bytes *bytes, enum trace_compression compression);

struct reading {
	struct trace_access *accesses;
	size_t count;
	bool opened;
	enum trace_format format; /* if it was opened, as all below */
	enum trace_compression compression;
	struct trace_counts counts;
	struct trace_progress progress;
	int error;		/* 0: read to the end */
	struct message message; /* of the error */
};

/* Opens and reads to the end or an error, `batch` accesses at a time; then closes. */
void read_path(const char *path, size_t batch, struct reading *reading);
/* From a file, */
void read_bytes(const struct bytes *bytes, size_t batch, struct reading *reading);
/* and from standard input, which cannot seek and gives `chunk` bytes a read. */
void read_pieces(const struct bytes *bytes, size_t chunk, size_t batch, struct reading *reading);
void reading_free(struct reading *reading);

/* The first promise of bench/trace.h that a reading does not keep, or NULL. */
const char *reading_broken_promise(const struct reading *reading);

/* Whether the accesses are the same, and the way it ended but for the name in the message. */
bool reading_same(const struct reading *one, const struct reading *other);

#endif
