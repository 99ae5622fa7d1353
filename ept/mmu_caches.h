/* SPDX-License-Identifier: MIT */
/*
 * All caches that the MMU of one core asks on the way from a gVA to a line of memory, modelled: for
 * the walkers, which leave out what a cache has.
 *
 *   gVA -> [L1 TLB -> L2 TLB]                  -> host frame, no walk at all
 *       -> [guest walk or cuckoo-walk cache]   -> where the guest's table need not be read
 *   gPA -> [nested TLB]                        -> host frame; of the guest's tables and the last
 * gPA
 *       -> [host walk or cuckoo-walk cache]    -> where the host's table need not be read
 *   hPA -> [L1, L2, L3 data cache]             -> what a reference costs (mmu_data_access())
 *
 * Rules for all functions
 *  - A cache holds what was put there, true or not: whoever changes a table says so
 *    (mmu_caches_invalidate_gva(), mmu_caches_invalidate_gpa()). Values are the caller's words (an
 *    entry, a frame, the host address of a node).
 *  - A kind that is left out (mmu_caches_without()), or that the core does not have, never hits,
 *    takes nothing and counts nothing.
 *  - A key names a page: vpn or gfn in units of 4 KiB below 2^45 (HPT_VPN_BITS), ASID 16 bits. A
 *    walker has checked that (hpt_key_fits()); here a wider number would run into another key.
 *  - One user at a time. What is asked within a walk is inline.
 *
 * Tags, whose lowest bits choose the set (mmu_cache.h):
 *
 *    63    48 47  45 44                 0     type: page of 4 KiB, of 2 MiB, guest's node at
 *   |  ASID  | type  |     number        |    level 0, 1, 2, host's node at level 0, 1, 2
 *
 * where the number is that of the page, or of what the node covers, among those of its size. All
 * that is by gVA has the guest's ASID; what is by gPA has 0.
 */
#ifndef EPT_MMU_CACHES_H
#define EPT_MMU_CACHES_H

#include "ept/mmu_profile.h"
#include "hpt/radix.h"

enum mmu_stage { MMU_GUEST, MMU_HOST };

/* One kind of cache. */
struct mmu_unit {
	struct mmu_cache *holds[HPT_SIZES]; /* NULL: left out */
	uint64_t lookups;
	uint64_t hits;
};

struct mmu_caches {
	struct mmu_unit units[MMU_KINDS];
	struct mmu_cache arrays[MMU_ARRAYS];
	const struct mmu_core *core;
};

/*
 * Makes the caches of a core, all empty. They stay where they are until mmu_caches_destroy().
 * -EINVAL for a profile that there is not, -ENOMEM; nothing is left then.
 */
int mmu_caches_create(struct mmu_caches *caches, enum mmu_profile profile);
void mmu_caches_destroy(struct mmu_caches *caches);

/*
 * Leaves out, from now on, the kind of this name ("nested-tlb", "guest-walk-pde") or all whose
 * names begin with it and a hyphen ("guest-walk", "guest"). Where the core keeps another kind in
 * the same array, that stays. -EINVAL if no kind has such a name.
 */
int mmu_caches_without(struct mmu_caches *caches, const char *name);

/* The name of a kind, and the names that an ablation goes through: NULL after the last one. */
const char *mmu_kind_name(enum mmu_kind kind);
const char *mmu_ablation_name(unsigned int number);

struct mmu_report {
	const char *name;
	uint64_t lookups;
	uint64_t hits;
};

/* One row a kind, in their order; those left out have no lookups. */
void mmu_caches_report(const struct mmu_caches *caches, struct mmu_report rows[MMU_KINDS]);

/* The counts begin anew, after a warm-up; what is cached stays. */
void mmu_caches_reset_counts(struct mmu_caches *caches);

/* Empties all but the data caches; the counts stay. INVEPT, all contexts. */
void mmu_caches_flush(struct mmu_caches *caches);

/*
 * The guest has changed the mapping of a page, whose size is that of the guest's entry: INVLPG
 * (Intel SDM volume 3A, 4.10.4.1,
 * "Operations that Invalidate TLBs and Paging-Structure Caches"). Dropped are
 *  - of this ASID, all TLB entries that overlap the page: with 2 MiB also each of its 4 KiB pieces,
 *    as there are where the host splinters it;
 *  - of this ASID, all entries of the guest walk and cuckoo-walk caches, for whatever address.
 * What is by gPA stays. HPT_GLOBAL means nothing here: such pages have an ASID like others.
 */
void mmu_caches_invalidate_gva(struct mmu_caches *caches, uint16_t asid, uint64_t vpn,
			       enum hpt_size size);

/*
 * The host has changed the mapping of a page of guest-physical memory. INVEPT (SDM volume 3C,
 * "Operations that Invalidate Cached Mappings") has no address, and would drop the nested TLB as a
 * whole; here it is known by gPA, so only what overlaps the page is dropped. All else may be stale,
 * since no tag names the gPA it came by, and goes: TLB entries join both stages, the guest's walk
 * caches say where its table's pages are in the host, the host's are those of the changed table.
 */
