/* SPDX-License-Identifier: MIT */
/* What ept.c and fault.c share: how a page gets its frame, and the thread that handles misses. */
#ifndef EPT_FAULT_H
#define EPT_FAULT_H

#include "ept/ept.h"

/* What the table said of a page that ept_fill() was asked for. */
enum ept_found {
	EPT_NEW,       /* nothing: the page got its frame now */
	EPT_LOADED,    /* it has a frame, which the window never had */
	EPT_INSTALLED, /* it has a frame, which the window was given before */
};

/*
 * Gives the page of `gfn` its frame if it has none: 0, *entry and *found. Entry flags in `flags`
 * (HPT_SOFT or 0) are set whatever was found. The caller holds ept->lock and has checked that the
 * page is guest RAM.
 *
 * A new page's frame is counted, but not yet present: ept_pool_populate() is the caller's.
 *
 * On failure *reason (static text) names it: -ENOMEM if the limit is reached or the table cannot
 * grow, -EIO if the table holds an entry that cannot be. Table and pool are as before.
 */
int ept_fill(struct ept *ept, uint64_t gfn, uint64_t flags, uint64_t *entry, enum ept_found *found,
	     const char **reason);

/* Starts and ends the handler thread. 0, or a negative errno and *what. */
int ept_handler_start(struct ept *ept, const char **what);
void ept_handler_stop(struct ept *ept);

#endif
