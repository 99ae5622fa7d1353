/* SPDX-License-Identifier: MIT */
/* See single.h. */
#include "hpt/single.h"

#include "hpt/ahead.h"
#include "hpt/shared.h"

uint64_t single_scanned(const struct hpt *table, uint64_t *word, struct hpt_key key,
			const struct single_scan *scan)
{
	uint64_t page = (key.vpn - scan->from.vpn) / hpt_pages_in(key.size);

	if (!scan->all && (key.asid != scan->from.asid || key.size != scan->from.size ||
			   key.vpn < scan->from.vpn || page >= scan->count))
		return HPT_LOAD(*word) & HPT_ENTRY_MASK;
	return shared_visit(table, word, key, scan->visit, scan->context);
}

/* One page, whatever is asked for. */
int single_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
	       uint64_t stride, uint64_t *done)
{
	struct hpt_found found;
	int error;

	(void)count;
	(void)stride;
	if (hpt_find(table, key, &found))
		return -EEXIST;
	/* A table that cannot grow now goes on with what it has. */
	generation_grow(table);
	entry = hpt_stored(table, key, 0, entry);
	error = hpt_operations_of(table)->places->add(table, key, entry);
	if (error)
		return error;
	table->counts.entries++;
	*done = 1;
	return 0;
}

int single_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	const struct single_scan all = {.all = true, .visit = visit, .context = context};

	hpt_operations_of(table)->places->scan(table, &all);
	return 0;
}

/* Page by page, or by a scan where that is less to read. */
int single_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		       void *context)
{
	const struct single_scan range = {
		.from = key, .count = count, .visit = visit, .context = context};

	if (hpt_range_scanned(table, key, count)) {
		hpt_operations_of(table)->places->scan(table, &range);
		return 0;
	}
	for (uint64_t i = 0; i < count; i++, key.vpn += hpt_pages_in(key.size)) {
		struct hpt_found found;

		hpt_fetch_ahead(table, key, count - i, !i);
		if (!hpt_find(table, key, &found))
			continue;
		if (!shared_visit(table, found.word, key, visit, context)) {
			hpt_operations_of(table)->forget(table, key, found.word);
			shared_done(table);
		}
	}
	return 0;
}
