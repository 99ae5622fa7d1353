/* SPDX-License-Identifier: MIT */
/* See dns_cache.h. */
#include "bench/dns_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARENA	 ((size_t)1 << 28)
#define VPN_BITS 36

int dns_cache_create(struct dns_cache *cache, const struct dns_cache_config *config)
{
	struct hpt_config table = {.organisation = config->organisation, .pages = config->records};
	int error;

	if (!config->records || config->records > DNS_RECORDS_MOST ||
	    config->key_bits > DNS_KEY_BITS)
		return -EINVAL;
	*cache = (struct dns_cache){.config = *config};
	hpt_salt_set(&cache->salt, HPT_SIPHASH, config->secret);
	cache->records = calloc(config->records, sizeof(*cache->records));
	if (!cache->records)
		return -ENOMEM;
	error = arena_begin(&cache->arena, ARENA);
	if (error)
		goto no_arena;
	table.memory = arena_memory(&cache->arena);
	error = hpt_create(&cache->table, &table);
	if (!error)
		return 0;
	arena_end(&cache->arena);
no_arena:
	free(cache->records);
	return error;
}

void dns_cache_destroy(struct dns_cache *cache)
{
	hpt_destroy(&cache->table);
	arena_end(&cache->arena);
	free(cache->records);
}

static struct hpt_key key_of(const struct dns_cache *cache, const struct dns_question *question)
{
	uint64_t hash = hpt_hash_tag(HPT_SIPHASH, &cache->salt, question->type);

	for (size_t at = 0; at < question->size; at += sizeof(uint64_t)) {
		uint64_t word = 0;
		size_t left = question->size - at;

		memcpy(&word, question->name + at, left < sizeof(word) ? left : sizeof(word));
		hash = hpt_hash_tag(HPT_SIPHASH, &cache->salt, hash ^ word);
	}
	hash &= (UINT64_C(1) << cache->config.key_bits) - 1;
	return hpt_key((uint16_t)(hash >> VPN_BITS), hash & ((UINT64_C(1) << VPN_BITS) - 1),
		       HPT_4K);
}

static struct dns_record *look_up(const struct dns_cache *cache, struct hpt_key key)
{
	uint64_t entry;

	return hpt_lookup(&cache->table, key, &entry, NULL) ? NULL
							    : &cache->records[hpt_frame(entry)];
}

/* Takes a record out of the table, and leaves it free. */
static int drop(struct dns_cache *cache, struct dns_record *record)
{
	int error = hpt_unmap(&cache->table, key_of(cache, &record->question), NULL);

	if (error)
		return error;
	record->size = 0;
	cache->used--;
	return 0;
}

const struct dns_record *dns_cache_find(struct dns_cache *cache,
					const struct dns_question *question, uint64_t now)
{
	struct dns_record *record = look_up(cache, key_of(cache, question));

	if (record && !dns_question_same(&record->question, question)) {
		cache->counts.collided++;
	} else if (record && now < record->expires) {
		cache->counts.hits++;
		record->hit = true;
		return record;
	} else if (record) {
		cache->counts.expired++;
		/* Where that needs memory that there is not, the hand finds it. */
		drop(cache, record);
	}
	cache->counts.misses++;
	return NULL;
}

/* A free record: at most two rounds of the hand. */
static struct dns_record *make_room(struct dns_cache *cache, uint64_t now)
{
	for (uint64_t step = 0; step < 2 * (uint64_t)cache->config.records; step++) {
		struct dns_record *record = &cache->records[cache->hand];
		bool over = now >= record->expires;

		cache->hand = (cache->hand + 1) % cache->config.records;
		if (!record->size)
			return record;
		if (record->hit && !over) {
			record->hit = false;
			continue;
		}
		if (drop(cache, record))
			return NULL;
		cache->counts.evicted += !over;
		return record;
	}
	return NULL;
}

static int enter(struct dns_cache *cache, const struct dns_question *question,
		 struct dns_record *record)
{
	uint64_t number = (uint64_t)(record - cache->records);

	return hpt_map(&cache->table, key_of(cache, question), hpt_entry(number, HPT_PRESENT));
}

int dns_cache_keep(struct dns_cache *cache, const struct dns_question *question,
		   const uint8_t *message, size_t size, uint64_t fetched, uint32_t ttl)
{
	struct dns_record *record = look_up(cache, key_of(cache, question));
	int error;

	if (record) {
		error = drop(cache, record);
		if (error)
			return error;
	}
	if (size > DNS_RECORD_MESSAGE)
		cache->counts.too_large++;
	if (!ttl || !size || size > DNS_RECORD_MESSAGE)
		return 0;
	if (!record)
		record = make_room(cache, fetched);
	if (!record)
		return -ENOMEM;
	error = enter(cache, question, record);
	if (error)
		return error;
	if (ttl > DNS_TTL_MOST)
		ttl = DNS_TTL_MOST;
	record->question = *question;
	record->fetched = fetched;
	record->expires = fetched + UINT64_C(1000) * ttl;
	record->size = (uint16_t)size;
	record->hit = false;
	memcpy(record->message, message, size);
	cache->used++;
	cache->counts.kept++;
	return 0;
}

uint32_t dns_record_age(const struct dns_record *record, uint64_t now)
{
	return now > record->fetched ? (uint32_t)((now - record->fetched) / 1000) : 0;
}

const char *dns_cache_check(struct dns_cache *cache)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < cache->config.records; i++) {
		struct dns_record *record = &cache->records[i];

		if (!record->size)
			continue;
		used++;
		if (look_up(cache, key_of(cache, &record->question)) != record)
			return "a record is not found by its question";
	}
	if (used != cache->used)
		return "records in use are not as many as were counted";
	if (cache->table.counts.entries != used)
		return "the table has entries without a record";
	return hpt_check(&cache->table);
}
