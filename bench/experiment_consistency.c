/* SPDX-License-Identifier: MIT */
/*
 * consistency: one table core under two contracts. A cache of names may say for TTL seconds what is
 * no more so, and nobody tells it; a page table's cache must not, and is told.
 *
 * Names. After a fetch at 0 the cache answers until T, and then waits 1/q on average for the next
 * ask, which fetches. Of qT answers from the cache, the one at t is stale if something has changed
 * before t: 1 - exp(-rt) at random changes, t/P (at most 1) at periodic ones, whose phase says
 * nothing about the fetch's. So of all 1 + qT asks of a round
 *
 *	random      q (T - (1 - exp(-rT)) / r) / (1 + qT)
 *	periodic    q (T^2 / 2P) / (1 + qT)   T <= P,    q (T - P/2) / (1 + qT)   T > P
 *
 * and with q far above 1/T the first is 1 - (1 - exp(-rT)) / (rT).
 *
 * Pages. A page is walked for again at the first access after a change: of the events of a page,
 * at rates r and q, one follows the other, so r/(r+q) of all accesses walk and none is stale. Not
 * told at all, the table is a cache of names without end. Told of one stage only, where half of
 * the changes are the other's, an access is stale if the last change was one of these and the page
 * had been filled in before it: 1/2 q/(r+q).
 */
#include <errno.h>
#include <math.h>

#include "bench/consistency.h"
#include "bench/experiment.h"

#define THINGS	 512
#define CHANGES	 (1.0 / 16)
#define ASKED	 2.0
#define ASKS	 400000
#define PERIOD	 (1 / CHANGES)
#define MESSAGES 20000 /* asks that are made of bytes */
#define LIVE	 6     /* seconds of sockets */
#define SEED	 6

/* What chance leaves: at the shortest TTL some 12,000 answers in 400,000 are stale, in runs. */
#define TOLERANCE 0.05

static const uint32_t all_ttls[] = {1, 2, 4, 8, 16, 32, 64, 128};
#define TTLS (sizeof(all_ttls) / sizeof(all_ttls[0]))

static struct consistency_setting setting_of(uint32_t ttl, bool periodic)
{
	return (struct consistency_setting){
		.things = THINGS,
		.changes = CHANGES,
		.asked = ASKED,
		.periodic = periodic,
		.warm = ttl + 8 / ASKED,
		.asks = ASKS,
		.seed = SEED,
		.ttl = ttl,
	};
}

static double fetched_model(double ttl)
{
	return 1 / (1 + ASKED * ttl);
}

/* Seconds of the `ttl` after a fetch in which the answer is stale, on average. */
static double stale_seconds(double ttl, bool periodic)
{
	if (!periodic)
		return ttl - (1 - exp(-CHANGES * ttl)) / CHANGES;
	return ttl <= PERIOD ? ttl * ttl / (2 * PERIOD) : ttl - PERIOD / 2;
}

static double stale_model(double ttl, bool periodic)
{
	return ASKED * stale_seconds(ttl, periodic) * fetched_model(ttl);
}

static double share(uint64_t part, const struct consistency_outcome *outcome)
{
	return (double)part / (double)outcome->asks;
}

struct charts {
	struct experiment_series *stale[2], *stale_models[2];
	struct experiment_series *fetched, *fetched_models;
	struct experiment_series *told_stale, *told_fetched;
};

/* What all rounds of names together may not do. */
struct bounds {
	uint64_t late;
	double longest; /* of the TTL */
	uint64_t broken;
};

static int names(uint32_t ttl, bool periodic, struct experiment_result *result,
		 struct charts *charts, struct bounds *bounds)
{
	const struct consistency_setting setting = setting_of(ttl, periodic);
	struct consistency_outcome outcome;
	int error = consistency_names(&setting, false, &outcome);
	double stale = share(outcome.stale, &outcome);
	double of_ttl = outcome.longest / ttl;

