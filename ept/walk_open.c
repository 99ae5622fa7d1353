/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is open. */
#define WALK_HOST  HPT_OPEN
#define WALK_TABLE walk_over_open
#include "ept/walk_pair.h"
