/* SPDX-License-Identifier: MIT */
/* See dns_server.h. */
#include "bench/dns_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/status.h"

#define AT_ONCE	   64	     /* datagrams between two looks at everything else */
#define UDP_BUFFER (4 << 20) /* bytes, as far as the kernel gives them */
#define BACKLOG	   64
#define ANY_TRIES  16	/* free ports by UDP that may not be free by TCP */
#define IDLE	   1000 /* ms, at most, between two looks at connections' deadlines */

enum { POLL_STOP, POLL_UDP, POLL_STREAMS, POLL_FLIGHTS = POLL_STREAMS + DNS_STREAMS_POLLED };
#define POLLED (POLL_FLIGHTS + DNS_FLIGHTS)

uint64_t dns_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void reply(void *context, const struct dns_client *client, const uint8_t *data, size_t size)
{
	struct dns_server *server = context;

	if (client->tcp)
		dns_streams_reply(&server->streams, client->slot, client->connection, data, size);
	else if (sendto(server->udp, data, size, 0, (const struct sockaddr *)&client->address,
			sizeof(client->address)) != (ssize_t)size)
		server->lost++;
}

static void ask(struct dns_server *server, const struct dns_client *client, const uint8_t *data,
		size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	uint64_t now = dns_clock();
	struct dns_query query;
	size_t out_size;

	switch (dns_resolver_ask(&server->resolver, data, size, client->tcp, now, &query, out,
				 &out_size)) {
	case DNS_REPLY:
		reply(server, client, out, out_size);
		break;
	case DNS_FORWARD:
		dns_forward_ask(&server->forward, &query, client, now);
		break;
	case DNS_DROP:
		if (client->tcp)
			dns_streams_close(&server->streams, client->slot);
		break;
	}
}

static void ask_by_tcp(void *context, unsigned int slot, const uint8_t *data, size_t size)
{
	struct dns_server *server = context;
	struct dns_client client = {
		.tcp = true, .slot = slot, .connection = server->streams.streams[slot].number};

	ask(server, &client, data, size);
}

static void receive(struct dns_server *server)
{
	/* One byte more than a question may have: then it is seen to be too long. */
	uint8_t data[DNS_QUERY_MAX + 1];

	for (int i = 0; i < AT_ONCE; i++) {
		struct dns_client client = {.tcp = false};
		socklen_t length = sizeof(client.address);
		ssize_t size = recvfrom(server->udp, data, sizeof(data), 0,
					(struct sockaddr *)&client.address, &length);

		if (size < 0)
			return;
		ask(server, &client, data, (size_t)size);
	}
}

static int bind_to(int type, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(*port)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error, on = 1;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fd, (struct sockaddr *)&address, &length) ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG))) {
		error = -errno;
		close(fd);
		return error;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

/* Both sockets, on one port. */
static int open_sockets(struct dns_server *server, uint16_t port, int *listener)
{
	int tries = port ? 1 : ANY_TRIES;
	int size = UDP_BUFFER;

	do {
		server->port = port;
		server->udp = bind_to(SOCK_DGRAM, &server->port);
		if (server->udp < 0)
			return server->udp;
		*listener = bind_to(SOCK_STREAM, &server->port);
		if (*listener >= 0)
			break;
		close(server->udp);
	} while (--tries);
	if (*listener >= 0)
		setsockopt(server->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return *listener < 0 ? *listener : 0;
}

static int begin(struct dns_server *server, const struct dns_server_config *config)
{
	struct dns_cache_config cache = {.records = config->records,
					 .organisation = config->organisation,
					 .key_bits = DNS_KEY_BITS};
	struct dns_forward_config forward = {
		.origin = {.sin_family = AF_INET,
			   .sin_addr.s_addr = htonl(config->origin),
			   .sin_port = htons(config->origin_port)},
		.tries = config->tries ? config->tries : 3,
		.patience = config->patience ? config->patience : 1000,
		.reply = reply,
		.context = server,
	};
	int error;

	if (getrandom(&cache.secret, sizeof(cache.secret), 0) != sizeof(cache.secret))
		return -EIO;
	error = dns_resolver_create(&server->resolver, &cache);
	if (!error)
		dns_forward_begin(&server->forward, &forward, &server->resolver);
	return error;
}

int dns_server_create(struct dns_server *server, const struct dns_server_config *config,
		      struct message *message)
{
	int listener = -1;
	int error;

	server->lost = 0;
	if (config->origin >> 24 != IN_LOOPBACKNET)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "origin: found %u.%u.%u.%u, wanted an address of 127.0.0.0/8",
				   config->origin >> 24, config->origin >> 16 & 255,
				   config->origin >> 8 & 255, config->origin & 255);
	error = open_sockets(server, config->port, &listener);
	if (error)
		return message_set(message, error, STATUS_UNAVAILABLE,
				   "127.0.0.1, port %u: cannot be served: %s", config->port,
				   strerror(-error));
	dns_streams_begin(&server->streams, listener, ask_by_tcp, server);
	server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = server->stop < 0 ? -errno : begin(server, config);
	if (!error)
		return 0;
	close(server->udp);
	close(listener);
	if (server->stop >= 0)
		close(server->stop);
	return message_set(message, error, STATUS_INTERNAL, "the resolver's memory: %s",
			   strerror(-error));
}

void dns_server_destroy(struct dns_server *server)
{
	dns_forward_end(&server->forward);
	dns_streams_end(&server->streams);
	dns_resolver_destroy(&server->resolver);
	close(server->udp);
	close(server->streams.listener);
	close(server->stop);
}

void dns_server_stop(const struct dns_server *server)
{
	const uint64_t one = 1;
	ssize_t written = write(server->stop, &one, sizeof(one));

	(void)written; /* It fails where it is told already. */
}

int dns_server_run(struct dns_server *server, struct message *message)
{
	struct pollfd polled[POLLED];

	for (;;) {
		int patience = dns_forward_patience(&server->forward, dns_clock());
		uint64_t now;

		polled[POLL_STOP] = (struct pollfd){.fd = server->stop, .events = POLLIN};
		polled[POLL_UDP] = (struct pollfd){.fd = server->udp, .events = POLLIN};
		dns_streams_poll(&server->streams, polled + POLL_STREAMS);
		dns_forward_poll(&server->forward, polled + POLL_FLIGHTS);
		if (poll(polled, POLLED, patience < 0 || patience > IDLE ? IDLE : patience) < 0) {
			if (errno == EINTR)
				continue;
			return message_set(message, -errno, STATUS_INTERNAL, "poll: %s",
					   strerror(errno));
		}
		if (polled[POLL_STOP].revents)
			return 0;
		now = dns_clock();
		/* Answers first: they may be what the next questions are about. */
		dns_forward_ready(&server->forward, polled + POLL_FLIGHTS, now);
		dns_streams_ready(&server->streams, polled + POLL_STREAMS, now);
		if (polled[POLL_UDP].revents)
			receive(server);
	}
}
