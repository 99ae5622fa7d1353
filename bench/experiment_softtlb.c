/* SPDX-License-Identifier: MIT */
/*
 * softtlb: the hashed table as a second level of TLB. Lines of five slots, without a way to
 * overflow, behind a window of 64 pages; a radix tree behind both.
 *
 * A bucket to which k pages belong has min(k, s) of them, so with W pages over B buckets by a
 * random hash the share of accesses that a bucket answers is 1 less the share that overflows,
 * Poisson(W/B). That is h2 for the pages that the window has not, if no page is in both: hits = h1
 * + (1-h1) h2. What is measured lies a little below, since a page that goes back to the window
 * leaves its slot empty until another one falls into that bucket. If the levels are filled
 * together, the buckets have the window's pages as well, and the two cover no more than the buckets
 * alone: the formula, which takes the levels for independent, says too much then, by up to h1
 * (1-h2).
 */
#include <math.h>

#include "bench/arena.h"
#include "bench/experiment.h"
#include "bench/soft_tlb.h"
#include "bench/walk_model.h"
#include "bench/zipf.h"
#include "hpt/mix.h"

#define WINDOW_SETS 16
#define WINDOW_WAYS 4
#define WINDOW	    (WINDOW_SETS * WINDOW_WAYS)
#define SALTS	    8 /* a setting is measured under so many */
#define ACCESSES    (1 << 16)
#define PAGES_MAX   (UINT64_C(1) << 15)
#define WARM	    4 /* times all pages, at random, before anything is counted */
#define TOLERANCE   0.02
#define EMPTY_SLOTS 0.05 /* of hits that slots which were left empty may cost */

static const unsigned int all_buckets_log2[] = {9, 11, 13};
static const unsigned int all_slots[] = {1, 2, 3, 5};
static const uint64_t all_loads[] = {1, 2, 4}; /* pages a bucket */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct setting {
	unsigned int buckets_log2;
	unsigned int slots;
	uint64_t pages;
	bool exclusive;
	bool zipf;
	bool alone; /* without a window to speak of: one page */
	enum hpt_hash_family hash;
};

/* Shares of all accesses, and lines an access. */
struct outcome {
	double window;	 /* answered by the window */
	double combined; /* by either level */
	double lines;	 /* of buckets and of the tree */
	double second;	 /* lines of buckets, of an access that the window did not answer */
};

struct experimenting {
	struct arena arena;
	struct hpt tree;
	uint64_t wrong;
};

static struct hpt_key key_of(uint64_t page)
{
	return hpt_key(1, page, HPT_4K);
}

static uint64_t entry_of(uint64_t page)
{
	return hpt_entry(page + 7, HPT_PRESENT | HPT_USER);
}

static int build(struct experimenting *own)
{
	struct hpt_config config = {.organisation = HPT_RADIX};
	int error = arena_begin(&own->arena, (size_t)1 << 28);

	if (error)
		return error;
	config.memory = arena_memory(&own->arena);
	error = hpt_create(&own->tree, &config);
	if (!error)
		error = hpt_map_range(&own->tree, key_of(0), PAGES_MAX, entry_of(0));
	return error;
}

static void access_page(struct experimenting *own, struct soft_tlb *tlb, uint64_t page,
			struct hpt_ledger *ledger)
{
	uint64_t entry = 0;

	if (soft_tlb_lookup(tlb, key_of(page), &entry) == SOFT_TLB_MISS) {
		hpt_lookup(&own->tree, key_of(page), &entry, ledger);
		soft_tlb_fill(tlb, key_of(page), entry);
	}
	own->wrong += entry != entry_of(page);
}

static uint64_t next_page(const struct setting *setting, const struct zipf *zipf, uint64_t *random)
{
	uint64_t rank;

	if (!setting->zipf)
		return mix64_next(random) % setting->pages;
	/* Which page has which rank says nothing about where it lies. */
	rank = zipf_next(zipf, random);
	return rank * UINT64_C(0x9e3779b1) % setting->pages;
}

static void count(struct experimenting *own, struct soft_tlb *tlb, const struct setting *setting,
		  uint64_t salt, struct outcome *outcome)
{
	struct zipf zipf = zipf_of(setting->pages);
	struct hpt_ledger ledger = {0};
	uint64_t random = salt;
	uint64_t missed;

	for (uint64_t page = 0; page < setting->pages; page++)
		access_page(own, tlb, page, NULL);
	for (uint64_t i = 0; i < WARM * setting->pages; i++)
		access_page(own, tlb, next_page(setting, &zipf, &random), NULL);
	soft_tlb_count_again(tlb);
	for (int i = 0; i < ACCESSES; i++)
		access_page(own, tlb, next_page(setting, &zipf, &random), &ledger);
	missed = ACCESSES - tlb->answers[SOFT_TLB_WINDOW];
	outcome->window += (double)tlb->answers[SOFT_TLB_WINDOW] / ACCESSES / SALTS;
	outcome->combined += 1.0 / SALTS - (double)tlb->answers[SOFT_TLB_MISS] / ACCESSES / SALTS;
	outcome->lines += (double)(tlb->lines_read + ledger.lines) / ACCESSES / SALTS;
	outcome->second += (double)tlb->lines_read / (double)missed / SALTS;
}

