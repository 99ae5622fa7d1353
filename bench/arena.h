/* SPDX-License-Identifier: MIT */
/*
 * Memory for tables, in huge pages where the kernel gives them, one block after the other: so that
 * the limit can be timed over the very memory that a table has.
 */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

#include "hpt/hpt.h"

struct arena {
	char *base;
	size_t size;
	size_t used;
	char *reserved;	     /* what `base` is the first huge page of */
	uint64_t free_nodes; /* blocks of 4 KiB that were given back, chained */
};

/* Reserves `size` bytes; 0, or a negative errno value. */
int arena_begin(struct arena *arena, size_t size);

/* The memory that was given, from its first byte on, and how much that is. */
char *arena_start(const struct arena *arena);
size_t arena_bytes(const struct arena *arena);

/*
 * How many lines of what was given are not what they were when `before` was copied from
 * arena_start(), `bytes` of it; what has been given since was zero.
 */
uint64_t arena_changed(const struct arena *arena, const char *before, size_t bytes);

/* Gives the reservation back. */
void arena_end(struct arena *arena);

/* Gives all blocks back at once. */
void arena_reset(struct arena *arena);

/* Where the next block will lie: goes on to the next huge page, so that no two tables share one. */
char *arena_mark(struct arena *arena);

/*
 * As a table wants it: addresses are offsets from the base. Blocks of 4 KiB that a table gave back
 * are used again, zeroed first; larger ones not before arena_reset().
 */
struct hpt_memory arena_memory(struct arena *arena);

#endif
