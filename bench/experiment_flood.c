/* SPDX-License-Identifier: MIT */
/*
 * flood: what somebody can do to a hashed table who chooses the addresses that are entered, and
 * what keeps him from it: a salt, a keyed hash, another salt in time.
 *
 * The keys of an attack are computed for salt 0 (flood.h) and mapped in a table that has a salt of
 * its own. A linear hash (crc32) collides for them under any salt. A keyed one does not, but who
 * sees what his lookups cost finds keys that collide one by one, whatever the hash: then the salt
 * has to change before he has many.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/experiment_flood.h"
#include "bench/flood.h"
#include "bench/loops.h"
#include "bench/timing.h"
#include "hpt/mix.h"

#define ARENA	    ((size_t)1 << 28)
#define KEYS	    512
#define HEADS_LOG2  14 /* chained */
#define LINES_LOG2  15 /* clustered */
#define GROUPS_LOG2 (LINES_LOG2 - HPT_GROUP_LOG2)
#define SALTS	    8
#define BENIGN	    (UINT64_C(1) << 16) /* pages that nobody has chosen */
#define LEAK_HEADS  1024		/* of the table that leaks */
#define LEAKED	    256			/* keys that the attacker wants */
#define PERIODS	    16			/* of salts, that are averaged over */

struct defence {
	const char *name;
	enum hpt_hash_family family;
	bool salted;
	bool holds; /* the computed keys do not collide */
};

static const struct defence defences[] = {
	{"public fibonacci", HPT_FIBONACCI, false, false},
	{"salted fibonacci", HPT_FIBONACCI, true, true},
	{"salted crc32", HPT_CRC32, true, false},
	{"keyed siphash", HPT_SIPHASH, true, true},
};

#define DEFENCES (sizeof(defences) / sizeof(defences[0]))

struct experimenting {
	struct arena arena;
	struct hpt table;
	uint64_t vpns[KEYS];
	struct query *queries;
	uint64_t wrong;
};

static int create(struct experimenting *own, enum hpt_organisation organisation, uint64_t pages,
		  enum hpt_hash_family family, uint64_t salt)
{
	struct hpt_config config = {
		.organisation = organisation, .pages = pages, .hash = family, .salt = salt};

	arena_reset(&own->arena);
	config.memory = arena_memory(&own->arena);
	return hpt_create(&own->table, &config);
}

/* Probes a lookup in a chain that has all of them: the head, and half of the nodes. */
static double chain_model(double keys)
{
	return 1 + (keys + 1) / 2;
}

/* In a group of 64 lines that is filled at random, and in the spill lines behind it. */
static double group_model(unsigned int keys)
{
	double probes = 0;

	for (unsigned int i = 0; i < keys; i++)
		probes += i < HPT_GROUP_LINES
				  ? (HPT_GROUP_LINES + 1.0) / (HPT_GROUP_LINES + 1.0 - i)
				  : HPT_GROUP_LINES + (i - HPT_GROUP_LINES) + 1.0;
	return probes / keys;
}

/* The computed keys in a table with this defence, over some salts; the worst, where it holds. */
static int attack(struct experimenting *own, enum hpt_organisation organisation,
		  const struct defence *defence, double *probes)
{
	bool chained = organisation == HPT_CHAINED;
	uint64_t pages = chained ? UINT64_C(1) << HEADS_LOG2 : UINT64_C(4) << LINES_LOG2;

	flood_compute(defence->family, 0, chained ? HEADS_LOG2 : GROUPS_LOG2, !chained, own->vpns,
		      KEYS);
	*probes = 0;
	for (uint64_t i = 1; i <= (defence->salted ? SALTS : 1); i++) {
		struct flood_cost cost;
		int error = create(own, organisation, pages, defence->family,
				   defence->salted ? mix64(i) : 0);

		if (!error)
			error = flood_map(&own->table, own->vpns, KEYS);
		if (error)
			return error;
		cost = flood_cost(&own->table, own->vpns, KEYS);
		own->wrong += cost.wrong;
		*probes = cost.probes > *probes ? cost.probes : *probes;
	}
	return 0;
}

static int measure_attacks(struct experimenting *own, struct experiment_result *result)
{
	const double collided[2] = {chain_model(KEYS), group_model(KEYS)};
	/* As at random, of which twice is well: the head and 1 + a/2 nodes; a line, since the table
	 * is nearly empty. */
	const double spread[2] = {2 + KEYS / 2.0 / (1 << HEADS_LOG2), 1};

	for (int i = 0; i < 2; i++) {
		enum hpt_organisation organisation = i ? HPT_CLUSTERED : HPT_CHAINED;

		for (size_t j = 0; j < DEFENCES; j++) {
			double probes;
			int error = attack(own, organisation, &defences[j], &probes);

			if (error)
				return error;
			if (defences[j].holds)
				experiment_at_most(result, "probes", 2 * spread[i], probes, 0,
						   "%s, %s: probes, %d computed keys",
						   hpt_organisation_name(organisation),
						   defences[j].name, KEYS);
			else
				experiment_equal(result, "probes", collided[i], probes, 0.05,
						 "%s, %s: probes, %d computed keys",
						 hpt_organisation_name(organisation),
						 defences[j].name, KEYS);
		}
	}
	return 0;
}

