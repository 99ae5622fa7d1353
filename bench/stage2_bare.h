/* SPDX-License-Identifier: MIT */
/*
 * The bare mechanism: stage 2 with an array of words in place of the table, and nothing that is not
 * needed to run one guest thread. It has the pool, window and swap file of ept/, one handler
 * thread, and the clock with two hands of evict.c over its array. It counts nothing but what it
 * evicts, times nothing, takes no lock, and keeps no page in transit. What it costs is what the
 * host costs.
 */
#ifndef BENCH_STAGE2_BARE_H
#define BENCH_STAGE2_BARE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

struct bare {
	struct ept_pool pool;
	struct ept_window window;
	struct ept_swap swap;
	uint64_t pages;
	uint64_t *entries;   /* a page's; 0: never touched */
	unsigned int around; /* pages that a miss gets, those behind it included */
	uint64_t front, back, lead;
	uint64_t evicted;    /* pages, written by the handler while the guest waits */
	const char *failure; /* why a miss was not resolved */
	pthread_t handler;
	int stop_fd;
};

/*
 * Of *config: the first range, which begins at 0 and is a multiple of 2 MiB, host_mem, swap,
 * around, seed and the first CPU. 0, or a negative errno and *what, and nothing is left.
 */
int bare_create(struct bare *bare, const struct ept_config *config, const char **what);
void bare_destroy(struct bare *bare);

#endif
