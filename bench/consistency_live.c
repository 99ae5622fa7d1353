/* SPDX-License-Identifier: MIT */
/*
 * See consistency.h: names by sockets.
 *
 * Nobody says when nsd has a new zone: it is asked itself until it has given the new version so
 * many times one after the other that no process of the old one can be left. From then on what the
 * resolver gives is old. The change itself was before, so an old answer that is asked for a TTL
 * after it cannot be excused.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/consistency.h"
#include "bench/dns_origin.h"
#include "bench/dns_server.h"
#include "hpt/mix.h"
#include "vmm/status.h"

#define PATIENCE	 2000 /* ms until a question is lost */
#define PAUSE		 1    /* ms between two questions */
#define SETTLED		 5    /* times that nsd must have given the new version */
#define CHANGE_EVERY	 1300 /* ms: longer than the TTL, so that there are fresh answers as well */
#define VERSIONS	 64
#define MILLISECONDS(ns) ((long)(ns)*1000000L)

struct living {
	struct dns_origin origin;
	struct dns_server server;
	struct message message; /* of the server's thread */
	struct consistency_live *live;
	int resolver, direct;	    /* sockets to either */
	uint64_t settled[VERSIONS]; /* when nsd had it, ms; 0: not yet */
	unsigned int seen;	    /* times that it has given the newest */
	uint64_t next_change;
};

static void pause_for(unsigned int ms)
{
	const struct timespec time = {.tv_nsec = MILLISECONDS(ms)};

	nanosleep(&time, NULL);
}

static void *serve(void *argument)
{
	struct living *living = argument;

	dns_server_run(&living->server, &living->message);
	return NULL;
}

/* Asks nsd itself, as long as it has still to give its newest version. */
static void watch_origin(struct living *living)
{
	struct dns_question question = dns_origin_question(0);
	uint32_t newest = living->origin.version;
	uint32_t address, ttl;

	if (living->settled[newest])
		return;
	if (dns_client_ask(living->direct, &question, &address, &ttl) || address != newest) {
		living->seen = 0;
		return;
	}
	if (++living->seen < SETTLED)
		return;
	living->settled[newest] = dns_clock();
	living->next_change = living->settled[newest] + CHANGE_EVERY;
	living->seen = 0;
	living->live->changes += newest > 1;
}

static void judge(struct living *living, uint64_t asked_at, uint32_t version, uint32_t ttl)
{
	struct consistency_live *live = living->live;
	double old_for;

	if (!version || version > living->origin.version || ttl > DNS_ORIGIN_TTL) {
		live->wrong++;
		return;
	}
	/* What the next version is not known to have replaced is not old. */
	if (version == living->origin.version || !living->settled[version + 1] ||
	    asked_at <= living->settled[version + 1])
		return;
	old_for = (double)(asked_at - living->settled[version + 1]) / 1000;
	live->stale++;
	if (old_for > live->longest)
		live->longest = old_for;
	live->late += old_for > DNS_ORIGIN_TTL;
}

static int ask_all(struct living *living, unsigned int seconds)
{
	uint64_t end = dns_clock() + UINT64_C(1000) * seconds;
	uint64_t random = 1;
	int error = 0;

	while (!error && dns_clock() < end) {
		struct dns_question question =
			dns_origin_question(mix64_next(&random) % DNS_ORIGIN_NAMES);
		uint32_t version, ttl;
		uint64_t asked_at;

		watch_origin(living);
		if (living->settled[living->origin.version] && dns_clock() > living->next_change &&
		    living->origin.version + 1 < VERSIONS)
			error = dns_origin_change(&living->origin);
		asked_at = dns_clock();
		living->live->asks++;
		if (dns_client_ask(living->resolver, &question, &version, &ttl))
			living->live->lost++;
		else
			judge(living, asked_at, version, ttl);
		pause_for(PAUSE);
	}
	return error;
}

static int ask_server(struct living *living, unsigned int seconds)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, serve, living);

	if (error)
		return -error;
	living->resolver = dns_client_open(living->server.port, PATIENCE);
	living->direct = dns_client_open(living->origin.port, PATIENCE);
	if (living->resolver < 0 || living->direct < 0)
		error = -EIO;
	else
		error = ask_all(living, seconds);
	dns_server_stop(&living->server);
	pthread_join(thread, NULL);
	if (living->resolver >= 0)
		close(living->resolver);
	if (living->direct >= 0)
		close(living->direct);
	living->live->fetches = living->server.forward.counts.questions;
	return error;
}

static int run(struct living *living, unsigned int seconds, struct message *message)
{
	const struct dns_server_config config = {.origin = UINT32_C(0x7f000001),
						 .origin_port = living->origin.port,
						 .records = 256,
						 .organisation = HPT_BUCKET};
	int error = dns_server_create(&living->server, &config, message);

	if (error)
		return error;
	error = ask_server(living, seconds);
	dns_server_destroy(&living->server);
	if (error)
		return message_set(message, error, STATUS_INTERNAL,
				   "nsd or the resolver could not be asked or changed (error %d)",
				   -error);
	return 0;
}

int consistency_live(unsigned int seconds, struct consistency_live *live, struct message *message)
{
	struct living *living = calloc(1, sizeof(*living));
	int error;

	*live = (struct consistency_live){.missing = NULL};
	if (!living)
		return message_set(message, -ENOMEM, STATUS_INTERNAL, "no memory for a resolver");
	living->live = live;
	error = 0;
	if (!dns_origin_exists()) {
		live->missing = "nsd is missing; fix: apt-get install nsd";
	} else if (dns_origin_begin(&living->origin)) {
		live->missing = "nsd did not start on loopback";
	} else {
		error = run(living, seconds, message);
		dns_origin_end(&living->origin);
	}
	free(living);
	return error;
}
