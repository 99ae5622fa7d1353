/* SPDX-License-Identifier: MIT */
/* See replay.h. */
#include "bench/replay.h"

#include <errno.h>
#include <stdlib.h>

/* The forms over one pair of tables are no more. */
#define MACHINE_WALKERS FORMS
/* Radix over radix, plain and with walk caches: timed beside all others. */
#define REFERENCES 2

static bool is_radix(enum hpt_organisation organisation)
{
	return organisation == HPT_RADIX;
}

/* Whether a form has a walker over these tables. */
static bool has_walker(const struct matrix *matrix, enum form form, enum hpt_organisation guest,
		       enum hpt_organisation host)
{
	if (is_radix(guest) && is_radix(host))
		return form == FORM_RR || form == FORM_RRP;
	return matrix_form_is_used(matrix, form, !is_radix(guest), !is_radix(host));
}

static int begin_walker(struct replay *replay, enum form form, struct replay_machine *machine)
{
	const struct measure_work *work = &replay->matrix->work;
	struct replay_walker *walker = &replay->walkers[replay->walker_count];
	int error = walker_create(&walker->walker, form, &machine->stages, MMU_SOFTWARE);

	if (error)
		return error;
	replay->walker_count++;
	machine->count++;
	walker->chosen = replay->matrix->forms[form];
	walker->row = (struct measure_row){
		.work = *work,
		.form = form,
		.guest_table = machine->stages.config.guest_table,
		.host_table = machine->stages.config.host_table,
	};
	error = mmu_caches_create(&walker->caches, work->caches);
	if (!error && work->without)
		mmu_caches_without(&walker->caches, work->without);
	walker->modelled = walker->walker.walk;
	walker->modelled.caches = &walker->caches;
	return error;
}

static int begin_machine(struct replay *replay, enum hpt_organisation guest,
			 enum hpt_organisation host)
{
	const struct measure_work *work = &replay->matrix->work;
	struct replay_machine *machine = &replay->machines[replay->machine_count];
	const struct stages_config config = {
		.layout = {.space = LAYOUT_FRAGMENTED,
			   .guest.frames = replay->demand.runs ? LAYOUT_RUNS : LAYOUT_SCATTERED,
			   .host.frames =
				   work->host_pages == STAGES_4K ? LAYOUT_SCATTERED : LAYOUT_RUNS},
		.guest_table = guest,
		.host_table = host,
		.guest_pages = work->guest_pages,
		.host_pages = work->host_pages,
		.room = 1,
	};
	int error = stages_begin(&machine->stages, &config);

	if (error)
		return error;
	replay->machine_count++;
	machine->first = replay->walker_count;
	for (int form = 0; form < FORMS && !error; form++) {
		if (has_walker(replay->matrix, (enum form)form, guest, host))
			error = begin_walker(replay, (enum form)form, machine);
	}
	return error;
}

int replay_begin(struct replay *replay, const struct matrix *matrix)
{
	const size_t pairs = (size_t)HPT_ORGANISATIONS * HPT_ORGANISATIONS;
	const struct measure_work *work = &matrix->work;
	int error;

	*replay = (struct replay){.matrix = matrix};
	error = demand_begin(&replay->demand, work->frames, work->guest_pages, work->host_pages,
			     work->seed);
	if (error)
		return error;
	replay->machines = calloc(pairs, sizeof(*replay->machines));
	replay->walkers = calloc(pairs * MACHINE_WALKERS, sizeof(*replay->walkers));
	replay->pieces = calloc(REPLAY_PIECES, sizeof(*replay->pieces));
	if (!replay->machines || !replay->walkers || !replay->pieces)
		error = -ENOMEM;
	if (!error)
		error = begin_machine(replay, HPT_RADIX, HPT_RADIX);
	for (size_t pair = 0; pair < pairs && !error; pair++) {
		enum hpt_organisation guest = (enum hpt_organisation)(pair / HPT_ORGANISATIONS);
		enum hpt_organisation host = (enum hpt_organisation)(pair % HPT_ORGANISATIONS);

		if (matrix_pair_is_used(matrix, guest, host))
			error = begin_machine(replay, guest, host);
	}
	if (error)
		replay_end(replay);
	return error;
}

void replay_end(struct replay *replay)
{
	while (replay->walker_count) {
		struct replay_walker *walker = &replay->walkers[--replay->walker_count];

		mmu_caches_destroy(&walker->caches);
		walker_destroy(&walker->walker);
	}
	while (replay->machine_count)
		stages_destroy(&replay->machines[--replay->machine_count].stages);
	free(replay->machines);
	free(replay->walkers);
	free(replay->pieces);
	demand_end(&replay->demand);
}

static int map_everywhere(struct replay *replay, const struct stages_page *page)
{
	int error = 0;

	for (size_t i = 0; i < replay->machine_count && !error; i++)
		error = stages_map(&replay->machines[i].stages, page);
	for (size_t i = 0; i < replay->walker_count && !error; i++)
		error = walker_add(&replay->walkers[i].walker, page->vpn);
	return error;
}

