/* SPDX-License-Identifier: MIT */
/*
 * fork: a parent with mapped pages is forked and its child writes a share of them, in two ways.
 *
 * marking  hpt/space.h: the parent's identifier becomes an ancestor of two fresh ones. No entry is
 *          touched; a page that the child writes gets an entry of its own then.
 * copying  every entry is entered again under the child's identifier, and both lose the right to
 *          write, as x86 kernels do; a page that the child writes has its entry changed.
 *
 * What is touched is counted on the memory itself: lines of 64 bytes that are not what they were,
 * of the table and of what address spaces have beside it.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arena.h"
#include "bench/experiment.h"
#include "bench/permutation.h"
#include "bench/timing.h"
#include "hpt/space.h"

#define ARENA	    ((size_t)1 << 28)
#define PAGES	    (UINT64_C(1) << 14) /* mapped in the parent: 64 MiB */
#define SIZES	    4			/* of parents, for the fork alone: 2^8 pages and on */
#define SHARES	    9
#define FLAGS	    (HPT_PRESENT | HPT_WRITE | HPT_USER)
#define COPY_FRAME  (UINT64_C(1) << 30) /* where copies of pages lie */
#define PARENT_ASID 1			/* where entries are copied */
#define CHILD_ASID  2
#define FORK_LINES  16 /* identifiers: that is all a fork may change */

enum way { MARKING, COPYING, WAYS };

static const unsigned int percents[SHARES] = {0, 1, 2, 5, 10, 25, 50, 75, 100};

/* A table, and of MARKING the spaces over it. */
struct house {
	struct arena arena;
	struct hpt table;
	struct hpt_spaces spaces;
	struct hpt_space parent, child;
	uint64_t pages;
	uint64_t taken; /* references to frames */
	enum way way;
};

/* What a step did. */
struct effect {
	uint64_t entries; /* made or changed */
	uint64_t lines;	  /* that are not what they were */
	double ns;
};

struct experimenting {
	struct house house;
	char *before; /* what the arena held */
	uint64_t wrong;
};

static uint64_t entry_of(uint64_t page)
{
	return hpt_entry(page ^ 0x5555, FLAGS);
}

static void taken(void *context, uint64_t entry)
{
	(void)entry;
	++*(uint64_t *)context;
}

static void dropped(void *context, uint64_t entry)
{
	(void)entry;
	--*(uint64_t *)context;
}

/* A parent with so many pages, alone in the arena. */
static int build(struct house *house, enum way way, uint64_t pages)
{
	struct hpt_config config = {.organisation = HPT_CLUSTERED, .pages = 2 * pages};
	struct hpt_spaces_config spaces = {.table = &house->table,
					   .taken = taken,
					   .dropped = dropped,
					   .context = &house->taken};
	int error;

	arena_reset(&house->arena);
	config.memory = arena_memory(&house->arena);
	house->way = way;
	house->pages = pages;
	house->taken = 0;
	error = hpt_create(&house->table, &config);
	if (!error && way == MARKING)
		error = hpt_spaces_create(&house->spaces, &spaces);
	if (!error && way == MARKING)
		error = hpt_space_create(&house->spaces, &house->parent);
	for (uint64_t i = 0; !error && i < pages; i++)
		error = way == MARKING ? hpt_space_map(&house->parent, i, HPT_4K, entry_of(i))
				       : hpt_map(&house->table, hpt_key(PARENT_ASID, i, HPT_4K),
						 entry_of(i));
	return error;
}

struct copying {
	uint64_t *entries;
	uint64_t first;
};

static uint64_t take_right(void *context, struct hpt_key key, uint64_t entry)
{
	struct copying *copying = context;

	entry &= ~HPT_WRITE;
	copying->entries[key.vpn - copying->first] = entry;
	return entry;
}

/* A region at a time, so that no more memory is needed than for that. */
static int copy_entries(struct house *house)
{
	uint64_t entries[HPT_LARGE_PAGES];
	int error = 0;

	for (uint64_t first = 0; !error && first < house->pages; first += HPT_LARGE_PAGES) {
		struct copying copying = {entries, first};

		memset(entries, 0, sizeof(entries));
		error = hpt_visit_range(&house->table, hpt_key(PARENT_ASID, first, HPT_4K),
					HPT_LARGE_PAGES, take_right, &copying);
		for (uint64_t i = 0; !error && i < HPT_LARGE_PAGES; i++) {
			if (entries[i])
				error = hpt_map(&house->table,
						hpt_key(CHILD_ASID, first + i, HPT_4K), entries[i]);
		}
	}
	return error;
}

