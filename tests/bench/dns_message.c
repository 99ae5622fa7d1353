/* SPDX-License-Identifier: MIT */
/* Queries, answers and replies that are as they should be. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "bench/dns_wire.h"
#include "tests/bench/dns_invariants.h"

#define RECORD_SIZE 16

static uint8_t out[DNS_MESSAGE_MAX];
static struct dns_answer answer;

static const struct dns_golden *find(const char *what)
{
	for (size_t i = 0; i < DNS_GOLDEN; i++)
		if (!strcmp(dns_golden[i].what, what))
			return &dns_golden[i];
	cr_assert_fail("%s is not written down", what);
	return NULL;
}

static int read_answer(const char *what)
{
	const struct dns_golden *golden = find(what);
	struct dns_question question = dns_golden_question();

	return dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes, golden->size, &answer);
}

static struct dns_query query_of(const char *what)
{
	struct dns_query query;

	cr_assert_eq(dns_read_query(find(what)->bytes, find(what)->size, &query), 0);
	return query;
}

/* An answer of so many addresses, for what does not fit. */
static size_t many_addresses(unsigned int count, uint8_t *bytes)
{
	const struct dns_golden *golden = find("answer");
	size_t end = golden->size;

	memcpy(bytes, golden->bytes, golden->size);
	for (unsigned int i = 1; i < count; i++, end += RECORD_SIZE) {
		memcpy(bytes + end, golden->bytes + golden->size - RECORD_SIZE, RECORD_SIZE);
		wire_put16(bytes + end + RECORD_SIZE - 2, (uint16_t)i);
	}
	wire_put16(bytes + WIRE_ANSWERS, (uint16_t)count);
	return end;
}

Test(dns_message, names_are_the_same_in_any_case_and_are_answered_in_their_own)
{
	struct dns_query small = query_of("query"), capital = query_of("query in capitals");

	cr_assert(dns_question_same(&small.question, &capital.question));
	cr_assert_eq(read_answer("answer"), 0);
	dns_write_reply(&capital, answer.message, answer.size, 0, DNS_UDP_PLAIN, out);
	cr_assert_eq(memcmp(out + DNS_HEADER_SIZE, "\3WWW\7eXaMpLe", 13), 0);
}

Test(dns_message, a_client_with_edns_has_more_room_and_gets_edns)
{
	struct dns_query plain = query_of("query"), edns = query_of("query with EDNS");
	size_t size;

	cr_assert_eq(plain.room, DNS_UDP_PLAIN);
	cr_assert_eq(edns.room, DNS_UDP_MOST);
	cr_assert_eq(read_answer("answer"), 0);
	size = dns_write_reply(&plain, answer.message, answer.size, 0, plain.room, out);
	cr_assert_eq(size, answer.size);
	cr_assert_eq(dns_write_reply(&edns, answer.message, answer.size, 0, edns.room, out),
		     size + DNS_OPT_SIZE);
	cr_assert_eq(wire_get16(out + WIRE_ADDITIONALS), 1);
}

Test(dns_message, an_answer_holds_as_long_as_the_shortest_of_its_records)
{
	cr_assert_eq(read_answer("answer by an alias"), 0);
	cr_assert_eq(answer.ttl, 5); /* 9 and 5 */
	cr_assert_eq(wire_get16(answer.message + WIRE_ANSWERS), 2);
}

Test(dns_message, what_there_is_not_holds_as_long_as_the_zone_says)
{
	cr_assert_eq(read_answer("no such name"), 0);
	cr_assert_eq(answer.code, DNS_NXDOMAIN);
	cr_assert_eq(answer.ttl, 5); /* the minimum; the record itself has 7 */
	cr_assert_eq(read_answer("nothing of the type"), 0);
	cr_assert_eq(answer.code, DNS_NOERROR);
	cr_assert_eq(answer.ttl, 5);
	cr_assert_eq(wire_get16(answer.message + WIRE_AUTHORITIES), 1);
}

