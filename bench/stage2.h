/* SPDX-License-Identifier: MIT */
/*
 * What the sections about stage 2 share: a stage 2 of ept/ or a bare one (stage2_bare.h), and this
 * thread as its guest, which touches the window. Guest and handler are on one CPU.
 */
#ifndef BENCH_STAGE2_H
#define BENCH_STAGE2_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/stage2_bare.h"
#include "ept/ept.h"

#define STAGE2_PAGES 16384 /* 64 MiB: what most sections touch */

struct stage2 {
	bool is_bare;
	struct ept ept;
	struct bare bare;
	char *window; /* where gPA 0 is */
};

/* RAM of so many pages and so many frames for it; one handler, on this CPU, each page a miss. */
struct ept_config stage2_config(uint64_t pages, uint64_t frames);

/* Where the host does not let this user do it, or has too little, the program ends with 69. */
void stage2_begin(struct stage2 *stage2, const struct ept_config *config, bool is_bare);
void stage2_end(struct stage2 *stage2);

/* The guest's access to the first word of a page: one that must not be 0 is stored. */
static inline void stage2_touch(const struct stage2 *stage2, uint64_t gfn)
{
	*(volatile uint64_t *)(void *)(stage2->window + (gfn << HPT_PAGE_SHIFT)) = gfn + 1;
}

static inline uint64_t stage2_load(const struct stage2 *stage2, uint64_t gfn)
{
	return *(volatile uint64_t *)(void *)(stage2->window + (gfn << HPT_PAGE_SHIFT));
}

/* Pages that were evicted. */
uint64_t stage2_evicted(struct stage2 *stage2);

/* Time that guest and handler have run, and nobody else. */
uint64_t stage2_own_ns(void);

/* A swap file in memory, so that a device's speed is not in what is timed; its name. */
const char *stage2_swap_in_memory(void);

#endif
