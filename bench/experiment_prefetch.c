/* SPDX-License-Identifier: MIT */
/*
 * prefetch: does it help a stream to have neighbouring pages in neighbouring lines (hash family
 * `local`), or several in one line (clustered), and what do other patterns pay for it?
 *
 * A stream is a lookup for one page after another. What can be counted of it: the lines that it
 * comes to which are not the one before (new), and of these the ones that do not lie beside it
 * either, in the same 256 bytes (jumps): those are what a CPU that fetches neighbours waits for.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/arena.h"
#include "bench/experiment.h"
#include "bench/loops.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "hpt/mix.h"
#include "hpt/probe.h"

#define ARENA		 ((size_t)1 << 32) /* of address space */
#define PAGES		 (UINT64_C(1) << 21)
#define STREAM		 (1 << 16) /* pages that are counted of a stream */
#define QUERIES		 (1 << 17)
#define NEIGHBOURS_BYTES 256 /* four lines: HPT_NEIGHBOURS of them */
#define SPARSE_PAGES	 (UINT64_C(1) << 15)

/* Beside fibonacci, which spreads evenly: aes as what looks random. */
static const enum hpt_hash_family families[] = {HPT_AES, HPT_FIBONACCI, HPT_LOCAL};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

enum { RANDOM_SPREAD, EVEN_SPREAD, NEIGHBOURS };

/* What a page of a stream takes in each organisation. */
struct organisation_model {
	enum hpt_organisation organisation;
	double fresh;	  /* new lines, where neighbours are together */
	double jumps;	  /* then */
	double scattered; /* jumps at least, where they are not */
};

static const struct organisation_model models[] = {
	/* Eight pages a line under any hash; then four lines side by side. */
	{HPT_CLUSTERED, 1.0 / 8, 1.0 / 32, 1.0 / 8},
	/* A line for each page; then four side by side. */
	{HPT_BUCKET, 1, 1.0 / 4, 1},
	/* A slot for each page; then four in one line. */
	{HPT_OPEN, 1.0 / 4, 1.0 / 4, 1},
};

struct experimenting {
	struct arena arena;
	struct hpt tables[FAMILIES];
	struct query *queries;
	uint64_t wrong;
};

/* One after the other, or segment by segment. */
static int map(struct hpt *table, const struct workload *workload)
{
	int error = 0;

	for (uint64_t i = 0; !error && i < workload->pages; i += SEGMENT_PAGES)
		error = hpt_map_range(table, hpt_key(1, workload_vpn(workload, i), HPT_4K),
				      SEGMENT_PAGES, workload_entry(workload, i));
	return error;
}

static int build(struct experimenting *own, enum hpt_organisation organisation,
		 const struct workload *workload)
{
	int error = 0;

	arena_reset(&own->arena);
	for (size_t i = 0; !error && i < FAMILIES; i++) {
		struct hpt_config config = {.organisation = organisation,
					    .pages = workload->pages,
					    .hash = families[i],
					    .memory = arena_memory(&own->arena)};

		arena_mark(&own->arena);
		error = hpt_create(&own->tables[i], &config);
		if (!error)
			error = map(&own->tables[i], workload);
	}
	return error;
}

/* What a stream comes to, a page. */
struct stream_lines {
	double fresh, jumps;
};

/* The lines of each lookup, as a walker that reads them would see them. */
static struct stream_lines count_stream(struct experimenting *own, const struct hpt *table,
					const struct workload *workload, uint64_t stride)
{
	uint64_t fresh = 0, jumps = 0, last = 0;

	for (uint64_t i = 0; i < STREAM; i++) {
		uint64_t page = i * stride % workload->pages;
		struct hpt_key key = hpt_key(1, workload_vpn(workload, page), HPT_4K);
		enum hpt_answer answer = HPT_NEXT;
		struct hpt_probe probe;
		uint64_t entry = 0;

		hpt_probe_start(&table->desc, key, &probe);
		while (answer == HPT_NEXT) {
			const uint64_t *line =
				(const uint64_t *)(uintptr_t)(probe.line + table->memory.offset);

			fresh += probe.line != last;
			jumps += probe.line / NEIGHBOURS_BYTES != last / NEIGHBOURS_BYTES;
			last = probe.line;
			answer = hpt_probe_step(&table->desc, &probe, line, &entry);
		}
		own->wrong += answer != HPT_HIT || entry != workload_entry(workload, page);
	}
	return (struct stream_lines){(double)fresh / STREAM, (double)jumps / STREAM};
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	hpt_lookup(table, hpt_key(1, vpn, HPT_4K), entry, NULL);
}