/* The chain by the keys that are mapped, without a defence and with one. */
static int draw_attack(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart = experiment_chart(
		result, "computed keys in chained and clustered tables", "keys", "probes a lookup");
	static const char *const names[2] = {"chained", "clustered"};
	static const char *const model_names[2] = {"model, chain", "model, group and spill"};

	chart->log_x = chart->log_y = true;
	for (int i = 0; i < 2; i++) {
		struct experiment_series *measured = experiment_series(chart, names[i], false);
		struct experiment_series *modelled = experiment_series(chart, model_names[i], true);

		flood_compute(HPT_FIBONACCI, 0, i ? GROUPS_LOG2 : HEADS_LOG2, i, own->vpns, KEYS);
		for (unsigned int keys = 8; keys <= KEYS; keys *= 2) {
			int error =
				create(own, i ? HPT_CLUSTERED : HPT_CHAINED,
				       UINT64_C(4) << LINES_LOG2 >> (i ? 0 : 3), HPT_FIBONACCI, 0);

			if (!error)
				error = flood_map(&own->table, own->vpns, keys);
			if (error)
				return error;
			experiment_point(measured, keys,
					 flood_cost(&own->table, own->vpns, keys).probes);
			experiment_point(modelled, keys, i ? group_model(keys) : chain_model(keys));
		}
	}
	return 0;
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	hpt_lookup(table, hpt_key(FLOOD_ASID, vpn, HPT_4K), entry, NULL);
}

/* Pages one after the other, in a table that holds them: probes, and nanoseconds a lookup. */
static int cost_of(struct experimenting *own, const struct defence *defence, double *probes,
		   double *time)
{
	struct hpt_ledger ledger = {0};
	double samples[ROUNDS];
	uint64_t random = 1, entry;
	int error =
		create(own, HPT_CLUSTERED, BENIGN, defence->family, defence->salted ? mix64(3) : 0);

	if (!error)
		error = hpt_map_range(&own->table, hpt_key(FLOOD_ASID, 0, HPT_4K), BENIGN,
				      hpt_entry(0, HPT_PRESENT));
	if (error)
		return error;
	for (uint64_t i = 0; i < BENIGN; i++)
		hpt_lookup(&own->table, hpt_key(FLOOD_ASID, i, HPT_4K), &entry, &ledger);
	*probes = (double)ledger.probes / (double)BENIGN;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start;

		for (uint64_t i = 0; i < BENIGN; i++) {
			uint64_t page = mix64_next(&random) % BENIGN;

			own->queries[i] = (struct query){page, hpt_entry(page, HPT_PRESENT)};
		}
		start = timing_own_ns();
		own->wrong += loop_latency(find, &own->table, own->queries, BENIGN);
		samples[round] = (double)(timing_own_ns() - start) / (double)BENIGN;
	}
	*time = timing_median(samples, ROUNDS);
	return 0;
}

/* Without an attack. */
static int measure_costs(struct experimenting *own, struct experiment_result *result)
{
	double probes[DEFENCES], times[DEFENCES];

	for (size_t i = 0; i < DEFENCES; i++) {
		int error = cost_of(own, &defences[i], &probes[i], &times[i]);
		double load = (double)own->table.counts.used / (double)own->table.counts.places;

		if (error)
			return error;
		if (defences[i].family == HPT_SIPHASH)
			experiment_equal(result, "probes", log(1 / (1 - load)) / load, probes[i],
					 0.1, "no attack, %s: probes a lookup", defences[i].name);
		else
			experiment_at_most(result, "probes", log(1 / (1 - load)) / load, probes[i],
					   0, "no attack, %s: probes a lookup", defences[i].name);
	}
	experiment_equal(result, "ns", times[0], times[1], 0.25,
			 "no attack, in cache: salted fibonacci, beside public")
		->timed = true;
	experiment_at_least(result, "ns", times[0], times[3], 0,
			    "no attack, in cache: keyed siphash, beside fibonacci")
		->timed = true;
	return 0;
}

/* A keyed table that shows its owner's lookups to the attacker. */
static int begin_leak(struct experimenting *own, struct flood_leak *leak, uint64_t salt)
{
	int error = create(own, HPT_CHAINED, LEAK_HEADS, HPT_SIPHASH, salt);

	*leak = (struct flood_leak){.watched = 1, .vpns = own->vpns + 1, .most = LEAKED};
	own->vpns[0] = leak->watched;
	return error ? error : flood_map(&own->table, own->vpns, 1);
}