void mmu_caches_invalidate_gpa(struct mmu_caches *caches, uint64_t gfn, enum hpt_size size);

/* Where a line was found. */
enum mmu_data_level { MMU_DATA_L1, MMU_DATA_L2, MMU_DATA_L3, MMU_DATA_MEMORY };

/*
 * One reference to the line with this host-physical number (hPA / 64): says which level has it, and
 * brings it into the L1. On its way it goes where the core's caches put it: lines of a victim L3
 * move out of it, and come back when the L2 evicts them, which takes them from the L1; an inclusive
 * L3 gets all lines, and takes what it evicts from both. Writes and prefetching are not modelled.
 * What a level costs is in mmu_latency.h.
 */
enum mmu_data_level mmu_data_access(struct mmu_caches *caches, uint64_t line);

/* What an entry is of. */
enum mmu_type {
	MMU_PAGE_4K,
	MMU_PAGE_2M,
	MMU_GUEST_NODE,
	MMU_HOST_NODE = MMU_GUEST_NODE + MMU_WALK_LEVELS,
	MMU_TYPES = MMU_HOST_NODE + MMU_WALK_LEVELS
};

#define MMU_TYPE_SHIFT HPT_VPN_BITS
#define MMU_ASID_SHIFT (64 - HPT_ASID_BITS)

_Static_assert(MMU_TYPES <= 1 << (MMU_ASID_SHIFT - MMU_TYPE_SHIFT), "a type fits its bits");

static inline uint64_t mmu_tag(unsigned int type, uint16_t asid, uint64_t number)
{
	return (uint64_t)asid << MMU_ASID_SHIFT | (uint64_t)type << MMU_TYPE_SHIFT | number;
}

static inline uint64_t mmu_page_tag(enum hpt_size size, uint16_t asid, uint64_t vpn)
{
	return mmu_tag(size == HPT_2M ? MMU_PAGE_2M : MMU_PAGE_4K, asid,
		       size == HPT_2M ? vpn / HPT_LARGE_PAGES : vpn);
}

static inline unsigned int mmu_node_type(enum mmu_stage stage, int level)
{
	return (stage == MMU_GUEST ? MMU_GUEST_NODE : MMU_HOST_NODE) + (unsigned int)level;
}

static inline uint64_t mmu_node_tag(enum mmu_stage stage, uint16_t asid, uint64_t vpn, int level)
{
	return mmu_tag(mmu_node_type(stage, level), asid, vpn >> RADIX_BITS * (level + 1));
}

/* One lookup in a unit: its array, or with two sizes the one for small pages first. */
static inline bool mmu_unit_find(struct mmu_unit *unit, uint64_t tag, uint64_t *value)
{
	bool hit;

	if (!unit->holds[HPT_4K])
		return false;
	unit->lookups++;
	hit = mmu_cache_find(unit->holds[HPT_4K], tag, value);
	unit->hits += hit;
	return hit;
}

static inline bool mmu_unit_find_page(struct mmu_unit *unit, uint16_t asid, uint64_t vpn,
				      enum hpt_size *size, uint64_t *value)
{
	if (!unit->holds[HPT_4K])
		return false;
	unit->lookups++;
	for (int i = HPT_4K; i < HPT_SIZES; i++) {
		if (!mmu_cache_find(unit->holds[i], mmu_page_tag(i, asid, vpn), value))
			continue;
		*size = i;
		unit->hits++;
		return true;
	}
	return false;
}

static inline void mmu_unit_put(struct mmu_unit *unit, enum hpt_size size, uint64_t tag,
				uint64_t value)
{
	if (unit->holds[size])
		mmu_cache_put(unit->holds[size], tag, value, NULL);
}

enum mmu_tlb_answer { MMU_TLB_MISS, MMU_TLB_L1_HIT, MMU_TLB_L2_HIT };

/*
 * Looks a gVA up in the TLBs: the L1, and if it misses the L2, which then refills the L1. On a hit
 * the size of the entry and its value.
 *
 * The size of the page is not known yet, so each level is asked for both: in hardware at once, in
 * an array a size (Skylake's L1), or where sizes share an array by comparing fewer bits of the tag
 * (Zen's L1) or by a second look at the place that the other size would have (L2). It is one lookup
 * in the counts.
 */
static inline enum mmu_tlb_answer mmu_tlb_find(struct mmu_caches *caches, uint16_t asid,
					       uint64_t vpn, enum hpt_size *size, uint64_t *value)
{
	struct mmu_unit *units = caches->units;

	if (mmu_unit_find_page(&units[MMU_L1_TLB], asid, vpn, size, value))
		return MMU_TLB_L1_HIT;
	if (!mmu_unit_find_page(&units[MMU_L2_TLB], asid, vpn, size, value))
		return MMU_TLB_MISS;
	mmu_unit_put(&units[MMU_L1_TLB], *size, mmu_page_tag(*size, asid, vpn), *value);
	return MMU_TLB_L2_HIT;
}

