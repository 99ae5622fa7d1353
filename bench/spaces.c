/* SPDX-License-Identifier: MIT */
/*
 * What address spaces cost (hpt/space.h): a lookup by the number of ancestors that it comes by, the
 * mapping of a page, a fork by the pages that are mapped, beside a copy of all entries, and pages
 * that many spaces have in common, as an entry for each or as one segment.
 */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/subject.h"
#include "bench/timing.h"
#include "hpt/mix.h"
#include "hpt/space.h"

#define DEPTHS	     5
#define LOOKUPS	     (1 << 16)
#define CHAIN_PAGES  (UINT64_C(1) << 20)
#define QUICK_PAGES  (UINT64_C(1) << 16)
#define SIZES	     3
#define SHARERS	     16
#define SHARED_PAGES (UINT64_C(1) << 14)
#define FLAGS	     (HPT_PRESENT | HPT_WRITE | HPT_USER)

/* A table, and spaces over it. */
struct house {
	struct hpt table;
	struct hpt_spaces spaces;
	struct hpt_space of[SHARERS];
};

static struct house flat, chain;
static struct hpt_attachment attachments[SHARERS];
static const unsigned int depths[DEPTHS] = {0, 1, 2, 4, 8};

static void nothing(void *context, uint64_t entry)
{
	(void)context;
	(void)entry;
}

static int build(struct house *house, struct arena *arena, enum hpt_organisation organisation,
		 uint64_t pages)
{
	struct hpt_config config = {
		.organisation = organisation, .pages = pages, .memory = arena_memory(arena)};
	struct hpt_spaces_config spaces = {
		.table = &house->table, .taken = nothing, .dropped = nothing};
	int error = hpt_create(&house->table, &config);

	if (!error)
		error = hpt_spaces_create(&house->spaces, &spaces);
	return error ? error : hpt_space_create(&house->spaces, &house->of[0]);
}

/* Pages from 0 on, scattered frames. */
static int map(struct hpt_space *space, uint64_t pages)
{
	int error = 0;

	for (uint64_t i = 0; !error && i < pages; i++)
		error = hpt_space_map(space, i, HPT_4K,
				      hpt_entry(i * 2654435769u >> 3 & 0xfffffff, FLAGS));
	return error;
}

/* Space n has n + 1 ancestors, of which the farthest has the pages; the last has HPT_SPACE_DEPTH.
 */
static int build_chain(struct house *house, uint64_t pages)
{
	int error = map(&house->of[0], pages);

	for (unsigned int i = 1; !error && i <= HPT_SPACE_DEPTH; i++) {
		error = hpt_space_fork(&house->of[i - 1], &house->of[i], NULL);
		if (!error)
			error = hpt_space_map(&house->of[i], pages + i, HPT_4K,
					      hpt_entry(1, FLAGS));
	}
	return error;
}

/* Nanoseconds a lookup, each waiting for the one before. */
static double time_lookups(struct bench *bench, const struct hpt_space *space, uint64_t pages,
			   uint64_t seed)
{
	uint64_t start = timing_own_ns();
	uint64_t zero = 0;

	for (unsigned int i = 0; i < LOOKUPS; i++) {
		uint64_t vpn = (mix64_next(&seed) + zero) & (pages - 1);
		struct hpt_space_found found = {.entry = 0};

		if (hpt_space_lookup(space, vpn, HPT_4K, &found, NULL))
			bench->failures++;
		zero = hpt_frame(found.entry) ^ (vpn * 2654435769u >> 3 & 0xfffffff);
		bench->failures += !!zero;
	}
	return (double)(timing_own_ns() - start) / LOOKUPS;
}

static double probes(const struct hpt_space *space, uint64_t pages)
{
	struct hpt_ledger ledger = {0};
	struct hpt_space_found found;
	uint64_t seed = 7;

	for (unsigned int i = 0; i < LOOKUPS; i++)
		hpt_space_lookup(space, mix64_next(&seed) & (pages - 1), HPT_4K, &found, &ledger);
	return (double)ledger.probes / LOOKUPS;
}

