/* SPDX-License-Identifier: MIT */
/*
 * A hash join without partitions (Blanas, Li and Patel, "Design and Evaluation of Main Memory Hash
 * Join Algorithms for Multi-core CPUs", SIGMOD'11, section 3): relation R is read from its first
 * tuple to its last and entered into a hash table; then S is read, and the partner of each of its
 * tuples is looked for there.
 *
 * Memory is R, the table, S. A tuple is 16 bytes, key and payload; S has four tuples for one of R,
 * and the rest of the memory. A bucket is a line for two tuples. Keys of R are the numbers below
 * its size in random order, each once, and a key's half is its bucket, so that none overflows
 * (Balkesen et al., "Main-Memory Hash Joins on Multi-Core CPUs", ICDE'13, hash their dense keys
 * that way). A tuple of S has any key of R, all as likely.
 *
 * At 512 GiB each phase lasts for billions of accesses. So that any part of the stream has both,
 * they take turns: 1024 tuples of R, then as many of S as keep it in step with R; when both are
 * through, the join begins again.
 */
#include "bench/permutation.h"
#include "bench/stream_kind.h"
#include "hpt/mix.h"

#define TUPLE		 16
#define TUPLES_IN_BUCKET 2
#define S_TO_R		 4
#define TURN		 1024

struct hashjoin_state {
	uint64_t r_tuples, s_tuples;
	uint64_t buckets, s; /* bytes: where table and S begin; R is at 0 */
	uint64_t r_next, s_next;
	uint64_t r_end, s_end; /* of the turn */
	struct permutation r_keys;
	uint64_t s_key; /* that of S are hashed with */
};

static void begin_turn(struct hashjoin_state *join)
{
	if (join->r_end == join->r_tuples)
		join->r_next = join->s_next = join->r_end = 0;
	join->r_end += TURN;
	if (join->r_end > join->r_tuples)
		join->r_end = join->r_tuples;
	join->s_end = (uint64_t)((__uint128_t)join->r_end * join->s_tuples / join->r_tuples);
}

static int begin(void *state, const struct stream_config *config)
{
	struct hashjoin_state *join = state;
	uint64_t bytes = config->pages * STREAM_PAGE_SIZE;
	uint64_t bytes_each = TUPLE + STREAM_LINE / TUPLES_IN_BUCKET + S_TO_R * TUPLE;

	/* Fours of tuples, so that buckets begin with a line. */
	join->r_tuples = bytes / bytes_each / 4 * 4;
	join->buckets = join->r_tuples * TUPLE;
	join->s = join->buckets + join->r_tuples / TUPLES_IN_BUCKET * STREAM_LINE;
	join->s_tuples = (bytes - join->s) / TUPLE;
	join->r_keys = permutation_of(join->r_tuples, config->seed);
	join->s_key = mix64(config->seed + UINT64_C(0x9e3779b97f4a7c15));
	begin_turn(join);
	return 0;
}

static uint64_t bucket(const struct hashjoin_state *join, uint64_t key)
{
	return join->buckets + key / TUPLES_IN_BUCKET * STREAM_LINE;
}

static uint64_t key_of_s(const struct hashjoin_state *join, uint64_t tuple)
{
	return stream_below(mix64(tuple + join->s_key), join->r_tuples);
}

static size_t step(void *state, struct stream_access *out)
{
	struct hashjoin_state *join = state;
	size_t count = 0;

	if (join->r_next == join->r_end && join->s_next == join->s_end)
		begin_turn(join);
	for (; join->r_next < join->r_end && count < STREAM_STEP_MAX; join->r_next++) {
		uint64_t key = permutation_at(&join->r_keys, join->r_next);

		out[count++] = stream_at(join->r_next * TUPLE, false);
		out[count++] = stream_at(bucket(join, key), true);
	}
	if (count)
		return count;
	for (; join->s_next < join->s_end && count < STREAM_STEP_MAX; join->s_next++) {
		out[count++] = stream_at(join->s + join->s_next * TUPLE, false);
		out[count++] = stream_at(bucket(join, key_of_s(join, join->s_next)), false);
	}
	return count;
}

const struct stream_kind stream_hashjoin = {
	.name = "hashjoin",
	.state_size = sizeof(struct hashjoin_state),
	.begin = begin,
	.step = step,
};
