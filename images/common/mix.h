/* SPDX-License-Identifier: MIT */
/* What the images make of the generator in hpt/mix.h: a scaled number, and a checksum. */
#ifndef IMAGES_COMMON_MIX_H
#define IMAGES_COMMON_MIX_H

#include <stdint.h>

#include "hpt/mix.h"

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
