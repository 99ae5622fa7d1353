/* SPDX-License-Identifier: MIT */
/*
 * The inverse of clustered_hash(): for keys that collide on purpose. That there is one shows that
 * the hash is a permutation.
 */
#ifndef TESTS_HPT_UNHASH_H
#define TESTS_HPT_UNHASH_H

#include "hpt/clustered.h"

/* The inverse of the hash's multiplier, by Newton's method. */
static inline uint64_t golden_inverse(void)
{
	uint64_t inverse = CLUSTERED_GOLDEN;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - CLUSTERED_GOLDEN * inverse;
	return inverse;
}

/* The tag whose hash under `salt` this is. */
static inline uint64_t clustered_unhash(uint64_t hash, uint64_t salt)
{
	uint64_t folded = hash * golden_inverse();
	uint64_t tag = folded;

	/* Each round makes another CLUSTERED_FOLD bits right, from the top. */
	for (int right = CLUSTERED_FOLD; right < 64; right += CLUSTERED_FOLD)
		tag = folded ^ tag >> CLUSTERED_FOLD;
	return tag ^ salt;
}

#endif
