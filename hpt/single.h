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

/* What becomes of an entry that a scan comes by: 0 if it goes. */
static inline uint64_t single_scanned(const struct single_scan *scan, struct hpt_key key,
				      uint64_t entry)
{
	uint64_t page = (key.vpn - scan->from.vpn) / hpt_pages_in(key.size);

	if (!scan->all && (key.asid != scan->from.asid || key.size != scan->from.size ||
			   key.vpn < scan->from.vpn || page >= scan->count))
		return entry;
	return scan->visit(scan->context, key, entry);
}

/* One page: the same for all three but for how a place is taken (0, -ENOMEM). */
static inline int single_map(struct hpt *table, struct hpt_key key, uint64_t entry,
			     int (*add)(struct hpt *table, struct hpt_key key, uint64_t entry),
			     uint64_t *done)
{
	struct hpt_found found;
	int error;

	if (hpt_find(table, key, &found))
		return -EEXIST;
	/* A table that cannot grow now goes on with what it has. */
	generation_grow(table);
	error = add(table, key, entry);
	if (error)
		return error;
	table->counts.entries++;
	*done = 1;
	return 0;
}

/* A range page by page, or by a scan where that is less to read. */
static inline void single_visit_range(struct hpt *table, struct hpt_key key, uint64_t count,
				      hpt_visitor visit, void *context,
				      void (*scan)(struct hpt *table,
						   const struct single_scan *scan))
{
	const struct single_scan range = {
		.from = key, .count = count, .visit = visit, .context = context};

	if (hpt_range_scanned(table, key, count)) {
		scan(table, &range);
		return;
	}
	for (uint64_t i = 0; i < count; i++, key.vpn += hpt_pages_in(key.size)) {
		struct hpt_found found;
		uint64_t entry;

		if (!hpt_find(table, key, &found))
			continue;
		entry = visit(context, key, found.entry);
		hpt_store(found.word, entry);
		if (!entry)
			hpt_operations_of(table)->forget(table, key, found.word);
	}
}

#endif