/* Averages over all salts, that is over where the pages fall. */
static int measure(struct experimenting *own, const struct setting *setting,
		   struct outcome *outcome)
{
	*outcome = (struct outcome){.window = 0};
	for (uint64_t salt = 1; salt <= SALTS; salt++) {
		struct soft_tlb_config config = {
			.window = {.sets = setting->alone ? 1 : WINDOW_SETS,
				   .ways = setting->alone ? 1 : WINDOW_WAYS},
			.buckets_log2 = setting->buckets_log2,
			.slots = setting->slots,
			.hash = setting->hash,
			.salt = mix64(salt),
			.exclusive = setting->exclusive,
		};
		struct soft_tlb tlb;
		int error = soft_tlb_create(&tlb, &config);

		if (error)
			return error;
		count(own, &tlb, setting, salt, outcome);
		soft_tlb_destroy(&tlb);
	}
	return 0;
}

/* h2 where so many pages compete for the buckets. */
static double second_level(const struct setting *setting, double pages)
{
	return 1 -
	       walk_model_overflow(pages / (double)(1u << setting->buckets_log2), setting->slots);
}

static double composed(double first, double second)
{
	return first + (1 - first) * second;
}

/* Of a setting whose accesses are uniform. */
static double model(const struct setting *setting)
{
	double pages = (double)setting->pages;
	double first = WINDOW / pages;

	/* Filled together: what both have counts once, and the buckets have nearly all of it. */
	return setting->exclusive ? composed(first, second_level(setting, pages - WINDOW))
				  : second_level(setting, pages);
}

/* The setting that is farthest from its model, upwards if that alone matters. */
struct worst {
	struct setting setting;
	double model, measured;
};

static void note_worst(struct worst *worst, bool upwards, const struct setting *setting,
		       double expected, double measured)
{
	double residual = measured / expected - 1;
	double most = worst->model > 0 ? worst->measured / worst->model - 1 : 0;

	if (worst->model == 0 || (upwards ? residual > most : fabs(residual) > fabs(most)))
		*worst = (struct worst){*setting, expected, measured};
}

static void claim_worst(struct experiment_result *result, const struct worst *worst,
			enum experiment_relation relation, double tolerance, const char *what)
{
	const struct setting *setting = &worst->setting;

	experiment_claim(result,
			 (struct experiment_claim){.unit = "hits",
						   .relation = relation,
						   .model = worst->model,
						   .measured = worst->measured,
						   .tolerance = tolerance},
			 "%s: %u slots, worst at W %llu, B %u", what, setting->slots,
			 (unsigned long long)setting->pages, 1u << setting->buckets_log2);
}

/* All numbers of buckets and of pages, one number of slots. */
static int measure_slots(struct experimenting *own, unsigned int slots,
			 struct experiment_result *result)
{
	struct worst exclusive = {.model = 0}, together = {.model = 0}, formula = {.model = 0};

	for (size_t i = 0; i < COUNT(all_buckets_log2) * COUNT(all_loads); i++) {
		struct setting setting = {.buckets_log2 = all_buckets_log2[i / COUNT(all_loads)],
					  .slots = slots,
					  .exclusive = true,
					  .hash = HPT_AES};
		struct outcome outcome;
		int error;

		setting.pages = all_loads[i % COUNT(all_loads)] << setting.buckets_log2;
		error = measure(own, &setting, &outcome);
		if (error)
			return error;
		note_worst(&exclusive, false, &setting, model(&setting), outcome.combined);
		setting.exclusive = false;
		error = measure(own, &setting, &outcome);
		if (error)
			return error;
		note_worst(&together, false, &setting, model(&setting), outcome.combined);
		note_worst(&formula, true, &setting,
			   composed(outcome.window, second_level(&setting, (double)setting.pages)),
			   outcome.combined);
	}
	claim_worst(result, &exclusive, EXPERIMENT_EQUAL, EMPTY_SLOTS, "h1 + (1-h1)h2");
	claim_worst(result, &together, EXPERIMENT_EQUAL, TOLERANCE, "filled together, h2");
	claim_worst(result, &formula, EXPERIMENT_AT_MOST, TOLERANCE / 2,
		    "filled together, the formula");
	return 0;
}

