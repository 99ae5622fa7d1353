/* SPDX-License-Identifier: MIT */
/*
 * Our tables beside those of others (peer.h), at 16 M keys, single stage. Keys are page numbers:
 * all of a contiguous space, or random ones.
 *
 * The best of ours stand in memory beside each peer and are timed again in its rounds. Memory is in
 * huge pages for all; how much of a peer's the kernel really gave so is printed.
 */
#include "bench/peer.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/subject.h"
#include "bench/timing.h"

#define KEYS	   (UINT64_C(1) << 24)
#define KEYS_QUICK (UINT64_C(1) << 20)

#define INSERTED_AHEAD 16

#define LATENCY_TARGET	   1.1
#define TIME_TARGET	   1.7
#define OUR_LATENCY_TARGET 1.10
/*
 * The limit is that of one line a key. Of random keys one in eight reads a second, and which is
 * guessed wrong.
 */
#define OUR_BATCH_TARGET	1.35
#define OUR_BATCH_TARGET_RANDOM 2.00

#ifndef PEER_CXX
const struct peer peer_absl = {.name = "flat_hash_map", .package = "g++"};
const struct peer peer_robin_map = {.name = "robin_map", .package = "g++"};
const struct peer peer_unordered_map = {.name = "unordered_map", .package = "g++"};
#endif

static const struct peer *const peers[] = {
	&peer_khash,	 &peer_glib, &peer_rculfhash,	  &peer_absl,
	&peer_robin_map, &peer_judy, &peer_unordered_map,
};

#define PEERS (sizeof(peers) / sizeof(peers[0]))

/* What a table takes for a key, beside the limits of its memory, or of as much. */
struct measured {
	const char *table;
	double latency, ref1; /* nanoseconds a lookup that waits for the one before; a load */
	double time, limit;   /* ours by batch, others by throughput; loads that do not wait */
	double bytes;
};

/* The best of ours for a set of keys. */
struct ours {
	struct subject *latency, *batch;
	struct measured by_latency, by_batch;
};

/* The best of the others, and how far it is behind. */
struct best {
	struct measured by_latency, by_time;
	double latency_ratio, time_ratio;
};

static struct subject subjects[HPT_ORGANISATIONS];
static struct subject memory; /* of all of ours: peers have limits of as much as they take */
static struct query queries[QUERIES];
static uint64_t random_state;

/* One timing of a loop with queries of its own. */
static double time_loop(uint64_t (*loop)(void *table, const struct query *queries, size_t count),
			void *table, const struct workload *workload, uint64_t *wrong)
{
	workload_queries(workload, &random_state, queries, QUERIES);
	return subject_time(loop, table, queries, wrong);
}

struct samples {
	double latency[ROUNDS], ref1[ROUNDS], time[ROUNDS], limit[ROUNDS];
};

static void time_limits(const struct subject *subject, const struct workload *workload,
			struct samples *into, int round)
{
	workload_queries(workload, &random_state, queries, QUERIES);
	into->ref1[round] = subject_time_ref1(subject, queries);
	workload_queries(workload, &random_state, queries, QUERIES);
	into->limit[round] = subject_time_limit(subject, queries);
}

static struct measured medians_of(struct samples *samples)
{
	return (struct measured){
		.latency = timing_median(samples->latency, ROUNDS),
		.ref1 = timing_median(samples->ref1, ROUNDS),
		.time = timing_median(samples->time, ROUNDS),
		.limit = timing_median(samples->limit, ROUNDS),
	};
}

/* Memory of this process in bytes, and what of it is in huge pages. */
static void read_memory(double *bytes, double *huge)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	double kib;

	*bytes = *huge = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %lf", &kib) == 1)
			*bytes = kib * 1024;
		if (sscanf(line, "AnonHugePages: %lf", &kib) == 1)
			*huge = kib * 1024;
	}
	if (file)
		fclose(file);
}

static const char *keys_name(const struct workload *workload)
{
	return workload->pattern == UNIFORM ? "contiguous" : "random";
}

static void print_measured(const struct measured *measured, const char *keys)
{
	printf("%-10s %-13s %7.1f %7.1f %5.2f %7.1f %7.1f %5.2f %7.1f", keys, measured->table,
	       measured->latency, measured->ref1, measured->latency / measured->ref1,
	       measured->time, measured->limit, measured->time / measured->limit, measured->bytes);
}

static json_t *measured_json(const struct measured *measured, const char *keys)
{
	return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "keys", keys, "table",
			 measured->table, "latency_ns", measured->latency, "ref1_ns",
			 measured->ref1, "time_ns", measured->time, "limit_ns", measured->limit,
			 "bytes_per_key", measured->bytes);
}

/* Times ours against each other: the best ones stay in *ours. */
static void run_ours(struct bench *bench, const struct workload *workload, int count,
		     struct ours *ours)
{
	static struct samples samples[HPT_ORGANISATIONS];

