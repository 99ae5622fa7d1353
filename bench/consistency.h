/* SPDX-License-Identifier: MIT */
/*
 * Things that somebody else changes, and a cache of them: what the experiment `consistency` is made
 * of. There are `things`, each of which changes and is asked for at random times of one clock that
 * stands still between two events. A cache of answers with a TTL (dns_cache.h) and a table of
 * translations that is told of changes (ept/shadow.h) are asked by such a schedule.
 *
 * An answer is stale if it is not what the origin would say at that moment.
 */
#ifndef BENCH_CONSISTENCY_H
#define BENCH_CONSISTENCY_H

#include "vmm/message.h"

#include <stdbool.h>
#include <stdint.h>

struct consistency_setting {
	uint32_t things;
	double changes; /* of each thing a second, on average */
	double asked;	/* each thing, times a second, on average */
	bool periodic;	/* changes come at equal distances, not at random (Poisson) ones */
	double warm;	/* seconds before anything is counted */
	uint64_t asks;	/* that are counted */
	uint64_t seed;
	uint32_t ttl; /* seconds: names */
};

struct consistency_outcome {
	uint64_t asks;
	uint64_t fetches; /* asks that the cache could not answer: the origin was asked */
	uint64_t stale;
	uint64_t changes;
	double seconds;	 /* of the schedule, in which the above were counted */
	uint64_t late;	 /* answers that were stale for longer than the TTL */
	double longest;	 /* seconds that an answer was stale at most */
	uint64_t broken; /* replies that were not as they had to be: number, TTL, question */
};

struct consistency_thing {
	uint64_t version;
	double changed; /* when it will have changed next */
};

struct consistency {
	struct consistency_setting setting;
	struct consistency_thing *things;
	double now;
	uint64_t random;
	uint64_t changes;
	/* Called at each change, before the clock goes on; or NULL. */
	void (*tell)(void *context, uint32_t thing);
	void *context;
};

/* -ENOMEM. */
int consistency_begin(struct consistency *world, const struct consistency_setting *setting);
void consistency_end(struct consistency *world);

/* Goes to the next time that something is asked for, and says what. */
uint32_t consistency_next(struct consistency *world);

/* When that version of a thing was no more what the origin said; it is an older one. */
double consistency_superseded(const struct consistency *world, uint32_t thing, uint64_t version);

/* A number of [0, 1). */
double consistency_chance(struct consistency *world);

/* Names: an answer that says which version of the thing it is of. By messages, each question and
 * each answer are bytes as a socket would bring them. */
int consistency_names(const struct consistency_setting *setting, bool messages,
		      struct consistency_outcome *outcome);

/* Pages: of which stages the combined table is told when they change. */
#define CONSISTENCY_STAGE1 1
#define CONSISTENCY_STAGE2 2
int consistency_pages(const struct consistency_setting *setting, int told,
		      struct consistency_outcome *outcome);

/*
 * Names once more, by sockets: an nsd that this starts, whose zone changes, and a resolver
 * (dns_server.h) in a thread, asked one question after the other for `seconds`. The TTL is a
 * second.
 */
struct consistency_live {
	const char *missing; /* why it could not be done here; NULL: it was */
	uint64_t asks;
	uint64_t lost;	  /* questions without an answer */
	uint64_t wrong;	  /* answers that the origin has never given, or with a longer TTL */
	uint64_t stale;	  /* answers of before a change that was complete */
	uint64_t late;	  /* the same, a TTL after the change */
	double longest;	  /* seconds after a change that the old answer was given at most */
	uint64_t changes; /* of the zone */
	uint64_t fetches; /* questions that nsd was asked */
};

int consistency_live(unsigned int seconds, struct consistency_live *live, struct message *message);

#endif
