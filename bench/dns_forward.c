/* SPDX-License-Identifier: MIT */
/* See dns_forward.h. */
#include "bench/dns_forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/dns_wire.h"

#define PREFIX 2 /* TCP: the length of a message before it */

void dns_forward_begin(struct dns_forward *forward, const struct dns_forward_config *config,
		       struct dns_resolver *resolver)
{
	*forward = (struct dns_forward){.config = *config, .resolver = resolver};
	for (size_t i = 0; i < DNS_FLIGHTS; i++)
		forward->flights[i].fd = -1;
	for (size_t i = 0; i < DNS_WAITERS; i++) {
		forward->waiters[i].next = forward->free;
		forward->free = &forward->waiters[i];
	}
}

static void hang_up(struct dns_flight *flight)
{
	if (flight->fd >= 0)
		close(flight->fd);
	free(flight->buffer);
	flight->fd = -1;
	flight->buffer = NULL;
}

void dns_forward_end(struct dns_forward *forward)
{
	for (size_t i = 0; i < DNS_FLIGHTS; i++)
		hang_up(&forward->flights[i]);
}

/* Replies to all who wait, and frees the flight. */
static void land(struct dns_forward *forward, struct dns_flight *flight, bool answered)
{
	static uint8_t out[DNS_MESSAGE_MAX];

	hang_up(flight);
	forward->counts.failed += !answered;
	while (flight->waiters) {
		struct dns_waiter *waiter = flight->waiters;
		size_t size = answered ? dns_resolver_reply(forward->resolver, &waiter->query,
							    waiter->client.tcp, out)
				       : dns_write_failure(&waiter->query, out);

		forward->config.reply(forward->config.context, &waiter->client, out, size);
		flight->waiters = waiter->next;
		waiter->next = forward->free;
		forward->free = waiter;
	}
}

