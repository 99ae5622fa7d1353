/* SPDX-License-Identifier: MIT */
/*
 * Hash tables and trees of others, as a user of theirs would set them up for 64-bit keys and
 * values: room for all keys reserved where they know how, the hash function that is theirs or that
 * their documentation shows, the fastest lookup of their interface. For C and C++.
 *
 * Each is optional: bench/peers.sh says at build time which are installed, by PEER_NAME.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "bench/loops.h"

struct peer {
	const char *name;
	const char *package; /* Debian's */
	/* All of the rest is 0 where it is not installed. NULL or false: no memory. */
	void *(*create)(uint64_t keys);
	bool (*insert)(void *table, uint64_t key, uint64_t value);
	void (*destroy)(void *table);
	struct loops loops; /* no batches: none of them has any */
};

#ifdef __cplusplus
extern "C" {
#endif

extern const struct peer peer_khash;
extern const struct peer peer_glib;
extern const struct peer peer_rculfhash;
extern const struct peer peer_judy;
extern const struct peer peer_absl;
extern const struct peer peer_robin_map;
extern const struct peer peer_unordered_map;

#ifdef __cplusplus
}
#endif

#endif
