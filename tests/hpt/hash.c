/* SPDX-License-Identifier: MIT */
/* Hash families: portable and native forms, other implementations, and tables that use them. */
#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "hpt/mix.h"
#include "tests/hpt/fixture.h"

static struct pair pair;

/* hpt/hash.c as the guest's kernel has it, its symbols renamed (Makefile). */
uint64_t guest_hpt_hash_tag(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag);
void guest_hpt_salt_set(struct hpt_salt *salt, enum hpt_hash_family family, uint64_t value);

Test(hash, the_native_form_gives_the_same_bits_as_the_portable_one_and_the_guests)
{
	uint64_t random = 5;

	for (enum hpt_hash_family family = HPT_CRC32; family < HPT_HASH_FAMILIES; family++) {
		for (int i = 0; i < 20000; i++) {
			uint64_t value = i % 3 ? model_random(&random) : 0;
			uint64_t tag = model_random(&random);
			struct hpt_salt salt, guest_salt;
			uint64_t hash;

			hpt_salt_set(&salt, family, value);
			guest_hpt_salt_set(&guest_salt, family, value);
			cr_assert_arr_eq(&salt, &guest_salt, sizeof(salt));
			hash = hpt_hash_portable(family, &salt, tag);
			cr_assert_neq(hash, 0);
			cr_assert_eq(hpt_hash_tag(family, &salt, tag), hash, "%s",
				     hpt_hash_family_name(family));
			cr_assert_eq(guest_hpt_hash_tag(family, &salt, tag), hash, "%s",
				     hpt_hash_family_name(family));
		}
	}
}

/* As they were when keys were made at each hash. */
Test(hash, the_bits_never_change)
{
	static const uint64_t known[HPT_HASH_FAMILIES] = {
		[HPT_CRC32] = UINT64_C(0x78b6ad9a78b6ad9a),
		[HPT_AES] = UINT64_C(0x4013e9a712c5c170),
		[HPT_SIPHASH] = UINT64_C(0xbb67bce0896927a0),
		[HPT_LOCAL] = UINT64_C(0x27ed0839fb3ba8a1),
	};

	for (enum hpt_hash_family family = HPT_CRC32; family < HPT_HASH_FAMILIES; family++) {
		struct hpt_salt salt;

		hpt_salt_set(&salt, family, UINT64_C(0x0123456789abcdef));
		cr_assert_eq(hpt_hash_tag(family, &salt, UINT64_C(0xfedcba9876543210)),
			     known[family]);
	}
}

/* SipHash-1-3 of eight bytes, by OpenSSL. */
static uint64_t openssl_siphash(EVP_MAC_CTX *context, uint64_t low, uint64_t high, uint64_t tag)
{
	unsigned int once = 1, thrice = 3;
	size_t size = 8;
	const uint64_t key[2] = {low, high};
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &once),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &thrice),
		OSSL_PARAM_construct_end(),
	};
	uint64_t hash = 0;

	cr_assert(EVP_MAC_init(context, (const void *)key, sizeof(key), params));
	cr_assert(EVP_MAC_update(context, (const void *)&tag, sizeof(tag)));
	cr_assert(EVP_MAC_final(context, (void *)&hash, &size, sizeof(hash)));
	return hash;
}

Test(hash, siphash_is_what_another_implementation_gives)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	uint64_t random = 6;

	cr_assert_not_null(context);
	for (int i = 0; i < 2000; i++) {
		uint64_t value = model_random(&random);
		uint64_t tag = model_random(&random);
		uint64_t second = mix64(value ^ UINT64_C(0x9e3779b97f4a7c15));
		struct hpt_salt salt;

		hpt_salt_set(&salt, HPT_SIPHASH, value);
		cr_assert_eq(hpt_hash_portable(HPT_SIPHASH, &salt, tag),
			     openssl_siphash(context, value, second, tag));
	}
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
}

/* RFC 3720, B.4: the CRC of 32 zero bytes is 8a9136aa. Salt and tag are 16 of them. */
Test(hash, crc32_is_the_castagnoli_crc)
{
	const struct hpt_salt zero = {0};
	uint32_t crc = (uint32_t)hpt_hash_portable(HPT_CRC32, &zero, 0);

	for (int bit = 0; bit < 16 * 8; bit++)
		crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	cr_assert_eq(~crc, 0x8a9136aa);
}

Test(hash, families_are_found_by_their_names)
{
	for (enum hpt_hash_family family = 0; family < HPT_HASH_FAMILIES; family++)
		cr_assert_eq(hpt_hash_family_find(hpt_hash_family_name(family)), (int)family);
	cr_assert_eq(hpt_hash_family_find("sip"), -ENOENT);
	cr_assert_eq(hpt_hash_family_find("siphash13"), -ENOENT);
	cr_assert_eq(hpt_hash_family_find(""), -ENOENT);
}

Test(hash, one_that_does_not_exist_is_refused)
{
	static struct hpt table;
	struct hpt_config config = {.organisation = HPT_CLUSTERED, .hash = HPT_HASH_FAMILIES};

	cr_assert_eq(hpt_create(&table, &config), -EINVAL);
}

TABLE_TEST(hash, a_table_is_right_under_every_family)
{
	for (int family = 0; family < HPT_HASH_FAMILIES; family++) {
		struct hpt_config config = {.organisation = kind->organisation,
					    .hash = (enum hpt_hash_family)family,
					    .salt = (uint64_t)family * 12345};
		uint64_t random = (uint64_t)family;

		pair = (struct pair){.memory = {.offset = 0}};
		cr_assert_eq(pair_begin(&pair, &config), 0);
		for (unsigned int i = 0; i < 6000; i++) {
			struct hpt_key key =
				page(kind, (uint16_t)(i % 3), model_random(&random) % 20000);

			if (i % 4)
				pair_map(&pair, key, entry_of(kind, i));
			else
				pair_unmap(&pair, key);
		}
		pair_check(&pair);
		pair_visit_all(&pair, PAIR_UNMAP);
		pair_expect_empty(&pair);
		pair_end(&pair);
	}
}

/* Keys that are multiples of anything: a family that is good spreads them like random ones. */
Test(hash, families_spread_strides_like_random_keys)
{
	for (int family = HPT_AES; family < HPT_HASH_FAMILIES; family++) {
		for (uint64_t stride = 1; stride <= 1 << 20; stride *= 16) {
			struct hpt_config config = {.organisation = HPT_CLUSTERED,
						    .hash = (enum hpt_hash_family)family,
						    .pages = 20000 * 8,
						    .salt = stride};
			struct hpt_ledger ledger = {0};
			uint64_t entry;

			pair = (struct pair){.memory = {.offset = 0}};
			cr_assert_eq(pair_begin(&pair, &config), 0);
			for (uint64_t i = 0; i < 20000; i++)
				cr_assert_eq(
					hpt_map(&pair.table, hpt_key(0, i * stride * 8, HPT_4K), 1),
					0);
			for (uint64_t i = 0; i < 20000; i++)
				hpt_lookup(&pair.table, hpt_key(0, i * stride * 8, HPT_4K), &entry,
					   &ledger);
			cr_expect_lt((double)ledger.probes / 20000, 2.1, "%s, stride %d: %.3f",
				     hpt_hash_family_name(config.hash), (int)stride,
				     (double)ledger.probes / 20000);
			hpt_destroy(&pair.table);
			model_end(&pair.model);
			test_memory_end(&pair.memory);
		}
	}
}
