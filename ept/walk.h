/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk: gVA to hPA in software, over the very tables that the machine runs on.
 *
 * A page of the guest's has a key (ASID, VPN) in the stage-1 table, whose entry names a guest frame
 * (GFN); the GFN has a key in the stage-2 table, whose entry names a host frame (HFN). The lines of
 * the stage-1 table lie in guest memory: each has a gPA, which goes through stage 2 itself before
 * the line can be read. What a walk reads, in the order of its dependent references:
 *
 *      stage-1 line 1:  stage-2 probes for its page, then the line
 *      stage-1 line 2:  the same, unless it lies in the page of the one before
 *      ...
 *      the data page:   stage-2 probes for its GFN
 *
 * Radix over radix reads 24 words so (Bhargava et al., "Accelerating Two-Dimensional Page Walks for
 * Virtualized Systems", ASPLOS'08, section 2), hashed over hashed 3 lines where each table answers
 * with its first.
 *
 * Ways to do less, each of which is a form (walk_form):
 *  - slab: the stage-1 table lies in one run of host memory whose place the walker knows (HHp);
 *  - predictor: of region of gVA to region of gPA, by which the stage-2 line is fetched while the
 *    stage-1 line is on its way (HHs); a wrong guess costs a fetch and changes no answer;
 *  - walk caches: of upper levels of radix trees, and of stage 2 for pages of tables (RRP).
 *
 * One source (walk_inline.h) is compiled twice: for every pair of organisations, for speed; and
 * once for any pair, with a ledger (walk_count()), that notes every reference.
 *
 * Who calls: one thread while nobody changes either table (the guest is stopped, or the tables are
 * the caller's own). A guest's table is its word: lines are read only where stage 2 says that they
 * are, in frames below `frame_count`, and a walk of a valid descriptor ends (hpt/probe.h).
 */
#ifndef EPT_WALK_H
#define EPT_WALK_H

#include "hpt/hpt.h"

struct mmu_caches;
struct walk_ledger;

/* Bits of struct walk's sizes: which page sizes a stage's table has. Each costs a lookup. */
#define WALK_4K (1u << HPT_4K)
#define WALK_2M (1u << HPT_2M)

/*
 * Of regions of 512 pages: what to add to a VPN to get its GFN, as the last walk of the region
 * found it. Direct-mapped, without tags: it is only ever a guess.
 */
struct walk_predictor {
	int32_t *difference; /* GFN - VPN, low 32 bits */
	unsigned int log2;   /* of the number of regions that it has room for */
};

struct walk {
	const struct hpt *host; /* stage 2: ASID 0, vpn = GFN */
	/*
	 * Stage 1: of *guest only the descriptor is read, and memory.offset where `slab` is set:
	 * then a line's gPA + offset is where it is. Unless `slab_end` is set, a slab is believed:
	 * nobody who lies may have it. Else a walk reads only what lies in [slab_start, slab_end),
	 * gPAs at multiples of 4 KiB, and takes longer: it is walk_count() that looks.
	 */
	const struct hpt *guest;
	bool slab;
	uint64_t slab_start, slab_end;
	uint8_t guest_sizes; /* WALK_4K, WALK_2M or both, 4 KiB asked first */
	uint8_t host_sizes;
	/* Frame n is the 4 KiB at frames + 4096 n, if n is below frame_count. */
	uintptr_t frames;
	uint64_t frame_count;
	struct walk_predictor *predictor; /* or NULL */
	struct mmu_caches *caches;	  /* or NULL: those that a walk asks (mmu_caches.h) */
	/* walk_prepare() */
	uint64_t (*one)(const struct walk *walk, struct hpt_key key);
	void (*batch)(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		      size_t count);
};

/* Why there is no translation. */
enum walk_outcome {
	WALK_TRANSLATED,
	WALK_ABSENT,	  /* the stage has no entry */
	WALK_NOT_PRESENT, /* it has one that is neither present nor swapped out */
	WALK_SWAPPED,	  /* it has one, with a swap location */
	WALK_ASTRAY,	  /* the stage-1 table names memory that is no frame of the pool, or that
			     is not in its slab */
	WALK_OUTCOMES
};

const char *walk_outcome_name(enum walk_outcome outcome);

struct walk_result {
	/*
	 * WALK_TRANSLATED: the HFN of the 4 KiB page and the flags of both stages joined (P, W:
	 * both have it; NX: one has it; U, G: the guest's), LARGE where both pages are 2 MiB ones.
	 * For WALK_NOT_PRESENT and WALK_SWAPPED the entry of the stage that failed. Else 0.
	 */
	uint64_t entry;
	uint64_t gfn; /* what stage 1 says; meaningless where it failed */
	enum walk_outcome outcome;
	uint8_t stage;	    /* 1 or 2: that failed; 0 if none did */
	bool of_table;	    /* stage 2 failed for a line of the stage-1 table, not for the data */
	uint8_t guest_size; /* enum hpt_size, of the pages that were found */
	uint8_t host_size;
	uint32_t probe; /* the stage-1 probe at which it failed, from 1; 0 if it did not */
};

/* What both stages say together, as in walk_result. */
static inline uint64_t walk_join(uint64_t guest, uint64_t host, uint64_t hfn)
{
	uint64_t both = guest & host & (HPT_PRESENT | HPT_WRITE | HPT_LARGE);
	uint64_t either = (guest | host) & HPT_NOEXEC;

	return hpt_entry(hfn, both | either | (guest & (HPT_USER | HPT_GLOBAL)));
}

/*
 * Chooses the functions for a walk that is filled in but for `one` and `batch`. -EINVAL: no sizes,
 * a descriptor that is not valid, a predictor without a slab, or the bounds of a slab without one
 * or with caches.
 */
int walk_prepare(struct walk *walk);

/*
 * Whether all lines that a descriptor names are aligned. A walk reads none across the end of a page
 * in any case, but the lines of one that says otherwise are not what its owner stored.
 */
bool walk_lines_aligned(const struct hpt_desc *desc);

/*
 * One translation, as fast as it can be: walk_result.entry, or 0 where there is none. Of the key,
 * here and below, ASID and VPN count: sizes are asked for as the walk has them.
 */
uint64_t walk_one(const struct walk *walk, struct hpt_key key);

/* `count` of them, 16 in flight: entries[i] is walk_one()'s of keys[i]. Predictor and caches are
 * not used. */
void walk_batch(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		size_t count);

/*
 * One translation with everything that can be said about it: by any organisation, and every
 * reference noted in *ledger, unless that is NULL.
 */
void walk_count(const struct walk *walk, struct hpt_key key, struct walk_result *result,
		struct walk_ledger *ledger);

/*
 * A predictor for 2^log2 regions, at most the 2^36 that there are (-EINVAL). -ENOMEM.
 * walk_predictor_destroy() frees it.
 */
int walk_predictor_create(struct walk_predictor *predictor, unsigned int log2);
void walk_predictor_destroy(struct walk_predictor *predictor);

#endif