static int fork_house(struct house *house)
{
	return house->way == MARKING ? hpt_space_fork(&house->parent, &house->child, NULL)
				     : copy_entries(house);
}

static uint64_t give_copy(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	return hpt_entry(COPY_FRAME + key.vpn, (entry & HPT_FLAGS_MASK) | HPT_WRITE);
}

/* What a write fault of the child's leaves: its page in a frame of its own. Not 0: it failed. */
static int write_page(struct house *house, uint64_t page)
{
	if (house->way == MARKING)
		return hpt_space_write(&house->child, page, HPT_4K, COPY_FRAME + page) !=
		       HPT_SPACE_COPIED;
	return hpt_visit_range(&house->table, hpt_key(CHILD_ASID, page, HPT_4K), 1, give_copy,
			       NULL);
}

static uint64_t pages_written(const struct house *house, unsigned int percent)
{
	return house->pages * percent / 100;
}

static int write_share(struct house *house, unsigned int percent)
{
	struct permutation order = permutation_of(house->pages, 1);
	int error = 0;

	for (uint64_t i = 0; !error && i < pages_written(house, percent); i++)
		error = write_page(house, permutation_at(&order, i));
	return error;
}

/* One step by itself, with what it changed. */
static int observe(struct experimenting *own, struct effect *effect, unsigned int percent,
		   bool forks)
{
	struct house *house = &own->house;
	size_t bytes = arena_bytes(&house->arena);
	uint64_t entries = house->table.counts.entries;
	uint64_t start;
	int error;

	memcpy(own->before, arena_start(&house->arena), bytes);
	start = timing_own_ns();
	error = forks ? fork_house(house) : write_share(house, percent);
	effect->ns = (double)(timing_own_ns() - start);
	effect->entries = house->table.counts.entries - entries;
	effect->lines = arena_changed(&house->arena, own->before, bytes);
	return error;
}

/* What a space has for a page, and whether it may be written. */
static uint64_t seen(const struct house *house, bool child, uint64_t page,
		     struct hpt_ledger *ledger)
{
	struct hpt_space_found found = {.entry = 0};
	uint64_t entry = 0;

	if (house->way == MARKING) {
		hpt_space_lookup(child ? &house->child : &house->parent, page, HPT_4K, &found,
				 ledger);
		return found.entry;
	}
	hpt_lookup(&house->table, hpt_key(child ? CHILD_ASID : PARENT_ASID, page, HPT_4K), &entry,
		   ledger);
	return entry;
}

/* Every page of both: its own frame or the shared one, and no right to write what is shared. */
static double check_pages(struct experimenting *own, unsigned int percent)
{
	struct house *house = &own->house;
	struct permutation order = permutation_of(house->pages, 1);
	struct hpt_ledger ledger = {0};

	for (uint64_t i = 0; i < house->pages; i++) {
		uint64_t page = permutation_at(&order, i);
		uint64_t shared = entry_of(page) & ~HPT_WRITE;
		bool written = i < pages_written(house, percent);

		own->wrong += seen(house, false, page, NULL) != shared;
		own->wrong += seen(house, true, page, &ledger) !=
			      (written ? hpt_entry(COPY_FRAME + page, FLAGS) : shared);
	}
	return (double)ledger.probes / (double)house->pages;
}

/* The share of lines of eight pages of which none is among the pages written. */
static double untouched_lines(double written, double pages)
{
	double share = 1;

	for (int i = 0; i < 8; i++)
		share *= (pages - written - i) / (pages - i);
	return share > 0 ? share : 0;
}

static void claim_fork(struct experiment_result *result, enum way way, uint64_t pages,
		       const struct effect *effect)
{
	const char *name = way == MARKING ? "marking" : "copying";

	experiment_equal(result, "entries", way == MARKING ? 0 : (double)pages,
			 (double)effect->entries, 0, "%s, %llu pages mapped: entries made", name,
			 (unsigned long long)pages);
	if (way == MARKING)
		experiment_at_most(result, "lines", FORK_LINES, (double)effect->lines, 0,
				   "%s, %llu pages mapped: lines changed", name,
				   (unsigned long long)pages);
	else
		experiment_equal(result, "lines", 2 * (double)pages / 8, (double)effect->lines,
				 0.02, "%s, %llu pages mapped: lines changed", name,
				 (unsigned long long)pages);
}

