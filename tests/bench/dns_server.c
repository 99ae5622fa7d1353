/* SPDX-License-Identifier: MIT */
/* The resolver by its sockets: the test is the client, and the origin. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/dns_origin.h"
#include "bench/dns_server.h"
#include "bench/dns_wire.h"
#include "tests/bench/dns_invariants.h"
#include "vmm/status.h"

#define PATIENCE 150  /* ms of a try to the origin */
#define LIMIT	 5000 /* ms until the test gives up */

static struct dns_server server;
static struct message message;
static pthread_t thread;
static int origin, origin_tcp, client;
static uint8_t bytes[DNS_MESSAGE_MAX];

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(*port)};
	const struct timeval limit = {.tv_sec = LIMIT / 1000};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	cr_assert_geq(fd, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void *serve(void *unused)
{
	(void)unused;
	cr_assert_eq(dns_server_run(&server, &message), 0, "%s", message.text);
	return NULL;
}

static void begin(void)
{
	struct dns_server_config config = {.origin = INADDR_LOOPBACK,
					   .records = 16,
					   .organisation = HPT_BUCKET,
					   .tries = 2,
					   .patience = PATIENCE};

	do {
		config.origin_port = 0;
		origin = bound(SOCK_DGRAM, &config.origin_port);
		origin_tcp = bound(SOCK_STREAM, &config.origin_port);
		if (origin_tcp < 0)
			close(origin);
	} while (origin_tcp < 0);
	cr_assert_eq(listen(origin_tcp, 4), 0);
	cr_assert_eq(dns_server_create(&server, &config, &message), 0, "%s", message.text);
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	client = dns_client_open(server.port, LIMIT);
	cr_assert_geq(client, 0);
}

static void end(void)
{
	dns_server_stop(&server);
	pthread_join(thread, NULL);
	dns_server_destroy(&server);
	close(client);
	close(origin);
	close(origin_tcp);
}

TestSuite(dns_server, .init = begin, .fini = end, .timeout = 30);

static void ask(int fd, uint16_t id)
{
	struct dns_question question = dns_golden_question();
	size_t size = dns_write_query(&question, id, bytes);

	cr_assert_eq(send(fd, bytes, size, 0), (ssize_t)size);
}

/* The code of the next reply, which must have this number. */
static int reply_code(int fd, uint16_t id)
{
	ssize_t size = recv(fd, bytes, sizeof(bytes), 0);

	cr_assert_geq(size, DNS_HEADER_SIZE, "no reply");
	cr_assert_eq(wire_get16(bytes), id);
	return bytes[3] & 15;
}

/* What the resolver asks the origin by UDP: its number, and who it is. */
static uint16_t asked(struct sockaddr_in *who)
{
	socklen_t length = sizeof(*who);
	ssize_t size = recvfrom(origin, bytes, sizeof(bytes), 0, (struct sockaddr *)who, &length);

	cr_assert_geq(size, DNS_HEADER_SIZE, "the origin was not asked");
	return wire_get16(bytes);
}

/* The answer 1.2.3.4 with a TTL of 5, as that number. */
static size_t write_answer(uint16_t id, uint8_t *out)
{
	const struct dns_golden *golden = &dns_golden[4];

	cr_assert_str_eq(golden->what, "answer");
	memcpy(out, golden->bytes, golden->size);
	wire_put16(out, id);
	return golden->size;
}

static void answer(const struct sockaddr_in *who, uint16_t id)
{
	size_t size = write_answer(id, bytes);

	cr_assert_eq(sendto(origin, bytes, size, 0, (const struct sockaddr *)who, sizeof(*who)),
		     (ssize_t)size);
}

Test(dns_server, one_question_to_the_origin_answers_all_who_ask_meanwhile_and_later)
{
	struct sockaddr_in who;
	uint16_t id;

	for (uint16_t i = 1; i <= 10; i++)
		ask(client, i);
	id = asked(&who);
	/* All ten are there before the answer. */
	while (__atomic_load_n(&server.forward.counts.joined, __ATOMIC_RELAXED) < 9)
		usleep(1000);
	answer(&who, id);
	for (int i = 0; i < 10; i++) {
		cr_assert_geq(recv(client, bytes, sizeof(bytes), 0), DNS_HEADER_SIZE);
		cr_assert_eq(bytes[3] & 15, DNS_NOERROR);
	}
	ask(client, 11);
	cr_assert_eq(reply_code(client, 11), DNS_NOERROR);
	cr_assert_eq(recv(origin, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	cr_assert_eq(server.forward.counts.questions, 1);
}

Test(dns_server, what_is_no_answer_is_ignored_and_the_answer_still_taken)
{
	struct sockaddr_in who;
	uint16_t id;

	ask(client, 1);
	id = asked(&who);
	answer(&who, (uint16_t)(id + 1));
	cr_assert_eq(sendto(origin, "nonsense", 8, 0, (struct sockaddr *)&who, sizeof(who)), 8);
	cr_assert_eq(sendto(origin, "", 0, 0, (struct sockaddr *)&who, sizeof(who)), 0);
	answer(&who, id);
	cr_assert_eq(reply_code(client, 1), DNS_NOERROR);
	cr_assert_eq(server.forward.counts.ignored, 3);
}

Test(dns_server, an_answer_from_elsewhere_does_not_arrive)
{
	struct sockaddr_in who;
	uint16_t id, port = 0;
	int elsewhere = bound(SOCK_DGRAM, &port);
	size_t size;

	ask(client, 1);
	id = asked(&who);
	size = write_answer(id, bytes);
	bytes[size - 1] = 66;
	sendto(elsewhere, bytes, size, 0, (struct sockaddr *)&who, sizeof(who));
	answer(&who, id);
	cr_assert_eq(reply_code(client, 1), DNS_NOERROR);
	cr_assert_eq(bytes[dns_golden[4].size - 1], 4);
	close(elsewhere);
}

Test(dns_server, a_silent_origin_is_asked_again_from_another_port_and_then_given_up)
{
	struct sockaddr_in first, second;

	ask(client, 1);
	asked(&first);
	asked(&second);
	cr_assert_neq(first.sin_port, second.sin_port);
	cr_assert_eq(reply_code(client, 1), DNS_SERVFAIL);
	/* That nobody answered is not kept. */
	ask(client, 2);
	answer(&first, asked(&first));
	cr_assert_eq(reply_code(client, 2), DNS_NOERROR);
}

Test(dns_server, a_truncated_answer_is_asked_for_by_tcp)
{
	struct sockaddr_in who;
	uint8_t stream[2 + 512];
	uint16_t id;
	size_t size;
	int fd;

	ask(client, 1);
	id = asked(&who);
	memcpy(bytes, dns_golden[8].bytes, dns_golden[8].size);
	wire_put16(bytes, id);
	sendto(origin, bytes, dns_golden[8].size, 0, (struct sockaddr *)&who, sizeof(who));
	fd = accept(origin_tcp, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_geq(recv(fd, stream, sizeof(stream), 0), 2 + DNS_HEADER_SIZE);
	size = write_answer(wire_get16(stream + 2), stream + 2);
	wire_put16(stream, (uint16_t)size);
	/* In two pieces, in the middle of the length. */
	cr_assert_eq(send(fd, stream, 1, 0), 1);
	usleep(20000);
	cr_assert_eq(send(fd, stream + 1, size + 1, 0), (ssize_t)size + 1);
	cr_assert_eq(reply_code(client, 1), DNS_NOERROR);
	close(fd);
}

Test(dns_server, garbage_stops_nothing)
{
	struct sockaddr_in who;

	for (size_t size = 0; size < 2000; size++) {
		memset(bytes, (int)size, size);
		cr_assert_eq(send(client, bytes, size % 600, 0), (ssize_t)(size % 600));
	}
	/* Replies that were refusals are let go. */
	while (recv(client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	close(client);
	client = dns_client_open(server.port, LIMIT);
	ask(client, 7);
	answer(&who, asked(&who));
	cr_assert_eq(reply_code(client, 7), DNS_NOERROR);
}

static int connect_stream(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					    .sin_port = htons(server.port)};
	const struct timeval limit = {.tv_sec = LIMIT / 1000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

Test(dns_server, connections_ask_one_question_after_the_other)
{
	struct dns_question question = dns_golden_question();
	struct sockaddr_in who;
	uint8_t stream[2 * (2 + DNS_UDP_PLAIN)];
	size_t size = dns_write_query(&question, 5, stream + 2);
	int fd = connect_stream();

	wire_put16(stream, (uint16_t)size);
	memcpy(stream + 2 + size, stream, 2 + size);
	cr_assert_eq(send(fd, stream, 2 * (2 + size), 0), (ssize_t)(2 * (2 + size)));
	answer(&who, asked(&who));
	for (int i = 0; i < 2; i++) {
		uint8_t prefix[2];

		cr_assert_eq(recv(fd, prefix, 2, MSG_WAITALL), 2);
		cr_assert_eq(recv(fd, bytes, wire_get16(prefix), MSG_WAITALL), wire_get16(prefix));
		cr_assert_eq(wire_get16(bytes), 5);
	}
	close(fd);
}

Test(dns_server, a_connection_that_says_nonsense_or_hangs_up_while_it_waits_is_closed)
{
	struct dns_question question = dns_golden_question();
	struct sockaddr_in who;
	uint8_t stream[2 + DNS_UDP_PLAIN];
	size_t size = dns_write_query(&question, 5, stream + 2);
	int fd = connect_stream();

	cr_assert_eq(send(fd, "\xff\xffgarbage", 9, 0), 9);
	cr_assert_leq(recv(fd, bytes, 1, 0), 0);
	close(fd);
	fd = connect_stream();
	wire_put16(stream, (uint16_t)size);
	cr_assert_eq(send(fd, stream, 2 + size, 0), (ssize_t)(2 + size));
	close(fd);
	answer(&who, asked(&who));
	ask(client, 3);
	cr_assert_eq(reply_code(client, 3), DNS_NOERROR);
}

Test(dns_server, only_an_origin_on_loopback_is_taken)
{
	struct dns_server_config config = {.origin = 0x08080808, .origin_port = 53, .records = 1};
	struct dns_server *other = calloc(1, sizeof(*other));

	cr_assert_eq(dns_server_create(other, &config, &message), -EINVAL);
	cr_assert_eq(message.status, STATUS_USAGE);
	cr_assert_str_eq(message.text, "origin: found 8.8.8.8, wanted an address of 127.0.0.0/8");
	config.origin = INADDR_LOOPBACK;
	config.port = server.port;
	cr_assert_neq(dns_server_create(other, &config, &message), 0);
	cr_assert_eq(message.status, STATUS_UNAVAILABLE);
	free(other);
}
