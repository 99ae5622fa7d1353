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
 */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

#include "bench/arena.h"
#include "bench/layout.h"
#include "ept/walk.h"

/* Which page sizes a stage uses; mixed: 2 MiB for every other run of 512 pages. */
enum stages_pages { STAGES_4K, STAGES_2M, STAGES_MIXED };

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

/* The key of page i, and what a walk of it has to give. */
static inline struct hpt_key stages_key(const struct stages *stages, uint64_t i)
{
	return hpt_key(1, layout_vpn(&stages->config.layout, i), HPT_4K);
}

uint64_t stages_expected(const struct stages *stages, uint64_t i);

/* What both tables say of page i, by lookups: 0 or -ENOENT. */
int stages_entries(const struct stages *stages, uint64_t i, uint64_t *stage1, uint64_t *stage2);

#endif