/* What forking alone does, by the pages that are mapped. */
static int measure_forks(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart =
		experiment_chart(result, "the fork alone", "pages mapped", "lines changed");
	struct experiment_series *lines[WAYS];
	struct effect effect;

	lines[MARKING] = experiment_series(chart, "marking", false);
	lines[COPYING] = experiment_series(chart, "copying", false);
	chart->log_x = chart->log_y = true;
	for (uint64_t pages = PAGES >> (2 * (SIZES - 1)); pages <= PAGES; pages *= 4) {
		for (int way = 0; way < WAYS; way++) {
			int error = build(&own->house, (enum way)way, pages);

			if (!error)
				error = observe(own, &effect, 0, true);
			if (error)
				return error;
			experiment_point(lines[way], (double)pages, (double)effect.lines);
			claim_fork(result, (enum way)way, pages, &effect);
		}
	}
	return 0;
}

static double modelled_lines(enum way way, unsigned int percent)
{
	double pages = (double)PAGES;
	double written = (double)(PAGES * percent / 100);

	return (way == MARKING ? 0 : pages / 4) + pages / 8 * (1 - untouched_lines(written, pages));
}

/* The lines that fork and writes have changed, a step each, and what lookups take then. */
static int count_share(struct experimenting *own, enum way way, unsigned int percent,
		       struct experiment_result *result, double *lines)
{
	double pages = (double)PAGES;
	double written = (double)(PAGES * percent / 100);
	struct effect forked, wrote;
	double probes;
	int error = build(&own->house, way, PAGES);

	if (!error)
		error = observe(own, &forked, 0, true);
	if (!error)
		error = observe(own, &wrote, percent, false);
	if (error)
		return error;
	probes = check_pages(own, percent);
	*lines = (double)(forked.lines + wrote.lines);
	if (percent != 10 && percent != 50 && percent != 100)
		return 0;
	experiment_equal(result, "entries", way == MARKING ? written : 0, (double)wrote.entries, 0,
			 "%s, %u %% written: entries made by the writes",
			 way == MARKING ? "marking" : "copying", percent);
	experiment_equal(result, "lines", modelled_lines(way, percent), *lines, 0.02,
			 "%s, %u %% written: lines changed in all",
			 way == MARKING ? "marking" : "copying", percent);
	experiment_equal(result, "probes", way == MARKING ? 2 - written / pages : 1, probes, 0.02,
			 "%s, %u %% written: probes a lookup of the child",
			 way == MARKING ? "marking" : "copying", percent);
	return 0;
}

static int count_shares(struct experimenting *own, struct experiment_result *result)
{
	static const char *const names[WAYS][2] = {{"marking", "model, marking"},
						   {"copying", "model, copying"}};
	struct experiment_chart *chart = experiment_chart(
		result, "fork of 64 MiB and writes: lines", "% of pages written", "lines changed");

	for (int way = 0; way < WAYS; way++) {
		struct experiment_series *counted = experiment_series(chart, names[way][0], false);
		struct experiment_series *modelled = experiment_series(chart, names[way][1], true);

		for (int i = 0; i < SHARES; i++) {
			double lines;
			int error = count_share(own, (enum way)way, percents[i], result, &lines);

			if (error)
				return error;
			experiment_point(counted, percents[i], lines);
			experiment_point(modelled, percents[i],
					 modelled_lines((enum way)way, percents[i]));
		}
	}
	return 0;
}

/* Microseconds of fork and writes. */
static int time_share(struct house *house, enum way way, unsigned int percent, double *time)
{
	uint64_t start;
	int error = build(house, way, PAGES);

	start = timing_own_ns();
	if (!error)
		error = fork_house(house);
	if (!error)
		error = write_share(house, percent);
	*time = (double)(timing_own_ns() - start) * 1e-3;
	return error;
}

static int time_shares(struct experimenting *own, double (*times)[SHARES])
{
	static double samples[WAYS][SHARES][ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < WAYS * SHARES; i++) {
			int error =
				time_share(&own->house, (enum way)(i % WAYS), percents[i / WAYS],
					   &samples[i % WAYS][i / WAYS][round]);

			if (error)
				return error;
		}
	}
	for (int i = 0; i < WAYS * SHARES; i++)
		times[i % WAYS][i / WAYS] = timing_least(samples[i % WAYS][i / WAYS], ROUNDS);
	return 0;
}