Test(dns_message, what_there_is_not_is_not_kept_where_no_zone_says_for_how_long)
{
	struct dns_question question = dns_golden_question();
	const struct dns_golden *query = find("query");

	memcpy(out, query->bytes, query->size);
	wire_put16(out + WIRE_FLAGS, WIRE_QR | DNS_NXDOMAIN);
	cr_assert_eq(dns_read_answer(&question, DNS_GOLDEN_ID, out, query->size, &answer), 0);
	cr_assert_eq(answer.ttl, 0);
}

Test(dns_message, a_ttl_with_the_highest_bit_is_none)
{
	struct dns_question question = dns_golden_question();
	const struct dns_golden *golden = find("answer");

	memcpy(out, golden->bytes, golden->size);
	out[golden->size - 10] = 0x80;
	cr_assert_eq(dns_read_answer(&question, DNS_GOLDEN_ID, out, golden->size, &answer), 0);
	cr_assert_eq(answer.ttl, 0);
}

Test(dns_message, answers_to_others_are_ignored)
{
	struct dns_question question = dns_golden_question();
	const struct dns_golden *golden = find("answer");

	cr_assert_eq(
		dns_read_answer(&question, DNS_GOLDEN_ID + 1, golden->bytes, golden->size, &answer),
		-EBADMSG);
	question.type = 28;
	cr_assert_eq(
		dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes, golden->size, &answer),
		-EBADMSG);
	question = dns_golden_question();
	question.name[1] = 'v';
	cr_assert_eq(
		dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes, golden->size, &answer),
		-EBADMSG);
	golden = find("truncated");
	cr_assert_eq(
		dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes, golden->size, &answer),
		-EBADMSG);
	golden = find("query");
	question = dns_golden_question();
	cr_assert_eq(
		dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes, golden->size, &answer),
		-EBADMSG);
}

Test(dns_message, an_origin_that_fails_has_not_answered)
{
	struct dns_question question = dns_golden_question();
	const struct dns_golden *golden = find("query");

	for (int code = 1; code < 16; code++) {
		memcpy(out, golden->bytes, golden->size);
		wire_put16(out + WIRE_FLAGS, (uint16_t)(WIRE_QR | code));
		cr_assert_eq(dns_read_answer(&question, DNS_GOLDEN_ID, out, golden->size, &answer),
			     code == DNS_NXDOMAIN ? 0 : -EPROTO, "code %d", code);
	}
}

Test(dns_message, ttls_count_down_and_end_at_nothing)
{
	struct dns_query query = query_of("query");
	uint32_t address, ttl;

	cr_assert_eq(read_answer("answer"), 0);
	for (uint32_t age = 0; age < 8; age++) {
		size_t size = dns_write_reply(&query, answer.message, answer.size, age,
					      DNS_UDP_PLAIN, out);

		cr_assert_eq(dns_read_address(out, size, &address, &ttl), 0);
		cr_assert_eq(address, 0x01020304);
		cr_assert_eq(ttl, age < 5 ? 5 - age : 0);
	}
}

Test(dns_message, what_does_not_fit_is_truncated_to_its_question)
{
	struct dns_question question = dns_golden_question();
	struct dns_query query = query_of("query");
	static uint8_t bytes[DNS_MESSAGE_MAX];
	size_t end = many_addresses(40, bytes);
	size_t size;

	cr_assert_eq(dns_read_answer(&question, DNS_GOLDEN_ID, bytes, end, &answer), 0);
	size = dns_write_reply(&query, answer.message, answer.size, 0, query.room, out);
	cr_assert_eq(size, find("query")->size);
	cr_assert(wire_get16(out + WIRE_FLAGS) & WIRE_TC);
	cr_assert_eq(wire_get16(out + WIRE_ANSWERS), 0);
	size = dns_write_reply(&query, answer.message, answer.size, 0, DNS_MESSAGE_MAX, out);
	cr_assert_eq(size, answer.size);
	cr_assert_eq(wire_get16(out + WIRE_ANSWERS), 40);
}
