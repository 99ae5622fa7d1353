/* SPDX-License-Identifier: MIT */
/*
 * A real origin: nsd (Debian package nsd), started on a free port of 127.0.0.1 as an ordinary user
 * would, with a zone `example` in a directory of its own under TMPDIR or /tmp. Its names h0 to h15
 * have the version of the zone as address, and a TTL of a second. It ends with whoever started it.
 */
#ifndef BENCH_DNS_ORIGIN_H
#define BENCH_DNS_ORIGIN_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/dns_message.h"

#define DNS_ORIGIN_NAMES 16
#define DNS_ORIGIN_TTL	 1 /* s */

struct dns_origin {
	char directory[240];
	pid_t process;
	uint16_t port;
	uint32_t version;
};

/* Whether this machine has nsd. */
bool dns_origin_exists(void);

/*
 * Starts it, with version 1, and waits until it answers. 0, or a negative errno value (-ETIMEDOUT:
 * it did not come up); then nothing is left of it.
 */
int dns_origin_begin(struct dns_origin *origin);
void dns_origin_end(struct dns_origin *origin);

/* Writes the next version of the zone and tells nsd, which takes some time to have it. */
int dns_origin_change(struct dns_origin *origin);

/* The question for a name's address: number 0 to DNS_ORIGIN_NAMES - 1. */
struct dns_question dns_origin_question(unsigned int name);

/* A UDP socket that is connected to a port of 127.0.0.1 and waits `patience` ms; or -errno. */
int dns_client_open(uint16_t port, unsigned int patience);

/*
 * Asks for an address on such a socket. 0 with what dns_read_address() says; -ETIMEDOUT; -EBADMSG:
 * the reply has none.
 */
int dns_client_ask(int fd, const struct dns_question *question, uint32_t *address, uint32_t *ttl);

#endif