/* Hits by pages a bucket. */
static int draw(struct experimenting *own, struct experiment_result *result)
{
	static const double loads[] = {0.25, 0.5, 1, 2, 3, 4, 6, 8, 12};
	static const char *const names[COUNT(all_slots)][2] = {
		{"1 slot", "model, 1"},
		{"2 slots", "model, 2"},
		{"3 slots", "model, 3"},
		{"5 slots", "model, 5"},
	};
	struct experiment_chart *chart = experiment_chart(
		result, "combined hit rate: window of 64, 2048 buckets", "pages a bucket", "hits");

	for (size_t i = 0; i < COUNT(all_slots); i++) {
		struct experiment_series *measured = experiment_series(chart, names[i][0], false);
		struct experiment_series *modelled = experiment_series(chart, names[i][1], true);

		for (size_t load = 0; load < COUNT(loads); load++) {
			struct setting setting = {.buckets_log2 = 11,
						  .slots = all_slots[i],
						  .pages = (uint64_t)(loads[load] * 2048),
						  .exclusive = true,
						  .hash = HPT_AES};
			struct outcome outcome;
			int error = measure(own, &setting, &outcome);

			if (error)
				return error;
			experiment_point(measured, loads[load], outcome.combined);
			experiment_point(modelled, loads[load], model(&setting));
		}
	}
	return 0;
}

/* Lines: the buckets' one, and the tree's four where they do not answer. */
static int measure_lines(struct experimenting *own, struct experiment_result *result)
{
	const struct setting setting = {
		.buckets_log2 = 11, .slots = 3, .pages = 4096, .exclusive = true, .hash = HPT_AES};
	struct outcome outcome;
	double first, second;
	int error = measure(own, &setting, &outcome);

	if (error)
		return error;
	first = WINDOW / (double)setting.pages;
	second = second_level(&setting, (double)setting.pages - WINDOW);
	experiment_claim(
		result,
		(struct experiment_claim){.unit = "lines", .model = 1, .measured = outcome.second},
		"lines of buckets an access that the window misses");
	experiment_claim(result,
			 (struct experiment_claim){.unit = "lines",
						   .model = (1 - first) *
							    (1 + (1 - second) * HPT_RADIX_LEVELS),
						   .measured = outcome.lines,
						   .tolerance = TOLERANCE},
			 "lines an access, (1-h1)(1 + (1-h2) 4): 3 slots, W 4096, B 2048");
	return 0;
}

/* Neighbours under fibonacci: as even as slots can be, so nothing overflows before they are full.
 */
static int measure_even(struct experimenting *own, struct experiment_result *result)
{
	const struct setting setting = {
		.buckets_log2 = 11, .slots = 5, .pages = 4 << 11, .hash = HPT_FIBONACCI};
	struct outcome outcome;
	int error = measure(own, &setting, &outcome);

	if (error)
		return error;
	experiment_claim(
		result,
		(struct experiment_claim){.unit = "hits", .model = 1, .measured = outcome.combined},
		"neighbours by fibonacci, 4 pages to 5 slots: no overflow");
	return 0;
}

/*
 * Accesses that are not uniform: the window answers the hottest pages, and what it leaves to the
 * buckets is harder than all accesses are. h2 of the same buckets over all accesses says too much.
 */
static int measure_zipf(struct experimenting *own, struct experiment_result *result)
{
	struct setting setting = {
		.buckets_log2 = 11, .slots = 1, .pages = 8192, .zipf = true, .hash = HPT_AES};
	struct outcome behind, alone;
	int error = measure(own, &setting, &behind);

	if (error)
		return error;
	setting.alone = true;
	error = measure(own, &setting, &alone);
	if (error)
		return error;
	experiment_claim(result,
			 (struct experiment_claim){.unit = "hits",
						   .relation = EXPERIMENT_AT_MOST,
						   .model = composed(behind.window, alone.combined),
						   .measured = behind.combined},
			 "Zipf accesses, h2 measured without a window: the formula");
	experiment_claim(result,
			 (struct experiment_claim){.unit = "hits",
						   .relation = EXPERIMENT_AT_MOST,
						   .model = alone.combined,
						   .measured = (behind.combined - behind.window) /
							       (1 - behind.window)},
			 "Zipf accesses: h2 behind the window, beside h2 without one");
	return 0;
}

static int measure_all(struct experimenting *own, struct experiment_result *result)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(all_slots); i++)
		error = measure_slots(own, all_slots[i], result);
	if (!error)
		error = measure_lines(own, result);
	if (!error)
		error = measure_even(own, result);
	if (!error)
		error = measure_zipf(own, result);
	if (!error)
		error = draw(own, result);
	return error;
}

static int run(struct experiment_result *result, struct message *message)
{
	struct experimenting own = {.wrong = 0};
	int error = build(&own);

	if (!error)
		error = measure_all(&own, result);
	if (own.arena.base)
		arena_end(&own.arena);
	if (error)
		return experiment_no_memory(message);
	return own.wrong ? experiment_wrong(message, "a page had another entry than its own") : 0;
}

const struct experiment softtlb_experiment = {
	.name = "softtlb",
	.question =
		"How many accesses does a hashed table answer as the second level of a TLB behind "
		"a small window?",
	.model =
		"hits = h1 + (1-h1) h2, h1 = 64/W, h2 = 1 - overflow(Poisson(W'/B), slots): W' are "
		"the pages that the buckets have to do with, W-64 if no page is in both levels",
	.run = run,
};
