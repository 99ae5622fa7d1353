/* SPDX-License-Identifier: MIT */
/*
 * Numbers that look random and come from the seed alone, so that a run can be repeated. Not for
 * secrets.
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stdint.h>

#include "guest/boot.h"
#include "hpt/mix.h"

static inline uint64_t random_next(void)
{
	return mix64_next(&boot.seed);
}

#endif