static void lookups_of(struct bench *bench, enum hpt_organisation organisation)
{
	uint64_t pages = bench->quick ? QUICK_PAGES : CHAIN_PAGES;
	const struct hpt_space *spaces[DEPTHS];
	double samples[DEPTHS][ROUNDS];

	arena_reset(&bench->arena);
	if (build(&flat, &bench->arena, organisation, pages) || map(&flat.of[0], pages) ||
	    build(&chain, &bench->arena, organisation, pages) || build_chain(&chain, pages)) {
		printf("%-10s left out: no room\n", hpt_organisation_name(organisation));
		return;
	}
	for (int i = 0; i < DEPTHS; i++)
		spaces[i] = depths[i] ? &chain.of[depths[i] - 1] : &flat.of[0];
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < DEPTHS; i++)
			samples[i][round] = time_lookups(bench, spaces[i], pages, (uint64_t)round);
	}
	printf("%-10s", hpt_organisation_name(organisation));
	for (int i = 0; i < DEPTHS; i++) {
		double time = timing_median(samples[i], ROUNDS);
		double each = probes(spaces[i], pages);

		printf(" %7.1f %6.2f", time, each);
		bench_row(bench, "spaces_lookups",
			  json_pack("{s:s, s:i, s:f, s:f}", "table",
				    hpt_organisation_name(organisation), "ancestors",
				    (int)depths[i], "ns", time, "probes", each));
	}
	printf("\n");
	fflush(stdout);
}

/* All entries of a space mapped in another: what a fork would do otherwise. */
static int copy(const struct hpt_space *from, struct hpt_space *to, uint64_t pages)
{
	struct hpt_space_found found;
	int error = 0;

	for (uint64_t i = 0; !error && i < pages; i++) {
		hpt_space_lookup(from, i, HPT_4K, &found, NULL);
		error = hpt_space_map(to, i, HPT_4K, found.entry);
	}
	return error;
}

static void end(struct hpt_space *space)
{
	hpt_space_destroy(space);
	while (hpt_spaces_reap(space->spaces, UINT64_MAX) > 0)
		continue;
}

/* Microseconds: a fork, a fork whose child writes a page and ends, a copy. */
static void time_forks(struct bench *bench, struct house *house, uint64_t pages, int round,
		       double (*samples)[ROUNDS])
{
	uint64_t start = timing_own_ns();
	uint64_t forked, ended;

	bench->failures += !!hpt_space_fork(&house->of[0], &house->of[1], NULL);
	forked = timing_own_ns();
	bench->failures += hpt_space_write(&house->of[1], 1, HPT_4K, 1) != HPT_SPACE_COPIED;
	end(&house->of[1]);
	ended = timing_own_ns();
	samples[0][round] = (double)(forked - start) * 1e-3;
	samples[1][round] = (double)(ended - start) * 1e-3;
	bench->failures += !!hpt_space_create(&house->spaces, &house->of[1]);
	start = timing_own_ns();
	bench->failures += !!copy(&house->of[0], &house->of[1], pages);
	samples[2][round] = (double)(timing_own_ns() - start) * 1e-3;
	end(&house->of[1]);
}