/* Nanoseconds a page of a stream, each lookup waiting for the one before. */
static double time_stream(struct experimenting *own, struct hpt *table,
			  const struct workload *workload, uint64_t stride, uint64_t *at)
{
	uint64_t start;

	for (uint64_t i = 0; i < QUERIES; i++, *at += stride) {
		uint64_t page = *at % workload->pages;

		own->queries[i] = (struct query){workload_vpn(workload, page),
						 workload_entry(workload, page)};
	}
	start = timing_own_ns();
	own->wrong += loop_latency(find, table, own->queries, QUERIES);
	return (double)(timing_own_ns() - start) / QUERIES;
}

/* Each round goes on where the one before ended. */
static void time_streams(struct experimenting *own, const struct workload *workload,
			 uint64_t stride, double times[FAMILIES])
{
	static double samples[FAMILIES][ROUNDS];
	uint64_t at = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < FAMILIES; i++)
			samples[i][round] =
				time_stream(own, &own->tables[i], workload, stride, &at);
	}
	for (size_t i = 0; i < FAMILIES; i++)
		times[i] = timing_median(samples[i], ROUNDS);
}

static const struct workload dense = {.pattern = SEQUENTIAL, .contiguous = true, .pages = PAGES};
static const struct workload segments = {.pattern = FRAGMENTED, .contiguous = true, .pages = PAGES};

/* One page after the other. */
static int measure_stream(struct experimenting *own, const struct organisation_model *model,
			  struct experiment_result *result)
{
	const char *name = hpt_organisation_name(model->organisation);
	struct stream_lines together, scattered;
	double times[FAMILIES];
	int error = build(own, model->organisation, &dense);

	if (error)
		return error;
	together = count_stream(own, &own->tables[NEIGHBOURS], &dense, 1);
	scattered = count_stream(own, &own->tables[RANDOM_SPREAD], &dense, 1);
	time_streams(own, &dense, 1, times);
	experiment_equal(result, "lines", model->fresh, together.fresh, 0.1,
			 "%s, neighbours together: new lines a page", name);
	experiment_equal(result, "jumps", model->jumps, together.jumps, 0.1,
			 "%s, neighbours together: jumps a page", name);
	experiment_at_least(result, "jumps", model->scattered, scattered.jumps, 0.02,
			    "%s, random spread: jumps a page", name);
	experiment_at_least(result, "x", 1.2, times[RANDOM_SPREAD] / times[NEIGHBOURS], 0,
			    "%s: time of a stream, random spread over neighbours", name)
		->timed = true;
	return 0;
}

/* Lines that a lookup reads, of pages at random. */
static double lines_a_lookup(const struct hpt *table, const struct workload *workload)
{
	struct hpt_ledger ledger = {0};
	uint64_t random = 3;
	uint64_t entry;

	for (int i = 0; i < QUERIES; i++) {
		uint64_t page = mix64_next(&random) % workload->pages;

		hpt_lookup(table, hpt_key(1, workload_vpn(workload, page), HPT_4K), &entry,
			   &ledger);
	}
	return (double)ledger.lines / QUERIES;
}

/* What others pay: segments at random places fill groups by four places at once. */
static int measure_segments(struct experimenting *own, enum hpt_organisation organisation,
			    struct experiment_result *result)
{
	const char *name = hpt_organisation_name(organisation);
	double lines[FAMILIES];
	int error = build(own, organisation, &segments);

	if (error)
		return error;
	for (size_t i = 0; i < FAMILIES; i++)
		lines[i] = lines_a_lookup(&own->tables[i], &segments);
	experiment_at_least(result, "lines", lines[EVEN_SPREAD], lines[NEIGHBOURS], 0.01,
			    "%s, segments: lines a lookup, beside fibonacci's", name);
	return 0;
}

