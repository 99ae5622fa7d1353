/* SPDX-License-Identifier: MIT */
/* Replays: counts that theory gives exactly, answers beside the map, the sample. */
#include <math.h>

#include "tests/bench/replay_fixture.h"
#include "tests/bench/trace_fixture.h"

static const struct replay_walker *walker_of(const struct replay *replay, enum form form)
{
	for (size_t i = 0; i < replay->walker_count; i++) {
		if (replay->walkers[i].row.form == form)
			return &replay->walkers[i];
	}
	cr_assert_fail("no walker of %s", form_kind(form)->name);
	return NULL;
}

/* A trace as text, through the reader: what becomes of an access across a page is the reader's. */
static void replay_text(struct replay *replay, const char *text)
{
	struct bytes bytes = {0};
	struct reading reading;

	bytes_text(&bytes, text);
	read_bytes(&bytes, 512, &reading);
	cr_assert_eq(reading.error, 0, "%s", reading.message.text);
	cr_assert_eq(replay_accesses(replay, reading.accesses, reading.count), 0);
	reading_free(&reading);
	bytes_free(&bytes);
}

/* Four pages, of which the last two are touched by one modify of 8 bytes. */
#define SMALL                    \
	"I  04016b80,3\n"        \
	" L 1ffeffe7e0,8\n"      \
	" S 1ffeffe7e8,8\n"      \
	"==7== valgrind's own\n" \
	"I  04016b83,4\n"        \
	" M 04017ffc,8\n"

Test(replay, without_caches_a_walk_has_24_9_3_2_and_1_references)
{
	static const struct {
		enum form form;
		uint64_t refs;
	} wanted[] = {{FORM_RR, 24}, {FORM_RH, 9},  {FORM_HR, 9}, {FORM_HH, 3},
		      {FORM_HHP, 2}, {FORM_HHS, 2}, {FORM_SHD, 1}};
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	struct replay replay;

	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	replay_text(&replay, SMALL);
	cr_assert_eq(replay.accesses, 6, "the modify is two accesses");
	cr_assert_eq(demand_pages(&replay.demand), 4);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct walk_ledger *ledger = &walker_of(&replay, wanted[i].form)->row.ledger;

		cr_assert_eq(ledger->translations, 6);
		cr_assert_eq(ledger->outcomes[WALK_TRANSLATED], 6);
		cr_assert_eq(ledger->refs, 6 * wanted[i].refs, "%s: %lu",
			     form_kind(wanted[i].form)->name, ledger->refs);
		cr_assert_eq(ledger->steps, 6 * wanted[i].refs);
	}
	replay_end(&replay);
}

Test(replay, a_page_that_is_touched_again_and_again_is_walked_once_behind_the_tlbs)
{
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	const struct replay_walker *walker;
	struct replay replay;

	matrix.work.caches = MMU_SKYLAKE;
	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	for (int i = 0; i < 10; i++)
		replay_text(&replay, " L 1ffeffe7e0,8\n");
	walker = walker_of(&replay, FORM_RR);
	cr_assert_eq(walker->row.ledger.refs, 240, "counted as if there were no caches");
	cr_assert_eq(walker->modelled_ledger.translations, 1);
	/*
	 * The first page of the guest's tree takes 4 + 1; the three others lie beside it, under the
	 * host's node that is cached then, and take 1 + 1 each; the data page lies elsewhere: 4.
	 */
	cr_assert_eq(walker->modelled_ledger.refs, 5 + 3 * 2 + 4);
	cr_assert_eq(walker_of(&replay, FORM_HH)->modelled_ledger.refs, 3);
	cr_assert_eq(replay_finish(&replay, &(uint64_t){0}), 0);
	for (size_t i = 0; i < told.count; i++) {
		if (told.rows[i].form == FORM_RR)
			cr_assert_float_eq(told.rows[i].modelled_refs, 1.5, 1e-9);
		cr_assert_eq(told.rows[i].walks, 1);
	}
	replay_end(&replay);
}

#define RANDOM_PAGES 700

/* Accesses of some pages in eight regions, so that there are runs and there is growth. */
static void replay_random(struct replay *replay)
{
	for (uint64_t i = 0; i < 4 * RANDOM_PAGES; i++) {
		uint64_t number = mix64(i) % RANDOM_PAGES;
		uint64_t vpn = (mix64(number % 8) >> 30) / 512 * 512 + number * 5 % 512;
		struct trace_access one = access_of(vpn, i % 4096 / 8 * 8);

		cr_assert_eq(replay_accesses(replay, &one, 1), 0);
	}
}

static void no_pair_is_wrong(enum stages_pages guest, enum stages_pages host,
			     enum layout_frames frames, enum mmu_profile caches)
{
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	struct replay replay;
	size_t hashed = 0;

