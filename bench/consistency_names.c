/* SPDX-License-Identifier: MIT */
/* See consistency.h: the cache of names, with and without messages. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/consistency.h"
#include "bench/dns_resolver.h"
#include "bench/dns_wire.h"

#define TYPE_A	  1
#define CLASS_IN  1
#define POINTER	  0xc00c /* to the question's name */
#define TTL_OF_A  6	 /* of a record whose name is a pointer: where its TTL is */
#define SIZE_OF_A 16

struct names {
	struct consistency world;
	struct dns_resolver resolver;
	struct consistency_outcome *outcome;
	bool counts;
	uint64_t answer; /* version, of the last ask */
};

/* Thing number i: "i.example" in wire format, of which the number has eight digits. */
static struct dns_question question_of(uint32_t thing)
{
	static const uint8_t rest[] = "\7example";
	struct dns_question question = {.size = 9 + sizeof(rest), .type = TYPE_A};

	question.name[0] = 8;
	for (int digit = 8; digit > 0; digit--, thing /= 10)
		question.name[digit] = (uint8_t)('0' + thing % 10);
	memcpy(question.name + 9, rest, sizeof(rest));
	return question;
}

static uint64_t milliseconds(double seconds)
{
	return (uint64_t)floor(seconds * 1000);
}

/* What the origin says, as bytes. */
static size_t write_origin(const struct names *names, uint32_t thing, uint16_t id, uint8_t *out)
{
	struct dns_question question = question_of(thing);
	uint8_t *record;

	dns_write_query(&question, id, out);
	wire_put16(out + WIRE_FLAGS, WIRE_QR);
	wire_put16(out + WIRE_ANSWERS, 1);
	wire_put16(out + WIRE_ADDITIONALS, 0);
	record = out + DNS_HEADER_SIZE + question.size + 4;
	wire_put16(record, POINTER);
	wire_put16(record + 2, TYPE_A);
	wire_put16(record + 4, CLASS_IN);
	wire_put32(record + TTL_OF_A, names->world.setting.ttl);
	wire_put16(record + 10, 4);
	wire_put32(record + 12, (uint32_t)names->world.things[thing].version);
	return (size_t)(record + SIZE_OF_A - out);
}

/* A reply's version; what is wrong with it is counted. */
static void read_reply(struct names *names, uint16_t id, const uint8_t *reply, size_t size)
{
	uint32_t address = 0, ttl = 0;
	int error = dns_read_address(reply, size, &address, &ttl);

	names->outcome->broken +=
		error || wire_get16(reply) != id || !ttl || ttl > names->world.setting.ttl;
	names->answer = address;
}

/* Asks by messages. True: the origin was asked. */
static bool ask_by_messages(struct names *names, uint32_t thing)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	struct dns_question question = question_of(thing);
	uint16_t id = (uint16_t)(names->world.random >> 16);
	uint64_t now = milliseconds(names->world.now);
	struct dns_query query;
	uint8_t ask[DNS_UDP_PLAIN];
	size_t size = dns_write_query(&question, id, ask);
	enum dns_step step =
		dns_resolver_ask(&names->resolver, ask, size, false, now, &query, bytes, &size);
	bool forward = step == DNS_FORWARD;

	if (forward) {
		size = write_origin(names, thing, (uint16_t)~id, bytes);
		names->outcome->broken += !!dns_resolver_take(&names->resolver, &query.question,
							      (uint16_t)~id, bytes, size, now);
		size = dns_resolver_reply(&names->resolver, &query, false, bytes);
	}
	names->outcome->broken += step == DNS_DROP;
	read_reply(names, id, bytes, size);
	return forward;
}

/* Asks the cache alone, whose answer is the version. */
static bool ask_cache(struct names *names, uint32_t thing)
{
	struct dns_question question = question_of(thing);
	uint64_t now = milliseconds(names->world.now);
	struct dns_cache *cache = &names->resolver.cache;
	const struct dns_record *record = dns_cache_find(cache, &question, now);
	uint8_t version[8];

	if (record) {
		names->answer = wire_get32(record->message);
		return false;
	}
	names->answer = names->world.things[thing].version;
	wire_put32(version, (uint32_t)names->answer);
	dns_cache_keep(cache, &question, version, sizeof(version), now, names->world.setting.ttl);
	return true;
}

static void count(struct names *names, uint32_t thing, bool fetched)
{
	struct consistency_outcome *outcome = names->outcome;
	double stale_for;

	outcome->asks++;
	outcome->fetches += fetched;
	if (names->answer == names->world.things[thing].version)
		return;
	outcome->stale++;
	stale_for = names->world.now - consistency_superseded(&names->world, thing, names->answer);
	if (stale_for > outcome->longest)
		outcome->longest = stale_for;
	outcome->late += stale_for > names->world.setting.ttl;
}

/*
 * A name is asked for first at a random time of its first round of TTL and wait: otherwise all
 * would be fetched at once, and again and again at nearly the same times, while the changes that
 * are counted end somewhere in such a round.
 */
static double first_time(struct names *names)
{
	const struct consistency_setting *setting = &names->world.setting;

	return consistency_chance(&names->world) * (setting->ttl + 1 / setting->asked);
}

static int run(struct names *names, bool messages)
{
	const struct consistency_setting *setting = &names->world.setting;
	double *first = malloc(setting->things * sizeof(*first));
	uint64_t changes = 0;
	double began = 0;

	if (!first)
		return -ENOMEM;
	for (uint32_t i = 0; i < setting->things; i++)
		first[i] = first_time(names);
	while (names->outcome->asks < setting->asks) {
		uint32_t thing = consistency_next(&names->world);
		bool fetched;

		if (names->world.now < first[thing])
			continue;
		fetched = messages ? ask_by_messages(names, thing) : ask_cache(names, thing);
		if (names->world.now < setting->warm) {
			changes = names->world.changes;
			began = names->world.now;
			continue;
		}
		count(names, thing, fetched);
	}
	free(first);
	names->outcome->changes = names->world.changes - changes;
	names->outcome->seconds = names->world.now - began;
	return 0;
}

int consistency_names(const struct consistency_setting *setting, bool messages,
		      struct consistency_outcome *outcome)
{
	const struct dns_cache_config config = {.records = setting->things,
						.organisation = HPT_BUCKET,
						.secret = setting->seed,
						.key_bits = DNS_KEY_BITS};
	struct names *names = malloc(sizeof(*names));
	int error = -ENOMEM;

	*outcome = (struct consistency_outcome){.asks = 0};
	if (!names)
		return error;
	names->outcome = outcome;
	error = consistency_begin(&names->world, setting);
	if (error)
		goto no_world;
	error = dns_resolver_create(&names->resolver, &config);
	if (error)
		goto no_resolver;
	error = run(names, messages);
	outcome->broken += !!dns_cache_check(&names->resolver.cache);
	dns_resolver_destroy(&names->resolver);
no_resolver:
	consistency_end(&names->world);
no_world:
	free(names);
	return error;
}
