/* SPDX-License-Identifier: MIT */
/*
 * nested: a walk through two hashed stages, put together from its parts.
 *
 * The parts are measured by themselves: a hash of each family, each waiting for the one before; a
 * load that waits, in the memory of each stage's table; the probes that lookups of each table take.
 * What is left, the instructions that compare keys and put addresses together, is taken from the
 * smallest tables under one hash. All other walks, larger and under other hashes, are predicted.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/experiment_nested.h"
#include "bench/loops.h"
#include "bench/timing.h"
#include "bench/walker.h"
#include "hpt/mix.h"
#include "hpt/probe.h"

#define QUERIES	   (1 << 14)
#define COUNTED	   (1 << 14)
#define SIZES	   3
#define TOLERANCE  0.35 /* of times */
#define FORMS_USED 2

static const uint64_t pages_of[SIZES] = {UINT64_C(1) << 12, UINT64_C(1) << 16, UINT64_C(1) << 20};
static const enum hpt_hash_family families[] = {HPT_FIBONACCI, HPT_AES, HPT_SIPHASH};
static const enum form forms[FORMS_USED] = {FORM_HHP, FORM_HH};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

/* Cycles, or probes. */
struct parts {
	double hash;
	double load;	  /* one that waits, of lines that lookups read, at both stages in turn */
	double probes[2]; /* a lookup */
	double walk[FORMS_USED];
	double refs[FORMS_USED], hashes[FORMS_USED]; /* of a walk, counted */
	double fill[2];				     /* of the tables */
};

/* The compiler does not know that what is loaded changes no address. */
static volatile uint64_t always_zero;

struct experimenting {
	struct stages *stages;
	struct walker *walkers[FORMS_USED];
	struct query *queries;
	const uint64_t *(*lines)[2]; /* that the lookups of the queries read first */
	struct parts parts[SIZES][FAMILIES];
	double cycles_a_ns;
	uint64_t wrong;
};

static int build(struct experimenting *own, uint64_t pages, enum hpt_hash_family family)
{
	const struct layout_config layout = {.space = LAYOUT_DENSE,
					     .guest = LAYOUT_SCATTERED,
					     .host = LAYOUT_SCATTERED,
					     .pages = pages,
					     .seed = 1};
	struct stages_config config = {.guest_table = HPT_CLUSTERED,
				       .host_table = HPT_CLUSTERED,
				       .hash = family,
				       .room = 1};
	int error = layout_begin(&config.layout, &layout);

	if (!error)
		error = stages_build(own->stages, &config);
	for (int i = 0; !error && i < FORMS_USED; i++)
		error = walker_create(own->walkers[i], forms[i], own->stages, MMU_NONE);
	return error;
}

/* Probes of single lookups, stage by stage; and what the walks of the same pages count. */
static void count(struct experimenting *own, struct parts *parts)
{
	struct stages *stages = own->stages;
	struct hpt_ledger ledgers[2] = {{0}};
	uint64_t random = 9;

	for (int i = 0; i < COUNTED; i++) {
		struct hpt_key key = stages_key(stages, mix64_next(&random) % stages->pages);
		uint64_t entry = 0;

		hpt_lookup(&stages->guest, key, &entry, &ledgers[0]);
		hpt_lookup(&stages->host, hpt_key(0, hpt_frame(entry), HPT_4K), &entry,
			   &ledgers[1]);
	}
	for (int stage = 0; stage < 2; stage++)
		parts->probes[stage] = (double)ledgers[stage].probes / COUNTED;
	for (int form = 0; form < FORMS_USED; form++) {
		struct walk_ledger ledger = {0};
		struct walk_result result;

		random = 9;
		for (int i = 0; i < COUNTED; i++) {
			uint64_t page = mix64_next(&random) % stages->pages;

			walker_count(own->walkers[form], stages_key(stages, page), &result,
				     &ledger);
			own->wrong +=
				(result.entry & WALKER_COMPARED) != stages_expected(stages, page);
		}
		parts->refs[form] = (double)ledger.refs / COUNTED;
		parts->hashes[form] = (double)ledger.hashes / COUNTED;
	}
	parts->fill[0] = (double)stages->guest.counts.used / (double)stages->guest.counts.places;
	parts->fill[1] = (double)stages->host.counts.used / (double)stages->host.counts.places;
}

/* Cycles of a hash that waits for the one before. */
static double time_hash(struct experimenting *own, enum hpt_hash_family family)
{
	struct hpt_salt salt;
	uint64_t value = own->wrong;
	uint64_t start;

	hpt_salt_set(&salt, family, 1);
	start = timing_own_ns();
	for (int i = 0; i < QUERIES; i++)
		value = family == HPT_FIBONACCI ? (value ^ salt.value) * HPT_MULTIPLIER
						: hpt_hash_tag(family, &salt, value);
	start = timing_own_ns() - start;
	/* The result is used, so that nobody leaves the loop out. */
	own->wrong += value == 1;
	return (double)start / QUERIES * own->cycles_a_ns;
}

