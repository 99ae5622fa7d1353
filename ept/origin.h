/* SPDX-License-Identifier: MIT */
/*
 * The origin: a snapshot (snapshot_format.h) as a second, read-only place where pages are that have
 * no frame.
 *
 * Restoring maps its pages as pages that are swapped out, a run of them at a time: their swap
 * locations are EPT_ORIGIN_FIRST and their place in the file. A page is read when somebody wants
 * it, by the same path as one of the swap file, and its checksum is checked then. If it has to go
 * again, it goes to the swap file. Nothing is ever written to a snapshot.
 */
#ifndef EPT_ORIGIN_H
#define EPT_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

/* Slots of the swap file are below: it has one for each page of guest memory at most. */
#define EPT_ORIGIN_FIRST (UINT64_C(1) << 35)

struct snapshot_run;

struct ept_origin {
	int fd;
	struct ept_range ranges[EPT_RANGES_MAX]; /* the guest's RAM */
	unsigned int range_count;
	uint64_t page_count;
	uint64_t run_count;
	uint64_t pages_at;	   /* where the pages are in the file */
	struct snapshot_run *runs; /* page_count pages in all, in the guest's RAM, ascending */
	uint64_t *sums;		   /* a checksum a page */
	void *owner;		   /* what the owner kept */
	uint64_t owner_size;
	char message[256]; /* of a failed ept_origin_open() */
};

static inline bool ept_in_origin(uint64_t location)
{
	return location >= EPT_ORIGIN_FIRST && location != EPT_SWAP_ZERO;
}

/*
 * Opens a snapshot and checks all of it but the pages. On failure nothing is left and *what (text
 * that lives as long as *origin) says why: -EBADMSG if the file is no snapshot, or one that is cut
 * or damaged (field, value found, value wanted), else the negative errno of the file, or -ENOMEM.
 */
int ept_origin_open(struct ept_origin *origin, const char *path, const char **what);
void ept_origin_close(struct ept_origin *origin);

/*
 * Gives a stage 2 that nobody has touched yet, whose RAM is the origin's, the pages of the origin,
 * which outlives it. -EINVAL if it is other RAM, -ENOMEM; *what (static text).
 */
int ept_restore(struct ept *ept, const struct ept_origin *origin, const char **what);

/*
 * For the files of this room: reads the pages from `gfn` on, at most EPT_SWAP_RUN, from swap
 * locations in a row, none of which is EPT_SWAP_ZERO. Without the lock: the pages are in transit.
 * -EIO and *reason (static text) if one of them cannot be read, or is not what was written.
 */
int ept_away_read(const struct ept *ept, uint64_t location, uint64_t gfn, unsigned int count,
		  void *pages, const char **reason);

#endif
