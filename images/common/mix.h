/* SPDX-License-Identifier: MIT */
/*
 * Numbers that look random and are the same everywhere: a 64-bit mixer, the generator made from it
 * (SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
 * 2014), and a checksum. Integer arithmetic only, nothing is kept between calls.
 */
#ifndef IMAGES_COMMON_MIX_H
#define IMAGES_COMMON_MIX_H

#include <stdint.h>

/* A permutation of the 64-bit numbers: no two inputs give the same, and only 0 gives 0. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* The next number of the generator whose state is @state; any start value will do. */
static inline uint64_t mix64_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	return mix64(*state);
}

/* @number scaled to 0..@limit-1 by its high bits (no division, no power of two needed). */
static inline uint64_t mix64_below(uint64_t number, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)number * limit) >> 64);
}

/* The checksum @sum continued by @word; starts at 0, and the order of the words counts. */
static inline uint64_t mix64_sum(uint64_t sum, uint64_t word)
{
	return mix64(sum + 0x9e3779b97f4a7c15) ^ word;
}

#endif
