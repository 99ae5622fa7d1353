/* SPDX-License-Identifier: MIT */
/*
 * Messages of the domain name system, as far as a resolver that forwards needs them (RFC 1035,
 * section 4; RFC 2308 for what there is not; RFC 6891 for EDNS). ldns reads and writes the wire
 * format; what it has written is all that is kept, sent on, and changed byte by byte here (number,
 * case of the question, TTLs).
 *
 * Names are in wire format, not compressed, and in a question in lower case: so that two names are
 * the same where their bytes are.
 */
#ifndef BENCH_DNS_MESSAGE_H
#define BENCH_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX	255
#define DNS_HEADER_SIZE 12
#define DNS_OPT_SIZE	11
#define DNS_MESSAGE_MAX 65535
#define DNS_QUERY_MAX	4096 /* longer queries are malformed: they ask one question */
#define DNS_UDP_PLAIN	512  /* bytes of a reply by UDP for who has no EDNS */
#define DNS_UDP_MOST	1232 /* and for who has, at most: what no path fragments */

/* Response codes. */
#define DNS_NOERROR  0
#define DNS_FORMERR  1
#define DNS_SERVFAIL 2
#define DNS_NXDOMAIN 3
#define DNS_NOTIMP   4
#define DNS_REFUSED  5
#define DNS_BADVERS  16

struct dns_question {
	uint8_t name[DNS_NAME_MAX];
	uint8_t size;
	uint16_t type; /* class IN */
};

bool dns_question_same(const struct dns_question *one, const struct dns_question *other);

/* What a client asks, and how it wants to be answered. */
struct dns_query {
	struct dns_question question;
	uint8_t asked[DNS_NAME_MAX]; /* the name in the client's own case */
	uint16_t id;
	uint16_t room; /* bytes that a reply by UDP may have */
	bool edns;
};

/*
 * Reads a query. 0; a response code other than DNS_NOERROR with which it is to be refused
 * (dns_write_refusal()); -EBADMSG: it is to be dropped, since it has no header or is a reply, which
 * two servers might send each other for ever.
 */
int dns_read_query(const uint8_t *data, size_t size, struct dns_query *query);

/*
 * Refuses a query that has a header: a reply with this code, and the question where it can be
 * copied. Its size, at most that of the query and DNS_OPT_SIZE.
 */
size_t dns_write_refusal(const uint8_t *data, size_t size, int code, uint8_t *out);

/* A query as it is sent to an origin, with EDNS. Its size: at most DNS_UDP_PLAIN. */
size_t dns_write_query(const struct dns_question *question, uint16_t id, uint8_t *out);

/* What an origin has answered: a message without additional records, all TTLs as they came. */
struct dns_answer {
	uint8_t message[DNS_MESSAGE_MAX];
	size_t size;
	uint32_t ttl; /* seconds for which all of it holds; 0: not to be kept */
	int code;     /* DNS_NOERROR or DNS_NXDOMAIN */
};

/*
 * Reads what came from an origin. -EBADMSG: malformed, or no answer to this question and number:
 * whoever sent it, it is to be ignored. -EMSGSIZE: it did not fit; to be asked by TCP. -EPROTO: the
 * origin cannot or will not answer.
 *
 * Of a positive answer the answer section is kept. A negative one (NXDOMAIN, or nothing of the type
 * asked for) has the zone's SOA record beside it, by whose TTL and minimum it is kept; without
 * such a record it is not (RFC 2308, section 5).
 */
int dns_read_answer(const struct dns_question *question, uint16_t id, const uint8_t *data,
		    size_t size, struct dns_answer *answer);

/*
 * Writes the reply to a query from the message of an answer to its question, whose TTLs are
 * `seconds` less. Where that is more than `room` bytes, it is a truncated one: header and question.
 * `out` has DNS_MESSAGE_MAX bytes. Its size.
 */
size_t dns_write_reply(const struct dns_query *query, const uint8_t *message, size_t size,
		       uint32_t seconds, size_t room, uint8_t *out);

/* Writes the reply that no answer was to be had: DNS_SERVFAIL. Its size. */
size_t dns_write_failure(const struct dns_query *query, uint8_t *out);

/*
 * The first address (an A record) of a reply, as a number, and its TTL; -EBADMSG where there is
 * none.
 */
int dns_read_address(const uint8_t *data, size_t size, uint32_t *address, uint32_t *ttl);

#endif
