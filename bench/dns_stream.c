/* SPDX-License-Identifier: MIT */
/* See dns_stream.h. */
#include "bench/dns_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/dns_wire.h"

#define PREFIX 2

void dns_streams_begin(struct dns_streams *streams, int listener,
		       void (*ask)(void *context, unsigned int slot, const uint8_t *data,
				   size_t size),
		       void *context)
{
	streams->listener = listener;
	streams->accepted = 0;
	streams->ask = ask;
	streams->context = context;
	for (unsigned int i = 0; i < DNS_STREAMS; i++)
		streams->streams[i].fd = -1;
}

void dns_streams_close(struct dns_streams *streams, unsigned int slot)
{
	struct dns_stream *stream = &streams->streams[slot];

	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

void dns_streams_end(struct dns_streams *streams)
{
	for (unsigned int i = 0; i < DNS_STREAMS; i++)
		dns_streams_close(streams, i);
}

static struct dns_stream *find_free(struct dns_streams *streams)
{
	for (unsigned int i = 0; i < DNS_STREAMS; i++)
		if (streams->streams[i].fd < 0)
			return &streams->streams[i];
	return NULL;
}

void dns_streams_poll(const struct dns_streams *streams, struct pollfd *polled)
{
	bool room = false;

	for (unsigned int i = 0; i < DNS_STREAMS; i++) {
		const struct dns_stream *stream = &streams->streams[i];
		int events = stream->end ? POLLOUT : stream->waits ? 0 : POLLIN;

		room |= stream->fd < 0;
		polled[1 + i] = (struct pollfd){.fd = stream->fd, .events = (short)events};
	}
	polled[0] = (struct pollfd){.fd = room ? streams->listener : -1, .events = POLLIN};
}

static void welcome(struct dns_streams *streams, uint64_t now)
{
	struct dns_stream *stream = find_free(streams);
	int fd = stream ? accept4(streams->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

	if (fd < 0)
		return;
	stream->fd = fd;
	stream->number = ++streams->accepted;
	stream->deadline = now + DNS_STREAM_PATIENCE;
	stream->waits = false;
	stream->in = 0;
	stream->out = 0;
	stream->end = 0;
}

/* Bytes of the question that are known to be wanted: its length first. 0: it is too long. */
static size_t wanted(const struct dns_stream *stream)
{
	size_t size;

	if (stream->in < PREFIX)
		return PREFIX;
	size = wire_get16(stream->question);
	return size > DNS_QUERY_MAX ? 0 : PREFIX + size;
}

/* False: it is to be closed. */
static bool read_some(struct dns_streams *streams, unsigned int slot, uint64_t now)
{
	struct dns_stream *stream = &streams->streams[slot];
	size_t size = wanted(stream);
	ssize_t got;

	if (!size)
		return false;
	if (size > stream->in) {
		got = recv(stream->fd, stream->question + stream->in, size - stream->in, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (got <= 0)
			return false;
		stream->in += (size_t)got;
		stream->deadline = now + DNS_STREAM_PATIENCE;
	}
	if (stream->in < PREFIX || stream->in != wanted(stream))
		return true;
	stream->waits = true;
	streams->ask(streams->context, slot, stream->question + PREFIX, stream->in - PREFIX);
	return true;
}

static bool write_some(struct dns_stream *stream, uint64_t now)
{
	ssize_t put = send(stream->fd, stream->reply + stream->out, stream->end - stream->out,
			   MSG_NOSIGNAL);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR;
	stream->out += (size_t)put;
	stream->deadline = now + DNS_STREAM_PATIENCE;
	if (stream->out < stream->end)
		return true;
	stream->in = 0;
	stream->out = 0;
	stream->end = 0;
	return true;
}

void dns_streams_reply(struct dns_streams *streams, unsigned int slot, uint64_t number,
		       const uint8_t *data, size_t size)
{
	struct dns_stream *stream = &streams->streams[slot];

	if (stream->fd < 0 || stream->number != number)
		return;
	wire_put16(stream->reply, (uint16_t)size);
	memcpy(stream->reply + PREFIX, data, size);
	stream->out = 0;
	stream->end = PREFIX + size;
	stream->waits = false;
}

static bool serve(struct dns_streams *streams, unsigned int slot, short events, uint64_t now)
{
	struct dns_stream *stream = &streams->streams[slot];

	if (stream->end && events)
		return write_some(stream, now);
	if (!stream->waits && events)
		return read_some(streams, slot, now);
	/* Who hangs up while he waits is told by this alone. */
	return !(events & (POLLERR | POLLHUP)) && (stream->waits || now < stream->deadline);
}

void dns_streams_ready(struct dns_streams *streams, const struct pollfd *polled, uint64_t now)
{
	for (unsigned int i = 0; i < DNS_STREAMS; i++) {
		if (polled[1 + i].fd < 0 || polled[1 + i].fd != streams->streams[i].fd)
			continue;
		if (!serve(streams, i, polled[1 + i].revents, now))
			dns_streams_close(streams, i);
	}
	if (polled[0].revents)
		welcome(streams, now);
}
