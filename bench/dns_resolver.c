/* SPDX-License-Identifier: MIT */
/* See dns_resolver.h. */
#include "bench/dns_resolver.h"

#include <errno.h>

int dns_resolver_create(struct dns_resolver *resolver, const struct dns_cache_config *config)
{
	resolver->counts = (struct dns_resolver_counts){0};
	resolver->answer.size = 0;
	return dns_cache_create(&resolver->cache, config);
}

void dns_resolver_destroy(struct dns_resolver *resolver)
{
	dns_cache_destroy(&resolver->cache);
}

static size_t room_of(const struct dns_query *query, bool tcp)
{
	return tcp ? DNS_MESSAGE_MAX : query->room;
}

enum dns_step dns_resolver_ask(struct dns_resolver *resolver, const uint8_t *data, size_t size,
			       bool tcp, uint64_t now, struct dns_query *query, uint8_t *out,
			       size_t *out_size)
{
	int code = dns_read_query(data, size, query);
	const struct dns_record *record;

	resolver->counts.queries++;
	if (code < 0) {
		resolver->counts.dropped++;
		return DNS_DROP;
	}
	if (code) {
		resolver->counts.refused++;
		*out_size = dns_write_refusal(data, size, code, out);
		return DNS_REPLY;
	}
	record = dns_cache_find(&resolver->cache, &query->question, now);
	if (!record)
		return DNS_FORWARD;
	*out_size = dns_write_reply(query, record->message, record->size,
				    dns_record_age(record, now), room_of(query, tcp), out);
	return DNS_REPLY;
}

int dns_resolver_take(struct dns_resolver *resolver, const struct dns_question *question,
		      uint16_t id, const uint8_t *data, size_t size, uint64_t sent)
{
	struct dns_answer *answer = &resolver->answer;
	int error = dns_read_answer(question, id, data, size, answer);

	/* What the cache has no memory for is given all the same. */
	if (!error)
		dns_cache_keep(&resolver->cache, question, answer->message, answer->size, sent,
			       answer->ttl);
	return error;
}

size_t dns_resolver_reply(const struct dns_resolver *resolver, const struct dns_query *query,
			  bool tcp, uint8_t *out)
{
	return dns_write_reply(query, resolver->answer.message, resolver->answer.size, 0,
			       room_of(query, tcp), out);
}
