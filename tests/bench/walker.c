/* SPDX-License-Identifier: MIT */
/* Walkers over machines that exist in their tables: every answer is the layout's. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>

#include "bench/measure.h"

#define QUERIES 3000

/* One pair of organisations, in every form that it has. */
struct pair {
	int guest, host;
};

static const struct measure_work dense = {
	.workload = STREAM_UNIFORM,
	.footprint = UINT64_C(64) << 20,
	.frames = LAYOUT_SCATTERED,
	.room = 1,
	.queries = QUERIES,
};

static void ask_all(struct walker *walker, const struct measure_work *work)
{
	static struct query queries[QUERIES];
	struct stream stream;
	struct stream_config config = {.workload = work->workload,
				       .pages = walker->stages->config.layout.pages,
				       .seed = work->seed};
	struct walk_ledger ledger = {0};

	cr_assert_eq(stream_create(&stream, &config), 0);
	for (size_t i = 0; i < QUERIES; i++) {
		struct stream_access access;
		struct walk_result result;
		struct hpt_key key;

		stream_next(&stream, &access, 1);
		key = stages_key(walker->stages, access.page);
		queries[i] = (struct query){key.vpn, stages_expected(walker->stages, access.page)};
		walker_count(walker, key, &result, &ledger);
		cr_assert_eq(result.entry & WALKER_COMPARED, queries[i].entry);
	}
	stream_destroy(&stream);
	cr_assert_eq(walker_loops.latency(walker, queries, QUERIES), 0);
	cr_assert_eq(walker_loops.throughput(walker, queries, QUERIES), 0);
	cr_assert_eq(walker_loops.batch(walker, queries, QUERIES), 0);
	/* An oracle that could not see a wrong answer would be none. */
	queries[QUERIES / 2].entry ^= UINT64_C(1) << HPT_FRAME_SHIFT;
	cr_assert_eq(walker_loops.throughput(walker, queries, QUERIES), 1);
	cr_assert_eq(walker_loops.batch(walker, queries, QUERIES), 1);
}

static void ask_forms(const struct pair *pair, const struct measure_work *work)
{
	struct stages *stages = malloc(sizeof(*stages));
	struct walker *walker = malloc(sizeof(*walker));
	struct stages_config config;

	cr_assert(stages && walker);
	cr_assert_eq(measure_stages(work, (enum hpt_organisation)pair->guest,
				    (enum hpt_organisation)pair->host, &config),
		     0);
	cr_assert_eq(stages_build(stages, &config), 0);
	cr_assert_null(hpt_check(&stages->guest));
	for (int form = 0; form < FORMS; form++) {
		const struct form_kind *kind = form_kind((enum form)form);

		if (kind->guest_hashed != (pair->guest != HPT_RADIX) ||
		    kind->host_hashed != (pair->host != HPT_RADIX))
			continue;
		cr_assert_eq(walker_create(walker, (enum form)form, stages, MMU_SOFTWARE), 0);
		ask_all(walker, work);
		walker_destroy(walker);
	}
	stages_destroy(stages);
	free(walker);
	free(stages);
}

ParameterizedTestParameters(walker, every_form_of_every_pair_answers_as_the_layout_says)
{
	static struct pair pairs[HPT_ORGANISATIONS * HPT_ORGANISATIONS];

	for (int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++)
		pairs[i] = (struct pair){i / HPT_ORGANISATIONS, i % HPT_ORGANISATIONS};
	return cr_make_param_array(struct pair, pairs, HPT_ORGANISATIONS * HPT_ORGANISATIONS);
}

ParameterizedTest(struct pair *pair, walker, every_form_of_every_pair_answers_as_the_layout_says)
{
	struct measure_work work = dense;

	ask_forms(pair, &work);
	work.workload = STREAM_FRAGMENTED;
	work.hash = HPT_SIPHASH;
	ask_forms(pair, &work);
	work.sealed = true;
	ask_forms(pair, &work);
}

ParameterizedTestParameters(walker, both_page_sizes_at_both_stages_answer_as_the_layout_says)
{
	static struct pair pairs[HPT_ORGANISATIONS];

	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		pairs[i] = (struct pair){i, HPT_ORGANISATIONS - 1 - i};
	return cr_make_param_array(struct pair, pairs, HPT_ORGANISATIONS);
}

ParameterizedTest(struct pair *pair, walker,
		  both_page_sizes_at_both_stages_answer_as_the_layout_says)
{
	for (int pages = 0; pages < 9; pages++) {
		struct measure_work work = dense;

		work.guest_pages = (enum stages_pages)(pages / 3);
		work.host_pages = (enum stages_pages)(pages % 3);
		ask_forms(pair, &work);
	}
}

Test(walker, pages_of_2m_need_runs_and_whole_ones)
{
	struct measure_work work = dense;
	struct stages_config config;

	work.guest_pages = STAGES_2M;
	work.workload = STREAM_SPARSE;
	cr_assert_eq(measure_stages(&work, HPT_RADIX, HPT_RADIX, &config), -EINVAL);
	work.workload = STREAM_UNIFORM;
	work.footprint += HPT_PAGE_SIZE;
	cr_assert_eq(measure_stages(&work, HPT_RADIX, HPT_RADIX, &config), -EINVAL);
	work.guest_pages = STAGES_4K;
	cr_assert_eq(measure_stages(&work, HPT_RADIX, HPT_RADIX, &config), 0);
}

Test(walker, measuring_fills_every_row_and_finds_nothing_wrong)
{
	static struct stages stages;
	static struct walker walkers[2];
	static struct measure_row rows[2];
	struct measure_subject subjects[2] = {{&walkers[0], &rows[0]}, {&walkers[1], &rows[1]}};
	struct measure_work work = dense;
	struct stages_config config;

	work.caches = MMU_SKYLAKE;
	work.queries = 512;
	cr_assert_eq(measure_stages(&work, HPT_CLUSTERED, HPT_CLUSTERED, &config), 0);
	cr_assert_eq(stages_build(&stages, &config), 0);
	rows[0].form = FORM_HH;
	rows[1].form = FORM_SHD;
	cr_assert_eq(walker_create(&walkers[0], FORM_HH, &stages, MMU_SOFTWARE), 0);
	cr_assert_eq(walker_create(&walkers[1], FORM_SHD, &stages, MMU_SOFTWARE), 0);
	cr_assert_eq(measure(subjects, 2, &work), 0);
	for (int i = 0; i < 2; i++) {
		const struct measure_row *row = &rows[i];

		cr_assert_eq(row->wrong, 0);
		cr_assert_eq(row->ledger.refs, row->counted * (i ? 1 : 3));
		cr_assert_not(measure_differs(row));
		cr_assert(row->latency > 0 && row->throughput > 0 && row->batch > 0);
		cr_assert(row->ref1 > 0 && row->limit_batch > 0 && row->cycles > 0);
		cr_assert(row->modelled_refs < row->model.refs);
		cr_assert(row->hits[MMU_L1_TLB].lookups > 0);
	}
	cr_assert(rows[1].ref2 != rows[1].ref2, "one table has no second load");
	walker_destroy(&walkers[0]);
	walker_destroy(&walkers[1]);
	stages_destroy(&stages);
}
