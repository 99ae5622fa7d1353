/* SPDX-License-Identifier: MIT */
/*
 * Telling of changes (hpt_changed in hpt.h).
 *
 * A visit gathers the pages that its visitor has changed as long as each follows the one before,
 * and tells them as one run when another page has changed that does not, or at the end. By then the
 * table answers as the visitor has said for the whole run: an organisation stores each answer
 * before it asks for the next page, or, where it asks for a run of pages first (adaptive), before
 * it comes to a page that does not go on as that run began.
 */
#ifndef HPT_WATCH_H
#define HPT_WATCH_H

#include "hpt/hpt.h"

struct watch {
	const struct hpt *table;
	hpt_visitor visit; /* the caller's */
	void *context;
	struct hpt_key run; /* that has changed and is not told yet */
	uint64_t count;	    /* its pages */
};

static inline void watch_tell(const struct hpt *table, struct hpt_key key, uint64_t count)
{
	if (__builtin_expect(!table->changed, 1))
		return;
	key.vpn &= ~(hpt_pages_in((enum hpt_size)key.size) - 1);
	table->changed(table->changed_context, key, count);
}

/* Around a visit: watch_visit() is its visitor, with *watch, and asks the caller's. */
void watch_begin(struct watch *watch, const struct hpt *table, hpt_visitor visit, void *context);
uint64_t watch_visit(void *watch, struct hpt_key key, uint64_t entry);
void watch_end(struct watch *watch);

/* A page is changed by a visit. */
void watch_note(struct watch *watch, struct hpt_key key);

#endif
