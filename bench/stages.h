/* SPDX-License-Identifier: MIT */
/*
 * Both stages of a machine that exists in its tables alone: a guest's table in guest-physical
 * memory, and the host's table that maps it and every page of data. Data pages have numbers and
 * nothing behind them: a walk does not read them. So half a terabyte of mapped memory takes what
 * its tables take.
 *
 * What is mapped where is computed (layout.h): page i of the workload has a VPN, a GFN and an HFN,
 * so that every answer of a walk is checked against a map that takes no memory.
 *
 * Guest-physical: GFNs [0, pages) are data; the guest's table lies above, in pages that stage 2
 * maps as it maps any other, to frames [0, table pages); data have frames above those.
 *
 * Or nothing is mapped but what is asked for, page by page, as a trace touches it (stages_begin(),
 * stages_map()): then who maps knows what is mapped where (demand.h), and the tables grow.
 */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

#include "bench/arena.h"
#include "bench/layout.h"
#include "ept/walk.h"

/* Which page sizes a stage uses; mixed: 2 MiB for every other run of 512 pages. */
enum stages_pages { STAGES_4K, STAGES_2M, STAGES_MIXED };

/* Whether the run of 512 pages with this number is one page of 2 MiB. */
static inline bool stages_is_large(enum stages_pages pages, uint64_t run)
{
	return pages == STAGES_2M || (pages == STAGES_MIXED && run % 2);
}

struct stages_config {
	struct layout layout;
	enum hpt_organisation guest_table, host_table;
	enum stages_pages guest_pages, host_pages;
	enum hpt_hash_family hash;
	bool sealed;
	/*
	 * Tables are made for this many times the pages that are mapped, so that hashed ones are as
	 * full as their growth lets them be at 1, and emptier above.
	 */
	double room;
};

struct stages {
	struct stages_config config;
	struct arena guest_memory, host_memory;
	struct hpt guest, host;
	uint64_t pages;	    /* of 4 KiB that are mapped; on demand: that were asked for */
	uint64_t table_gfn; /* first GFN of the guest's table */
	int error;	    /* of stage 2, while the guest's table got memory */
};

/*
 * Builds both tables. 0; -ENOMEM; -EINVAL where 2 MiB pages are asked for and the layout has no
 * runs for them. *stages stays where it is until stages_destroy().
 */
int stages_build(struct stages *stages, const struct stages_config *config);
void stages_destroy(struct stages *stages);

/* A walk over them, without predictor and caches: walk_prepare() is the caller's. */
struct walk stages_walk(const struct stages *stages, bool slab);

/*
 * Empty tables that start at the smallest. Of the configuration's layout only `space` and the kinds
 * of frames are read, by who models the walks; its number of pages is 0. -ENOMEM, -EINVAL.
 */
int stages_begin(struct stages *stages, const struct stages_config *config);

/* GFNs of data that is mapped on demand are below this, and a multiple of 2 MiB. */
#define STAGES_DEMAND_FRAMES (UINT64_C(1) << 30)

/* Where a page of the guest's lies, and of which size the pages are that it is in. */
struct stages_page {
	uint64_t vpn, gfn;
	uint64_t hfn; /* among those of data, from 0 */
	bool guest_large, host_large;
};

/*
 * Maps what is missing for a page, once for each page: at stage 1, where it is in a page of 2 MiB
 * only with the first one of it, and the same at stage 2. -ENOMEM; -EINVAL where a page of 2 MiB
 * has frames that are no run.
 */
int stages_map(struct stages *stages, const struct stages_page *page);

/* What a walk of that page has to give. */
uint64_t stages_page_expected(const struct stages_page *page);

/* The key of page i, and what a walk of it has to give. */
static inline struct hpt_key stages_key(const struct stages *stages, uint64_t i)
{
	return hpt_key(1, layout_vpn(&stages->config.layout, i), HPT_4K);
}

uint64_t stages_expected(const struct stages *stages, uint64_t i);

/* What both tables say of a page, by lookups: 0 or -ENOENT. */
int stages_entries(const struct stages *stages, uint64_t vpn, uint64_t *stage1, uint64_t *stage2);

#endif
