/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: what a process sees. A page of one is what the stage-1 table says under the
 * space's identifier, or, since a fork, under that of an ancestor (hpt/space.h); which pages may
 * become something is what regions say (region.h); and what a CPU walks are the space's tables in
 * its window (window.h).
 *
 * A space that was never forked is "alone": it has entries of its own only, and they are mapped,
 * changed and removed in the table directly, as the fault path does, where every instruction
 * counts. At the first fork they are noted (hpt_space_adopt()), and from then on parent and child
 * go by hpt/space.h.
 */
#ifndef GUEST_SPACE_H
#define GUEST_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"
#include "guest/region.h"
#include "hpt/space.h"

/* What an access asks of an entry, and what it leaves in it. */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

#define SPACE_VECTORS 1024

/* How page faults find its pages: by a short way of the table (hpt/lookup.h), or as forks do. */
enum space_way { SPACE_CLUSTERED, SPACE_RADIX, SPACE_OTHER, SPACE_SHARED };

struct space {
	struct hpt_space pages;
	enum space_way way;
	unsigned int users; /* processes */
	struct regions regions;
	uint64_t *root[ABI_CPUS_MAX]; /* of its tables in each CPU's window; NULL: none */
	/* Which places for vector registers (vectors.h) its threads have: a bit each. */
	uint64_t vectors_used[SPACE_VECTORS / 64];
	uint64_t heap_start;
	uint64_t heap_end;  /* in bytes: what brk() says */
	struct space *next; /* of all */
};

extern struct space *space_first;

/* It has entries of its own only, in the table's own way. */
static inline bool space_is_alone(const struct space *space)
{
	return space->way != SPACE_SHARED;
}

/* Before any other. */
void space_start(void);

/* An empty space, or NULL. */
struct space *space_create(void);

/* For what only spaces that are not alone have. -ENOMEM. */
int space_share(struct space *space);

/* A copy of `parent`, of which nothing is copied but when it is written; or NULL. */
struct space *space_fork(struct space *parent);

/* One user less; the last one takes all of it away. */
void space_put(struct space *space);

/*
 * The slow way to a page: everything that an access may need but the access to a page that is there
 * or that is fresh, which fault.c does for spaces that are alone. 0 and the entry as a window may
 * have it; -EFAULT where the space has no such right; -ENOMEM.
 */
int space_reach(struct space *space, uint64_t vpn, enum access access, uint64_t *entry);

/* Whether there is an entry for the page, and which. */
bool space_lookup(const struct space *space, uint64_t vpn, uint64_t *entry);

/* Sets D of the page's entry, if there is one. */
void space_note_dirty(struct space *space, uint64_t vpn);

/* Takes the pages [start, end) away, frames and all. */
void space_unmap(struct space *space, uint64_t start, uint64_t end);

/* Other rights for pages that are there; write comes with the first write where it is not sure. */
void space_protect(struct space *space, uint64_t start, uint64_t end, uint64_t rights);

/* Moves the pages of [start, end) to `to`, where there are none: all or -ENOMEM and none. */
int space_move(struct space *space, uint64_t start, uint64_t end, uint64_t to);

#endif