/* A new socket, connected or, by TCP, about to be. */
static int call(const struct dns_forward *forward, struct dns_flight *flight)
{
	const struct sockaddr *origin = (const struct sockaddr *)&forward->config.origin;
	int type = (flight->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;

	hang_up(flight);
	flight->fd = socket(AF_INET, type, 0);
	if (flight->fd < 0)
		return -errno;
	if (getrandom(&flight->id, sizeof(flight->id), 0) != sizeof(flight->id))
		return -EIO;
	if (connect(flight->fd, origin, sizeof(forward->config.origin)) && errno != EINPROGRESS)
		return -errno;
	flight->in = 0;
	flight->out = 0;
	if (!flight->tcp)
		return 0;
	flight->buffer = malloc(PREFIX + DNS_MESSAGE_MAX);
	return flight->buffer ? 0 : -ENOMEM;
}

/* Tries, and as often as it fails at once, again. */
static void try(struct dns_forward *forward, struct dns_flight *flight, uint64_t now)
{
	uint8_t query[DNS_UDP_PLAIN];

	while (flight->tries) {
		size_t size;

		flight->tries--;
		flight->sent = now;
		flight->deadline = now + forward->config.patience;
		if (call(forward, flight))
			continue;
		if (flight->tcp)
			return;
		size = dns_write_query(&flight->question, flight->id, query);
		if (send(flight->fd, query, size, MSG_NOSIGNAL) == (ssize_t)size)
			return;
	}
	land(forward, flight, false);
}

static struct dns_flight *find(struct dns_forward *forward, const struct dns_question *question)
{
	struct dns_flight *free_one = NULL;

	for (size_t i = 0; i < DNS_FLIGHTS; i++) {
		struct dns_flight *flight = &forward->flights[i];

		if (!flight->waiters)
			free_one = flight;
		else if (dns_question_same(&flight->question, question))
			return flight;
	}
	return free_one;
}

static void refuse(struct dns_forward *forward, const struct dns_query *query,
		   const struct dns_client *client)
{
	uint8_t out[DNS_UDP_PLAIN];
	size_t size = dns_write_failure(query, out);

	forward->counts.full++;
	forward->config.reply(forward->config.context, client, out, size);
}

void dns_forward_ask(struct dns_forward *forward, const struct dns_query *query,
		     const struct dns_client *client, uint64_t now)
{
	struct dns_flight *flight = find(forward, &query->question);
	struct dns_waiter *waiter = forward->free;
	bool first = flight && !flight->waiters;

	if (!flight || !waiter) {
		refuse(forward, query, client);
		return;
	}
	forward->free = waiter->next;
	*waiter = (struct dns_waiter){*query, *client, flight->waiters};
	flight->waiters = waiter;
	if (!first) {
		forward->counts.joined++;
		return;
	}
	forward->counts.questions++;
	flight->question = query->question;
	flight->tcp = false;
	flight->tries = forward->config.tries;
	try(forward, flight, now);
}

void dns_forward_poll(const struct dns_forward *forward, struct pollfd *polled)
{
	for (size_t i = 0; i < DNS_FLIGHTS; i++) {
		const struct dns_flight *flight = &forward->flights[i];
		bool writes = flight->tcp && flight->out < PREFIX + DNS_HEADER_SIZE;

		polled[i] = (struct pollfd){.fd = flight->waiters ? flight->fd : -1,
					    .events = writes ? POLLOUT : POLLIN};
	}
}

/* What was received. True: the flight goes on as it is. */
static bool take(struct dns_forward *forward, struct dns_flight *flight, const uint8_t *data,
		 size_t size, uint64_t now)
{
	int error = dns_resolver_take(forward->resolver, &flight->question, flight->id, data, size,
				      flight->sent);

	if (error == -EBADMSG) {
		forward->counts.ignored++;
		return true;
	}
	if (error == -EMSGSIZE && !flight->tcp) {
		forward->counts.by_tcp++;
		flight->tcp = true;
		flight->tries++;
		try(forward, flight, now);
	} else {
		land(forward, flight, !error);
	}
	return false;
}

static void receive(struct dns_forward *forward, struct dns_flight *flight, uint64_t now)
{
	static uint8_t data[DNS_MESSAGE_MAX];
	ssize_t size;

	do {
		size = recv(flight->fd, data, sizeof(data), 0);
		if (size < 0 && errno != EAGAIN && errno != EINTR) {
			/* Nobody is there (ECONNREFUSED): he may come, within the same patience. */
			return;
		}
	} while (size >= 0 && take(forward, flight, data, (size_t)size, now));
}

/* Writes the question to a connection: it fits into any buffer, so it is written at once or not. */
static bool write_question(struct dns_flight *flight)
{
	uint8_t query[PREFIX + DNS_UDP_PLAIN];
	size_t size = dns_write_query(&flight->question, flight->id, query + PREFIX);

	wire_put16(query, (uint16_t)size);
	flight->out = PREFIX + size;
	return send(flight->fd, query, PREFIX + size, MSG_NOSIGNAL) == (ssize_t)(PREFIX + size);
}

/* False: the connection is of no use any more. */
static bool read_stream(struct dns_forward *forward, struct dns_flight *flight, uint64_t now)
{
	size_t wanted = PREFIX;
	ssize_t size;

	for (;;) {
		if (flight->in >= PREFIX)
			wanted = PREFIX + wire_get16(flight->buffer);
		if (flight->in >= PREFIX && flight->in == wanted)
			break;
		size = recv(flight->fd, flight->buffer + flight->in, wanted - flight->in, 0);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (size <= 0)
			return false;
		flight->in += (size_t)size;
	}
	return !take(forward, flight, flight->buffer + PREFIX, wanted - PREFIX, now);
}

static void stream_ready(struct dns_forward *forward, struct dns_flight *flight, uint64_t now)
{
	if (!flight->out ? !write_question(flight) : !read_stream(forward, flight, now))
		try(forward, flight, now);
}

void dns_forward_ready(struct dns_forward *forward, const struct pollfd *polled, uint64_t now)
{
	for (size_t i = 0; i < DNS_FLIGHTS; i++) {
		struct dns_flight *flight = &forward->flights[i];

		if (polled[i].fd < 0 || polled[i].fd != flight->fd || !flight->waiters)
			continue;
		if (polled[i].revents && flight->tcp)
			stream_ready(forward, flight, now);
		else if (polled[i].revents)
			receive(forward, flight, now);
	}
	for (size_t i = 0; i < DNS_FLIGHTS; i++) {
		struct dns_flight *flight = &forward->flights[i];

		if (!flight->waiters || now < flight->deadline)
			continue;
		forward->counts.retries += flight->tries > 0;
		try(forward, flight, now);
	}
}

int dns_forward_patience(const struct dns_forward *forward, uint64_t now)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < DNS_FLIGHTS; i++) {
		const struct dns_flight *flight = &forward->flights[i];

		if (flight->waiters && flight->deadline < least)
			least = flight->deadline;
	}
	if (least == UINT64_MAX)
		return -1;
	return least > now ? (int)(least - now) : 0;
}
