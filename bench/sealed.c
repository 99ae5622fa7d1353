/* SPDX-License-Identifier: MIT */
/*
 * What sealing costs a lookup: three organisations, sealed beside themselves unsealed, 16 GiB of
 * pages asked for at random. In the tree the first pad is needed before any load has had to wait
 * for memory, so there the cipher itself, timed in the same rounds, is what no walk can do without.
 */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/loops.h"
#include "bench/subject.h"
#include "bench/timing.h"
#include "hpt/aes.h"

#define PAGES	    (UINT64_C(1) << 22) /* 16 GiB */
#define PAGES_QUICK (UINT64_C(1) << 18)
#define LIMIT	    1.10

enum form { CLEAR, SEALED, FORMS };

static const enum hpt_organisation measured[] = {HPT_RADIX, HPT_BUCKET, HPT_CLUSTERED};

static struct hpt tables[FORMS];
static struct query queries[QUERIES];
static uint64_t random_state;
static double cipher[ROUNDS];

static int build(struct bench *bench, enum hpt_organisation organisation, enum form form,
		 const struct workload *workload)
{
	struct hpt_config config = {
		.organisation = organisation,
		.pages = workload->pages,
		.memory = arena_memory(&bench->arena),
		.sealed = form == SEALED,
		.seal_key = {1, 2, 3},
	};
	int error;

	arena_mark(&bench->arena);
	error = hpt_create(&tables[form], &config);
	return error ? error : workload_map(workload, &tables[form]);
}

/* Nanoseconds a block, each of which waits for the one before. */
static double time_cipher(void)
{
	struct aes_block block = {0, 0};
	uint64_t start = timing_own_ns();

	for (int i = 0; i < QUERIES; i++)
		block = aes_encrypt(&tables[SEALED].desc.seal, block);
	/* The result is used: a compiler may not leave the loop out. */
	random_state ^= block.low >> 63 & block.high >> 63 & block.low;
	return (double)(timing_own_ns() - start) / QUERIES;
}

static double time_loop(struct bench *bench, enum form form, const struct workload *workload,
			uint64_t (*loop)(void *table, const struct query *queries, size_t count))
{
	workload_queries(workload, &random_state, queries, QUERIES);
	return subject_time(loop, &tables[form], queries, &bench->failures);
}

static void measure(struct bench *bench, enum hpt_organisation organisation,
		    const struct workload *workload)
{
	static double latency[FORMS][ROUNDS], batch[FORMS][ROUNDS];
	const char *name = hpt_organisation_name(organisation);
	double clear, sealed, block;
	char bar[96];

	for (int round = 0; round < ROUNDS; round++) {
		for (int form = 0; form < FORMS; form++) {
			latency[form][round] =
				time_loop(bench, (enum form)form, workload, subject_loops.latency);
			batch[form][round] =
				time_loop(bench, (enum form)form, workload, subject_loops.batch);
		}
		cipher[round] = time_cipher();
	}
	clear = timing_median(latency[CLEAR], ROUNDS);
	sealed = timing_median(latency[SEALED], ROUNDS);
	block = timing_median(cipher, ROUNDS);
	printf("%-10s %8.1f %8.1f %6.3f %8.1f %8.1f %8.1f\n", name, clear, sealed, sealed / clear,
	       timing_median(batch[CLEAR], ROUNDS), timing_median(batch[SEALED], ROUNDS), block);
	fflush(stdout);
	bench_row(bench, "sealed",
		  json_pack("{s:s, s:f, s:f, s:f}", "table", name, "clear_ns", clear, "sealed_ns",
			    sealed, "cipher_ns", block));
	if (bench->quick)
		return;
	snprintf(bar, sizeof(bar), "sealed-over-clear-latency-16-GiB-%s", name);
	bench_bar(bar, sealed / clear, LIMIT, true);
}

static void run(struct bench *bench)
{
	const struct workload workload = {.pattern = UNIFORM,
					  .pages = bench->quick ? PAGES_QUICK : PAGES};

	printf("%-10s %8s %8s %6s %8s %8s %8s\n", "table", "clear", "sealed", "ratio", "batch",
	       "sealed", "cipher");
	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++) {
		enum hpt_organisation organisation = measured[i];

		arena_reset(&bench->arena);
		if (build(bench, organisation, CLEAR, &workload) ||
		    build(bench, organisation, SEALED, &workload))
			printf("%s left out: no room\n", hpt_organisation_name(organisation));
		else
			measure(bench, organisation, &workload);
	}
}

const struct bench_section sealed_section = {
	.name = "sealed",
	.title = "nanoseconds a lookup at random, frame numbers in the clear and sealed",
	.run = run,
};
