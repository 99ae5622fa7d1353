/* SPDX-License-Identifier: MIT */
/* See measure.h. */
#include "bench/measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "bench/limit.h"

/* Translations that are counted, with a ledger. */
#define COUNTED (1u << 14)
/* With modelled caches as many, after as many that warm them. */
#define MODELLED     (1u << 16)
#define STREAM_BATCH 512

const char *measure_name(const struct measure_row *row)
{
	return row->work.trace ? row->work.trace : stream_name(row->work.workload);
}

bool measure_differs(const struct measure_row *row)
{
	double counted = (double)row->counted;
	double refs = (double)row->ledger.refs / counted;
	double steps = (double)row->ledger.steps / counted;

	if (form_kind(row->form)->caches)
		return false;
	return fabs(refs - row->model.refs) > WALK_MODEL_TOLERANCE * row->model.refs ||
	       fabs(steps - row->model.steps) > WALK_MODEL_TOLERANCE * row->model.steps;
}

int measure_stages(const struct measure_work *work, enum hpt_organisation guest_table,
		   enum hpt_organisation host_table, struct stages_config *config)
{
	enum layout_space space = stream_space(work->workload);
	struct layout_config layout = {
		.space = space,
		.guest = work->frames,
		.host = work->host_pages == STAGES_4K ? LAYOUT_SCATTERED : LAYOUT_RUNS,
		.pages = work->footprint / HPT_PAGE_SIZE,
		.seed = work->seed,
	};

	if (space == LAYOUT_SPARSE)
		layout.pages /= LAYOUT_SPREAD;
	/* Pages of 2 MiB need runs, whatever is asked for. */
	if (work->guest_pages != STAGES_4K && layout.guest == LAYOUT_SCATTERED)
		layout.guest = LAYOUT_RUNS;
	if (work->guest_pages != STAGES_4K && space == LAYOUT_SPARSE)
		return -EINVAL;
	if ((work->guest_pages != STAGES_4K || work->host_pages != STAGES_4K) &&
	    layout.pages % LAYOUT_RUN_PAGES)
		return -EINVAL;
	*config = (struct stages_config){
		.guest_table = guest_table,
		.host_table = host_table,
		.guest_pages = work->guest_pages,
		.host_pages = work->host_pages,
		.hash = work->hash,
		.sealed = work->sealed,
		.room = work->room,
	};
	return layout_begin(&config->layout, &layout);
}

/* Questions of the stream, and their answers. */
struct questions {
	struct stream stream;
	const struct stages *stages;
};

static int questions_begin(struct questions *questions, const struct measure_work *work,
			   const struct stages *stages)
{
	struct stream_config config = {.workload = work->workload,
				       .pages = stages->config.layout.pages,
				       .seed = work->seed};

	questions->stages = stages;
	return stream_create(&questions->stream, &config);
}

static void next_questions(void *context, struct query *queries, size_t count)
{
	struct questions *questions = context;
	const struct stages *stages = questions->stages;
	struct stream_access accesses[STREAM_BATCH];

	for (size_t done = 0; done < count; done += STREAM_BATCH) {
		size_t batch = count - done < STREAM_BATCH ? count - done : STREAM_BATCH;

		stream_next(&questions->stream, accesses, batch);
		for (size_t i = 0; i < batch; i++)
			queries[done + i] =
				(struct query){stages_key(stages, accesses[i].page).vpn,
					       stages_expected(stages, accesses[i].page)};
	}
}

/* The questions of a loop that is timed. */
struct timed {
	const struct measure_source *source;
	struct query *queries;
};

struct samples {
	double latency[ROUNDS], throughput[ROUNDS], batch[ROUNDS];
	double ref1[ROUNDS], ref2[ROUNDS], limit[ROUNDS];
};

static double time_loop(uint64_t (*loop)(void *table, const struct query *queries, size_t count),
			struct measure_subject *subject, struct timed *timed)
{
	const struct measure_source *source = timed->source;
	uint64_t start;

	source->next(source->context, timed->queries, source->count);
	start = timing_own_ns();
	subject->row->wrong += loop(subject->walker, timed->queries, source->count);
	return (double)(timing_own_ns() - start) / (double)source->count;
}

static void time_limits(struct measure_subject *subject, struct samples *samples, int round,
			size_t count, uint64_t seed)
{
	struct limit_memory first = walker_memory(subject->walker, 0);
	struct limit_memory second = walker_memory(subject->walker, 1);

	samples->ref1[round] = limit_ref1(&first, count, seed);
	samples->ref2[round] = NAN;
	if (form_kind(subject->row->form)->combined) {
		samples->limit[round] = limit_batch1(&first, count, seed);
		return;
	}
	samples->ref2[round] = limit_ref2(&first, &second, count, seed);
	samples->limit[round] = limit_batch2(&first, &second, count, seed);
}

static void time_round(struct measure_subject *subject, struct samples *samples, int round,
		       struct timed *timed)
{
	/* Not timed: what caches can hold of a table, and a predictor of a mapping, is there. */
	time_loop(walker_loops.throughput, subject, timed);
	time_limits(subject, samples, round, timed->source->count, (uint64_t)round << 32);
	time_loop(walker_loops.throughput, subject, timed);
	samples->latency[round] = time_loop(walker_loops.latency, subject, timed);
	samples->throughput[round] = time_loop(walker_loops.throughput, subject, timed);
	samples->batch[round] = time_loop(walker_loops.batch, subject, timed);
}

