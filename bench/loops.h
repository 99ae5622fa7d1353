/* SPDX-License-Identifier: MIT */
/*
 * The loops that time lookups, the same for our tables and for everyone else's. Questions and
 * answers are prepared, so that a loop is lookups and checks and nothing else.
 *
 * A table brings its lookup as an inline function and gets its loops from it; the loops are called
 * through pointers, the lookups in them are not. For C and C++.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A page number and what it is mapped to. */
struct query {
	uint64_t vpn;
	uint64_t entry;
};

/* Each asks all queries and returns how many answers were wrong. */
struct loops {
	uint64_t (*latency)(void *table, const struct query *queries, size_t count);
	uint64_t (*throughput)(void *table, const struct query *queries, size_t count);
	uint64_t (*batch)(void *table, const struct query *queries, size_t count); /* or NULL */
};

/* Writes *entry, or leaves it, which is 0, where there is none. */
typedef void (*loop_find)(void *table, uint64_t vpn, uint64_t *entry);

#define LOOP_INLINE static inline __attribute__((always_inline))

/* The next lookup waits for the entry of the last: what that differs from the expected one by, 0.
 */
LOOP_INLINE uint64_t loop_latency(loop_find find, void *table, const struct query *queries,
				  size_t count)
{
	uint64_t difference = 0;
	uint64_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t entry = 0;

		find(table, queries[i].vpn ^ difference, &entry);
		difference = entry ^ queries[i].entry;
		wrong += !!difference;
	}
	return wrong;
}

/* No lookup waits for another: as many are in flight as the CPU finds by itself. */
LOOP_INLINE uint64_t loop_throughput(loop_find find, void *table, const struct query *queries,
				     size_t count)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t entry = 0;

		find(table, queries[i].vpn, &entry);
		wrong += entry != queries[i].entry;
	}
	return wrong;
}

#endif
