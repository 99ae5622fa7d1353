/* SPDX-License-Identifier: MIT */
/*
 * Pages in transit: those that a thread is bringing, installing or taking away right now, outside
 * ept->lock. Nobody else touches such a page, its entry or its frame until it has arrived.
 *
 * Who waits for a page to arrive has none in transit himself, so nobody waits in a circle.
 * All functions are called with ept->lock held.
 */
#ifndef EPT_TRANSIT_H
#define EPT_TRANSIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Runs of pages. Each thread has at most a batch of single pages and one run. */
#define EPT_TRANSIT_MAX 2048

struct ept_run {
	uint64_t gfn;
	uint64_t pages;
};

struct ept_transit {
	pthread_cond_t arrived;
	unsigned int count;
	struct ept_run runs[EPT_TRANSIT_MAX]; /* in no order, disjoint */
};

void ept_transit_init(struct ept_transit *transit);
void ept_transit_destroy(struct ept_transit *transit);

/* Whether a page of the run is in transit. */
bool ept_transit_has(const struct ept_transit *transit, uint64_t gfn, uint64_t pages);

/* -EAGAIN if there is no room: wait, and try again. */
int ept_transit_add(struct ept_transit *transit, uint64_t gfn, uint64_t pages);

/*
 * Makes the caller's run that begins with `gfn` another one; false, and nothing, if others have a
 * part of that.
 */
bool ept_transit_widen(struct ept_transit *transit, uint64_t gfn, uint64_t first, uint64_t pages);

/* Whether others than the caller, whose run begins with `gfn`, have a part of a run. */
bool ept_transit_has_others(const struct ept_transit *transit, uint64_t gfn, uint64_t first,
			    uint64_t pages);

/* The run that begins with this page has arrived: wakes all who wait. */
void ept_transit_remove(struct ept_transit *transit, uint64_t gfn);

/* Waits, without the lock, until some run has arrived. */
void ept_transit_wait(struct ept_transit *transit, pthread_mutex_t *lock);

#endif