static double time_walk(struct experimenting *own, int form)
{
	uint64_t start = timing_own_ns();

	own->wrong += walker_loops.latency(own->walkers[form], own->queries, QUERIES);
	return (double)(timing_own_ns() - start) / QUERIES * own->cycles_a_ns;
}

static const uint64_t *first_line(const struct hpt *table, struct hpt_key key)
{
	struct hpt_probe probe;

	hpt_probe_start(&table->desc, key, &probe);
	return (const uint64_t *)(uintptr_t)(probe.line + table->memory.offset);
}

static void ask_again(struct experimenting *own, uint64_t *random)
{
	const struct stages *stages = own->stages;

	for (int i = 0; i < QUERIES; i++) {
		uint64_t page = mix64_next(random) % stages->pages;
		struct hpt_key key = stages_key(stages, page);
		uint64_t gfn = layout_gfn(&stages->config.layout, page);

		own->queries[i] = (struct query){key.vpn, stages_expected(stages, page)};
		own->lines[i][0] = first_line(&stages->guest, key);
		own->lines[i][1] = first_line(&stages->host, hpt_key(0, gfn, HPT_4K));
	}
}

/* A load of one of these lines, each after the one before. */
static double time_loads(struct experimenting *own)
{
	uint64_t zero = always_zero;
	uint64_t wait = 0;
	uint64_t start = timing_own_ns();

	for (int i = 0; i < QUERIES; i++) {
		wait = own->lines[i][0][wait] & zero;
		wait = own->lines[i][1][wait] & zero;
	}
	always_zero = wait;
	return (double)(timing_own_ns() - start) / (2 * QUERIES) * own->cycles_a_ns;
}

/* All parts take turns, so that each round sees the same machine. */
static void time_parts(struct experimenting *own, enum hpt_hash_family family, struct parts *parts)
{
	double hash[ROUNDS], load[ROUNDS], walk[FORMS_USED][ROUNDS];
	uint64_t random = 1;

	for (int round = 0; round < ROUNDS; round++) {
		hash[round] = time_hash(own, family);
		ask_again(own, &random);
		load[round] = time_loads(own);
		for (int form = 0; form < FORMS_USED; form++) {
			ask_again(own, &random);
			walk[form][round] = time_walk(own, form);
		}
	}
	parts->hash = timing_least(hash, ROUNDS);
	parts->load = timing_least(load, ROUNDS);
	for (int form = 0; form < FORMS_USED; form++)
		parts->walk[form] = timing_least(walk[form], ROUNDS);
}

static int measure(struct experimenting *own, int size, size_t family)
{
	struct parts *parts = &own->parts[size][family];
	int error = build(own, pages_of[size], families[family]);

	if (error)
		return error;
	count(own, parts);
	time_parts(own, families[family], parts);
	for (int i = 0; i < FORMS_USED; i++)
		walker_destroy(own->walkers[i]);
	stages_destroy(own->stages);
	return 0;
}

/*
 * h_1 + p_1 c_1 + h_2 + p_2 c_2; of HH also the search for the page of the guest's line, whose
 * entries are so few that their lines are near: `near` is what such a load costs.
 */
static double compose(const struct parts *parts, enum form form, double near)
{
	double cycles = 2 * parts->hash + (parts->probes[0] + parts->probes[1]) * parts->load;

	return form == FORM_HH ? cycles + parts->hash + parts->probes[1] * near : cycles;
}

/* Probes of a search that finds its line, at this load, by a hash that looks random. */
static double random_probes(double fill)
{
	return log(1 / (1 - fill)) / fill;
}

static void claim_counts(struct experiment_result *result, const struct parts *parts,
			 enum hpt_hash_family family)
{
	const char *name = hpt_hash_family_name(family);
	double one = parts->probes[0], two = parts->probes[1];

	experiment_equal(result, "refs", one + two, parts->refs[0], 0,
			 "HHp, %s: p1 + p2 of lookups, and the walk's references", name);
	experiment_equal(result, "refs", two + one + two, parts->refs[1], 0.1,
			 "HH, %s: p2 + p1 + p2 of lookups, and the walk's references", name);
	experiment_equal(result, "hashes", 2, parts->hashes[0], 0, "HHp, %s: hashes", name);
	experiment_equal(result, "hashes", 3, parts->hashes[1], 0, "HH, %s: hashes", name);
	if (family != HPT_FIBONACCI)
		experiment_equal(result, "probes",
				 random_probes(parts->fill[0]) + random_probes(parts->fill[1]),
				 one + two, 0.1, "%s: p1 + p2 by the loads of both tables", name);
}

