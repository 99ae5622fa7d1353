/* SPDX-License-Identifier: MIT */
/*
 * The walks of all guest organisations over one host organisation, compiled for each pair. To be
 * included once by a file that has defined WALK_HOST, the host's, and WALK_TABLE, the name of what
 * this defines.
 */
#define WALK_WITHOUT_CACHES

#include "ept/walk_functions.h"
#include "ept/walk_pipeline.h"
#include "ept/walk_ring.h"
#include "ept/walk_single.h"

#define PAIR(name, guest, slab)                                                            \
	static uint64_t one_##name(const struct walk *walk, struct hpt_key key)            \
	{                                                                                  \
		return walk_whole(walk, key, guest, WALK_HOST, slab, NULL);                \
	}                                                                                  \
	static void batch_##name(const struct walk *walk, const struct hpt_key *keys,      \
				 uint64_t *entries, size_t count)                          \
	{                                                                                  \
		if (walk_ring_guest(guest, slab) && walk_ring_host(WALK_HOST))             \
			walk_ring(walk, keys, entries, count, guest, WALK_HOST, slab);     \
		else                                                                       \
			walk_pipeline(walk, keys, entries, count, guest, WALK_HOST, slab); \
	}

#define PAIRS(name, guest)                \
	PAIR(name##_nested, guest, false) \
	PAIR(name##_slab, guest, true)

#define ENTRY(name, guest)                                       \
	[guest] = {{one_##name##_nested, batch_##name##_nested}, \
		   {one_##name##_slab, batch_##name##_slab}}

PAIRS(radix, HPT_RADIX)
PAIRS(chained, HPT_CHAINED)
PAIRS(open, HPT_OPEN)
PAIRS(bucket, HPT_BUCKET)
PAIRS(clustered, HPT_CLUSTERED)
PAIRS(cuckoo, HPT_CUCKOO)
PAIRS(adaptive, HPT_ADAPTIVE)

const struct walk_functions WALK_TABLE[HPT_ORGANISATIONS][2] = {
	ENTRY(radix, HPT_RADIX),       ENTRY(chained, HPT_CHAINED),	ENTRY(open, HPT_OPEN),
	ENTRY(bucket, HPT_BUCKET),     ENTRY(clustered, HPT_CLUSTERED), ENTRY(cuckoo, HPT_CUCKOO),
	ENTRY(adaptive, HPT_ADAPTIVE),
};