	ours->by_latency.latency = ours->by_batch.time = INFINITY;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < count; i++) {
			struct hpt *table = &subjects[i].table;
			struct samples *into = &samples[i];

			time_limits(&subjects[i], workload, into, round);
			into->latency[round] =
				time_loop(subject_loops.latency, table, workload, &bench->failures);
			into->time[round] =
				time_loop(subject_loops.batch, table, workload, &bench->failures);
		}
	}
	for (int i = 0; i < count; i++) {
		const struct hpt *table = &subjects[i].table;
		struct measured measured = medians_of(&samples[i]);

		measured.table =
			hpt_organisation_name((enum hpt_organisation)table->desc.organisation);
		measured.bytes = (double)table->counts.bytes / (double)workload->pages;
		print_measured(&measured, keys_name(workload));
		printf("\n");
		bench_row(bench, "peers", measured_json(&measured, keys_name(workload)));
		if (measured.latency < ours->by_latency.latency) {
			ours->latency = &subjects[i];
			ours->by_latency = measured;
		}
		if (measured.time < ours->by_batch.time) {
			ours->batch = &subjects[i];
			ours->by_batch = measured;
		}
	}
}

/* Lookups first have what the next insertions touch come near, several at once. */
static void *build_peer(const struct peer *peer, const struct workload *workload)
{
	void *table = peer->create(workload->pages);

	for (uint64_t i = 0; table && i < workload->pages; i++) {
		struct query next[INSERTED_AHEAD];
		uint64_t in_next = i % INSERTED_AHEAD;

		for (uint64_t j = 0; !in_next && j < INSERTED_AHEAD; j++)
			next[j] = (struct query){workload_vpn(workload, i + j),
						 workload_entry(workload, i + j)};
		if (!in_next)
			peer->loops.throughput(table, next, INSERTED_AHEAD);
		if (!peer->insert(table, next[in_next].vpn, next[in_next].entry)) {
			peer->destroy(table);
			return NULL;
		}
	}
	return table;
}

/* Keeps the best of the others. */
static void note_peer(struct best *best, const struct measured *peer, double latency_ratio,
		      double time_ratio)
{
	if (latency_ratio < best->latency_ratio) {
		best->latency_ratio = latency_ratio;
		best->by_latency = *peer;
	}
	if (time_ratio < best->time_ratio) {
		best->time_ratio = time_ratio;
		best->by_time = *peer;
	}
}

/* Rounds of the peer and of ours beside it. */
static void time_peer(struct bench *bench, const struct peer *peer, void *table,
		      const struct workload *workload, const struct ours *ours, struct best *best,
		      double bytes, double huge)
{
	struct samples samples;
	double our_latency[ROUNDS], our_batch[ROUNDS];
	struct subject as_large = memory;
	struct measured measured;
	double latency_ratio, time_ratio;
	uint64_t wrong = 0;
	json_t *row;

	if (bytes < (double)(memory.lines * HPT_LINE_SIZE))
		as_large.lines = (uint64_t)bytes / HPT_LINE_SIZE;
	for (int round = 0; round < ROUNDS; round++) {
		time_limits(&as_large, workload, &samples, round);
		samples.latency[round] = time_loop(peer->loops.latency, table, workload, &wrong);
		our_latency[round] =
			time_loop(subject_loops.latency, &ours->latency->table, workload, &wrong);
		samples.time[round] = time_loop(peer->loops.throughput, table, workload, &wrong);
		our_batch[round] =
			time_loop(subject_loops.batch, &ours->batch->table, workload, &wrong);
	}
	measured = medians_of(&samples);
	measured.table = peer->name;
	measured.bytes = bytes / (double)workload->pages;
	latency_ratio = measured.latency / timing_median(our_latency, ROUNDS);
	time_ratio = measured.time / timing_median(our_batch, ROUNDS);
	note_peer(best, &measured, latency_ratio, time_ratio);
	bench->failures += wrong;
	print_measured(&measured, keys_name(workload));
	printf(" %4.0f%% %7.1f %5.2f %7.1f %5.2f %s\n", 100 * huge / bytes,
	       measured.latency / latency_ratio, latency_ratio, measured.time / time_ratio,
	       time_ratio, wrong ? "WRONG" : "");
	fflush(stdout);
	row = measured_json(&measured, keys_name(workload));
	json_object_update_new(row, json_pack("{s:f, s:f, s:f, s:I}", "latency_ratio",
					      latency_ratio, "time_ratio", time_ratio, "huge",
					      huge / bytes, "wrong", (json_int_t)wrong));
	bench_row(bench, "peers", row);
}

