/* SPDX-License-Identifier: MIT */
/*
 * Clients by TCP (RFC 7766): each message has its length before it. A connection has one question
 * at a time: the next one is read when the last one is answered. One that says nothing for ten
 * seconds, or wants to send more than a question, is closed.
 */
#ifndef BENCH_DNS_STREAM_H
#define BENCH_DNS_STREAM_H

#include <poll.h>
#include <stdbool.h>

#include "bench/dns_message.h"

#define DNS_STREAMS	    32 /* connections; more wait until one is closed */
#define DNS_STREAM_PATIENCE 10000

struct dns_stream {
	int fd;		 /* -1: free */
	uint64_t number; /* of all connections */
	uint64_t deadline;
	bool waits;	 /* its question is on its way */
	size_t in;	 /* bytes that have come ... */
	size_t out, end; /* ... that are written, of so many */
	uint8_t question[2 + DNS_QUERY_MAX];
	uint8_t reply[2 + DNS_MESSAGE_MAX];
};

struct dns_streams {
	int listener;
	uint64_t accepted;
	/* A whole question: to be answered by dns_streams_reply(), now or later. */
	void (*ask)(void *context, unsigned int slot, const uint8_t *data, size_t size);
	void *context;
	struct dns_stream streams[DNS_STREAMS];
};

#define DNS_STREAMS_POLLED (1 + DNS_STREAMS)

/* With no connection; the listener, and its end, are the caller's. */
void dns_streams_begin(struct dns_streams *streams, int listener,
		       void (*ask)(void *context, unsigned int slot, const uint8_t *data,
				   size_t size),
		       void *context);
void dns_streams_end(struct dns_streams *streams);

void dns_streams_poll(const struct dns_streams *streams, struct pollfd *polled);
void dns_streams_ready(struct dns_streams *streams, const struct pollfd *polled, uint64_t now);

/* The reply to the connection's question, unless that connection is gone (`number`). */
void dns_streams_reply(struct dns_streams *streams, unsigned int slot, uint64_t number,
		       const uint8_t *data, size_t size);

/* The connection is of no use: its question has no reply. */
void dns_streams_close(struct dns_streams *streams, unsigned int slot);

#endif
