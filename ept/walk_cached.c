/* SPDX-License-Identifier: MIT */
/*
 * The walk that asks caches on its way (mmu_caches.h) and is as fast as it can be: radix over
 * radix, which is what walk caches were made for.
 */
#include "ept/walk_functions.h"
#include "ept/walk_single.h"

uint64_t walk_radix_cached(const struct walk *walk, struct hpt_key key)
{
	return walk_whole(walk, key, HPT_RADIX, HPT_RADIX, false, NULL);
}
