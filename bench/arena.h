/* SPDX-License-Identifier: MIT */
/*
 * Memory for one table at a time, in huge pages where the kernel gives them, one block after the
 * other: so that the limit can be timed over the very memory that the table has.
 */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

#include "hpt/hpt.h"

struct arena {
	char *base;
	size_t size;
	size_t used;
};

/* Reserves `size` bytes; 0, or a negative errno value. */
int arena_begin(struct arena *arena, size_t size);

/* Gives all blocks back at once; those that the table gave back are not used before. */
void arena_reset(struct arena *arena);

/* As a table wants it: addresses are offsets from the base. */
struct hpt_memory arena_memory(struct arena *arena);

#endif