/* Where two lines through the ends of both curves meet, in percent. */
static double modelled_crossover(double (*times)[SHARES])
{
	double ahead = times[COPYING][0] - times[MARKING][0];
	double steeper = times[MARKING][SHARES - 1] - times[MARKING][0] -
			 (times[COPYING][SHARES - 1] - times[COPYING][0]);

	return steeper > 0 ? 100 * ahead / steeper : INFINITY;
}

/* Where the curves themselves meet; beyond all shares where they do not. */
static double measured_crossover(double (*times)[SHARES])
{
	for (int i = 1; i < SHARES; i++) {
		double before = times[COPYING][i - 1] - times[MARKING][i - 1];
		double after = times[COPYING][i] - times[MARKING][i];

		if (before > 0 && after <= 0)
			return percents[i - 1] +
			       (percents[i] - percents[i - 1]) * before / (before - after);
	}
	return INFINITY;
}

static void claim_crossover(struct experiment_result *result, double (*times)[SHARES])
{
	double modelled = modelled_crossover(times);
	double measured = measured_crossover(times);

	if (isfinite(modelled) && modelled <= 100 && isfinite(measured)) {
		experiment_equal(result, "%", modelled, measured, 0.3,
				 "share written from which copying is the cheaper one")
			->timed = true;
		return;
	}
	/* Either says that there is none below 100 %: then marking is cheaper, all written. */
	experiment_at_most(result, "us", times[COPYING][SHARES - 1], times[MARKING][SHARES - 1],
			   0.05, "no crossover: all pages written, marking beside copying")
		->timed = true;
}

/* Costs are linear in what is written: the model is drawn through 0 and 100 %. */
static int measure_times(struct experimenting *own, struct experiment_result *result)
{
	static const char *const names[WAYS][2] = {{"marking", "model, marking"},
						   {"copying", "model, copying"}};
	struct experiment_chart *chart =
		experiment_chart(result, "fork of 64 MiB and writes: time, without copies of pages",
				 "% of pages written", "us");
	double times[WAYS][SHARES];
	int error = time_shares(own, times);

	for (int way = 0; !error && way < WAYS; way++) {
		struct experiment_series *measured = experiment_series(chart, names[way][0], false);
		struct experiment_series *modelled = experiment_series(chart, names[way][1], true);
		double first = times[way][0];
		double each = (times[way][SHARES - 1] - first) / 100;

		for (int i = 0; i < SHARES; i++) {
			experiment_point(measured, percents[i], times[way][i]);
			experiment_point(modelled, percents[i], first + each * percents[i]);
			if (percents[i] == 50)
				experiment_equal(result, "us", first + each * 50, times[way][i],
						 0.3, "%s, 50 %% written: time, by 0 and 100 %%",
						 names[way][0])
					->timed = true;
		}
	}
	if (error)
		return error;
	experiment_at_most(result, "us", times[COPYING][0] / 10, times[MARKING][0], 0,
			   "the fork alone: marking within a tenth of copying")
		->timed = true;
	claim_crossover(result, times);
	return 0;
}

static int run(struct experiment_result *result, struct message *message)
{
	struct experimenting own = {.wrong = 0};
	int error = arena_begin(&own.house.arena, ARENA);

	if (error)
		return experiment_no_memory(message);
	own.before = malloc(ARENA);
	if (!own.before)
		error = -ENOMEM;
	if (!error)
		error = measure_forks(&own, result);
	if (!error)
		error = count_shares(&own, result);
	if (!error)
		error = measure_times(&own, result);
	arena_end(&own.house.arena);
	free(own.before);
	if (error == -ENOMEM)
		return experiment_no_memory(message);
	if (error || own.wrong)
		return experiment_wrong(message, "a page of parent or child is not what it was");
	return 0;
}

const struct experiment fork_experiment = {
	.name = "fork",
	.question = "What does a fork cost that marks who shares, beside one that copies every "
		    "entry, and from which share of pages written on is the copy cheaper?",
	.model =
		"copying: N entries and 2N/8 lines at once, a change a page written; marking: no "
		"entry, then one a page written: N/8 (1 - (1-s)^8) lines; a lookup of a page that is "
		"not written takes a probe more; time: linear in s, they cross where the lines do",
	.run = run,
};
