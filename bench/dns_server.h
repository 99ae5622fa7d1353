/* SPDX-License-Identifier: MIT */
/*
 * A resolver on loopback: UDP and TCP on one port, one thread, everything else goes to one origin.
 * It answers what it has (dns_cache.h), asks the origin for what it has not (dns_forward.h), and
 * does not follow aliases into other zones: what the origin says is the answer.
 */
#ifndef BENCH_DNS_SERVER_H
#define BENCH_DNS_SERVER_H

#include "bench/dns_forward.h"
#include "bench/dns_stream.h"
#include "vmm/message.h"

struct dns_server_config {
	uint16_t port;	      /* on 127.0.0.1; 0: one that is free */
	uint32_t origin;      /* its address, in host order, of 127/8 ... */
	uint16_t origin_port; /* ... and its port */
	uint32_t records;     /* of the cache */
	enum hpt_organisation organisation;
	unsigned int tries;    /* of each question to the origin; 0: 3 */
	unsigned int patience; /* ms for each; 0: 1000 */
};

struct dns_server {
	struct dns_resolver resolver;
	struct dns_forward forward;
	struct dns_streams streams;
	int udp, stop; /* stop: an eventfd */
	uint16_t port;
	uint64_t lost; /* replies that the kernel did not take */
};

/*
 * Opens the sockets. 0, or a negative errno with the message: 64 for an origin that is not on
 * loopback, 69 where a socket cannot be had.
 */
int dns_server_create(struct dns_server *server, const struct dns_server_config *config,
		      struct message *message);
void dns_server_destroy(struct dns_server *server);

/* Serves until dns_server_stop(). 0, or a negative errno with the message. */
int dns_server_run(struct dns_server *server, struct message *message);

/* From a signal handler or another thread. */
void dns_server_stop(const struct dns_server *server);

/* Milliseconds of the clock that the cache goes by. */
uint64_t dns_clock(void);

#endif
