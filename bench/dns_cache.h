/* SPDX-License-Identifier: MIT */
/*
 * Answers of the domain name system, kept for as long as their origin has said: a page table's core
 * (hpt/) with times. Where a page table is told of each change, a name's owner tells nobody; he has
 * promised beforehand how long an answer may be used.
 *
 *    table      hash of (name, type), 48 bits: 36 as VPN, 12 as ASID  ->  number of a record
 *    records    a bounded array: question, message, from when to when
 *
 * A hash is no match: the record has the whole question, and only if that is the one asked for it
 * answers. Of two questions of one hash the cache has one. The hash is SipHash-1-3, chained over
 * the name eight bytes at a time (as CBC-MAC; no name in wire format begins with another one), with
 * a key that nobody knows, so that names that collide are not found.
 *
 * Time is the caller's: milliseconds of a clock that does not go back. What was fetched at f with a
 * TTL of T seconds is given from f to f + 1000 T - 1; f is when the question was sent to the
 * origin, not when the answer came, so that what the origin changes after answering is at most T
 * old.
 *
 * Full: the records are a ring with a hand and a second chance (hit since the hand last came by);
 * those whose time is over go first where the hand meets them. One thread.
 */
#ifndef BENCH_DNS_CACHE_H
#define BENCH_DNS_CACHE_H

#include "bench/arena.h"
#include "bench/dns_message.h"

#define DNS_RECORD_MESSAGE 1768 /* bytes; what is longer is not kept */
#define DNS_RECORDS_MOST   (1u << 20)
#define DNS_TTL_MOST	   86400 /* seconds: what says more is kept for a day */
#define DNS_KEY_BITS	   48

struct dns_record {
	uint64_t fetched, expires; /* ms */
	struct dns_question question;
	uint16_t size; /* of the message; 0: the record is free */
	bool hit;
	uint8_t message[DNS_RECORD_MESSAGE];
};

struct dns_cache_config {
	uint32_t records; /* 1 to DNS_RECORDS_MOST */
	enum hpt_organisation organisation;
	uint64_t secret;       /* key of the hash */
	unsigned int key_bits; /* DNS_KEY_BITS; tests use fewer, so that questions collide */
};

struct dns_cache_counts {
	uint64_t hits;
	uint64_t misses;    /* the next three included */
	uint64_t expired;   /* there was an answer, whose time was over */
	uint64_t collided;  /* there was the answer to another question */
	uint64_t kept;	    /* answers that were put in */
	uint64_t evicted;   /* answers that went before their time */
	uint64_t too_large; /* answers that were not kept */
};

struct dns_cache {
	struct dns_cache_config config;
	struct arena arena;
	struct hpt table;
	struct hpt_salt salt;
	struct dns_record *records;
	uint32_t hand;
	uint32_t used;
	struct dns_cache_counts counts;
};

/* Makes an empty one, which stays where it is. -EINVAL for a number of records or bits, -ENOMEM. */
int dns_cache_create(struct dns_cache *cache, const struct dns_cache_config *config);
void dns_cache_destroy(struct dns_cache *cache);

/* The answer, up to the next call for this cache; NULL: there is none whose time is not over. */
const struct dns_record *dns_cache_find(struct dns_cache *cache,
					const struct dns_question *question, uint64_t now);

/*
 * Keeps an answer that was fetched at `fetched` and holds for `ttl` seconds, in the place of an
 * older one. With a TTL of 0, or a message that is too long, it is not kept, and an older one is
 * dropped. -ENOMEM: the table has no room; it is not kept.
 */
int dns_cache_keep(struct dns_cache *cache, const struct dns_question *question,
		   const uint8_t *message, size_t size, uint64_t fetched, uint32_t ttl);

/* Seconds since a record was fetched. */
uint32_t dns_record_age(const struct dns_record *record, uint64_t now);

/* The name of the first invariant that is broken: table and records name each other; or NULL. */
const char *dns_cache_check(struct dns_cache *cache);

#endif