static void claim_times(struct experimenting *own, struct experiment_result *result)
{
	static const char *const names[FORMS_USED][2] = {{"HHp", "HHp, composed"},
							 {"HH", "HH, composed"}};
	struct experiment_chart *chart =
		experiment_chart(result, "walks by siphash: measured, and composed of their parts",
				 "pages mapped", "cycles");
	double near = own->parts[0][0].load;

	chart->log_x = true;
	for (int form = 0; form < FORMS_USED; form++) {
		const struct parts *least = &own->parts[0][0];
		double rest = least->walk[form] - compose(least, forms[form], near);
		struct experiment_series *measured =
			experiment_series(chart, names[form][0], false);
		struct experiment_series *composed = experiment_series(chart, names[form][1], true);

		for (int i = 1; i < SIZES * (int)FAMILIES; i++) {
			const struct parts *parts = &own->parts[i / FAMILIES][i % FAMILIES];
			double cycles = rest + compose(parts, forms[form], near);

			experiment_equal(result, "cycles", cycles, parts->walk[form], TOLERANCE,
					 "%s, %s, %llu pages: composed", names[form][0],
					 hpt_hash_family_name(families[i % FAMILIES]),
					 (unsigned long long)pages_of[i / FAMILIES])
				->timed = true;
			if (families[i % FAMILIES] != HPT_SIPHASH)
				continue;
			experiment_point(measured, (double)pages_of[i / FAMILIES],
					 parts->walk[form]);
			experiment_point(composed, (double)pages_of[i / FAMILIES], cycles);
		}
	}
}

/* What HHp is made of. */
static void draw_parts(const struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart =
		experiment_chart(result, "the parts of HHp by siphash", "pages mapped", "cycles");
	struct experiment_series *hashing = experiment_series(chart, "h1 + h2", false);
	struct experiment_series *probing[2] = {experiment_series(chart, "p1 c", false),
						experiment_series(chart, "p2 c", false)};
	struct experiment_series *rest = experiment_series(chart, "rest", false);

	chart->log_x = true;
	for (int size = 0; size < SIZES; size++) {
		const struct parts *parts = &own->parts[size][FAMILIES - 1];
		double pages = (double)pages_of[size];

		experiment_point(hashing, pages, 2 * parts->hash);
		for (int stage = 0; stage < 2; stage++)
			experiment_point(probing[stage], pages, parts->probes[stage] * parts->load);
		experiment_point(rest, pages, parts->walk[0] - compose(parts, FORM_HHP, 0));
	}
}

static int measure_all(struct experimenting *own, struct experiment_result *result)
{
	int error = 0;

	own->cycles_a_ns = timing_cycles_a_ns();
	for (int size = 0; !error && size < SIZES; size++) {
		for (size_t family = 0; !error && family < FAMILIES; family++)
			error = measure(own, size, family);
	}
	if (error)
		return error;
	for (size_t family = 0; family < FAMILIES; family++)
		claim_counts(result, &own->parts[1][family], families[family]);
	claim_times(own, result);
	draw_parts(own, result);
	experiment_nested_guest(result);
	return 0;
}

static int run(struct experiment_result *result, struct message *message)
{
	static struct experimenting own;
	int error = 0;

	own.wrong = 0;
	own.stages = malloc(sizeof(*own.stages));
	own.queries = malloc(QUERIES * sizeof(*own.queries));
	own.lines = malloc(QUERIES * sizeof(*own.lines));
	for (int i = 0; i < FORMS_USED; i++)
		own.walkers[i] = malloc(sizeof(*own.walkers[i]));
	if (!own.stages || !own.queries || !own.lines || !own.walkers[0] || !own.walkers[1])
		error = -ENOMEM;
	if (!error)
		error = measure_all(&own, result);
	free(own.stages);
	free(own.queries);
	free(own.lines);
	for (int i = 0; i < FORMS_USED; i++)
		free(own.walkers[i]);
	if (error)
		return experiment_no_memory(message);
	return own.wrong ? experiment_wrong(message, "a walk gave another frame") : 0;
}

const struct experiment nested_experiment = {
	.name = "nested",
	.question = "Is a walk through two hashed stages what its hashes and probes add up to, in "
		    "software and in a guest that runs?",
	.model =
		"cycles = h1 + p1 c1 + h2 + p2 c2 + the rest, with a slab (HHp); without one (HH) "
		"h2 + p2 c more, for the line of the guest's table; p by load, c a load that waits; "
		"live: t = trap + lookup + install at stage 1, and at stage 2 exit + lookup + install",
	.run = run,
};