static void forks_of(struct bench *bench, enum hpt_organisation organisation)
{
	static const uint64_t sizes[SIZES] = {1 << 10, 1 << 14, 1 << 18};

	printf("%-10s", hpt_organisation_name(organisation));
	for (int size = 0; size < SIZES - bench->quick; size++) {
		double samples[3][ROUNDS];
		double times[3];

		arena_reset(&bench->arena);
		if (build(&flat, &bench->arena, organisation, 2 * sizes[size]) ||
		    map(&flat.of[0], sizes[size])) {
			printf(" left out: no room");
			break;
		}
		for (int round = 0; round < ROUNDS; round++)
			time_forks(bench, &flat, sizes[size], round, samples);
		for (int i = 0; i < 3; i++)
			times[i] = timing_median(samples[i], ROUNDS);
		printf(" %7.2f %7.2f %8.0f", times[0], times[1], times[2]);
		bench_row(bench, "spaces_forks",
			  json_pack("{s:s, s:I, s:f, s:f, s:f}", "table",
				    hpt_organisation_name(organisation), "pages",
				    (json_int_t)sizes[size], "fork_us", times[0], "fork_end_us",
				    times[1], "copy_us", times[2]));
	}
	printf("\n");
	fflush(stdout);
}

/* Nanoseconds to map a page, without spaces and in one: the difference is what the index costs. */
static void time_maps(struct bench *bench, enum hpt_organisation organisation, uint64_t step,
		      int round, double (*samples)[ROUNDS])
{
	uint64_t start, mapped;

	arena_reset(&bench->arena);
	bench->failures += !!build(&flat, &bench->arena, organisation, 0);
	bench->failures += !!build(&chain, &bench->arena, organisation, 0);
	start = timing_own_ns();
	for (uint64_t i = 0; i < SHARED_PAGES; i++)
		bench->failures +=
			!!hpt_map(&chain.table, hpt_key(0, i * step, HPT_4K), hpt_entry(i, FLAGS));
	mapped = timing_own_ns();
	for (uint64_t i = 0; i < SHARED_PAGES; i++)
		bench->failures +=
			!!hpt_space_map(&flat.of[0], i * step, HPT_4K, hpt_entry(i, FLAGS));
	samples[0][round] = (double)(mapped - start) / SHARED_PAGES;
	samples[1][round] = (double)(timing_own_ns() - mapped) / SHARED_PAGES;
}

static void maps_of(struct bench *bench, enum hpt_organisation organisation)
{
	printf("%-10s", hpt_organisation_name(organisation));
	for (uint64_t step = 1; step <= HPT_LARGE_PAGES; step *= HPT_LARGE_PAGES) {
		double samples[2][ROUNDS];
		double plain, space, bytes;

		for (int round = 0; round < ROUNDS; round++)
			time_maps(bench, organisation, step, round, samples);
		plain = timing_median(samples[0], ROUNDS);
		space = timing_median(samples[1], ROUNDS);
		bytes = (double)hpt_spaces_bytes(&flat.spaces) / SHARED_PAGES;
		printf(" %7.1f %7.1f %7.2f", plain, space, bytes);
		bench_row(bench, "spaces_maps",
			  json_pack("{s:s, s:I, s:f, s:f, s:f}", "table",
				    hpt_organisation_name(organisation), "step", (json_int_t)step,
				    "plain_ns", plain, "space_ns", space, "index_bytes_a_page",
				    bytes));
	}
	printf("\n");
	fflush(stdout);
}

/* SHARERS spaces with SHARED_PAGES in common. */
static int build_sharers(struct house *house, struct hpt_segment *segment)
{
	int error = 0;

	for (unsigned int i = 1; !error && i < SHARERS; i++)
		error = hpt_space_create(&house->spaces, &house->of[i]);
	if (!segment) {
		for (unsigned int i = 0; !error && i < SHARERS; i++)
			error = map(&house->of[i], SHARED_PAGES);
		return error;
	}
	if (!error)
		error = hpt_segment_create(&house->spaces, segment);
	for (uint64_t i = 0; !error && i < SHARED_PAGES; i++)
		error = hpt_segment_map(segment, i, HPT_4K,
					hpt_entry(i * 2654435769u >> 3 & 0xfffffff, FLAGS));
	for (unsigned int i = 0; !error && i < SHARERS; i++)
		error = hpt_space_attach(&house->of[i], &attachments[i], segment, 0, SHARED_PAGES,
					 0, HPT_WRITE | HPT_USER);
	return error;
}

