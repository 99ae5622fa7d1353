/* SPDX-License-Identifier: MIT */
/* Walks over a host's table that is cuckoo. */
#define WALK_HOST  HPT_CUCKOO
#define WALK_TABLE walk_over_cuckoo
#include "ept/walk_pair.h"
