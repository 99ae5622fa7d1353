/* SPDX-License-Identifier: MIT */
/*
 * The inverse of hpt_hash(): for keys that collide on purpose. That there is one shows that
 * the hash is a permutation.
 */
#ifndef TESTS_HPT_UNHASH_H
#define TESTS_HPT_UNHASH_H

#include "hpt/clustered.h"

/* The inverse of the hash's multiplier, by Newton's method: each step doubles the right bits. */
static inline uint64_t multiplier_inverse(void)
{
	uint64_t inverse = HPT_MULTIPLIER;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - HPT_MULTIPLIER * inverse;
	return inverse;
}

/* The tag whose hash under `salt` this is. */
static inline uint64_t clustered_unhash(uint64_t hash, uint64_t salt)
{
	return (hash * multiplier_inverse()) ^ salt;
}

#endif
