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

/* The best of ours for a set of keys. */
struct ours {
	struct subject *latency;
	struct subject *batch;
};

/* How far the best peer is behind. */
struct behind {
	double latency;
	double time;
};

static struct subject subjects[HPT_ORGANISATIONS];
static struct query queries[QUERIES];
static uint64_t random_state;

/* One timing of a loop with queries of its own. */
static double time_loop(uint64_t (*loop)(void *table, const struct query *queries, size_t count),
			void *table, const struct workload *workload, uint64_t *wrong)
{
	workload_queries(workload, &random_state, queries, QUERIES);
	return subject_time(loop, table, queries, wrong);
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

/* Times ours against each other: the best ones stay in *ours. */
static void run_ours(struct bench *bench, const struct workload *workload, int count,
		     struct ours *ours)
{
	static double latency[HPT_ORGANISATIONS][ROUNDS], batch[HPT_ORGANISATIONS][ROUNDS],
		ref1[HPT_ORGANISATIONS][ROUNDS];
	double best_latency = INFINITY, best_batch = INFINITY;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < count; i++) {
			struct hpt *table = &subjects[i].table;

			workload_queries(workload, &random_state, queries, QUERIES);
			ref1[i][round] = subject_time_ref1(&subjects[i], queries);
			latency[i][round] =
				time_loop(subject_loops.latency, table, workload, &bench->failures);
			batch[i][round] =
				time_loop(subject_loops.batch, table, workload, &bench->failures);
		}
	}
	for (int i = 0; i < count; i++) {
		const struct hpt *table = &subjects[i].table;
		const char *name =
			hpt_organisation_name((enum hpt_organisation)table->desc.organisation);
		double median_latency = timing_median(latency[i], ROUNDS);
		double median_batch = timing_median(batch[i], ROUNDS);
		double median_ref1 = timing_median(ref1[i], ROUNDS);
		double bytes = (double)table->counts.bytes / (double)workload->pages;

		printf("%-10s %-13s %8.1f %8.1f %6.2f %8.1f %8s %6s %7.1f\n", keys_name(workload),
		       name, median_latency, median_ref1, median_latency / median_ref1,
		       median_batch, "", "", bytes);
		bench_row(bench, "peers",
			  json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "keys", keys_name(workload),
				    "table", name, "latency_ns", median_latency, "ref1_ns",
				    median_ref1, "batch_ns", median_batch, "bytes_per_key", bytes));
		if (median_latency < best_latency)
			ours->latency = &subjects[i];
		if (median_batch < best_batch)
			ours->batch = &subjects[i];
		best_latency = fmin(best_latency, median_latency);
		best_batch = fmin(best_batch, median_batch);
	}
}

static void *build_peer(const struct peer *peer, const struct workload *workload)
{
	void *table = peer->create(workload->pages);

	for (uint64_t i = 0; table && i < workload->pages; i++) {
		if (!peer->insert(table, workload_vpn(workload, i), workload_entry(workload, i))) {
			peer->destroy(table);
			return NULL;
		}
	}
	return table;
}

/* Rounds of the peer and of ours beside it. */
static void time_peer(struct bench *bench, const struct peer *peer, void *table,
		      const struct workload *workload, const struct ours *ours,
		      struct behind *behind, double bytes, double huge)
{
	double latency[ROUNDS], throughput[ROUNDS], our_latency[ROUNDS], our_batch[ROUNDS];
	double latency_ratio, time_ratio;
	uint64_t wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		latency[round] = time_loop(peer->loops.latency, table, workload, &wrong);
		our_latency[round] =
			time_loop(subject_loops.latency, &ours->latency->table, workload, &wrong);
		throughput[round] = time_loop(peer->loops.throughput, table, workload, &wrong);
		our_batch[round] =
			time_loop(subject_loops.batch, &ours->batch->table, workload, &wrong);
	}
	latency_ratio = timing_median(latency, ROUNDS) / timing_median(our_latency, ROUNDS);
	time_ratio = timing_median(throughput, ROUNDS) / timing_median(our_batch, ROUNDS);
	behind->latency = fmin(behind->latency, latency_ratio);
	behind->time = fmin(behind->time, time_ratio);
	bench->failures += wrong;
	/* The medians are in the middle of what they have sorted. */
	printf("%-10s %-13s %8.1f %8.1f %6.2f %8.1f %8.1f %6.2f %7.1f %5.0f%% %s\n",
	       keys_name(workload), peer->name, latency[ROUNDS / 2], our_latency[ROUNDS / 2],
	       latency_ratio, throughput[ROUNDS / 2], our_batch[ROUNDS / 2], time_ratio,
	       bytes / (double)workload->pages, 100 * huge / bytes, wrong ? "WRONG" : "");
	fflush(stdout);
	bench_row(bench, "peers",
		  json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "keys",
			    keys_name(workload), "table", peer->name, "latency_ns",
			    latency[ROUNDS / 2], "our_latency_ns", our_latency[ROUNDS / 2],
			    "latency_ratio", latency_ratio, "throughput_ns", throughput[ROUNDS / 2],
			    "our_batch_ns", our_batch[ROUNDS / 2], "time_ratio", time_ratio,
			    "bytes_per_key", bytes / (double)workload->pages, "huge", huge / bytes,
			    "wrong", (json_int_t)wrong));
}

static void run_peer(struct bench *bench, const struct peer *peer, const struct workload *workload,
		     const struct ours *ours, struct behind *behind)
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
	time_peer(bench, peer, table, workload, ours, behind, bytes[1] - bytes[0],
		  huge[1] - huge[0]);
	peer->destroy(table);
	malloc_trim(0);
}

static void bars_of(const struct workload *workload, const struct behind *behind)
{
	char name[80];

	snprintf(name, sizeof(name), "best-peer-latency-over-ours-16-M-%s-keys",
		 keys_name(workload));
	bench_bar(name, behind->latency, 1.1, false);
	snprintf(name, sizeof(name), "best-peer-time-over-our-batch-16-M-%s-keys",
		 keys_name(workload));
	bench_bar(name, behind->time, 1.7, false);
}

static void run_keys(struct bench *bench, const struct workload *workload)
{
	struct behind behind = {INFINITY, INFINITY};
	struct ours ours = {0};
	int count = 0;

	arena_reset(&bench->arena);
	printf("%-10s %-13s %8s %8s %6s %8s %8s %6s %7s\n", "keys", "ours", "latency", "ref1",
	       "ratio", "batch", "", "", "B/key");
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
	run_ours(bench, workload, count, &ours);
	printf("%-10s %-13s %8s %8s %6s %8s %8s %6s %7s %6s\n", "keys", "peer", "latency", "ours",
	       "ratio", "through", "our bat.", "ratio", "B/key", "huge");
	for (size_t i = 0; i < PEERS; i++)
		run_peer(bench, peers[i], workload, &ours, &behind);
	printf("\n");
	if (!bench->quick && isfinite(behind.latency))
		bars_of(workload, &behind);
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
