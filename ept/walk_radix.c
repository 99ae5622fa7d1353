/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is radix. */
#define WALK_HOST  HPT_RADIX
#define WALK_TABLE walk_over_radix
#include "ept/walk_pair.h"