/* Microseconds to protect all pages for all spaces. */
static double time_protect(struct bench *bench, struct house *house, struct hpt_segment *segment,
			   int round)
{
	uint64_t set = round & 1 ? HPT_WRITE : 0;
	uint64_t start = timing_own_ns();

	if (segment)
		bench->failures +=
			!!hpt_segment_protect(segment, 0, HPT_4K, SHARED_PAGES, HPT_WRITE, set);
	for (unsigned int i = 0; !segment && i < SHARERS; i++)
		bench->failures +=
			!!hpt_space_protect(&house->of[i], 0, HPT_4K, SHARED_PAGES, HPT_WRITE, set);
	return (double)(timing_own_ns() - start) * 1e-3;
}

static void sharing_of(struct bench *bench, enum hpt_organisation organisation)
{
	struct hpt_segment segment;
	struct hpt_segment *const ways[2] = {NULL, &segment};
	struct house *const houses[2] = {&flat, &chain};
	double protects[2][ROUNDS], lookups[2][ROUNDS];

	arena_reset(&bench->arena);
	for (int way = 0; way < 2; way++) {
		if (build(houses[way], &bench->arena, organisation, 0) ||
		    build_sharers(houses[way], ways[way])) {
			printf("%-10s left out: no room\n", hpt_organisation_name(organisation));
			return;
		}
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int way = 0; way < 2; way++) {
			protects[way][round] = time_protect(bench, houses[way], ways[way], round);
			lookups[way][round] = time_lookups(bench, &houses[way]->of[round % SHARERS],
							   SHARED_PAGES, (uint64_t)round);
		}
	}
	printf("%-10s", hpt_organisation_name(organisation));
	for (int way = 0; way < 2; way++) {
		uint64_t bytes =
			houses[way]->table.counts.bytes + hpt_spaces_bytes(&houses[way]->spaces);
		double each = (double)bytes / (SHARERS * SHARED_PAGES);
		double probed = probes(&houses[way]->of[1], SHARED_PAGES);
		double time = timing_median(lookups[way], ROUNDS);
		double protect = timing_median(protects[way], ROUNDS);

		printf(" %7.2f %6.2f %7.1f %9.0f", each, probed, time, protect);
		bench_row(bench, "spaces_sharing",
			  json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "table",
				    hpt_organisation_name(organisation), "way",
				    way ? "segment" : "entries", "bytes_a_page", each, "probes",
				    probed, "ns", time, "protect_us", protect));
	}
	printf("\n");
	fflush(stdout);
}

static void run(struct bench *bench)
{
	printf("lookup, ns and probes, by ancestors\n%-10s", "table");
	for (int i = 0; i < DEPTHS; i++)
		printf(" %7u %6s", depths[i], "probes");
	printf("\n");
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		lookups_of(bench, (enum hpt_organisation)i);
	printf("\n64 MiB mapped, ns a page: hpt_map(), in a space; bytes a page of the index\n");
	printf("%-10s %23s %23s\n", "table", "dense", "1 page of 512");
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		maps_of(bench, (enum hpt_organisation)i);
	printf("\nmicroseconds of a fork, of one whose child writes a page and ends, of a copy\n");
	printf("%-10s %24s %24s", "table", "4 MiB", "64 MiB");
	printf(" %24s\n", bench->quick ? "" : "1 GiB");
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		forks_of(bench, (enum hpt_organisation)i);
	printf("\n64 MiB in %u spaces: bytes a page and space, probes, ns a lookup, us to protect\n",
	       SHARERS);
	printf("%-10s %32s %32s\n", "table", "an entry for each", "a segment");
	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		sharing_of(bench, (enum hpt_organisation)i);
}

const struct bench_section spaces_section = {
	.name = "spaces",
	.title = "address spaces: chains, forks, shared mappings",
	.run = run,
};
