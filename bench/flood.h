/* SPDX-License-Identifier: MIT */
/*
 * Addresses chosen to collide, and the tables that they are mapped in.
 *
 * Two attackers. One knows the hash and computes: he tries page numbers until enough of them have
 * the same top bits, under the salt that he takes the table to have. The other knows nothing but
 * what lookups cost him: he maps one page after the other, and keeps those after which a page that
 * he watches is found more slowly.
 */
#ifndef BENCH_FLOOD_H
#define BENCH_FLOOD_H

#include "bench/arena.h"

#define FLOOD_ASID 1

/*
 * Writes `count` page numbers, multiples of `step` below 2^36, whose tags (of the page, or, where
 * `block` is set, of its block of eight) have the same `bits` top bits under this hash and salt.
 * Others' tags are computed as hpt_hash_tag() does.
 */
void flood_compute(enum hpt_hash_family family, uint64_t salt, unsigned int bits, bool block,
		   uint64_t *vpns, size_t count);

/* Maps pages to frames that are their numbers' in the array. 0 or -ENOMEM. */
int flood_map(struct hpt *table, const uint64_t *vpns, size_t count);

struct flood_cost {
	double probes; /* a lookup of each of them, on average, and the most */
	double longest;
	uint64_t wrong;
};

struct flood_cost flood_cost(const struct hpt *table, const uint64_t *vpns, size_t count);

/* How an attacker learns what a lookup of the page costs; more means a longer chain. */
typedef double (*flood_oracle)(const struct hpt *table, uint64_t vpn);

/* By the lines that are probed: exact. By time: cycles, the least of some. */
double flood_by_count(const struct hpt *table, uint64_t vpn);
double flood_by_time(const struct hpt *table, uint64_t vpn);

struct flood_leak {
	uint64_t watched; /* the page that is watched: mapped by the caller */
	uint64_t next;	  /* candidate */
	uint64_t trials;
	uint64_t *vpns; /* that were kept */
	size_t count, most;
};

/*
 * One candidate after another, `trials` of them or until `most` are kept. Chained tables. 0 or
 * -ENOMEM.
 */
int flood_leak(struct hpt *table, struct flood_leak *leak, uint64_t trials);

/*
 * The same decision by time, where the truth is known: the share of `trials` candidates of which
 * the attacker is right, half of which collide.
 */
double flood_leak_by_time(struct hpt *table, uint64_t watched, const uint64_t *colliding,
			  size_t count);

#endif