	for (int i = 0; i < HPT_ORGANISATIONS; i++)
		matrix.guest_tables[i] = matrix.host_tables[i] = true;
	matrix.work.guest_pages = guest;
	matrix.work.host_pages = host;
	matrix.work.frames = frames;
	matrix.work.caches = caches;
	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	cr_assert_eq(replay.machine_count, (size_t)HPT_ORGANISATIONS * HPT_ORGANISATIONS);
	replay_random(&replay);
	for (size_t i = 0; i < replay.walker_count; i++) {
		const struct measure_row *row = &replay.walkers[i].row;

		cr_assert_eq(row->wrong, 0, "%s, %s over %s: %lu wrong", form_kind(row->form)->name,
			     hpt_organisation_name(row->guest_table),
			     hpt_organisation_name(row->host_table), row->wrong);
		cr_assert_eq(row->ledger.translations, replay.accesses);
		hashed += row->form == FORM_HH;
	}
	cr_assert_eq(hashed, (size_t)(HPT_ORGANISATIONS - 1) * (HPT_ORGANISATIONS - 1));
	for (size_t i = 0; i < replay.machine_count; i++) {
		cr_assert_null(hpt_check(&replay.machines[i].stages.guest));
		cr_assert_null(hpt_check(&replay.machines[i].stages.host));
	}
	replay_end(&replay);
}

Test(replay, no_pair_is_wrong_in_small_pages, .timeout = 120)
{
	no_pair_is_wrong(STAGES_4K, STAGES_4K, LAYOUT_SCATTERED, MMU_NONE);
}

Test(replay, no_pair_is_wrong_in_runs_and_with_caches, .timeout = 120)
{
	no_pair_is_wrong(STAGES_4K, STAGES_2M, LAYOUT_RUNS, MMU_SKYLAKE);
}

Test(replay, no_pair_is_wrong_in_mixed_pages_with_caches, .timeout = 120)
{
	no_pair_is_wrong(STAGES_MIXED, STAGES_MIXED, LAYOUT_SCATTERED, MMU_ZEN4);
}

Test(replay, a_wrong_mapping_is_found)
{
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	struct trace_access one = access_of(1234, 0);
	struct replay replay;
	uint64_t wrong;

	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	cr_assert_eq(replay_accesses(&replay, &one, 1), 0);
	/* Behind the replay's back. */
	for (size_t i = 0; i < replay.machine_count; i++)
		cr_assert_eq(hpt_change(&replay.machines[i].stages.guest,
					hpt_key(WALKER_ASID, 1234, HPT_4K), HPT_WRITE, 0),
			     0);
	cr_assert_eq(replay_accesses(&replay, &one, 1), 0);
	cr_assert_eq(walker_of(&replay, FORM_RR)->row.wrong, 1);
	cr_assert_eq(walker_of(&replay, FORM_HHS)->row.wrong, 1);
	cr_assert_eq(replay_finish(&replay, &wrong), 0);
	cr_assert_gt(wrong, 0);
	replay_end(&replay);
}

Test(replay, rows_are_told_with_times_and_ratios)
{
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	struct replay replay;
	uint64_t wrong;

	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	replay_random(&replay);
	cr_assert_eq(replay_finish(&replay, &wrong), 0);
	cr_assert_eq(wrong, 0);
	cr_assert_eq(told.count, FORMS);
	for (size_t i = 0; i < told.count; i++) {
		const struct measure_row *row = &told.rows[i];

		cr_assert_str_eq(measure_name(row), "trace");
		cr_assert_eq(row->counted, replay.accesses);
		cr_assert_eq(row->work.footprint, demand_pages(&replay.demand) * HPT_PAGE_SIZE);
		cr_assert(row->latency > 0 && row->throughput > 0 && row->batch > 0);
		cr_assert(row->ref1 > 0 && isfinite(row->over_rr) && isfinite(row->over_rrp));
		cr_assert_gt(row->bytes_per_page, 0);
	}
	replay_end(&replay);
}

Test(replay, without_an_access_there_is_no_row)
{
	struct told told = {.count = 0};
	struct matrix matrix = all_forms(&told);
	struct replay replay;
	uint64_t wrong;

	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	cr_assert_eq(replay_finish(&replay, &wrong), 0);
	cr_assert_eq(told.count, 0);
	cr_assert_eq(wrong, 0);
	replay_end(&replay);
}

/* What is asked is pieces of the trace, as they were, in their order, from all of it. */
Test(replay, the_sample_is_pieces_of_the_trace_in_its_order, .timeout = 60)
{
	const uint64_t pages = 1021, accesses = 6 * REPLAY_SAMPLES + 77;
	struct told told = {.count = 0};
	struct matrix matrix = {
		.row = tell, .context = &told, .work = {.room = 1}, .forms[FORM_SHD] = true};
	uint64_t early = 0, last = 0;
	struct replay replay;

	matrix.guest_tables[HPT_CLUSTERED] = matrix.host_tables[HPT_CLUSTERED] = true;
	cr_assert_eq(replay_begin(&replay, &matrix), 0);
	for (uint64_t i = 0; i < accesses; i++) {
		struct trace_access one = access_of(i % pages, 0);

		cr_assert_eq(replay_accesses(&replay, &one, 1), 0);
	}
	cr_assert_eq(replay_finish(&replay, &(uint64_t){0}), 0);
	cr_assert_eq(replay.piece_count, REPLAY_PIECES);
	for (size_t i = 0; i < REPLAY_PIECES; i++) {
		const struct replay_piece *piece = &replay.pieces[i];

		cr_assert(!i || piece->start > last);
		last = piece->start;
		early += piece->start < accesses / 2;
		for (size_t j = 0; j < piece->count; j++)
			cr_assert_eq(piece->vpns[j], (piece->start + j) % pages);
	}
	/* Of 512 pieces half, give or take four standard deviations. */
	cr_assert(early > 256 - 46 && early < 256 + 46, "%lu pieces of the first half", early);
	replay_end(&replay);
}
