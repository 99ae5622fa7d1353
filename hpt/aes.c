/* SPDX-License-Identifier: MIT */
/* See aes.h. The portable form works on eight bytes at once, in a word. */
#include "hpt/aes.h"

/* The host has vector registers, and maybe the instructions; the guest's build has neither. */
#ifdef __SSE2__
#define AES_NATIVE
#endif

#ifdef AES_NATIVE
#include <immintrin.h>
#endif

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Each byte times x in GF(2^8) (section 4.2.1). */
static uint64_t times_x(uint64_t bytes)
{
	uint64_t carries = bytes >> 7 & EACH_BYTE(1);

	return (bytes & EACH_BYTE(0x7f)) << 1 ^ carries * 0x1b;
}

/* The products of eight pairs of bytes. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (int bit = 0; bit < 8; bit++) {
		product ^= (b >> bit & EACH_BYTE(1)) * 0xff & a;
		a = times_x(a);
	}
	return product;
}

static uint64_t rotate_bytes(uint64_t bytes, int bits)
{
	uint64_t low = EACH_BYTE((1 << bits) - 1);

	return (bytes << bits & ~low) | (bytes >> (8 - bits) & low);
}

/* The inverse, x^254, then the affine map (section 5.1.1). */
static uint64_t substitute(uint64_t bytes)
{
	uint64_t power = bytes;
	uint64_t inverse = EACH_BYTE(1);
	uint64_t result = EACH_BYTE(0x63);

	for (int i = 0; i < 7; i++) {
		power = multiply(power, power);
		inverse = multiply(inverse, power);
	}
	result ^= inverse;
	for (int bits = 1; bits < 5; bits++)
		result ^= rotate_bytes(inverse, bits);
	return result;
}

static uint64_t byte_of(struct aes_block block, int number)
{
	return (number < 8 ? block.low : block.high) >> number % 8 * 8 & 0xff;
}

/* SubBytes and ShiftRows: row r of a column comes from the column that is r further on. */
static struct aes_block substitute_and_shift(struct aes_block block)
{
	struct aes_block from = {substitute(block.low), substitute(block.high)};
	struct aes_block to = {0, 0};

	for (int i = 0; i < 8; i++) {
		to.low |= byte_of(from, (i + 4 * (i % 4)) % 16) << 8 * i;
		to.high |= byte_of(from, (8 + i + 4 * (i % 4)) % 16) << 8 * i;
	}
	return to;
}

/* Each column of two so that its row r is what was row r + 1. */
static uint64_t next_row(uint64_t columns)
{
	return (columns >> 8 & UINT64_C(0x00ffffff00ffffff)) |
	       (columns << 24 & UINT64_C(0xff000000ff000000));
}

static uint64_t mix_columns(uint64_t columns)
{
	uint64_t next = next_row(columns);
	uint64_t others = next_row(next) ^ next_row(next_row(next));

	return times_x(columns ^ next) ^ next ^ others;
}

static struct aes_block add(struct aes_block a, struct aes_block b)
{
	return (struct aes_block){a.low ^ b.low, a.high ^ b.high};
}

struct aes_block aes_round(struct aes_block block, struct aes_block key)
{
	block = substitute_and_shift(block);
	block.low = mix_columns(block.low);
	block.high = mix_columns(block.high);
	return add(block, key);
}

void aes_expand(struct aes_keys *keys, const uint8_t key[16])
{
	struct aes_block *last = &keys->rounds[0];
	uint64_t constant = 1;

	*last = (struct aes_block){0, 0};
	for (int i = 0; i < 8; i++) {
		last->low |= (uint64_t)key[i] << 8 * i;
		last->high |= (uint64_t)key[8 + i] << 8 * i;
	}
	for (; last < &keys->rounds[AES_ROUNDS]; last++, constant = times_x(constant)) {
		uint64_t word = substitute(last->high) >> 32;
		uint64_t low, high;

		word = ((word >> 8 | word << 24) & UINT32_MAX) ^ constant;
		/* Each of the four words is the one before and the one of the last round. */
		low = last->low ^ word;
		low ^= low << 32;
		high = last->high ^ low >> 32;
		high ^= high << 32;
		last[1] = (struct aes_block){low, high};
	}
}

struct aes_block aes_encrypt_portable(const struct aes_keys *keys, struct aes_block block)
{
	block = add(block, keys->rounds[0]);
	for (int round = 1; round < AES_ROUNDS; round++)
		block = aes_round(block, keys->rounds[round]);
	return add(substitute_and_shift(block), keys->rounds[AES_ROUNDS]);
}

#ifdef AES_NATIVE
#define AES_TARGET __attribute__((target("aes,sse4.1")))

AES_TARGET static inline __m128i round_key(const struct aes_keys *keys, int round)
{
	return _mm_loadu_si128((const __m128i *)&keys->rounds[round]);
}

/* In registers: halves that go through memory are loaded as one only after they have got there. */
AES_TARGET static inline __m128i state_of(uint64_t low, uint64_t high)
{
	return _mm_insert_epi64(_mm_cvtsi64_si128((long long)low), (long long)high, 1);
}

AES_TARGET static struct aes_block encrypt_native(const struct aes_keys *keys, uint64_t low,
						  uint64_t high)
{
	__m128i state = _mm_xor_si128(state_of(low, high), round_key(keys, 0));

#pragma GCC unroll 9
	for (int round = 1; round < AES_ROUNDS; round++)
		state = _mm_aesenc_si128(state, round_key(keys, round));
	state = _mm_aesenclast_si128(state, round_key(keys, AES_ROUNDS));
	return (struct aes_block){
		(uint64_t)_mm_cvtsi128_si64(state),
		(uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(state, state)),
	};
}

AES_TARGET static void encrypt_four_native(const struct aes_keys *keys, struct aes_block *blocks)
{
	__m128i state[AES_FOUR];

#pragma GCC unroll 4
	for (int i = 0; i < AES_FOUR; i++)
		state[i] =
			_mm_xor_si128(state_of(blocks[i].low, blocks[i].high), round_key(keys, 0));
#pragma GCC unroll 9
	for (int round = 1; round < AES_ROUNDS; round++) {
#pragma GCC unroll 4
		for (int i = 0; i < AES_FOUR; i++)
			state[i] = _mm_aesenc_si128(state[i], round_key(keys, round));
	}
#pragma GCC unroll 4
	for (int i = 0; i < AES_FOUR; i++) {
		state[i] = _mm_aesenclast_si128(state[i], round_key(keys, AES_ROUNDS));
		_mm_storeu_si128((__m128i *)&blocks[i], state[i]);
	}
}
#endif

struct aes_block aes_encrypt(const struct aes_keys *keys, struct aes_block block)
{
#ifdef AES_NATIVE
	if (__builtin_cpu_supports("aes"))
		return encrypt_native(keys, block.low, block.high);
#endif
	return aes_encrypt_portable(keys, block);
}

void aes_encrypt_four(const struct aes_keys *keys, struct aes_block blocks[AES_FOUR])
{
#ifdef AES_NATIVE
	if (__builtin_cpu_supports("aes")) {
		encrypt_four_native(keys, blocks);
		return;
	}
#endif
	for (int i = 0; i < AES_FOUR; i++)
		blocks[i] = aes_encrypt_portable(keys, blocks[i]);
}