static void note_times(struct measure_row *row, struct samples *samples)
{
	row->latency = timing_median(samples->latency, ROUNDS);
	/* They are sorted now. */
	row->latency_least = samples->latency[0];
	row->latency_most = samples->latency[ROUNDS - 1];
	row->throughput = timing_median(samples->throughput, ROUNDS);
	row->batch = timing_median(samples->batch, ROUNDS);
	row->ref1 = timing_median(samples->ref1, ROUNDS);
	row->limit_batch = timing_median(samples->limit, ROUNDS);
	row->ref2 = isnan(samples->ref2[0]) ? NAN : timing_median(samples->ref2, ROUNDS);
}

/* One page after the other of a stream that begins anew, so that all count the same ones. */
static uint64_t count_one(struct measure_subject *subject, const struct stream_access *access,
			  struct walk_ledger *ledger)
{
	struct walker *walker = subject->walker;
	struct walk_result result;

	walker_count(walker, stages_key(walker->stages, access->page), &result, ledger);
	return (result.entry & WALKER_COMPARED) != stages_expected(walker->stages, access->page);
}

static int count_row(struct measure_subject *subject, const struct measure_work *work)
{
	struct measure_row *row = subject->row;
	struct questions questions;
	int error = questions_begin(&questions, work, subject->walker->stages);

	if (error)
		return error;
	/* Caches of the walk begin cold and are warm after as many as are counted. */
	for (size_t i = 0; i < 2 * COUNTED; i++) {
		struct walk_ledger unused = {0};
		struct stream_access access;

		stream_next(&questions.stream, &access, 1);
		row->wrong += count_one(subject, &access, i < COUNTED ? &unused : &row->ledger);
	}
	row->counted = COUNTED;
	row->model = walker_model(subject->walker);
	row->bytes_per_page = walker_bytes_per_page(subject->walker);
	stream_destroy(&questions.stream);
	return 0;
}

bool measure_modelled(struct walker *walker, const struct walk *walk, struct hpt_key key,
		      uint64_t expected, struct walk_ledger *ledger)
{
	struct walk_result result;
	enum hpt_size size;
	uint64_t value;

	if (mmu_tlb_find(walk->caches, key.asid, key.vpn, &size, &value) != MMU_TLB_MISS)
		return false;
	if (form_kind(walker->form)->combined)
		walker_count(walker, key, &result, ledger);
	else
		walk_count(walk, key, &result, ledger);
	if (result.outcome == WALK_TRANSLATED)
		mmu_tlb_put(walk->caches, key.asid, key.vpn,
			    result.entry & HPT_LARGE ? HPT_2M : HPT_4K, result.entry);
	return (result.entry & WALKER_COMPARED) != expected;
}

static int model_row(struct measure_subject *subject, const struct measure_work *work)
{
	struct measure_row *row = subject->row;
	struct walk walk = subject->walker->walk;
	struct walk_ledger ledger = {0};
	struct questions questions;
	struct mmu_caches caches;
	int error = mmu_caches_create(&caches, work->caches);

	if (error)
		return error;
	if (work->without)
		mmu_caches_without(&caches, work->without);
	walk.caches = &caches;
	error = questions_begin(&questions, work, subject->walker->stages);
	for (size_t i = 0; !error && i < 2 * MODELLED; i++) {
		struct stream_access access;

		if (i == MODELLED) {
			ledger = (struct walk_ledger){0};
			mmu_caches_reset_counts(&caches);
		}
		stream_next(&questions.stream, &access, 1);
		row->wrong += measure_modelled(
			subject->walker, &walk, stages_key(subject->walker->stages, access.page),
			stages_expected(subject->walker->stages, access.page), &ledger);
	}
	if (!error) {
		row->modelled_refs = (double)ledger.refs / MODELLED;
		row->modelled_steps = (double)ledger.steps / MODELLED;
		mmu_caches_report(&caches, row->hits);
		stream_destroy(&questions.stream);
	}
	mmu_caches_destroy(&caches);
	return error;
}

/* Ticks of the time stamp counter a nanosecond, over the time between two calls. */
static double ticks_a_nanosecond(uint64_t ticks, uint64_t nanoseconds)
{
	return (double)(__rdtsc() - ticks) / (double)(timing_now_ns() - nanoseconds);
}

int measure_times(struct measure_subject *subjects, size_t count,
		  const struct measure_source *source)
{
	static struct samples samples[MEASURE_SUBJECTS_MAX];
	struct timed timed = {source, calloc(source->count, sizeof(*timed.queries))};
	uint64_t ticks = __rdtsc();
	uint64_t nanoseconds = timing_now_ns();

	if (!timed.queries)
		return -ENOMEM;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < count; i++)
			time_round(&subjects[i], &samples[i], round, &timed);
	}
	free(timed.queries);
	for (size_t i = 0; i < count; i++) {
		note_times(subjects[i].row, &samples[i]);
		subjects[i].row->cycles = ticks_a_nanosecond(ticks, nanoseconds);
	}
	return 0;
}

int measure(struct measure_subject *subjects, size_t count, const struct measure_work *work)
{
	struct questions questions;
	struct measure_source source = {next_questions, &questions, work->queries};
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		subjects[i].row->work = *work;
		error = count_row(&subjects[i], work);
		if (!error && work->caches != MMU_NONE)
			error = model_row(&subjects[i], work);
	}
	if (!error)
		error = questions_begin(&questions, work, subjects[0].walker->stages);
	if (error)
		return error;
	error = measure_times(subjects, count, &source);
	stream_destroy(&questions.stream);
	return error;
}