static void count_everywhere(struct replay *replay, const struct stages_page *page)
{
	const struct hpt_key key = hpt_key(WALKER_ASID, page->vpn, HPT_4K);
	uint64_t expected = stages_page_expected(page);

	for (size_t i = 0; i < replay->walker_count; i++) {
		struct replay_walker *walker = &replay->walkers[i];
		struct measure_row *row = &walker->row;
		struct walk_result result;

		if (!walker->chosen)
			continue;
		walker_count(&walker->walker, key, &result, &row->ledger);
		row->wrong += (result.entry & WALKER_COMPARED) != expected;
		if (row->work.caches != MMU_NONE)
			row->wrong += measure_modelled(&walker->walker, &walker->modelled, key,
						       expected, &walker->modelled_ledger);
	}
}

/* The piece that was filled is of the sample, in the place of another one, or not. */
static void take_piece(struct replay *replay)
{
	uint64_t number = replay->next_number++;
	uint64_t at = number;

	if (number >= REPLAY_PIECES)
		at = mix64(replay->matrix->work.seed ^ mix64(number)) % (number + 1);
	if (at < REPLAY_PIECES)
		replay->pieces[at] = replay->next;
	replay->piece_count += number < REPLAY_PIECES;
	replay->next.count = 0;
}

static void sample(struct replay *replay, uint64_t vpn)
{
	struct replay_piece *next = &replay->next;

	if (!next->count)
		next->start = replay->accesses;
	next->vpns[next->count++] = vpn;
	if (next->count == REPLAY_PIECE)
		take_piece(replay);
}

int replay_accesses(struct replay *replay, const struct trace_access *accesses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stages_page page;
		uint64_t vpn = trace_vpn(accesses[i].address);
		int error = demand_touch(&replay->demand, vpn, &page);

		if (error > 0)
			error = map_everywhere(replay, &page);
		if (error)
			return error;
		count_everywhere(replay, &page);
		sample(replay, vpn);
		replay->accesses++;
	}
	return 0;
}

static int compare_pieces(const void *one, const void *other)
{
	uint64_t a = ((const struct replay_piece *)one)->start;
	uint64_t b = ((const struct replay_piece *)other)->start;

	return (a > b) - (a < b);
}

/* The next questions of the sample. */
static void next_questions(void *context, struct query *queries, size_t count)
{
	struct replay *replay = context;

	for (size_t i = 0; i < count; i++) {
		const struct replay_piece *piece = &replay->pieces[replay->asked_piece];
		uint64_t vpn = piece->vpns[replay->asked++];
		struct stages_page page;

		/* It was touched: this neither maps nor fails. */
		demand_touch(&replay->demand, vpn, &page);
		queries[i] = (struct query){vpn, stages_page_expected(&page)};
		if (replay->asked < piece->count)
			continue;
		replay->asked = 0;
		replay->asked_piece = (replay->asked_piece + 1) % replay->piece_count;
	}
}

static void finish_row(struct replay *replay, struct replay_walker *walker)
{
	struct measure_row *row = &walker->row;

	row->work.trace = "trace";
	row->work.footprint = demand_pages(&replay->demand) * HPT_PAGE_SIZE;
	row->counted = replay->accesses;
	row->model = walker_model(&walker->walker);
	row->bytes_per_page = walker_bytes_per_page(&walker->walker);
	if (row->work.caches == MMU_NONE)
		return;
	row->modelled_refs = (double)walker->modelled_ledger.refs / (double)replay->accesses;
	row->modelled_steps = (double)walker->modelled_ledger.steps / (double)replay->accesses;
	row->walks = walker->modelled_ledger.translations;
	mmu_caches_report(&walker->caches, row->hits);
}

/* The walkers of a machine, beside radix; `machine` may be that itself. */
static int finish_machine(struct replay *replay, const struct replay_machine *machine,
			  uint64_t *wrong)
{
	const struct matrix *matrix = replay->matrix;
	struct measure_row rows[REFERENCES + MACHINE_WALKERS];
	struct measure_subject subjects[REFERENCES + MACHINE_WALKERS];
	const struct measure_source source = {next_questions, replay, REPLAY_ASKED};
	size_t from = machine == replay->machines ? 0 : REFERENCES;
	size_t count = from + machine->count;
	int error;

	for (size_t i = 0; i < count; i++) {
		struct replay_walker *walker =
			&replay->walkers[i < from ? i : machine->first + i - from];

		finish_row(replay, walker);
		rows[i] = walker->row;
		subjects[i] = (struct measure_subject){&walker->walker, &rows[i]};
	}
	error = measure_times(subjects, count, &source);
	if (error)
		return error;
	matrix_compare(rows, count);
	for (size_t i = from; i < count; i++) {
		*wrong += rows[i].wrong;
		if (matrix->forms[rows[i].form])
			matrix->row(matrix->context, &rows[i]);
	}
	return 0;
}

int replay_finish(struct replay *replay, uint64_t *wrong)
{
	const struct matrix *matrix = replay->matrix;
	int error = 0;

	*wrong = 0;
	if (!replay->accesses)
		return 0;
	if (replay->next.count)
		take_piece(replay);
	qsort(replay->pieces, replay->piece_count, sizeof(*replay->pieces), compare_pieces);
	if (matrix->forms[FORM_RR] || matrix->forms[FORM_RRP])
		error = finish_machine(replay, replay->machines, wrong);
	for (size_t i = 1; i < replay->machine_count && !error; i++)
		error = finish_machine(replay, &replay->machines[i], wrong);
	return error;
}
