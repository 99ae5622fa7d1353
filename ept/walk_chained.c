/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is chained. */
#define WALK_HOST  HPT_CHAINED
#define WALK_TABLE walk_over_chained
#include "ept/walk_pair.h"