/* A stream in steps of a stride: what neighbours are worth ends where lines and spans do. */
static int draw_strides(struct experimenting *own, struct experiment_result *result)
{
	static const char *const names[FAMILIES] = {"random", "fibonacci", "neighbours"};
	static const char *const model_names[FAMILIES] = {"model, 8 pages", "model, 8 pages",
							  "model, 32 pages"};
	struct experiment_chart *jumps =
		experiment_chart(result, "clustered, a stream by its stride: jumps",
				 "stride, pages", "jumps a page");
	struct experiment_chart *times = experiment_chart(
		result, "clustered, a stream by its stride: time", "stride, pages", "ns a page");
	struct experiment_series *counted[FAMILIES], *modelled[FAMILIES], *timed[FAMILIES];
	int error = build(own, HPT_CLUSTERED, &dense);

	jumps->log_x = times->log_x = true;
	for (size_t i = 0; !error && i < FAMILIES; i++) {
		counted[i] = experiment_series(jumps, names[i], false);
		modelled[i] = experiment_series(jumps, model_names[i], true);
		timed[i] = experiment_series(times, names[i], false);
	}
	for (uint64_t stride = 1; !error && stride <= 64; stride *= 2) {
		double ns[FAMILIES];

		time_streams(own, &dense, stride, ns);
		for (size_t i = 0; i < FAMILIES; i++) {
			double span = i == NEIGHBOURS ? 32 : 8;
			double most = (double)stride < span ? (double)stride / span : 1;

			experiment_point(counted[i], (double)stride,
					 count_stream(own, &own->tables[i], &dense, stride).jumps);
			experiment_point(modelled[i], (double)stride, most);
			experiment_point(timed[i], (double)stride, ns[i]);
		}
	}
	return error;
}

/* `in_block` pages of each eight: bytes of lines, or slots, that a page takes. */
static int count_sparse(struct experimenting *own, enum hpt_organisation organisation,
			unsigned int in_block, double *bytes)
{
	struct hpt_config config = {.organisation = organisation};
	uint64_t place = organisation == HPT_CLUSTERED ? HPT_LINE_SIZE : HPT_LINE_SIZE / 4;
	struct hpt *table = &own->tables[0];
	int error;

	arena_reset(&own->arena);
	config.memory = arena_memory(&own->arena);
	error = hpt_create(table, &config);
	for (uint64_t i = 0; !error && i < SPARSE_PAGES; i++)
		error = hpt_map(table, hpt_key(1, i / in_block * 8 + i % in_block, HPT_4K),
				hpt_entry(i, HPT_PRESENT));
	*bytes = (double)(table->counts.used * place) / (double)SPARSE_PAGES;
	return error;
}

/* The longer line itself: it is paid for as a whole, however few of its pages there are. */
static int measure_sparse(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart = experiment_chart(
		result, "a line for eight pages, a slot for one", "pages of eight", "bytes a page");
	struct experiment_series *line = experiment_series(chart, "clustered", false);
	struct experiment_series *line_model = experiment_series(chart, "model, 64/k", true);
	struct experiment_series *slot = experiment_series(chart, "open", false);
	struct experiment_series *slot_model = experiment_series(chart, "model, 16", true);

	for (unsigned int in_block = 1; in_block <= 8; in_block *= 2) {
		double clustered, open;
		int error = count_sparse(own, HPT_CLUSTERED, in_block, &clustered);

		if (!error)
			error = count_sparse(own, HPT_OPEN, in_block, &open);
		if (error)
			return error;
		experiment_point(line, in_block, clustered);
		experiment_point(line_model, in_block, 64.0 / in_block);
		experiment_point(slot, in_block, open);
		experiment_point(slot_model, in_block, 16);
		experiment_equal(result, "bytes", 64.0 / in_block, clustered, 0,
				 "clustered, %u of 8 pages: bytes of used lines a page", in_block);
		experiment_equal(result, "bytes", 16, open, 0,
				 "open, %u of 8 pages: bytes of used slots a page", in_block);
	}
	return 0;
}

static int measure(struct experimenting *own, struct experiment_result *result)
{
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(models) / sizeof(models[0]); i++)
		error = measure_stream(own, &models[i], result);
	for (size_t i = 0; !error && i < sizeof(models) / sizeof(models[0]); i++)
		error = measure_segments(own, models[i].organisation, result);
	if (!error)
		error = draw_strides(own, result);
	return error ? error : measure_sparse(own, result);
}

static int run(struct experiment_result *result, struct message *message)
{
	struct experimenting own = {.wrong = 0};
	int error = arena_begin(&own.arena, ARENA);

	if (error)
		return experiment_no_memory(message);
	own.queries = malloc(QUERIES * sizeof(*own.queries));
	error = own.queries ? measure(&own, result) : -ENOMEM;
	arena_end(&own.arena);
	free(own.queries);
	if (error)
		return experiment_no_memory(message);
	return own.wrong ? experiment_wrong(message, "a page had another entry than its own") : 0;
}

const struct experiment prefetch_experiment = {
	.name = "prefetch",
	.question = "What does a stream of pages gain where neighbouring pages have neighbouring "
		    "lines, and what do other patterns pay for it?",
	.model =
		"a stream jumps once for each span of pages that lie together: 8 a clustered line, "
		"32 where four lines do, 4 in open and bucket, 1 where the hash scatters pages; a "
		"line that is for eight pages costs 64/k bytes a page where k are mapped, a slot 16",
	.run = run,
};
