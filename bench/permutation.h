/* SPDX-License-Identifier: MIT */
/*
 * Permutations that are computed: of the numbers below any count, another for each key. They look
 * random and take no memory, so that which of 2^27 numbers is at place i, and at which place a
 * number is, is known without a table.
 *
 * Four rounds, of a key, an odd factor and a shifted XOR, permute the numbers of as many bits as
 * the count takes: each of these steps can be undone. From a number that is not below the count the
 * walk goes on along the cycle that it is on (Black and Rogaway, "Ciphers with Arbitrary Finite
 * Domains", CT-RSA'02, section 3: cycle-walking); that is less than two walks on average. Not for
 * secrets.
 */
#ifndef BENCH_PERMUTATION_H
#define BENCH_PERMUTATION_H

#include "hpt/mix.h"

#define PERMUTATION_COUNT_MAX (UINT64_C(1) << 62)

struct permutation {
	uint64_t count;
	uint64_t mask;	    /* the bits that a number below count may have */
	unsigned int shift; /* at least half as many, so that a shifted XOR undoes itself */
	uint64_t key;
};

#define PERMUTATION_ROUNDS 4

/* Factors without a pattern in their bits, and what undoes each modulo 2^64. */
static const uint64_t permutation_factors[PERMUTATION_ROUNDS][2] = {
	{UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x96de1b173f119089)},
	{UINT64_C(0x94d049bb133111eb), UINT64_C(0x319642b2d24d8ec3)},
	{UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xf1de83e19937733d)},
	{UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xcfee444d8b59a89b)},
};

/* Of the numbers from 0 to count - 1; count is 1 to PERMUTATION_COUNT_MAX. */
static inline struct permutation permutation_of(uint64_t count, uint64_t key)
{
	unsigned int bits = count > 1 ? 64 - (unsigned int)__builtin_clzll(count - 1) : 0;

	return (struct permutation){
		.count = count,
		.mask = (UINT64_C(1) << bits) - 1,
		.shift = (bits + 1) / 2,
		.key = mix64(key + UINT64_C(0x9e3779b97f4a7c15)),
	};
}

/* A round has another part of the key in its low bits, which are all that a short number has. */
static inline uint64_t permutation_round_key(const struct permutation *permutation, int round)
{
	return permutation->key >> round * 16;
}

/* The number at place i, which is below the count. */
static inline uint64_t permutation_at(const struct permutation *permutation, uint64_t i)
{
	do {
		for (int round = 0; round < PERMUTATION_ROUNDS; round++) {
			i ^= permutation_round_key(permutation, round);
			i = i * permutation_factors[round][0] & permutation->mask;
			i ^= i >> permutation->shift;
		}
	} while (i >= permutation->count);
	return i;
}

/* The place at which `number` is, which is below the count. */
static inline uint64_t permutation_find(const struct permutation *permutation, uint64_t number)
{
	do {
		for (int round = PERMUTATION_ROUNDS - 1; round >= 0; round--) {
			number ^= number >> permutation->shift;
			number *= permutation_factors[round][1];
			number ^= permutation_round_key(permutation, round);
			number &= permutation->mask;
		}
	} while (number >= permutation->count);
	return number;
}

#endif
