/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is clustered. */
#define WALK_HOST  HPT_CLUSTERED
#define WALK_TABLE walk_over_clustered
#include "ept/walk_pair.h"
