/* SPDX-License-Identifier: MIT */
/* See dns_invariants.h. */
#include "tests/bench/dns_invariants.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "bench/dns_wire.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define QUERY	    "\x12\x34\x01\x00\0\1\0\0\0\0"
#define ANSWER	    "\x12\x34\x84\x00\0\1"
#define WWW	    "\3www\7example\0\0\1\0\1"
#define POINTER	    "\xc0\x0c"
#define OPT	    "\0\0\x29\x10\0\0\0\0\0\0\0"
#define SOA \
	"\xc0\x10\0\6\0\1\0\0\0\7\0\x1d\2ns\xc0\x10\1h\xc0\x10\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"

const struct dns_golden dns_golden[DNS_GOLDEN] = {
	{"query", BYTES(QUERY "\0\0" WWW), false},
	{"query with EDNS", BYTES(QUERY "\0\1" WWW OPT), false},
	{"query in capitals", BYTES(QUERY "\0\0\3WWW\7eXaMpLe\0\0\1\0\1"), false},
	{"query for the root", BYTES(QUERY "\0\0\0\0\2\0\1"), false},
	{"answer", BYTES(ANSWER "\0\1\0\0\0\0" WWW POINTER "\0\1\0\1\0\0\0\5\0\4\1\2\3\4"), true},
	{"answer by an alias",
	 BYTES(ANSWER "\0\2\0\0\0\0" WWW POINTER "\0\5\0\1\0\0\0\x9\0\4\1h\xc0\x10"
		      "\xc0\x29\0\1\0\1\0\0\0\5\0\4\1\2\3\4"),
	 true},
	{"no such name", BYTES("\x12\x34\x84\3\0\1\0\0\0\1\0\0" WWW SOA), true},
	{"nothing of the type", BYTES(ANSWER "\0\0\0\1\0\1" WWW SOA OPT), true},
	{"truncated", BYTES("\x12\x34\x86\0\0\1\0\0\0\0\0\0" WWW), true},
};

struct dns_question dns_golden_question(void)
{
	struct dns_question question = {.size = 13, .type = LDNS_RR_TYPE_A};

	memcpy(question.name, "\3www\7example", 13);
	return question;
}

struct dns_resolver *dns_fresh_resolver(void)
{
	const struct dns_cache_config config = {
		.records = 8, .organisation = HPT_BUCKET, .secret = 1, .key_bits = DNS_KEY_BITS};
	struct dns_resolver *resolver = malloc(sizeof(*resolver));

	if (!resolver || dns_resolver_create(resolver, &config))
		abort();
	return resolver;
}

static bool readable(const uint8_t *data, size_t size)
{
	ldns_pkt *packet = NULL;
	bool good = ldns_wire2pkt(&packet, data, size) == LDNS_STATUS_OK;

	if (good)
		ldns_pkt_free(packet);
	return good;
}

/* Of a reply that answers, not refuses. */
static const char *judge_reply(const struct dns_query *query, const uint8_t *reply, size_t size,
			       bool tcp)
{
	size_t question = (size_t)query->question.size + 4;

	if (!readable(reply, size))
		return "a reply can be read";
	if (size > (tcp ? DNS_MESSAGE_MAX : query->room))
		return "a reply fits";
	if (wire_get16(reply) != query->id || !(wire_get16(reply + WIRE_FLAGS) & WIRE_QR))
		return "a reply has the number of its query";
	if (size < DNS_HEADER_SIZE + question ||
	    memcmp(reply + DNS_HEADER_SIZE, query->asked, query->question.size))
		return "a reply repeats its question";
	return NULL;
}

static const char *forward(const struct dns_query *query, uint8_t *out)
{
	struct dns_query back;
	size_t size = dns_write_query(&query->question, 7, out);

	if (dns_read_query(out, size, &back) ||
	    !dns_question_same(&back.question, &query->question))
		return "what is forwarded can be read back";
	return judge_reply(query, out, dns_write_failure(query, out), false);
}

static const char *as_client(struct dns_resolver *resolver, const uint8_t *data, size_t size,
			     bool tcp)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct dns_query query;
	size_t reply = 0;
	bool read = !dns_read_query(data, size, &query);
	enum dns_step step = dns_resolver_ask(resolver, data, size, tcp, 1000, &query, out, &reply);

	if (step == DNS_DROP)
		return size >= DNS_HEADER_SIZE && !(wire_get16(data + WIRE_FLAGS) & WIRE_QR)
			       ? "what has a header and is no reply is not dropped"
			       : NULL;
	if (step == DNS_FORWARD)
		return forward(&query, out);
	if (read)
		return judge_reply(&query, out, reply, tcp);
	if (!readable(out, reply) || reply > size + DNS_OPT_SIZE || memcmp(out, data, 2) ||
	    !(wire_get16(out + WIRE_FLAGS) & WIRE_QR) || !(out[3] & 15 || out[2] & 0x78 || reply))
		return "a refusal can be read, and is no larger than what it refuses";
	return NULL;
}

static const char *as_origin(struct dns_resolver *resolver, const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct dns_question question = dns_golden_question();
	uint16_t id = size < 2 ? 0 : wire_get16(data);
	int error = dns_resolver_take(resolver, &question, id, data, size, 1000);
	struct dns_query query;
	const char *broken;
	size_t ask;

	if (error)
		return error == -EBADMSG || error == -EMSGSIZE || error == -EPROTO
			       ? NULL
			       : "errors are those that are promised";
	ask = dns_write_query(&question, 9, out);
	if (dns_read_query(out, ask, &query))
		return "a query that was written can be read";
	broken = judge_reply(&query, out, dns_resolver_reply(resolver, &query, false, out), false);
	if (!broken)
		broken = judge_reply(&query, out, dns_resolver_reply(resolver, &query, true, out),
				     true);
	if (broken || !resolver->answer.ttl || resolver->answer.size > DNS_RECORD_MESSAGE)
		return broken;
	return dns_cache_find(&resolver->cache, &question, 1999) ? NULL
								 : "what may be kept is kept";
}

const char *dns_broken_promise(struct dns_resolver *resolver, const uint8_t *data, size_t size)
{
	const char *broken = as_client(resolver, data, size, false);

	if (!broken)
		broken = as_origin(resolver, data, size);
	/* Now there may be an answer in the cache. */
	if (!broken)
		broken = as_client(resolver, data, size, true);
	if (!broken)
		broken = as_client(resolver, data, size, false);
	return broken ? broken : dns_cache_check(&resolver->cache);
}
