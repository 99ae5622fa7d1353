/* SPDX-License-Identifier: MIT */
/* See limit.h. */
#include "bench/limit.h"

#include "bench/timing.h"
#include "hpt/mix.h"

#define WORDS	 8  /* of a line */
#define DISTANCE 16 /* loads ahead in a batch, for each of the two */
#define RING	 (2 * DISTANCE)

/* The compiler does not know that memory of tables, ANDed with it, is 0. */
static volatile uint64_t always_zero;

static inline const uint64_t *line_of(const struct limit_memory *memory, uint64_t random)
{
	uint64_t line = (uint64_t)((__uint128_t)mix64(random) * memory->count >> 64);

	return &memory->lines[line * WORDS];
}

double limit_ref1(const struct limit_memory *memory, size_t count, uint64_t seed)
{
	uint64_t zero = always_zero;
	uint64_t wait = 0;
	uint64_t start = timing_own_ns();

	for (size_t i = 0; i < count; i++)
		wait = *line_of(memory, seed + i + wait) & zero;
	always_zero = wait;
	return (double)(timing_own_ns() - start) / (double)count;
}

double limit_ref2(const struct limit_memory *first, const struct limit_memory *second, size_t count,
		  uint64_t seed)
{
	uint64_t zero = always_zero;
	uint64_t wait = 0;
	uint64_t start = timing_own_ns();

	for (size_t i = 0; i < count; i++) {
		wait = *line_of(first, seed + i + wait) & zero;
		wait = *line_of(second, ~(seed + i + wait)) & zero;
	}
	always_zero = wait;
	return (double)(timing_own_ns() - start) / (double)count;
}

double limit_batch1(const struct limit_memory *memory, size_t count, uint64_t seed)
{
	const uint64_t *ring[RING];
	uint64_t zero = always_zero;
	uint64_t sum = 0;
	uint64_t start = timing_own_ns();

	for (size_t i = 0; i < count + DISTANCE; i++) {
		if (i < count) {
			ring[i % RING] = line_of(memory, seed + i);
			__builtin_prefetch(ring[i % RING]);
		}
		if (i >= DISTANCE)
			sum += *ring[(i - DISTANCE) % RING];
	}
	always_zero = sum & zero;
	return (double)(timing_own_ns() - start) / (double)count;
}

double limit_batch2(const struct limit_memory *first, const struct limit_memory *second,
		    size_t count, uint64_t seed)
{
	const uint64_t *ring[RING];
	uint64_t zero = always_zero;
	uint64_t sum = 0;
	uint64_t start = timing_own_ns();

	for (size_t now = 0; now < count + 2 * DISTANCE; now++) {
		size_t i = now;

		/* What was fetched last lap in this place is read before it is lost. */
		if (now >= 2 * DISTANCE)
			sum += *ring[now % RING];
		if (i < count) {
			ring[i % RING] = line_of(first, seed + i);
			__builtin_prefetch(ring[i % RING]);
		}
		i -= DISTANCE;
		if (i < count) {
			uint64_t wait = *ring[i % RING] & zero;

			ring[i % RING] = line_of(second, ~(seed + i + wait));
			__builtin_prefetch(ring[i % RING]);
		}
	}
	always_zero = sum & zero;
	return (double)(timing_own_ns() - start) / (double)count;
}
