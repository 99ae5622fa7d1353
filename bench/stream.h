/* SPDX-License-Identifier: MIT */
/*
 * The memory accesses of a workload over up to 512 GiB of mapped memory, one after the other, to be
 * translated by whoever asks for them. Nothing is behind the addresses: arrays, trees, relations
 * and graphs are computed, or kept as far as the work needs them, in less than 64 MiB.
 *
 * A stream is endless, and it is the same for the same workload, size and seed, however it is cut
 * into calls. (zipf and keyvalue use pow(): there another libm may round otherwise.)
 *
 * Pages are 4 KiB and numbered from 0; layout.h says where they lie. An access is inside one page.
 * Where a program touches one page several times in a row, as in the search of a B-tree's node, the
 * first of these accesses stands for all: the others need no translation that it did not need.
 *
 *     uniform     any word of any page
 *     zipf        any word of pages that are drawn by rank (zipf.h), the hot ones scattered
 *     sequential  page after page, from the first to the last, again and again
 *     strided     a matrix with rows of 64 KiB, down one column after the other
 *     chase       a list with one node a page, in random order; each address follows from the last
 *     gups        updates of any word of any page (HPC Challenge, RandomAccess)
 *     btree       lookups from root to leaf (stream_btree.c)
 *     hashjoin    build and probe over two relations (stream_hashjoin.c)
 *     bfs         searches in a Kronecker graph (stream_bfs.c, graph.h)
 *     pagerank    iterations over a Kronecker graph (stream_pagerank.c, graph.h)
 *     keyvalue    get and put of keys that are drawn by rank (stream_keyvalue.c)
 *     sparse      uniform, in sparse space: each page holds one object
 *     fragmented  uniform, in fragmented space
 *
 * To add a workload: a file with a `const struct stream_kind` (stream_kind.h), named in the table
 * of stream.c.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/layout.h"

enum stream_workload {
	STREAM_UNIFORM,
	STREAM_ZIPF,
	STREAM_SEQUENTIAL,
	STREAM_STRIDED,
	STREAM_CHASE,
	STREAM_GUPS,
	STREAM_BTREE,
	STREAM_HASHJOIN,
	STREAM_BFS,
	STREAM_PAGERANK,
	STREAM_KEYVALUE,
	STREAM_SPARSE,
	STREAM_FRAGMENTED,
	STREAM_WORKLOADS,
};

#define STREAM_PAGES_MIN UINT64_C(16384) /* 64 MiB */
#define STREAM_PAGES_MAX LAYOUT_PAGES_MAX
#define STREAM_STEP_MAX	 64

struct stream_access {
	uint64_t page;
	uint16_t offset; /* of the word's first byte, in the page */
	bool write;	 /* it is written, maybe read before */
};

struct stream_config {
	enum stream_workload workload;
	/*
	 * That are mapped: STREAM_PAGES_MIN to STREAM_PAGES_MAX, any number; in sparse space from
	 * as many on as STREAM_PAGES_MIN has regions of LAYOUT_SPREAD.
	 */
	uint64_t pages;
	uint64_t seed;
};

struct stream_kind;

struct stream {
	const struct stream_kind *kind;
	void *state;
	/* Of the last step, what no call has taken yet. */
	struct stream_access rest[STREAM_STEP_MAX];
	size_t rest_start, rest_end;
};

/* The name of a workload, which is below STREAM_WORKLOADS. */
const char *stream_name(enum stream_workload workload);

/* The workload with this name; -ENOENT if there is none. */
int stream_find(const char *name);

/* The guest-virtual space that a workload is meant for. */
enum layout_space stream_space(enum stream_workload workload);

/*
 * Begins a stream. -EINVAL for a workload or a number of pages that is out of range, -ENOMEM; then
 * there is nothing to destroy.
 */
int stream_create(struct stream *stream, const struct stream_config *config);

void stream_destroy(struct stream *stream);

/* Writes the next `count` accesses. */
void stream_next(struct stream *stream, struct stream_access *out, size_t count);

#endif
