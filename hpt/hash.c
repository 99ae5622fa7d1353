/* SPDX-License-Identifier: MIT */
/* See hash.h. */
#include "hpt/hash.h"

#include <errno.h>

#include "hpt/aes.h"
#include "hpt/mix.h"
#include "hpt/name.h"

/* The host has vector registers, and maybe the instructions; the guest's build has neither. */
#ifdef __SSE2__
#define HPT_HASH_NATIVE
#endif

#ifdef HPT_HASH_NATIVE
#include <immintrin.h>
#endif

static const char *const names[HPT_HASH_FAMILIES] = {
	[HPT_FIBONACCI] = "fibonacci", [HPT_CRC32] = "crc32", [HPT_AES] = "aes",
	[HPT_SIPHASH] = "siphash",     [HPT_LOCAL] = "local",
};

const char *hpt_hash_family_name(enum hpt_hash_family family)
{
	return names[family];
}

int hpt_hash_family_find(const char *name)
{
	for (int i = 0; i < HPT_HASH_FAMILIES; i++) {
		if (hpt_name_is(names[i], name))
			return i;
	}
	return -ENOENT;
}

#define CRC32C_REVERSED 0x82f63b78 /* the polynomial, lowest power first */

static uint32_t crc32c_portable(uint32_t crc, uint64_t word)
{
	for (int byte = 0; byte < 8; byte++, word >>= 8) {
		crc ^= (uint8_t)word;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_REVERSED : 0);
	}
	return crc;
}

/* The CRC has 32 bits; they are the top of the hash and its bottom. */
static uint64_t crc_hash(uint32_t crc)
{
	return (uint64_t)crc << 32 | crc;
}

static uint64_t aes_portable(const struct hpt_salt *salt, uint64_t tag)
{
	const struct aes_block keys[2] = {{salt->keys[0], salt->keys[1]},
					  {salt->keys[2], salt->keys[3]}};
	struct aes_block block = aes_round((struct aes_block){tag, salt->value}, keys[0]);

	block = aes_round(block, keys[1]);
	return block.low ^ block.high;
}

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* Of the tag's eight bytes. */
static uint64_t siphash13(uint64_t first, uint64_t second, uint64_t tag)
{
	uint64_t v[4] = {
		first ^ UINT64_C(0x736f6d6570736575), second ^ UINT64_C(0x646f72616e646f6d),
		first ^ UINT64_C(0x6c7967656e657261), second ^ UINT64_C(0x7465646279746573)};
	const uint64_t words[2] = {tag, UINT64_C(8) << 56};

	for (int i = 0; i < 2; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* What a family needs beside the salt is numbers that a generator makes of it. */
void hpt_salt_set(struct hpt_salt *salt, enum hpt_hash_family family, uint64_t value)
{
	*salt = (struct hpt_salt){.value = value};
	if (family == HPT_AES) {
		for (int i = 0; i < 4; i++)
			salt->keys[i] = mix64_next(&value);
	} else if (family == HPT_SIPHASH) {
		salt->keys[0] = mix64(value ^ UINT64_C(0x9e3779b97f4a7c15));
	}
}

uint64_t hpt_hash_portable(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag)
{
	if (family == HPT_CRC32)
		return crc_hash(crc32c_portable(crc32c_portable(UINT32_MAX, salt->value), tag));
	if (family == HPT_AES)
		return aes_portable(salt, tag);
	if (family == HPT_SIPHASH)
		return siphash13(salt->value, salt->keys[0], tag);
	if (family == HPT_LOCAL)
		return (tag >> HPT_NEIGHBOURS_LOG2 ^ salt->value) * HPT_MULTIPLIER;
	return 0;
}

#ifdef HPT_HASH_NATIVE
__attribute__((target("sse4.2"))) static uint64_t crc_native(uint64_t salt, uint64_t tag)
{
	return crc_hash((uint32_t)_mm_crc32_u64(_mm_crc32_u64(UINT32_MAX, salt), tag));
}

__attribute__((target("aes,sse4.1"))) static uint64_t aes_native(const struct hpt_salt *salt,
								 uint64_t tag)
{
	const __m128i_u *keys = (const __m128i_u *)salt->keys;
	__m128i state = _mm_set_epi64x((long long)salt->value, (long long)tag);

	state = _mm_aesenc_si128(state, _mm_loadu_si128(&keys[0]));
	state = _mm_aesenc_si128(state, _mm_loadu_si128(&keys[1]));
	return (uint64_t)_mm_cvtsi128_si64(state) ^ (uint64_t)_mm_extract_epi64(state, 1);
}
#endif

uint64_t hpt_hash_tag(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag)
{
#ifdef HPT_HASH_NATIVE
	if (family == HPT_CRC32 && __builtin_cpu_supports("sse4.2"))
		return crc_native(salt->value, tag);
	if (family == HPT_AES && __builtin_cpu_supports("aes"))
		return aes_native(salt, tag);
#endif
	return hpt_hash_portable(family, salt, tag);
}
