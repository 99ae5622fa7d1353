/* SPDX-License-Identifier: MIT */
/* See subject.h. */
#include "bench/subject.h"

#include <math.h>

#include "bench/timing.h"
#include "hpt/batch.h"
#include "hpt/mix.h"

#define BATCH 1024

static volatile uint64_t always_zero;

const char *subject_refusal(enum hpt_organisation organisation, const struct workload *workload,
			    const struct arena *arena)
{
	bool node_a_page = workload->pattern == SPARSE || workload->pattern == SCATTERED;

	if (organisation == HPT_RADIX && node_a_page &&
	    workload->pages * HPT_PAGE_SIZE > arena->size / 2)
		return "a node of 4 KiB for every page";
	return NULL;
}

int subject_build(struct subject *subject, enum hpt_organisation organisation,
		  const struct workload *workload, struct arena *arena)
{
	struct hpt_config config = {.organisation = organisation,
				    .pages = workload->pages,
				    .memory = arena_memory(arena)};
	char *memory = arena_mark(arena);
	int error = hpt_create(&subject->table, &config);

	if (!error)
		error = workload_map(workload, &subject->table);
	subject->memory = (const void *)memory;
	subject->lines = (uint64_t)(arena->base + arena->used - memory) / HPT_LINE_SIZE;
	return error;
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	hpt_lookup(table, hpt_key(1, vpn, HPT_4K), entry, NULL);
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	return loop_throughput(find, table, queries, count);
}

static uint64_t batch(void *table, const struct query *queries, size_t count)
{
	struct hpt_key keys[BATCH];
	uint64_t entries[BATCH];
	uint64_t wrong = 0;

	for (size_t start = 0; start < count; start += BATCH) {
		size_t in_batch = count - start < BATCH ? count - start : BATCH;

		for (size_t i = 0; i < in_batch; i++)
			keys[i] = hpt_key(1, queries[start + i].vpn, HPT_4K);
		hpt_lookup_batch(table, keys, entries, in_batch);
		for (size_t i = 0; i < in_batch; i++)
			wrong += entries[i] != queries[start + i].entry;
	}
	return wrong;
}

const struct loops subject_loops = {latency, throughput, batch};

double subject_time(uint64_t (*loop)(void *table, const struct query *queries, size_t count),
		    void *table, const struct query *queries, uint64_t *wrong)
{
	uint64_t start = timing_own_ns();

	*wrong += loop(table, queries, QUERIES);
	return (double)(timing_own_ns() - start) / QUERIES;
}

double subject_time_ref1(const struct subject *subject, const struct query *queries)
{
	uint64_t zero = always_zero;
	uint64_t wait = 0;
	uint64_t start = timing_own_ns();

	for (size_t i = 0; i < QUERIES; i++) {
		uint64_t line = (__uint128_t)(mix64(queries[i].vpn + wait)) * subject->lines >> 64;

		wait = subject->memory[line * HPT_LINE_WORDS] & zero;
	}
	always_zero = wait;
	return (double)(timing_own_ns() - start) / QUERIES;
}

/* A line that one multiplication chooses, as the least of hashes does. */
LOOP_INLINE const uint64_t *line_of(const struct subject *subject, struct hpt_key key)
{
	uint64_t hash = key.vpn * HPT_MULTIPLIER;
	uint64_t line = (__uint128_t)hash * subject->lines >> 64;

	return &subject->memory[line * HPT_LINE_WORDS];
}

static void load_ahead(const struct subject *subject, const struct hpt_key *keys, uint64_t *words,
		       size_t count)
{
	const uint64_t *ring[BATCH_AHEAD];

	for (size_t i = 0; i < count + BATCH_AHEAD; i++) {
		const uint64_t **place = &ring[i % BATCH_AHEAD];

		if (i >= BATCH_AHEAD)
			words[i - BATCH_AHEAD] = **place;
		if (i < count) {
			*place = line_of(subject, keys[i]);
			__builtin_prefetch(*place);
		}
	}
}

static void load_plainly(const struct subject *subject, const struct hpt_key *keys, uint64_t *words,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = *line_of(subject, keys[i]);
}

typedef void (*load_loop)(const struct subject *subject, const struct hpt_key *keys,
			  uint64_t *words, size_t count);

static double time_loads(const struct subject *subject, const struct query *queries, load_loop loop)
{
	struct hpt_key keys[BATCH];
	uint64_t words[BATCH];
	uint64_t seen = 0;
	uint64_t begin = timing_own_ns();

	for (size_t start = 0; start < QUERIES; start += BATCH) {
		for (size_t i = 0; i < BATCH; i++)
			keys[i] = hpt_key(1, queries[start + i].vpn, HPT_4K);
		loop(subject, keys, words, BATCH);
		for (size_t i = 0; i < BATCH; i++)
			seen += words[i] != queries[start + i].entry;
	}
	always_zero = seen & always_zero;
	return (double)(timing_own_ns() - begin) / QUERIES;
}

double subject_time_limit(const struct subject *subject, const struct query *queries)
{
	return fmin(time_loads(subject, queries, load_ahead),
		    time_loads(subject, queries, load_plainly));
}
