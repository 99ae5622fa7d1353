/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is bucket. */
#define WALK_HOST  HPT_BUCKET
#define WALK_TABLE walk_over_bucket
#include "ept/walk_pair.h"