static void run_peer(struct bench *bench, const struct peer *peer, const struct workload *workload,
		     const struct ours *ours, struct best *best)
{
	double bytes[2], huge[2];
	void *table;

	if (!peer->create)
		return;
	read_memory(&bytes[0], &huge[0]);
	table = build_peer(peer, workload);
	if (!table) {
		printf("%-10s %-13s left out: no memory\n", keys_name(workload), peer->name);
		return;
	}
	read_memory(&bytes[1], &huge[1]);
	time_peer(bench, peer, table, workload, ours, best, bytes[1] - bytes[0], huge[1] - huge[0]);
	peer->destroy(table);
	malloc_trim(0);
}

static void bar_of(const char *what, const char *keys, double value, double target, bool at_most)
{
	char name[96];

	snprintf(name, sizeof(name), "%s-16-M-%s-keys", what, keys);
	bench_bar(name, value, target, at_most);
}

/*
 * Two bars are over the best of the others. Where that is near the limit itself, they ask for what
 * no table can do: how near is said, and two more bars hold ours to the limit.
 */
static void bars_of(const struct workload *workload, const struct ours *ours,
		    const struct best *best)
{
	const char *keys = keys_name(workload);
	const struct measured *latency = &best->by_latency;
	const struct measured *time = &best->by_time;

	bar_of("best-peer-latency-over-ours", keys, best->latency_ratio, LATENCY_TARGET, false);
	bar_of("our-latency-over-ref1", keys, ours->by_latency.latency / ours->by_latency.ref1,
	       OUR_LATENCY_TARGET, true);
	bar_of("best-peer-time-over-our-batch", keys, best->time_ratio, TIME_TARGET, false);
	bar_of("our-batch-over-limit", keys, ours->by_batch.time / ours->by_batch.limit,
	       workload->pattern == UNIFORM ? OUR_BATCH_TARGET : OUR_BATCH_TARGET_RANDOM, true);
	printf("%s keys, latency: %s is at %.2f of a dependent load of as much memory as it has, "
	       "ours (%s) at %.2f; %.1f times as fast as %s is %.2f of a dependent load of our "
	       "memory\n",
	       keys, latency->table, latency->latency / latency->ref1, ours->by_latency.table,
	       ours->by_latency.latency / ours->by_latency.ref1, LATENCY_TARGET, latency->table,
	       latency->latency / LATENCY_TARGET / ours->by_latency.ref1);
	printf("%s keys, batch: %s is at %.2f of loads of as much memory that do not wait for each "
	       "other, ours (%s) at %.2f; %.1f times as fast as %s is %.2f of such loads of our "
	       "memory\n",
	       keys, time->table, time->time / time->limit, ours->by_batch.table,
	       ours->by_batch.time / ours->by_batch.limit, TIME_TARGET, time->table,
	       time->time / TIME_TARGET / ours->by_batch.limit);
}

static void print_head(const char *whose, const char *time)
{
	printf("%-10s %-13s %7s %7s %5s %7s %7s %5s %7s", "keys", whose, "latency", "ref1", "/ref1",
	       time, "limit", "/lim.", "B/key");
}

static void run_keys(struct bench *bench, const struct workload *workload)
{
	struct best best = {.latency_ratio = INFINITY, .time_ratio = INFINITY};
	struct ours ours = {0};
	int count = 0;

	arena_reset(&bench->arena);
	print_head("ours", "batch");
	printf("\n");
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		enum hpt_organisation organisation = (enum hpt_organisation)i;
		const char *refusal = subject_refusal(organisation, workload, &bench->arena);

		if (!refusal &&
		    subject_build(&subjects[count], organisation, workload, &bench->arena))
			refusal = "no room";
		if (refusal)
			printf("%-10s %-13s left out: %s\n", keys_name(workload),
			       hpt_organisation_name(organisation), refusal);
		else
			count++;
	}
	memory.memory = (const void *)(bench->arena.base);
	memory.lines = bench->arena.used / HPT_LINE_SIZE;
	run_ours(bench, workload, count, &ours);
	print_head("peer", "through");
	printf(" %5s %7s %5s %7s %5s\n", "huge", "ours", "ratio", "batch", "ratio");
	for (size_t i = 0; i < PEERS; i++)
		run_peer(bench, peers[i], workload, &ours, &best);
	if (!bench->quick && isfinite(best.latency_ratio))
		bars_of(workload, &ours, &best);
	printf("\n");
}

static void run(struct bench *bench)
{
	static const enum pattern patterns[] = {UNIFORM, SCATTERED};

	for (size_t i = 0; i < PEERS; i++) {
		if (!peers[i]->create)
			printf("missing: %s (not installed when this was built: Debian's %s)\n",
			       peers[i]->name, peers[i]->package);
	}
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const struct workload workload = {.pattern = patterns[i],
						  .pages = bench->quick ? KEYS_QUICK : KEYS};

		run_keys(bench, &workload);
	}
}

const struct bench_section peers_section = {
	.name = "peers",
	.title = "nanoseconds a lookup, others' tables beside the best of ours",
	.run = run,
};
