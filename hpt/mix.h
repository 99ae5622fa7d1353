/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit mixer and the generator made from it (SplitMix64: Steele, Lea and Flood, "Fast
 * Splittable Pseudorandom Number Generators", OOPSLA'14): numbers that look random and are the same
 * everywhere. Not for secrets.
 */
#ifndef HPT_MIX_H
#define HPT_MIX_H

#include <stdint.h>

/* A permutation of the 64-bit numbers: no two inputs give the same, and only 0 gives 0. */
static inline uint64_t mix64(uint64_t value)
{
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

/* The next number of the generator whose state this is; any start value will do. */
static inline uint64_t mix64_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(*state);
}

#endif
