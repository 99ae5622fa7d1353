/* SPDX-License-Identifier: MIT */
/* Messages that are written down, and what a resolver promises whatever bytes it is given. */
#ifndef TESTS_BENCH_DNS_INVARIANTS_H
#define TESTS_BENCH_DNS_INVARIANTS_H

#include "bench/dns_resolver.h"

struct dns_golden {
	const char *what;
	const uint8_t *bytes;
	size_t size;
	bool answer; /* of the origin, to www.example A */
};

#define DNS_GOLDEN 9
extern const struct dns_golden dns_golden[DNS_GOLDEN];

/* www.example, type A, and the number that all messages that are written down have. */
#define DNS_GOLDEN_ID 0x1234
struct dns_question dns_golden_question(void);

/* A resolver with an empty cache, which the caller destroys and frees. Ends the process if there is
 * no memory. */
struct dns_resolver *dns_fresh_resolver(void);

/*
 * Gives bytes to a resolver, as a client's and as the origin's: NULL, or what it did wrong. A reply
 * can be read by ldns, has the number of its query, fits, and is no larger than what it refuses;
 * what is forwarded can be read back; what was taken is given again; the cache is whole.
 */
const char *dns_broken_promise(struct dns_resolver *resolver, const uint8_t *data, size_t size);

#endif
