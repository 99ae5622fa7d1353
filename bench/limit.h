/* SPDX-License-Identifier: MIT */
/*
 * The physical limits of a walk, timed over the memory of its own tables: one random load that
 * waits for the one before (ref1), two (ref2: one in each table's memory), and as many pairs of
 * them as the CPU can have in flight (the two-load limit of batches).
 */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <stddef.h>
#include <stdint.h>

struct limit_memory {
	const uint64_t *lines; /* of 64 bytes */
	uint64_t count;
};

/* Nanoseconds of one of `count`, in the thread's own time; `seed` chooses the lines. */
double limit_ref1(const struct limit_memory *memory, size_t count, uint64_t seed);
double limit_ref2(const struct limit_memory *first, const struct limit_memory *second, size_t count,
		  uint64_t seed);
double limit_batch1(const struct limit_memory *memory, size_t count, uint64_t seed);
double limit_batch2(const struct limit_memory *first, const struct limit_memory *second,
		    size_t count, uint64_t seed);

#endif
