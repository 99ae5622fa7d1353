/* SPDX-License-Identifier: MIT */
/* The cache: never longer than the TTL, never another question's answer, never more than its room.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "bench/dns_cache.h"
#include "hpt/mix.h"

static struct dns_cache cache;

static void make(uint32_t records, unsigned int key_bits)
{
	const struct dns_cache_config config = {
		.records = records, .organisation = HPT_BUCKET, .secret = 5, .key_bits = key_bits};

	cr_assert_eq(dns_cache_create(&cache, &config), 0);
}

static struct dns_question question_of(unsigned int number)
{
	struct dns_question question = {.size = 6, .type = (uint16_t)(1 + number % 2)};

	number /= 2;
	question.name[0] = 4;
	for (int i = 1; i < 5; i++, number /= 26)
		question.name[i] = (uint8_t)('a' + number % 26);
	return question;
}

/* The answer to a question is a number. */
static void keep(unsigned int number, uint32_t value, uint64_t now, uint32_t ttl)
{
	struct dns_question question = question_of(number);

	cr_assert_eq(
		dns_cache_keep(&cache, &question, (const uint8_t *)&value, sizeof(value), now, ttl),
		0);
}

static bool find(unsigned int number, uint64_t now, uint32_t *value)
{
	struct dns_question question = question_of(number);
	const struct dns_record *record = dns_cache_find(&cache, &question, now);

	if (!record)
		return false;
	cr_assert_eq(record->size, sizeof(*value));
	memcpy(value, record->message, sizeof(*value));
	return true;
}

static void expect_whole(void)
{
	const char *broken = dns_cache_check(&cache);

	cr_assert_null(broken, "%s", broken);
}

Test(dns_cache, an_answer_is_given_to_the_last_millisecond_of_its_ttl_and_no_longer)
{
	uint32_t value;

	make(4, DNS_KEY_BITS);
	keep(1, 77, 1234, 3);
	cr_assert(find(1, 1234, &value));
	cr_assert_eq(value, 77);
	cr_assert(find(1, 4233, &value));
	cr_assert_not(find(1, 4234, &value));
	/* It is gone, not hidden. */
	cr_assert_not(find(1, 1234, &value));
	cr_assert_eq(cache.counts.expired, 1);
	cr_assert_eq(cache.used, 0);
	expect_whole();
}

Test(dns_cache, a_newer_answer_takes_the_place_of_an_older_one)
{
	uint32_t value;

	make(4, DNS_KEY_BITS);
	keep(1, 1, 0, 10);
	keep(1, 2, 5000, 10);
	cr_assert(find(1, 12000, &value));
	cr_assert_eq(value, 2);
	cr_assert_eq(cache.used, 1);
	keep(1, 3, 12000, 0);
	cr_assert_not(find(1, 12000, &value));
	expect_whole();
}

Test(dns_cache, types_of_one_name_are_different_questions)
{
	uint32_t value;

	make(4, DNS_KEY_BITS);
	keep(2, 1, 0, 10);
	cr_assert_not(find(3, 0, &value));
}

Test(dns_cache, what_is_too_long_is_not_kept)
{
	static const uint8_t message[DNS_RECORD_MESSAGE + 1];
	struct dns_question question = question_of(1);

	make(4, DNS_KEY_BITS);
	cr_assert_eq(dns_cache_keep(&cache, &question, message, sizeof(message), 0, 9), 0);
	cr_assert_null(dns_cache_find(&cache, &question, 0));
	cr_assert_eq(dns_cache_keep(&cache, &question, message, sizeof(message) - 1, 0, 9), 0);
	cr_assert_not_null(dns_cache_find(&cache, &question, 0));
}

Test(dns_cache, nothing_is_kept_for_longer_than_a_day)
{
	uint32_t value;

	make(4, DNS_KEY_BITS);
	keep(1, 1, 0, UINT32_MAX);
	cr_assert(find(1, UINT64_C(1000) * DNS_TTL_MOST - 1, &value));
	cr_assert_not(find(1, UINT64_C(1000) * DNS_TTL_MOST, &value));
}

Test(dns_cache, a_hash_is_no_match)
{
	uint32_t value;

	/* Four keys for forty questions. */
	make(64, 2);
	for (unsigned int i = 0; i < 40; i++)
		keep(i, i, 0, 10);
	cr_assert_leq(cache.used, 4);
	for (unsigned int i = 0; i < 40; i++)
		if (find(i, 0, &value))
			cr_assert_eq(value, i);
	cr_assert_geq(cache.counts.collided, 36);
	expect_whole();
}

Test(dns_cache, what_was_hit_stays_longer_and_what_is_over_goes_first)
{
	uint32_t value;

	make(4, DNS_KEY_BITS);
	for (unsigned int i = 0; i < 4; i++)
		keep(i, i, 0, i == 3 ? 1 : 100);
	cr_assert(find(0, 0, &value));
	keep(4, 4, 500, 100); /* the hand spares 0 and takes 1 */
	cr_assert(find(0, 500, &value));
	cr_assert_not(find(1, 500, &value));
	cr_assert(find(2, 500, &value));
	cr_assert_eq(cache.counts.evicted, 1);
	keep(5, 5, 2000, 100); /* 2 was hit; 3 is over */
	cr_assert(find(2, 2000, &value));
	cr_assert_not(find(3, 2000, &value));
	cr_assert_eq(cache.counts.evicted, 1);
	expect_whole();
}

Test(dns_cache, sizes_that_cannot_be_are_refused)
{
	struct dns_cache_config config = {.records = 0, .key_bits = DNS_KEY_BITS};

	cr_assert_eq(dns_cache_create(&cache, &config), -EINVAL);
	config.records = DNS_RECORDS_MOST + 1;
	cr_assert_eq(dns_cache_create(&cache, &config), -EINVAL);
	config.records = 1;
	config.key_bits = DNS_KEY_BITS + 1;
	cr_assert_eq(dns_cache_create(&cache, &config), -EINVAL);
}

/* What the origin has said last of each question, and until when it may be said. */
#define QUESTIONS 200
struct said {
	uint32_t value;
	uint64_t until;
};

static void random_run(enum hpt_organisation organisation, unsigned int key_bits)
{
	const struct dns_cache_config config = {
		.records = 64, .organisation = organisation, .secret = 9, .key_bits = key_bits};
	struct said said[QUESTIONS] = {0};
	uint64_t random = 3, now = 0;
	uint64_t hits = 0;

	cr_assert_eq(dns_cache_create(&cache, &config), 0);
	for (uint32_t i = 1; i < 100000; i++) {
		unsigned int number = mix64_next(&random) % QUESTIONS;
		uint32_t value;

		now += mix64_next(&random) % 50;
		if (mix64_next(&random) % 3) {
			if (!find(number, now, &value))
				continue;
			hits++;
			cr_assert_eq(value, said[number].value);
			cr_assert_lt(now, said[number].until);
		} else {
			uint32_t ttl = mix64_next(&random) % 20;

			keep(number, i, now, ttl);
			said[number] = (struct said){i, now + 1000 * ttl};
			cr_assert(!ttl || find(number, now, &value));
		}
		cr_assert_leq(cache.used, 64);
		if (i % 1000 == 0)
			expect_whole();
	}
	cr_assert_geq(hits, 1000);
	cr_assert_geq(cache.counts.evicted, 1000);
	dns_cache_destroy(&cache);
}

Test(dns_cache, any_order_of_calls_gives_what_was_said_last_or_nothing)
{
	for (int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++)
		random_run((enum hpt_organisation)organisation, DNS_KEY_BITS);
	random_run(HPT_BUCKET, 7);
}
