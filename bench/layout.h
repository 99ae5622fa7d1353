/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies: the mapped pages of a workload in guest-virtual space, their guest frames,
 * and the host frames of those. Each of the three is a bijection that is computed, so that the
 * oracle of a translation takes no memory: for page i the only right answer is
 *
 *     layout_vpn(i)  ->  layout_gfn(i)  ->  layout_hfn(layout_gfn(i))
 *
 * Pages are 4 KiB and numbered from 0.
 */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include "bench/permutation.h"
#include "bench/segments.h"

/* Where pages lie in guest-virtual space, always below 2^36: that is what any table can hold. */
enum layout_space {
	LAYOUT_DENSE,	   /* one after the other, from LAYOUT_BASE on */
	LAYOUT_SPARSE,	   /* one page of 512: page i at i * 512 */
	LAYOUT_FRAGMENTED, /* segments of 64 MiB in slots of 512 MiB (segments.h), from LAYOUT_BASE
			    */
	LAYOUT_SPACES,
};

#define LAYOUT_BASE		(UINT64_C(1) << 30) /* a multiple of every page size: 4 TiB */
#define LAYOUT_SPREAD		512		    /* of sparse space */
#define LAYOUT_RUN_PAGES	512
#define LAYOUT_PAGES_MAX	(UINT64_C(1) << 27) /* 512 GiB, with which sparse space is full */
#define LAYOUT_GUEST_FRAMES_MAX (UINT64_C(1) << 36)
#define LAYOUT_NOT_MAPPED	UINT64_MAX

/*
 * Which frame is behind which number (of a page at stage 1, of a guest frame at stage 2).
 *
 * Runs: 512 numbers from a multiple of 512 on have contiguous frames, which begin at a multiple of
 * 512 as well: what a page of 2 MiB could map. Runs lie in random order, but for an incomplete last
 * one, which stays the last.
 */
enum layout_frames {
	LAYOUT_SCATTERED, /* a random permutation */
	LAYOUT_RUNS,
	LAYOUT_IDENTITY,
	LAYOUT_FRAMES,
};

/* "scattered", "runs", "identity". */
const char *layout_frames_name(enum layout_frames frames);

/* The one with this name; -ENOENT if there is none. */
int layout_frames_find(const char *name);

struct layout_config {
	enum layout_space space;
	enum layout_frames guest; /* frames of stage 1 */
	enum layout_frames host;  /* frames of stage 2 */
	uint64_t pages;		  /* 1 to LAYOUT_PAGES_MAX; any number */
	/*
	 * Guest frames that have a host frame, or 0 for as many as pages. The pages' are those from
	 * 0 to pages - 1; what is above is for what else the guest keeps, as its tables.
	 */
	uint64_t guest_frames;
	uint64_t seed;
};

struct layout_mapping {
	enum layout_frames frames;
	uint64_t count;
	struct permutation order; /* of frames or of runs */
};

struct layout {
	enum layout_space space;
	uint64_t pages;
	struct segments segments;
	struct layout_mapping guest, host;
};

/* 0; -EINVAL for a number of pages or guest frames that is out of range. */
int layout_begin(struct layout *layout, const struct layout_config *config);

/* Where page i lies; i is below the number of pages. */
uint64_t layout_vpn(const struct layout *layout, uint64_t i);

/* Which page lies there, for any number; LAYOUT_NOT_MAPPED if none does. */
uint64_t layout_page(const struct layout *layout, uint64_t vpn);

/* The guest frame of page i: below the number of pages. */
uint64_t layout_gfn(const struct layout *layout, uint64_t i);

/* The host frame of a guest frame: both are below the number of guest frames. */
uint64_t layout_hfn(const struct layout *layout, uint64_t gfn);

#endif
