/* SPDX-License-Identifier: MIT */
/*
 * Questions on their way to the origin. One question is asked once, whoever waits for the answer;
 * each try has a socket of its own, so a source port that the kernel picks at random, and a random
 * number; what comes from elsewhere than the origin the kernel does not deliver. An answer by UDP
 * that does not match is ignored; a truncated one is asked again by TCP.
 */
#ifndef BENCH_DNS_FORWARD_H
#define BENCH_DNS_FORWARD_H

#include <netinet/in.h>
#include <poll.h>

#include "bench/dns_resolver.h"

#define DNS_FLIGHTS 256	 /* questions on their way */
#define DNS_WAITERS 4096 /* clients that wait */

/* Who asks: by UDP, or a connection (its slot, and which of all that had it). */
struct dns_client {
	struct sockaddr_in address;
	bool tcp;
	unsigned int slot;
	uint64_t connection;
};

struct dns_waiter {
	struct dns_query query;
	struct dns_client client;
	struct dns_waiter *next;
};

struct dns_flight {
	struct dns_question question;
	struct dns_waiter *waiters; /* NULL: this one is free */
	int fd;
	uint16_t id;
	bool tcp;
	unsigned int tries;	 /* that are left */
	uint64_t sent, deadline; /* of this try; ms */
	size_t out;		 /* TCP: bytes of the question that are written */
	size_t in;		 /* TCP: bytes of the answer that have come */
	uint8_t *buffer;	 /* TCP: of the answer */
};

struct dns_forward_config {
	struct sockaddr_in origin;
	unsigned int tries;
	unsigned int patience; /* ms for each try */
	/* Where replies go. */
	void (*reply)(void *context, const struct dns_client *client, const uint8_t *data,
		      size_t size);
	void *context;
};

struct dns_forward_counts {
	uint64_t questions; /* that were sent for somebody */
	uint64_t joined;    /* clients who wait for a question that somebody else has asked */
	uint64_t retries;
	uint64_t by_tcp;
	uint64_t ignored; /* answers that did not match */
	uint64_t failed;  /* questions that were not answered */
	uint64_t full;	  /* clients for whose question there was no room */
};

struct dns_forward {
	struct dns_forward_config config;
	struct dns_resolver *resolver;
	struct dns_flight flights[DNS_FLIGHTS];
	struct dns_waiter waiters[DNS_WAITERS];
	struct dns_waiter *free;
	struct dns_forward_counts counts;
};

void dns_forward_begin(struct dns_forward *forward, const struct dns_forward_config *config,
		       struct dns_resolver *resolver);
void dns_forward_end(struct dns_forward *forward);

/* Asks the origin for a client, who is replied to sooner or later, with DNS_SERVFAIL at worst. */
void dns_forward_ask(struct dns_forward *forward, const struct dns_query *query,
		     const struct dns_client *client, uint64_t now);

/* What is to be polled: DNS_FLIGHTS of `polled`, those that are free with fd -1. */
void dns_forward_poll(const struct dns_forward *forward, struct pollfd *polled);

/* After poll(), with what it said: takes answers, and gives up what has waited too long. */
void dns_forward_ready(struct dns_forward *forward, const struct pollfd *polled, uint64_t now);

/* Milliseconds until the next question has waited too long; -1: there is none. */
int dns_forward_patience(const struct dns_forward *forward, uint64_t now);

#endif
