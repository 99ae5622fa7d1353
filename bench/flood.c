/* SPDX-License-Identifier: MIT */
/* See flood.h. */
#include "bench/flood.h"

#include <x86intrin.h>

#include "bench/permutation.h"
#include "hpt/clustered.h"

#define CANDIDATE_BITS 36
#define REPEATS	       24
#define LOOKUPS	       16

static uint64_t hash_of(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag)
{
	return family == HPT_FIBONACCI ? (tag ^ salt->value) * HPT_MULTIPLIER
				       : hpt_hash_tag(family, salt, tag);
}

void flood_compute(enum hpt_hash_family family, uint64_t salt_value, unsigned int bits, bool block,
		   uint64_t *vpns, size_t count)
{
	uint64_t step = block ? CLUSTERED_BLOCK : 1;
	struct hpt_salt salt;
	uint64_t wanted = 0;
	size_t found = 0;

	hpt_salt_set(&salt, family, salt_value);
	for (uint64_t vpn = 0; found < count; vpn += step) {
		struct hpt_key key = hpt_key(FLOOD_ASID, vpn, HPT_4K);
		uint64_t tag = block ? clustered_tag(key) : hpt_tag(key);
		uint64_t top = hash_of(family, &salt, tag) >> (64 - bits);

		if (!vpn)
			wanted = top;
		if (top == wanted)
			vpns[found++] = vpn;
	}
}

int flood_map(struct hpt *table, const uint64_t *vpns, size_t count)
{
	int error = 0;

	for (size_t i = 0; !error && i < count; i++)
		error = hpt_map(table, hpt_key(FLOOD_ASID, vpns[i], HPT_4K),
				hpt_entry(i, HPT_PRESENT));
	return error;
}

struct flood_cost flood_cost(const struct hpt *table, const uint64_t *vpns, size_t count)
{
	struct flood_cost cost = {.probes = 0};

	for (size_t i = 0; i < count; i++) {
		struct hpt_ledger ledger = {0};
		uint64_t entry = 0;

		hpt_lookup(table, hpt_key(FLOOD_ASID, vpns[i], HPT_4K), &entry, &ledger);
		cost.wrong += entry != hpt_entry(i, HPT_PRESENT);
		cost.probes += (double)ledger.probes / (double)count;
		if ((double)ledger.probes > cost.longest)
			cost.longest = (double)ledger.probes;
	}
	return cost;
}

double flood_by_count(const struct hpt *table, uint64_t vpn)
{
	struct hpt_ledger ledger = {0};
	uint64_t entry;

	hpt_lookup(table, hpt_key(FLOOD_ASID, vpn, HPT_4K), &entry, &ledger);
	return (double)ledger.probes;
}

double flood_by_time(const struct hpt *table, uint64_t vpn)
{
	double least = 1e18;

	for (int i = 0; i < REPEATS; i++) {
		uint64_t wait = 0;
		uint64_t start = __rdtsc();
		double time;

		for (int lookup = 0; lookup < LOOKUPS; lookup++) {
			uint64_t entry = 0;

			hpt_lookup(table, hpt_key(FLOOD_ASID, vpn ^ wait, HPT_4K), &entry, NULL);
			/* The next one waits for this one: no entry has its top bit set. */
			wait = entry >> 63;
		}
		time = (double)(__rdtsc() - start) / LOOKUPS;
		if (time < least)
			least = time;
	}
	return least;
}

/* Another page for each number. */
static uint64_t candidate(uint64_t number)
{
	const struct permutation order =
		permutation_of(UINT64_C(1) << CANDIDATE_BITS, UINT64_C(11));

	return permutation_at(&order, number);
}

int flood_leak(struct hpt *table, struct flood_leak *leak, uint64_t trials)
{
	double before = flood_by_count(table, leak->watched);

	for (uint64_t i = 0; i < trials && leak->count < leak->most; i++) {
		struct hpt_key key = hpt_key(FLOOD_ASID, candidate(leak->next++), HPT_4K);
		double after;
		int error;

		leak->trials++;
		if (key.vpn == leak->watched)
			continue;
		error = hpt_map(table, key, hpt_entry(leak->count, HPT_PRESENT));
		if (error)
			return error;
		after = flood_by_count(table, leak->watched);
		if (after > before)
			leak->vpns[leak->count++] = key.vpn;
		else
			hpt_unmap(table, key, NULL);
		before = after > before ? after : before;
	}
	return 0;
}

/* Maps a candidate and asks the clock whether the watched page is found more slowly. */
static bool seems_slower(struct hpt *table, uint64_t watched, uint64_t vpn, double threshold)
{
	struct hpt_key key = hpt_key(FLOOD_ASID, vpn, HPT_4K);
	double before, after;

	before = flood_by_time(table, watched);
	if (hpt_map(table, key, hpt_entry(0, HPT_PRESENT)))
		return false;
	after = flood_by_time(table, watched);
	hpt_unmap(table, key, NULL);
	return after - before > threshold;
}

double flood_leak_by_time(struct hpt *table, uint64_t watched, const uint64_t *colliding,
			  size_t count)
{
	double threshold = 0;
	size_t right = 0;

	/* How much a node more costs he learns from pages that he knows: here from the first. */
	for (int i = 0; i < REPEATS; i++) {
		struct hpt_key key = hpt_key(FLOOD_ASID, colliding[0], HPT_4K);
		double before = flood_by_time(table, watched);

		if (hpt_map(table, key, hpt_entry(0, HPT_PRESENT)))
			return 0;
		threshold += (flood_by_time(table, watched) - before) / 2 / REPEATS;
		hpt_unmap(table, key, NULL);
	}
	for (size_t i = 1; i < count; i++) {
		right += seems_slower(table, watched, colliding[i], threshold);
		right += !seems_slower(table, watched, candidate(i), threshold);
	}
	return (double)right / (double)(2 * (count - 1));
}
