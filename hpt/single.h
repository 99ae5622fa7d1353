/* SPDX-License-Identifier: MIT */
/*
 * What the organisations have in common whose places hold one page each: chained, open, bucket.
 */
#ifndef HPT_SINGLE_H
#define HPT_SINGLE_H

#include <errno.h>

#include "hpt/generation.h"
#include "hpt/lookup.h"
#include "hpt/organisation.h"

/* Which entries a scan of a whole table is for, and what is done to them. */
struct single_scan {
	bool all;
	struct hpt_key from; /* unless all: its ASID and size, ... */
	uint64_t count;	     /* ... and so many pages from its vpn on */
	hpt_visitor visit;
	void *context;
};

/* How an organisation takes places and comes by them (struct hpt_operations.places). */
struct single_places {
	/* A place for a page that has none, and its entry as it is stored: 0 or -ENOMEM. */
	int (*add)(struct hpt *table, struct hpt_key key, uint64_t entry);
	/* Stores single_scanned() of each entry; those that become 0 lose their place. */
	void (*scan)(struct hpt *table, const struct single_scan *scan);
};

/* Stores what becomes of an entry that a scan comes by, and returns it: 0 if it goes. */
uint64_t single_scanned(const struct hpt *table, uint64_t *word, struct hpt_key key,
			const struct single_scan *scan);

/* Operations, for struct hpt_operations. */
int single_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
	       uint64_t stride, uint64_t *done);
int single_visit(struct hpt *table, hpt_visitor visit, void *context);
int single_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		       void *context);

#endif
