/* SPDX-License-Identifier: MIT */
/*
 * A resolver without sockets and without a clock: what a query gets from the cache, and what an
 * origin's answer leaves there. dns_server.h has the sockets; the experiment has a clock of its
 * own.
 */
#ifndef BENCH_DNS_RESOLVER_H
#define BENCH_DNS_RESOLVER_H

#include "bench/dns_cache.h"

struct dns_resolver_counts {
	uint64_t queries;
	uint64_t dropped;
	uint64_t refused; /* with a response code, malformed ones included */
};

struct dns_resolver {
	struct dns_cache cache;
	struct dns_answer answer; /* that was taken last */
	struct dns_resolver_counts counts;
};

/* As dns_cache_create(). */
int dns_resolver_create(struct dns_resolver *resolver, const struct dns_cache_config *config);
void dns_resolver_destroy(struct dns_resolver *resolver);

enum dns_step {
	DNS_DROP,    /* no reply */
	DNS_REPLY,   /* the reply is written */
	DNS_FORWARD, /* the cache has no answer: the origin is to be asked */
};

/*
 * A query, by TCP or UDP. DNS_REPLY: `out`, of DNS_MESSAGE_MAX bytes, has *out_size of them.
 * DNS_FORWARD: *query is what is asked.
 */
enum dns_step dns_resolver_ask(struct dns_resolver *resolver, const uint8_t *data, size_t size,
			       bool tcp, uint64_t now, struct dns_query *query, uint8_t *out,
			       size_t *out_size);

/*
 * What has come from the origin, for a question that was sent at `sent`: as dns_read_answer(). At 0
 * the cache has it, if it may be kept, and resolver->answer is what waits for dns_resolver_reply().
 */
int dns_resolver_take(struct dns_resolver *resolver, const struct dns_question *question,
		      uint16_t id, const uint8_t *data, size_t size, uint64_t sent);

/* The reply to whoever asked the question whose answer was taken last. Its size. */
size_t dns_resolver_reply(const struct dns_resolver *resolver, const struct dns_query *query,
			  bool tcp, uint8_t *out);

#endif
