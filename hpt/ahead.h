/* SPDX-License-Identifier: MIT */
/*
 * Lines on the way before they are needed: an operation on a range knows the places that it comes
 * to, and in a hashed table each of them is a line somewhere else. Without this it waits for memory
 * at every place; with it several fetches overlap, as in hpt_lookup_batch().
 */
#ifndef HPT_AHEAD_H
#define HPT_AHEAD_H

#include "hpt/lookup.h"
#include "hpt/organisation.h"

#define HPT_AHEAD 16 /* places */

/* Fetches what a lookup of `key` reads first. */
static inline void hpt_fetch(const struct hpt *table, struct hpt_key key)
{
	struct hpt_probe probe;

	hpt_probe_start(&table->desc, key, &probe);
	if (!probe.line)
		return;
	__builtin_prefetch(hpt_word(table, probe.line));
	if (table->desc.organisation == HPT_CUCKOO)
		hpt_fetch_ways(table, &probe.cuckoo);
}

/*
 * For an operation that is at page `key` of a range of which `left` pages are still to be done,
 * this one included: fetches the place HPT_AHEAD further on, or `at_start` all those before it as
 * well.
 */
static inline void hpt_fetch_ahead(const struct hpt *table, struct hpt_key key, uint64_t left,
				   bool at_start)
{
	unsigned int place_pages = hpt_operations_of(table)->place_pages;

	for (unsigned int place = at_start ? 1 : HPT_AHEAD; place <= HPT_AHEAD; place++) {
		uint64_t pages = place * place_pages;

		/* A tree has no places. */
		if (!pages || pages >= left)
			return;
		hpt_fetch(table,
			  hpt_key(key.asid, key.vpn + pages * hpt_pages_in(key.size), key.size));
	}
}

#endif
