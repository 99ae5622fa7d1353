/* SPDX-License-Identifier: MIT */
/* How a page gets its frame, and the threads that handle misses: for the files of this room. */
#ifndef EPT_FAULT_H
#define EPT_FAULT_H

#include "ept/ept.h"

/* Why a page cannot be had, as far as several places say so. */
#define EPT_NO_TABLE_MEMORY "no memory for the stage-2 table"
#define EPT_NO_FRAME	    "host memory exhausted: the host has no frame left"
#define EPT_NO_MAPPING	    "no mapping left for a page with a frame of its own"
#define EPT_NOT_EXCHANGED   "the kernel did not exchange a page in the window"
#define EPT_NOT_TAKEN_OUT   "the kernel did not take pages out of the window"

/* A frame that a page shall have (part.h). */
struct ept_place {
	uint64_t frame;
	bool is_moved;	/* the window does not show it yet: ept_place_show() */
	uint8_t before; /* the layer that it shows then */
};

/* What the table said of a page that ept_fill() was asked for. */
enum ept_found {
	EPT_NEW,       /* nothing: the page got its frame now */
	EPT_LOADED,    /* it has a frame, which the window never had */
	EPT_INSTALLED, /* it has a frame, which the window was given before, and has */
	EPT_RESCUED,   /* or has not any more */
	EPT_RETURNED,  /* it was swapped out and has a frame again */
	EPT_UNSHARED,  /* it shared a frame (dedup.h, clone.h), and has its own now */
};

/* For whom a page is filled. */
enum ept_access {
	EPT_READ,  /* the VMM reads it */
	EPT_WRITE, /* or writes it: then it must have a frame of its own */
	/* The guest missed: its entry says from now on that the window has it, and its neighbours
	 * may get frames as well. */
	EPT_MISS,
	EPT_MISS_WRITE, /* by a write: the entry says that, too, if that is tracked */
};

/* A page that has been filled, and is in transit until ept_filled(). */
struct ept_fill {
	uint64_t gfn;
	enum ept_found found;
	uint64_t entry; /* of this page (ept_find()) */
	/*
	 * The run that is in transit, and shall be installed; this page is in it. With EPT_NEW all
	 * of it got frames, which are not present yet.
	 */
	uint64_t first;
	unsigned int pages;
	bool is_write;
	bool is_common;		/* a clone has frames of the run: the first write must be a miss */
	struct ept_place place; /* of a new page: if it is moved, ept_place_show() is to come */
	uint64_t waited_ns;	/* for room, a page to come back, or a copy */
	uint64_t lookup_ns;	/* that the table took */
};

/* The frame of the run's first page. Of more than one they are in a row. */
static inline uint64_t ept_fill_frame(const struct ept_fill *fill)
{
	return hpt_frame(fill->entry) - (fill->gfn - fill->first);
}

/*
 * Sees to it that the page of `gfn` has a frame, and puts it in transit. The caller holds
 * ept->lock, which may be given up meanwhile, has nothing in transit, and has checked that the page
 * is guest RAM.
 *
 * The frames of new pages are counted, but not yet present: ept_pool_populate() is the caller's.
 *
 * On failure nothing is in transit and *reason (static text) names it: -ENOMEM if the limit is
 * reached or the table cannot grow, -ENOSPC if the swap file cannot, -EIO if that fails, or if the
 * table holds an entry that cannot be. What the table says of the page is as before.
 */
int ept_fill(struct ept *ept, uint64_t gfn, enum ept_access access, struct ept_fill *fill,
	     const char **reason);

/* The pages are where they belong. The caller holds the lock. */
void ept_filled(struct ept *ept, const struct ept_fill *fill);

/*
 * The window may show a frame that the table does not name: nobody reaches the page's block any
 * more. The caller holds the lock.
 */
void ept_close_block(struct ept *ept, gpa_t gpa);

/* The pages of guest RAM from `gfn` on that are in the same window block, at most `wanted`. */
uint64_t ept_pages_behind(const struct ept *ept, uint64_t gfn, uint64_t wanted);

/* CLOCK_MONOTONIC */
uint64_t ept_nanoseconds(void);

/* Starts and ends the handler threads. 0, or a negative errno and *what. */
int ept_handlers_start(struct ept *ept, const char **what);
void ept_handlers_stop(struct ept *ept);

#endif
