/* SPDX-License-Identifier: MIT */
/* Messages that are damaged: dropped, refused or ignored, and the resolver goes on. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/dns_wire.h"
#include "hpt/mix.h"
#include "tests/bench/dns_invariants.h"

#define DAMAGED 60000
#define RANDOM	20000

static struct dns_resolver *resolver;

static void begin(void)
{
	resolver = dns_fresh_resolver();
}

static void end(void)
{
	dns_resolver_destroy(resolver);
	free(resolver);
}

TestSuite(dns_malformed, .init = begin, .fini = end);

static void expect_promises(const char *what, const uint8_t *data, size_t size)
{
	const char *broken = dns_broken_promise(resolver, data, size);

	cr_assert_null(broken, "%s, %zu bytes: it is not so that %s", what, size, broken);
}

/* The response code of what a query gets; -1: nothing. */
static int code_of(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct dns_query query;
	size_t reply = 0;
	enum dns_step step = dns_resolver_ask(resolver, data, size, false, 0, &query, out, &reply);

	cr_assert_neq(step, DNS_FORWARD);
	return step == DNS_DROP ? -1 : out[3] & 15;
}

Test(dns_malformed, what_is_written_down_is_whole)
{
	for (size_t i = 0; i < DNS_GOLDEN; i++) {
		const struct dns_golden *golden = &dns_golden[i];
		struct dns_question question = dns_golden_question();
		struct dns_query query;
		struct dns_answer *answer = malloc(sizeof(*answer));

		if (golden->answer)
			cr_expect_eq(dns_read_answer(&question, DNS_GOLDEN_ID, golden->bytes,
						     golden->size, answer),
				     strcmp(golden->what, "truncated") ? 0 : -EMSGSIZE, "%s",
				     golden->what);
		else
			cr_expect_eq(dns_read_query(golden->bytes, golden->size, &query), 0, "%s",
				     golden->what);
		expect_promises(golden->what, golden->bytes, golden->size);
		free(answer);
	}
}

Test(dns_malformed, a_query_that_is_cut_is_dropped_or_malformed)
{
	for (size_t i = 0; i < DNS_GOLDEN; i++) {
		const struct dns_golden *golden = &dns_golden[i];

		for (size_t size = 0; size < golden->size; size++) {
			/* A copy of its own, so that a sanitizer sees a read beyond it. */
			uint8_t *cut = malloc(size + 1);

			memcpy(cut, golden->bytes, size);
			expect_promises(golden->what, cut, size);
			if (!golden->answer)
				cr_expect_eq(code_of(cut, size),
					     size < DNS_HEADER_SIZE ? -1 : DNS_FORMERR,
					     "%s, cut to %zu", golden->what, size);
			free(cut);
		}
	}
}

Test(dns_malformed, an_answer_that_is_cut_is_ignored)
{
	struct dns_question question = dns_golden_question();

	for (size_t i = 0; i < DNS_GOLDEN; i++) {
		const struct dns_golden *golden = &dns_golden[i];

		for (size_t size = 0; golden->answer && size < golden->size; size++)
			cr_expect_eq(dns_resolver_take(resolver, &question, DNS_GOLDEN_ID,
						       golden->bytes, size, 0),
				     -EBADMSG, "%s, cut to %zu", golden->what, size);
	}
}

Test(dns_malformed, names_that_loop_or_point_outside_are_malformed)
{
	static const uint8_t names[][4] = {
		{0xc0, 0x0c},	      /* to itself */
		{0xc0, 0x0d},	      /* to its own second byte */
		{0xff, 0xff},	      /* beyond the end */
		{1, 'a', 0xc0, 0x0c}, /* a label, and round again */
		{0x40, 0},	      /* labels of kinds that there are not */
		{0x80, 0},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint8_t data[DNS_HEADER_SIZE + 8] = "\x12\x34\1\0\0\1\0\0\0\0\0";
		size_t size = names[i][0] == 1 ? 4 : 2;

		memcpy(data + DNS_HEADER_SIZE, names[i], size);
		memcpy(data + DNS_HEADER_SIZE + size, "\0\1\0\1", 4);
		expect_promises("a name", data, DNS_HEADER_SIZE + size + 4);
		cr_expect_eq(code_of(data, DNS_HEADER_SIZE + size + 4), DNS_FORMERR, "name %zu", i);
	}
}

Test(dns_malformed, wrong_counts_are_malformed)
{
	for (size_t at = WIRE_QUESTIONS; at < DNS_HEADER_SIZE; at += 2) {
		static const uint16_t counts[] = {0, 1, 2, 255, 256, 65535};

		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			uint8_t data[64];
			const struct dns_golden *golden = &dns_golden[0];

			memcpy(data, golden->bytes, golden->size);
			if (wire_get16(data + at) == counts[i])
				continue;
			wire_put16(data + at, counts[i]);
			expect_promises("counts", data, golden->size);
			cr_expect_eq(code_of(data, golden->size), DNS_FORMERR, "%u at %zu",
				     counts[i], at);
		}
	}
}

Test(dns_malformed, what_nobody_serves_is_refused_by_its_code)
{
	uint8_t data[DNS_QUERY_MAX + 1] = {0};
	const struct dns_golden *golden = &dns_golden[1];

	memcpy(data, golden->bytes, golden->size);
	data[2] |= 0x80;
	cr_expect_eq(code_of(data, golden->size), -1); /* a reply */
	data[2] = 0x28;
	cr_expect_eq(code_of(data, golden->size), DNS_NOTIMP); /* UPDATE */
	data[2] = 0;
	cr_expect_eq(code_of(data, golden->size), DNS_REFUSED); /* not recursive */
	data[2] = 1;
	data[28] = 3;
	cr_expect_eq(code_of(data, golden->size), DNS_REFUSED); /* class CHAOS */
	data[28] = 1;
	data[26] = 252;
	cr_expect_eq(code_of(data, golden->size), DNS_REFUSED); /* AXFR */
	data[26] = 1;
	data[35] = 1;
	cr_expect_eq(code_of(data, golden->size), DNS_BADVERS & 15);
	cr_expect_eq(code_of(data, sizeof(data)), DNS_FORMERR);
}

Test(dns_malformed, damaged_messages_break_no_promise)
{
	uint64_t random = 1;

	for (int i = 0; i < DAMAGED; i++) {
		const struct dns_golden *golden = &dns_golden[mix64_next(&random) % DNS_GOLDEN];
		uint8_t data[256];
		size_t size = golden->size;

		memcpy(data, golden->bytes, size);
		for (uint64_t changes = 1 + mix64_next(&random) % 4; changes; changes--)
			data[mix64_next(&random) % size] = (uint8_t)mix64_next(&random);
		if (mix64_next(&random) % 4 == 0)
			size = mix64_next(&random) % size;
		expect_promises(golden->what, data, size);
	}
}

Test(dns_malformed, random_bytes_break_no_promise)
{
	uint64_t random = 2;

	for (int i = 0; i < RANDOM; i++) {
		uint8_t data[128];
		size_t size = mix64_next(&random) % sizeof(data);

		for (size_t at = 0; at < size; at++)
			data[at] = (uint8_t)mix64_next(&random);
		/* Half of them with a header that lets them through to where names are read. */
		if (size >= DNS_HEADER_SIZE && i % 2)
			memcpy(data,
			       i % 4 == 1 ? "\x12\x34\1\0\0\1\0\0\0\0\0\1"
					  : "\x12\x34\x84\0\0\1\0\1\0\1\0\1",
			       DNS_HEADER_SIZE);
		expect_promises("random bytes", data, size);
	}
}
