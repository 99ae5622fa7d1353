/* SPDX-License-Identifier: MIT */
/*
 * What a workload brings, for the files that are one. It works in steps, each of which writes a few
 * accesses: a lookup, an edge; stream.c cuts steps into calls.
 */
#ifndef BENCH_STREAM_KIND_H
#define BENCH_STREAM_KIND_H

#include "bench/stream.h"

#define STREAM_PAGE_SIZE 4096
#define STREAM_WORD	 8
#define STREAM_LINE	 64

struct stream_kind {
	const char *name;
	enum layout_space space;
	size_t state_size;
	/* Fills the state, which is zeroed; 0, or -ENOMEM, then with nothing left to free. */
	int (*begin)(void *state, const struct stream_config *config);
	/* Frees what the state names, but not itself; NULL where it names nothing. */
	void (*end)(void *state);
	/* Writes the next 1 to STREAM_STEP_MAX accesses and returns how many. */
	size_t (*step)(void *state, struct stream_access *out);
};

extern const struct stream_kind stream_uniform, stream_zipf, stream_gups, stream_sparse,
	stream_fragmented;
extern const struct stream_kind stream_sequential, stream_strided, stream_chase;
extern const struct stream_kind stream_btree, stream_hashjoin, stream_keyvalue;
extern const struct stream_kind stream_bfs, stream_pagerank;

/* The access to this byte of the footprint. */
static inline struct stream_access stream_at(uint64_t byte, bool write)
{
	return (struct stream_access){
		.page = byte / STREAM_PAGE_SIZE,
		.offset = (uint16_t)(byte % STREAM_PAGE_SIZE),
		.write = write,
	};
}

/* Of the numbers below `count`, each for an equal share of the 64-bit numbers. */
static inline uint64_t stream_below(uint64_t random, uint64_t count)
{
	return (uint64_t)((__uint128_t)random * count >> 64);
}

#endif