static int change_salt(struct hpt *table, uint64_t salt)
{
	int error = hpt_rekey(table, salt);

	while (!error) {
		error = hpt_settle(table, 64);
		if (!error)
			return 0;
		error = error == -EAGAIN ? 0 : error;
	}
	return error;
}

/* The attacker learns; then the salt changes, and what he knows is worth nothing. */
static int measure_leak(struct experimenting *own, struct experiment_result *result)
{
	struct flood_leak leak;
	double watched;
	int error = begin_leak(own, &leak, mix64(17));

	if (!error)
		error = flood_leak(&own->table, &leak, UINT64_MAX);
	if (error)
		return error;
	experiment_equal(result, "trials", (double)LEAKED * LEAK_HEADS, (double)leak.trials, 0.25,
			 "a leak, keyed siphash, %d heads: trials for %d keys", LEAK_HEADS, LEAKED);
	watched = flood_by_count(&own->table, leak.watched);
	experiment_equal(result, "probes", 2 + LEAKED, watched, 0,
			 "a leak: probes for the page that is watched");
	error = change_salt(&own->table, mix64(18));
	if (error)
		return error;
	experiment_equal(result, "probes", 2 + (LEAKED + 1) / 2.0 / LEAK_HEADS,
			 flood_cost(&own->table, leak.vpns, LEAKED).probes, 0.1,
			 "another salt: probes for the keys that were learnt");
	return 0;
}

/* By the clock: half of the candidates collide, half do not. What he guesses is right in 1/2. */
static int measure_clock(struct experimenting *own, struct experiment_result *result)
{
	struct flood_leak leak;
	int error = begin_leak(own, &leak, mix64(19));

	if (!error)
		error = flood_leak(&own->table, &leak, UINT64_MAX);
	for (size_t i = 0; !error && i < leak.count; i++)
		error = hpt_unmap(&own->table, hpt_key(FLOOD_ASID, leak.vpns[i], HPT_4K), NULL);
	if (error)
		return error;
	experiment_at_least(result, "share", 0.75,
			    flood_leak_by_time(&own->table, leak.watched, leak.vpns, leak.count), 0,
			    "a leak by the clock: decisions that are right, one node more or not")
		->timed = true;
	return 0;
}

/* A new salt after so many trials: how far the attacker gets. */
static int measure_periods(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *chart =
		experiment_chart(result, "another salt in time: a leak's chain", "trials a salt",
				 "keys that collide");
	struct experiment_series *measured = experiment_series(chart, "learnt", false);
	struct experiment_series *modelled = experiment_series(chart, "model, trials/heads", true);

	chart->log_x = chart->log_y = true;
	for (uint64_t trials = LEAK_HEADS; trials <= 64 * LEAK_HEADS; trials *= 4) {
		double learnt = 0;

		for (uint64_t period = 0; period < PERIODS; period++) {
			struct flood_leak leak;
			int error = begin_leak(own, &leak, mix64(100 + period));

			if (!error)
				error = flood_leak(&own->table, &leak, trials);
			if (error)
				return error;
			learnt += (double)leak.count / PERIODS;
		}
		experiment_point(measured, (double)trials, learnt);
		experiment_point(modelled, (double)trials, (double)trials / LEAK_HEADS);
		if (trials >= 16 * LEAK_HEADS)
			experiment_equal(result, "keys", (double)trials / LEAK_HEADS, learnt, 0.2,
					 "another salt after %llu trials: keys that were learnt",
					 (unsigned long long)trials);
	}
	return 0;
}

static int measure(struct experimenting *own, struct experiment_result *result)
{
	int (*const parts[])(struct experimenting * own, struct experiment_result * result) = {
		measure_attacks, measure_costs,	  measure_leak,
		measure_clock,	 measure_periods, draw_attack,
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(parts) / sizeof(parts[0]); i++)
		error = parts[i](own, result);
	if (!error)
		experiment_flood_guests(result);
	return error;
}

static int run(struct experiment_result *result, struct message *message)
{
	static struct experimenting own;
	int error = arena_begin(&own.arena, ARENA);

	if (error)
		return experiment_no_memory(message);
	own.wrong = 0;
	own.queries = malloc(BENIGN * sizeof(*own.queries));
	error = own.queries ? measure(&own, result) : -ENOMEM;
	arena_end(&own.arena);
	free(own.queries);
	if (error)
		return experiment_no_memory(message);
	return own.wrong ? experiment_wrong(message, "a page had another entry than its own") : 0;
}

const struct experiment flood_experiment = {
	.name = "flood",
	.question =
		"What can somebody do who chooses addresses that collide, to the guest's table or "
		"to the host's, and what do salts and keyed hashes cost and keep?",
	.model =
		"n keys in one chain: 1 + (n+1)/2 probes; in one group of 64 lines and the spill: 64 + "
		"i for the ith beyond 64; as at random under a salt that is not known, unless the hash "
		"is linear; who sees what lookups cost learns a key in as many trials as there are "
		"heads, so a salt that lives for R trials gives him R/heads",
	.run = run,
};
