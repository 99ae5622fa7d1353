/* SPDX-License-Identifier: MIT */
/*
 * sealed: what it takes that frame numbers in table memory are encrypted, at every level of a tree
 * or once in a hashed entry, for one stage and for two.
 *
 * Counted are the words that a walk has to decipher before it can go on, by walks over sealed
 * tables whose answers are checked. Timed is a cipher over the field itself, each decryption after
 * the load before it and before the load after it, and what the tables really do: pads made of a
 * word's place, before the word is there (hpt/seal.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/experiment.h"
#include "bench/sealed_walk.h"
#include "bench/timing.h"
#include "bench/loops.h"
#include "hpt/mix.h"

#define PAGES \
	(UINT64_C(1) << 14) /* tables that the CPU's caches have: nothing else is waited for */
#define QUERIES (1 << 13)

enum sealing { CLEAR, SEALED, SEALINGS };

/* Both stages, or the guest's table alone. */
enum depth { SINGLE, NESTED, SLAB };

struct subject {
	const char *name;
	enum hpt_organisation guest, host;
	enum depth depth;
	double deciphered; /* words: the model */
	double leaves;	   /* if nodes are in the clear */
};

static const struct subject subjects[] = {
	{"hashed, single", HPT_CLUSTERED, HPT_CLUSTERED, SINGLE, 1, 1},
	{"HHp", HPT_CLUSTERED, HPT_CLUSTERED, SLAB, 2, 2},
	{"HH", HPT_CLUSTERED, HPT_CLUSTERED, NESTED, 3, 3},
	{"radix, single", HPT_RADIX, HPT_RADIX, SINGLE, 4, 1},
	{"RH", HPT_RADIX, HPT_CLUSTERED, NESTED, 9, 6},
	{"HR", HPT_CLUSTERED, HPT_RADIX, NESTED, 9, 3},
	{"RR", HPT_RADIX, HPT_RADIX, NESTED, 24, 6},
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

struct experimenting {
	struct stages *stages[SEALINGS];
	struct query *queries;
	uint64_t wrong;
	double cycles_a_ns;
};

static int build(struct stages *stages, const struct subject *subject, bool sealed)
{
	const struct layout_config layout = {.space = LAYOUT_DENSE,
					     .guest = LAYOUT_SCATTERED,
					     .host = LAYOUT_SCATTERED,
					     .pages = PAGES,
					     .seed = 1};
	struct stages_config config = {.guest_table = subject->guest,
				       .host_table = subject->host,
				       .sealed = sealed,
				       .room = 1};
	int error = layout_begin(&config.layout, &layout);

	return error ? error : stages_build(stages, &config);
}

/* What the walk of page i has to give. */
static uint64_t expected(const struct subject *subject, const struct stages *stages, uint64_t i)
{
	return subject->depth == SINGLE ? layout_gfn(&stages->config.layout, i)
					: hpt_frame(stages_expected(stages, i));
}

LOOP_INLINE uint64_t translate(const struct subject *subject, const struct walk *walk,
			       struct hpt_key key, bool cipher, struct sealed_count *count)
{
	return subject->depth == SINGLE ? sealed_lookup(walk->guest, key, cipher, count)
					: sealed_walk(walk, key, cipher, count);
}

/* Every page of the sealed tables. */
static struct sealed_count count_words(struct experimenting *own, const struct subject *subject)
{
	const struct stages *stages = own->stages[SEALED];
	struct walk walk = stages_walk(stages, subject->depth == SLAB);
	struct sealed_count count = {0, 0};

	for (uint64_t i = 0; i < PAGES; i++)
		own->wrong += translate(subject, &walk, stages_key(stages, i), false, &count) !=
			      expected(subject, stages, i);
	return count;
}

static void ask_again(struct experimenting *own, const struct subject *subject, uint64_t *random)
{
	const struct stages *stages = own->stages[CLEAR];

	for (int i = 0; i < QUERIES; i++) {
		uint64_t page = mix64_next(random) % PAGES;

		own->queries[i].vpn = stages_key(stages, page).vpn;
		own->queries[i].entry = expected(subject, stages, page);
	}
}

/* Cycles of one of the queries, that were asked since `start` of the thread's own time. */
static double cycles(const struct experimenting *own, uint64_t start)
{
	return (double)(timing_own_ns() - start) / QUERIES * own->cycles_a_ns;
}

/* Cycles a walk of the clear tables, each after the one before. */
static double time_words(struct experimenting *own, const struct subject *subject, bool cipher)
{
	struct walk walk = stages_walk(own->stages[CLEAR], subject->depth == SLAB);
	struct sealed_count count = {0, 0};
	uint64_t difference = 0;
	uint64_t start = timing_own_ns();

	for (int i = 0; i < QUERIES; i++) {
		struct hpt_key key = hpt_key(1, own->queries[i].vpn ^ difference, HPT_4K);

		difference = translate(subject, &walk, key, cipher, &count) ^ own->queries[i].entry;
		own->wrong += !!difference;
	}
	return cycles(own, start);
}

/* Cycles a word, each of which waits for the one before. */
static double time_cipher(struct experimenting *own)
{
	const struct aes_keys *keys = &own->stages[SEALED]->guest.desc.seal;
	struct aes_block block = {own->wrong, 0};
	uint64_t start = timing_own_ns();
	double time;

	for (int i = 0; i < QUERIES; i++)
		block = aes_encrypt(keys, (struct aes_block){block.low, 0});
	time = cycles(own, start);
	/* The result is used, so that nobody leaves the loop out. */
	own->wrong += !block.low && !block.high;
	return time;
}

LOOP_INLINE void find_single(void *table, uint64_t vpn, uint64_t *entry)
{
	hpt_lookup(table, hpt_key(1, vpn, HPT_4K), entry, NULL);
	*entry = hpt_frame(*entry);
}

LOOP_INLINE void find_nested(void *table, uint64_t vpn, uint64_t *entry)
{
	*entry = hpt_frame(walk_one(table, hpt_key(1, vpn, HPT_4K)));
}

/* Cycles of the product's own walk, sealed by pads or not. */
static double time_product(struct experimenting *own, const struct subject *subject,
			   enum sealing sealing, struct walk *walk)
{
	struct stages *stages = own->stages[sealing];
	uint64_t start = timing_own_ns();

	own->wrong += subject->depth == SINGLE
			      ? loop_latency(find_single, &stages->guest, own->queries, QUERIES)
			      : loop_latency(find_nested, walk, own->queries, QUERIES);
	return cycles(own, start);
}

/* What takes turns in each round. */
enum timed { WORDS_CLEAR, WORDS_CIPHER, PRODUCT_CLEAR, PRODUCT_SEALED, CIPHER, TIMED };

static void time_round(struct experimenting *own, const struct subject *subject,
		       struct walk walks[SEALINGS], int round, double (*samples)[ROUNDS],
		       uint64_t *random)
{
	ask_again(own, subject, random);
	samples[WORDS_CLEAR][round] = time_words(own, subject, false);
	samples[WORDS_CIPHER][round] = time_words(own, subject, true);
	samples[PRODUCT_CLEAR][round] = time_product(own, subject, CLEAR, &walks[CLEAR]);
	samples[PRODUCT_SEALED][round] = time_product(own, subject, SEALED, &walks[SEALED]);
	samples[CIPHER][round] = time_cipher(own);
}

static int time_all(struct experimenting *own, const struct subject *subject, double times[TIMED])
{
	static double samples[TIMED][ROUNDS];
	struct walk walks[SEALINGS];
	uint64_t random = 5;

	for (int sealing = 0; sealing < SEALINGS; sealing++) {
		walks[sealing] = stages_walk(own->stages[sealing], subject->depth == SLAB);
		if (walk_prepare(&walks[sealing]))
			return -EINVAL;
	}
	for (int round = 0; round < ROUNDS; round++)
		time_round(own, subject, walks, round, samples, &random);
	for (int i = 0; i < TIMED; i++)
		times[i] = timing_least(samples[i], ROUNDS);
	return 0;
}

static void claim(struct experimenting *own, const struct subject *subject,
		  struct experiment_result *result, const double times[TIMED])
{
	struct sealed_count count = count_words(own, subject);
	double cipher = times[WORDS_CIPHER] - times[WORDS_CLEAR];
	double pads = times[PRODUCT_SEALED] - times[PRODUCT_CLEAR];

	experiment_equal(result, "words", subject->deciphered, (double)count.deciphered / PAGES, 0,
			 "%s, sealed at every level: dependent decryptions", subject->name);
	experiment_equal(result, "words", subject->leaves, (double)count.leaves / PAGES, 0,
			 "%s, sealed once: dependent decryptions", subject->name);
	experiment_equal(result, "cycles", subject->deciphered * times[CIPHER], cipher, 0.25,
			 "%s: what a cipher over the words adds", subject->name)
		->timed = true;
	experiment_at_most(result, "cycles", subject->deciphered * times[CIPHER], pads, 0.1,
			   "%s: what pads add", subject->name)
		->timed = true;
}

static int measure(struct experimenting *own, const struct subject *subject,
		   struct experiment_result *result, struct experiment_series *const series[3])
{
	double times[TIMED];
	int error = build(own->stages[CLEAR], subject, false);

	if (error)
		return error;
	error = build(own->stages[SEALED], subject, true);
	if (!error) {
		error = time_all(own, subject, times);
		if (!error) {
			claim(own, subject, result, times);
			experiment_point(series[0], subject->deciphered,
					 times[WORDS_CIPHER] - times[WORDS_CLEAR]);
			experiment_point(series[1], subject->deciphered,
					 subject->deciphered * times[CIPHER]);
			experiment_point(series[2], subject->deciphered,
					 times[PRODUCT_SEALED] - times[PRODUCT_CLEAR]);
		}
		stages_destroy(own->stages[SEALED]);
	}
	stages_destroy(own->stages[CLEAR]);
	return error;
}

static int measure_all(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart =
		experiment_chart(result, "what sealing adds to a walk, tables in the CPU's caches",
				 "words deciphered", "cycles");
	struct experiment_series *const series[] = {
		experiment_series(chart, "cipher over the words", false),
		experiment_series(chart, "model, words x cipher", true),
		experiment_series(chart, "pads of places", false),
	};
	int error = 0;

	for (size_t i = 0; !error && i < SUBJECTS; i++)
		error = measure(own, &subjects[i], result, series);
	return error;
}

static int run(struct experiment_result *result, struct message *message)
{
	struct experimenting own = {.wrong = 0};
	int error = 0;

	own.queries = malloc(QUERIES * sizeof(*own.queries));
	for (int i = 0; i < SEALINGS; i++)
		own.stages[i] = malloc(sizeof(*own.stages[i]));
	if (!own.queries || !own.stages[CLEAR] || !own.stages[SEALED])
		error = -ENOMEM;
	own.cycles_a_ns = timing_cycles_a_ns();
	if (!error)
		error = measure_all(&own, result);
	free(own.queries);
	free(own.stages[CLEAR]);
	free(own.stages[SEALED]);
	if (error)
		return experiment_no_memory(message);
	return own.wrong ? experiment_wrong(message, "a sealed walk gave another frame") : 0;
}

const struct experiment sealed_experiment = {
	.name = "sealed",
	.question = "What do walks pay where frame numbers are encrypted in table memory: at every "
		    "level of a tree, or once an entry?",
	.model =
		"decryptions that wait for each other: a level each in a tree, 4, nested 24; one an "
		"entry if hashed, 1, nested 3, with a slab 2; leaves alone: nested radix 6; cycles: "
		"decryptions x cipher, if it is over the word; pads of its place need not wait",
	.run = run,
};