	if (error)
		return error;
	experiment_equal(result, "stale", stale_model(ttl, periodic), stale, TOLERANCE,
			 "%s changes, TTL %u s: stale answers", periodic ? "periodic" : "random",
			 ttl);
	experiment_point(charts->stale[periodic], CHANGES * ttl, stale);
	experiment_point(charts->stale_models[periodic], CHANGES * ttl, stale_model(ttl, periodic));
	bounds->late += outcome.late;
	bounds->broken += outcome.broken;
	if (of_ttl > bounds->longest)
		bounds->longest = of_ttl;
	if (periodic)
		return 0;
	experiment_equal(result, "fetches", fetched_model(ttl), share(outcome.fetches, &outcome),
			 TOLERANCE, "random changes, TTL %u s: fetches an ask", ttl);
	experiment_point(charts->fetched, CHANGES * ttl, share(outcome.fetches, &outcome));
	experiment_point(charts->fetched_models, CHANGES * ttl, fetched_model(ttl));
	return 0;
}

static int all_names(struct experiment_result *result, struct charts *charts)
{
	struct bounds bounds = {.late = 0};
	int error = 0;

	for (size_t i = 0; !error && i < 2 * TTLS; i++)
		error = names(all_ttls[i % TTLS], i >= TTLS, result, charts, &bounds);
	if (error)
		return error;
	experiment_equal(result, "answers", 0, (double)bounds.late, 0,
			 "names: answers that were stale for longer than their TTL");
	experiment_at_most(result, "TTLs", 1, bounds.longest, 0,
			   "names: the longest that an answer was stale");
	experiment_equal(result, "faults", 0, (double)bounds.broken, 0,
			 "names: caches that were not whole at the end");
	return 0;
}

/* The same schedule through the bytes of messages, in and out: not one answer is another. */
static int messages(struct experiment_result *result)
{
	struct consistency_setting setting = setting_of(16, false);
	struct consistency_outcome bytes, cache;
	int error;

	setting.asks = MESSAGES;
	error = consistency_names(&setting, true, &bytes);
	if (!error)
		error = consistency_names(&setting, false, &cache);
	if (error)
		return error;
	experiment_equal(result, "answers", (double)cache.stale, (double)bytes.stale, 0,
			 "by messages, TTL 16 s: stale answers, as of the cache alone");
	experiment_equal(result, "fetches", (double)cache.fetches, (double)bytes.fetches, 0,
			 "by messages, TTL 16 s: questions to the origin, as of the cache alone");
	experiment_equal(result, "replies", 0, (double)bytes.broken, 0,
			 "by messages: replies with a wrong number, TTL or content");
	return 0;
}

static int pages(struct experiment_result *result, struct charts *charts)
{
	struct consistency_setting setting = setting_of(0, false);
	struct consistency_outcome both, stages[2], none;
	double walks = CHANGES / (CHANGES + ASKED);
	double horizon;
	int error;

	setting.warm = 8 / CHANGES;
	error = consistency_pages(&setting, CONSISTENCY_STAGE1 | CONSISTENCY_STAGE2, &both);
	for (int i = 0; !error && i < 2; i++)
		error = consistency_pages(&setting, i ? CONSISTENCY_STAGE2 : CONSISTENCY_STAGE1,
					  &stages[i]);
	setting.warm = 0;
	if (!error)
		error = consistency_pages(&setting, 0, &none);
	if (error)
		return error;
	horizon = CHANGES * none.seconds;
	experiment_equal(result, "accesses", 0, (double)both.stale, 0,
			 "pages, told of both stages: stale translations");
	experiment_at_least(result, "changes", 1000, (double)both.changes, 0,
			    "pages, told of both stages: changes meanwhile");
	experiment_equal(result, "walks", walks, share(both.fetches, &both), TOLERANCE,
			 "pages, told of both stages: walks an access");
	for (int i = 0; i < 2; i++)
		experiment_equal(result, "stale", ASKED / (CHANGES + ASKED) / 2,
				 share(stages[i].stale, &stages[i]), TOLERANCE,
				 "pages, told of stage %d only: stale translations", 1 + i);
	experiment_equal(result, "stale", 1 - (1 - exp(-horizon)) / horizon,
			 share(none.stale, &none), TOLERANCE,
			 "pages, told of nothing: stale translations");
	/* Whatever the TTL of others: a line from the first to the last. */
	for (size_t i = 0; i < TTLS; i += TTLS - 1) {
		experiment_point(charts->told_stale, CHANGES * all_ttls[i],
				 share(both.stale, &both));
		experiment_point(charts->told_fetched, CHANGES * all_ttls[i],
				 share(both.fetches, &both));
	}
	return 0;
}

