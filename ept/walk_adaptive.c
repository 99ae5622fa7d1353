/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is adaptive. */
#define WALK_HOST  HPT_ADAPTIVE
#define WALK_TABLE walk_over_adaptive
#include "ept/walk_pair.h"
