/* SPDX-License-Identifier: MIT */
/* What goes when a table changes. Sweeps over whole arrays: this is no part of a walk. */
#include "ept/mmu_caches.h"

#define ASID_MASK (~UINT64_C(0) << MMU_ASID_SHIFT)
#define TYPE_MASK ((UINT64_C(1) << MMU_ASID_SHIFT) - (UINT64_C(1) << MMU_TYPE_SHIFT))

/* Drops what a kind has, and nothing of another kind in the same array. */
static void drop_type(struct mmu_unit *unit, unsigned int type)
{
	if (unit->holds[HPT_4K])
		mmu_cache_drop_matching(unit->holds[HPT_4K], TYPE_MASK, mmu_tag(type, 0, 0));
}

static void drop_type_of(struct mmu_unit *unit, unsigned int type, uint16_t asid)
{
	if (unit->holds[HPT_4K])
		mmu_cache_drop_matching(unit->holds[HPT_4K], ASID_MASK | TYPE_MASK,
					mmu_tag(type, asid, 0));
}

static void drop_pages(struct mmu_unit *unit)
{
	drop_type(unit, MMU_PAGE_4K);
	if (unit->holds[HPT_2M])
		mmu_cache_drop_matching(unit->holds[HPT_2M], TYPE_MASK, mmu_tag(MMU_PAGE_2M, 0, 0));
}

/* Drops the entries that overlap a page, of whichever size. */
static void drop_page(struct mmu_unit *unit, uint16_t asid, uint64_t vpn, enum hpt_size size)
{
	uint64_t small = mmu_page_tag(HPT_4K, asid, vpn);

	if (!unit->holds[HPT_4K])
		return;
	if (size == HPT_2M)
		mmu_cache_drop_matching(unit->holds[HPT_4K], ~(uint64_t)(HPT_LARGE_PAGES - 1),
					small);
	else
		mmu_cache_drop(unit->holds[HPT_4K], small);
	mmu_cache_drop(unit->holds[HPT_2M], mmu_page_tag(HPT_2M, asid, vpn));
}

void mmu_caches_invalidate_gva(struct mmu_caches *caches, uint16_t asid, uint64_t vpn,
			       enum hpt_size size)
{
	drop_page(&caches->units[MMU_L1_TLB], asid, vpn, size);
	drop_page(&caches->units[MMU_L2_TLB], asid, vpn, size);
	for (int level = 0; level < MMU_WALK_LEVELS; level++)
		drop_type_of(mmu_walk_unit(caches, MMU_GUEST, level),
			     mmu_node_type(MMU_GUEST, level), asid);
	drop_type_of(mmu_cuckoo_unit(caches, MMU_GUEST, MMU_CUCKOO_PMD), 0, asid);
	drop_type_of(mmu_cuckoo_unit(caches, MMU_GUEST, MMU_CUCKOO_PUD), 0, asid);
}

/* All that is not known by the gPA it came by. */
static void drop_all_but_nested(struct mmu_caches *caches)
{
	drop_pages(&caches->units[MMU_L1_TLB]);
	drop_pages(&caches->units[MMU_L2_TLB]);
	for (int stage = MMU_GUEST; stage <= MMU_HOST; stage++) {
		for (int level = 0; level < MMU_WALK_LEVELS; level++)
			drop_type(mmu_walk_unit(caches, stage, level), mmu_node_type(stage, level));
		drop_type(mmu_cuckoo_unit(caches, stage, MMU_CUCKOO_PMD), 0);
		drop_type(mmu_cuckoo_unit(caches, stage, MMU_CUCKOO_PUD), 0);
	}
}

void mmu_caches_invalidate_gpa(struct mmu_caches *caches, uint64_t gfn, enum hpt_size size)
{
	drop_page(&caches->units[MMU_NESTED_TLB], 0, gfn, size);
	drop_all_but_nested(caches);
}

void mmu_caches_flush(struct mmu_caches *caches)
{
	drop_pages(&caches->units[MMU_NESTED_TLB]);
	drop_all_but_nested(caches);
}