/* As fresh as the origin is asked: the same number of fetches, with and without being told. */
static int same_fetches(struct experiment_result *result)
{
	const uint32_t ttl = (uint32_t)PERIOD;
	struct consistency_setting setting = setting_of(ttl, false);
	struct consistency_outcome told, kept;
	int error = consistency_names(&setting, false, &kept);

	setting.warm = 8 / CHANGES;
	if (!error)
		error = consistency_pages(&setting, CONSISTENCY_STAGE1 | CONSISTENCY_STAGE2, &told);
	if (error)
		return error;
	experiment_equal(result, "fetches", share(told.fetches, &told), share(kept.fetches, &kept),
			 TOLERANCE, "TTL 1/r: fetches an ask, as the table that is told walks");
	experiment_at_least(result, "stale", exp(-1) - 0.02, share(kept.stale, &kept), 0,
			    "TTL 1/r: answers that are stale all the same, 1/e less 0.02");
	return 0;
}

static void claim_live(struct experiment_result *result, const struct consistency_live *live)
{
	if (live->missing) {
		experiment_missing(result, "answers", live->missing,
				   "sockets: old answers of a resolver before an nsd that changes");
		return;
	}
	experiment_equal(result, "answers", 0, (double)live->lost, 0,
			 "sockets: questions without an answer");
	experiment_equal(result, "answers", 0, (double)live->wrong, 0,
			 "sockets: answers that nsd never gave, or with a longer TTL");
	experiment_equal(result, "answers", 0, (double)live->late, 0,
			 "sockets: old answers a TTL after a change, or later");
	experiment_at_least(result, "answers", 1, (double)live->stale, 0,
			    "sockets: old answers after a change");
	experiment_at_least(result, "changes", LIVE / 3, (double)live->changes, 0,
			    "sockets: changes of the zone");
	experiment_note(result,
			"sockets: %llu answers, of which %llu were old; the oldest was asked for "
			"%.3f s after the change, at a TTL of 1 s; nsd was asked %llu times",
			(unsigned long long)live->asks, (unsigned long long)live->stale,
			live->longest, (unsigned long long)live->fetches);
}

static struct charts draw(struct experiment_result *result)
{
	struct experiment_chart *stale = experiment_chart(
		result, "stale answers of a cache with TTL T, things that change at rate r", "rT",
		"stale answers");
	struct experiment_chart *fetched =
		experiment_chart(result, "what the origin is asked", "rT", "fetches an ask");
	struct charts charts;

	stale->log_x = true;
	fetched->log_x = true;
	fetched->log_y = true;
	charts.stale[0] = experiment_series(stale, "random changes", false);
	charts.stale_models[0] = experiment_series(stale, "model, random", true);
	charts.stale[1] = experiment_series(stale, "periodic changes", false);
	charts.stale_models[1] = experiment_series(stale, "model, periodic", true);
	charts.told_stale = experiment_series(stale, "told of each change", true);
	charts.fetched = experiment_series(fetched, "TTL", false);
	charts.fetched_models = experiment_series(fetched, "model, TTL", true);
	charts.told_fetched = experiment_series(fetched, "told of each change", true);
	return charts;
}

static int run(struct experiment_result *result, struct message *message)
{
	struct consistency_live live = {.missing = NULL};
	struct charts charts = draw(result);
	int error = all_names(result, &charts);

	if (!error)
		error = messages(result);
	if (!error)
		error = pages(result, &charts);
	if (!error)
		error = same_fetches(result);
	if (error)
		return experiment_no_memory(message);
	error = consistency_live(LIVE, &live, message);
	if (!error)
		claim_live(result, &live);
	return error;
}

const struct experiment consistency_experiment = {
	.name = "consistency",
	.question = "How often is a cache wrong that is told how long it may keep an answer, and "
		    "how often one that is told of each change?",
	.model = "names, random changes: stale = q (T - (1-exp(-rT))/r) / (1+qT), for T seconds at "
		 "most; fetches 1/(1+qT); pages: stale = 0, walks r/(r+q); told of one stage only, "
		 "stale = 1/2 q/(r+q)",
	.run = run,
};