/*
 * What a walk has found goes into both levels. The size is the smaller of both stages': a page of
 * 2 MiB over host pages of 4 KiB has an entry for each piece that was touched.
 */
static inline void mmu_tlb_put(struct mmu_caches *caches, uint16_t asid, uint64_t vpn,
			       enum hpt_size size, uint64_t value)
{
	uint64_t tag = mmu_page_tag(size, asid, vpn);

	mmu_unit_put(&caches->units[MMU_L1_TLB], size, tag, value);
	mmu_unit_put(&caches->units[MMU_L2_TLB], size, tag, value);
}

/* The nested TLB, GFN -> host: for pages of the guest's tables and for the last gPA. */
static inline bool mmu_nested_find(struct mmu_caches *caches, uint64_t gfn, enum hpt_size *size,
				   uint64_t *value)
{
	return mmu_unit_find_page(&caches->units[MMU_NESTED_TLB], 0, gfn, size, value);
}

static inline void mmu_nested_put(struct mmu_caches *caches, uint64_t gfn, enum hpt_size size,
				  uint64_t value)
{
	mmu_unit_put(&caches->units[MMU_NESTED_TLB], size, mmu_page_tag(size, 0, gfn), value);
}

static inline struct mmu_unit *mmu_walk_unit(struct mmu_caches *caches, enum mmu_stage stage,
					     int level)
{
	return &caches->units[(stage == MMU_GUEST ? MMU_GUEST_WALK : MMU_HOST_WALK) + level];
}

/*
 * Where the walk of a stage's tree can start: the level (radix.h) of the lowest node whose place is
 * cached for this page, and what was put there for it, which is where the node is; or the level of
 * the root, 3, and *node as it was. At the host's stage the vpn is the GFN.
 *
 * The lowest level is asked first, and one above only if that misses, so its hits are those that
 * the ones below did not have. Hardware asks all at once and takes the lowest; LRU among the others
 * may differ.
 */
static inline int mmu_walk_find(struct mmu_caches *caches, enum mmu_stage stage, uint16_t asid,
				uint64_t vpn, uint64_t *node)
{
	for (int level = 0; level < MMU_WALK_LEVELS; level++)
		if (mmu_unit_find(mmu_walk_unit(caches, stage, level),
				  mmu_node_tag(stage, asid, vpn, level), node))
			return level;
	return MMU_WALK_LEVELS;
}

/* The walk has come to a node at this level; the root, which a register holds, is not cached. */
static inline void mmu_walk_put(struct mmu_caches *caches, enum mmu_stage stage, uint16_t asid,
				uint64_t vpn, int level, uint64_t node)
{
	if (level < MMU_WALK_LEVELS)
		mmu_unit_put(mmu_walk_unit(caches, stage, level), HPT_4K,
			     mmu_node_tag(stage, asid, vpn, level), node);
}

/*
 * Cuckoo-walk caches (ECPT, Skarlatos et al., ASPLOS'20, section 5; nested ECPT, Stojkovic et al.,
 * ASPLOS'22), where a table is hashed. An entry is a row of 64 sections; a section is what one line
 * of eight entries of that level covers, so a row covers
 *
 *   PMD level: 1 GiB, in sections of 16 MiB: whether pages of 4 KiB are in one, whether pages of
 *              2 MiB, and which way has the line of these
 *   PUD level: 512 GiB, in sections of 8 GiB: whether smaller pages are in one
 *
 * A row has more to say than 64 bits, so the value is the caller's: the address of a row that he
 * keeps, or nothing, when a hit allows him to ask the table itself and not to count it. Lines say
 * themselves whether they match: a way that has changed since costs a second look, not a wrong
 * answer.
 */
enum mmu_cuckoo_level { MMU_CUCKOO_PMD, MMU_CUCKOO_PUD };

#define MMU_CUCKOO_SHIFT(level) ((level) == MMU_CUCKOO_PMD ? 18 : 27) /* log2 of a row's pages */

static inline struct mmu_unit *mmu_cuckoo_unit(struct mmu_caches *caches, enum mmu_stage stage,
					       enum mmu_cuckoo_level level)
{
	return &caches->units[(stage == MMU_GUEST ? MMU_GUEST_CUCKOO : MMU_HOST_CUCKOO) +
			      (int)level];
}

static inline bool mmu_cuckoo_find(struct mmu_caches *caches, enum mmu_stage stage,
				   enum mmu_cuckoo_level level, uint16_t asid, uint64_t vpn,
				   uint64_t *value)
{
	return mmu_unit_find(mmu_cuckoo_unit(caches, stage, level),
			     mmu_tag(0, asid, vpn >> MMU_CUCKOO_SHIFT(level)), value);
}

static inline void mmu_cuckoo_put(struct mmu_caches *caches, enum mmu_stage stage,
				  enum mmu_cuckoo_level level, uint16_t asid, uint64_t vpn,
				  uint64_t value)
{
	mmu_unit_put(mmu_cuckoo_unit(caches, stage, level), HPT_4K,
		     mmu_tag(0, asid, vpn >> MMU_CUCKOO_SHIFT(level)), value);
}

#endif
