/* SPDX-License-Identifier: MIT */
/*
 * Numbers that look random and come from the seed alone, so that a run can be repeated. Not for
 * secrets. (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA'14.)
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stdint.h>

#include "guest/boot.h"

static inline uint64_t random_next(void)
{
	uint64_t value = boot.seed += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

#endif
