/* SPDX-License-Identifier: MIT */
/*
 * Searches of one table that the walker reaches by adding an offset, and what is noted of them: see
 * walk_inline.h.
 */
#ifndef EPT_WALK_SEARCH_H
#define EPT_WALK_SEARCH_H

#include "ept/mmu_caches.h"
#include "ept/walk_inline.h"

/*
 * The caches that a walk asks. Where it is compiled for one pair of organisations it has none,
 * which takes them out of the code; walk_cached.c has the walks with caches.
 */
WALK_INLINE struct mmu_caches *walk_caches(const struct walk *walk)
{
#ifdef WALK_WITHOUT_CACHES
	(void)walk;
	return NULL;
#else
	return walk->caches;
#endif
}

/* Says in the result which stage failed and how. */
WALK_INLINE void walk_fail(struct walk_count *count, unsigned int stage, enum walk_outcome outcome,
			   uint64_t entry)
{
	if (!count)
		return;
	count->result->outcome = outcome;
	count->result->stage = (uint8_t)stage;
	count->result->entry = entry;
	count->result->of_table = stage == 2 && count->row != WALK_DATA;
	count->result->probe = count->probe + 1;
}

/* An entry that was found but names no frame. */
WALK_INLINE void walk_fail_by(struct walk_count *count, unsigned int stage, uint64_t entry)
{
	walk_fail(count, stage, entry & HPT_SWAPPED ? WALK_SWAPPED : WALK_NOT_PRESENT, entry);
}

/*
 * Whether what the guest's table names, `size` bytes at their multiple, lies in its slab. Where
 * nothing is counted there are no bounds (walk_prepare()), and nothing of this is compiled.
 */
WALK_INLINE bool walk_in_slab(const struct walk *walk, uint64_t address, uint64_t size,
			      struct walk_count *count)
{
	if (!count || !walk->slab_end)
		return true;
	if (!(address & (size - 1)) && address >= walk->slab_start && address < walk->slab_end)
		return true;
	walk_fail(count, 1, WALK_ASTRAY, 0);
	return false;
}

/* The stage-1 probe that comes next. */
WALK_INLINE void walk_next_probe(struct walk_count *count, unsigned int probe)
{
	if (!count)
		return;
	count->probe = probe;
	count->row = probe < WALK_STAGE1_SLOTS ? probe : WALK_STAGE1_SLOTS - 1;
}

/* Hashes of a search that begins. */
WALK_INLINE void walk_note_hashes(struct walk_count *count, enum hpt_organisation organisation)
{
	if (count && organisation != HPT_RADIX)
		count->ledger->hashes += organisation == HPT_CUCKOO ? CUCKOO_WAYS : 1;
}

/* The address of a way's line. */
WALK_INLINE uint64_t walk_way(const struct hpt *table, const struct walk_stage *stage,
			      unsigned int way)
{
	const struct cuckoo_probe *probe = &stage->probe.cuckoo;

	return cuckoo_way_line(&table->desc, probe->tag, probe->hash, way);
}

/* The column of a stage-2 probe, from 0. */
WALK_INLINE unsigned int walk_column(unsigned int probe)
{
	return probe < WALK_STAGE2_SLOTS ? probe : WALK_STAGE2_SLOTS - 1;
}

/* Whether the next line is that of way 0, from which on all ways are fetched. */
WALK_INLINE bool walk_ways_begin(const struct walk_stage *stage, enum hpt_organisation organisation)
{
	return organisation == HPT_CUCKOO && !stage->probe.cuckoo.index;
}

/* The ways of cuckoo are on their way at once: so many references, and one step. */
WALK_INLINE void walk_fetch_ways(const struct hpt *table, const struct walk_stage *stage,
				 struct walk_count *count, bool own)
{
	for (unsigned int way = 0; way < CUCKOO_WAYS; way++) {
		const uint64_t *line = hpt_word(table, walk_way(table, stage, way));

		if (way)
			__builtin_prefetch(line);
		if (own)
			walk_next_probe(count, stage->probes + way);
		if (!count)
			continue;
		walk_note(count, own ? WALK_OWN : walk_column(stage->probes + way), line, !way);
		count->early[own][way] = count->ledger->early;
	}
	if (own)
		walk_next_probe(count, stage->probes);
}

/* Notes the read of a line, unless it was noted when the ways were fetched. */
WALK_INLINE void walk_note_line(struct walk_count *count, const struct walk_stage *stage,
				const void *line, enum hpt_organisation organisation, bool own)
{
	if (!count || (organisation == HPT_CUCKOO && stage->probe.cuckoo.index < CUCKOO_WAYS))
		return;
	walk_note(count, own ? WALK_OWN : walk_column(stage->probes), line, true);
}

/* Whether an adaptive search is among blocks, which are hashed apart from their region. */
WALK_INLINE bool walk_in_blocks(const struct walk_stage *stage, enum hpt_organisation organisation)
{
	return organisation == HPT_ADAPTIVE && stage->probe.adaptive.part == ADAPTIVE_BLOCK;
}

/*
 * walk_stage_step(), and what is to be noted where it ends the search for one size: the ways behind
 * the one that has answered were not needed; another search, for 2 MiB pages, hashes anew.
 */
WALK_INLINE enum hpt_answer walk_step_noted(struct walk_stage *stage, const struct hpt *table,
					    const uint64_t *line,
					    enum hpt_organisation organisation,
					    struct walk_count *count, bool own)
{
	uint32_t way = organisation == HPT_CUCKOO ? stage->probe.cuckoo.index : CUCKOO_WAYS;
	bool in_blocks = walk_in_blocks(stage, organisation);
	bool large = stage->large;
	enum hpt_answer answer = walk_stage_step(stage, table, line, organisation);
	bool again = answer == HPT_NEXT && large && !stage->large;

	if (!count)
		return answer;
	if ((answer != HPT_NEXT || again) && way < CUCKOO_WAYS)
		count->ledger->early = count->early[own][way];
	if (again)
		walk_note_hashes(count, organisation);
	count->ledger->hashes += !in_blocks && walk_in_blocks(stage, organisation);
	return answer;
}

/*
 * A hashed table that the walker reaches by adding an offset; `own`: it is the guest's, whose reads
 * stand in a column of their own and are probes of stage 1 each.
 */
WALK_INLINE bool walk_search(const struct walk *walk, const struct hpt *table, struct hpt_key key,
			     unsigned int sizes, enum hpt_organisation organisation,
			     struct walk_stage *stage, struct walk_count *count, bool own)
{
	enum hpt_answer answer;

	walk_stage_start(stage, table, key, sizes, organisation);
	if (!stage->probe.line)
		return false;
	walk_note_hashes(count, organisation);
	if (__builtin_expect(table->desc.sealed, 0))
		__builtin_prefetch(hpt_word(table, stage->probe.line));
	walk_stage_pad(stage, table);
	do {
		const uint64_t *line = hpt_word(table, stage->probe.line);

		if (own)
			walk_next_probe(count, stage->probes);
		if (own && !walk_in_slab(walk, stage->probe.line, HPT_LINE_SIZE, count))
			return false;
		if (walk_ways_begin(stage, organisation))
			walk_fetch_ways(table, stage, count, own);
		walk_note_line(count, stage, line, organisation, own);
		answer = walk_step_noted(stage, table, line, organisation, count, own);
	} while (answer == HPT_NEXT && stage->probe.line);
	return answer == HPT_HIT;
}

/*
 * Whether a cuckoo-walk cache knows in which size and way the page is, so that one line is read. It
 * is asked in counting only: a walk that is timed knows no more than its tables say.
 */
WALK_INLINE bool walk_way_known(const struct walk *walk, enum mmu_stage stage, struct hpt_key key,
				unsigned int sizes, enum hpt_organisation organisation)
{
	uint64_t unused;

	if (!walk_caches(walk) || (organisation != HPT_CUCKOO && sizes != (WALK_4K | WALK_2M)))
		return false;
	if (mmu_cuckoo_find(walk_caches(walk), stage, MMU_CUCKOO_PMD, key.asid, key.vpn, &unused))
		return true;
	mmu_cuckoo_put(walk_caches(walk), stage, MMU_CUCKOO_PMD, key.asid, key.vpn, 0);
	return false;
}

/* That search, by a walk cache where it has what is needed. */
WALK_INLINE bool walk_hashed(const struct walk *walk, const struct hpt *table, struct hpt_key key,
			     unsigned int sizes, enum hpt_organisation organisation,
			     struct walk_stage *stage, struct walk_count *count, bool own)
{
	enum mmu_stage number = own ? MMU_GUEST : MMU_HOST;

	if (count && walk_way_known(walk, number, key, sizes, organisation) &&
	    walk_search(walk, table, key, sizes, organisation, stage, NULL, own)) {
		walk_note_cached(count, number, 0);
		walk_note(count, own ? WALK_OWN : 0, hpt_word(table, stage->probe.line), true);
		return true;
	}
	return walk_search(walk, table, key, sizes, organisation, stage, count, own);
}

/* What the word of a tree says at `level`: an entry of a size that was asked for, or not. */
WALK_INLINE enum hpt_answer walk_tree_word(uint64_t word, int level, unsigned int sizes,
					   uint64_t *entry)
{
	bool large = word & HPT_LARGE;

	*entry = word & HPT_ENTRY_MASK;
	if (!level)
		return sizes & WALK_4K && *entry && !large ? HPT_HIT : HPT_MISS;
	if (large)
		return level == 1 && sizes & WALK_2M ? HPT_HIT : HPT_MISS;
	return word & HPT_PRESENT ? HPT_NEXT : HPT_MISS;
}

/* The entry that a tree gave, opened: the pads of a sealed one are those of hpt_radix_pads(). */
WALK_INLINE uint64_t walk_tree_open(const struct hpt *table, struct hpt_key key, uint64_t entry,
				    const struct aes_block *pads)
{
	if (__builtin_expect(!table->desc.sealed, 1))
		return entry;
	if (!(entry & HPT_LARGE))
		return entry ^ hpt_pad_of(pads[AES_FOUR - 1]);
	key.size = HPT_2M;
	return hpt_open(&table->desc, key, entry);
}

/*
 * Where a walk of a tree begins: at the root, level 3, or at the lowest node that a walk cache has:
 * then *node is what it has of it.
 */
WALK_INLINE void walk_cached_node(const struct walk *walk, enum mmu_stage stage, struct hpt_key key,
				  int *level, uint64_t *node, struct walk_count *count)
{
	*level = mmu_walk_find(walk_caches(walk), stage, key.asid, key.vpn, node);
	for (int above = HPT_RADIX_LEVELS - 1; count && above > *level; above--)
		walk_note_cached(count, stage, (unsigned int)(HPT_RADIX_LEVELS - 1 - above));
}

WALK_INLINE void walk_cache_node(const struct walk *walk, enum mmu_stage stage, struct hpt_key key,
				 int level, uint64_t node)
{
	if (walk_caches(walk))
		mmu_walk_put(walk_caches(walk), stage, key.asid, key.vpn, level, node);
}

/*
 * A tree that the walker reaches by adding an offset, from `node` at `level` on; as walk_search().
 */
WALK_INLINE bool walk_tree_from(const struct walk *walk, const struct hpt *table,
				struct hpt_key key, unsigned int sizes, int level, uint64_t node,
				uint64_t *entry, struct walk_count *count, bool own)
{
	enum mmu_stage stage = own ? MMU_GUEST : MMU_HOST;
	bool sealed = table->desc.sealed;
	enum hpt_answer answer = HPT_NEXT;
	struct aes_block pads[AES_FOUR];

	*entry = 0;
	if (__builtin_expect(!node, 0))
		return false;
	if (__builtin_expect(sealed, 0))
		hpt_radix_pads(&table->desc, key, pads);
#pragma GCC unroll 4
	for (; level >= 0; level--) {
		const uint64_t *word = hpt_word(table, node) + radix_index(key.vpn, level);
		unsigned int number = (unsigned int)(HPT_RADIX_LEVELS - 1 - level);

		if (own)
			walk_next_probe(count, number);
		if (own && !walk_in_slab(walk, node, HPT_PAGE_SIZE, count))
			return false;
		if (count)
			walk_note(count, own ? WALK_OWN : number, word, true);
		answer = walk_tree_word(HPT_LOAD(*word), level, sizes, entry);
		if (answer != HPT_NEXT)
			break;
		node = radix_node(*word);
		if (__builtin_expect(sealed, 0))
			node ^= hpt_pad_of(pads[level - 1]);
		if (__builtin_expect(!node, 0))
			return false;
		walk_cache_node(walk, stage, key, level - 1, node);
	}
	*entry = walk_tree_open(table, key, *entry, pads);
	return answer == HPT_HIT;
}

/* The root of the tree that has the key, or 0. */
WALK_INLINE uint64_t walk_root(const struct hpt *table, struct hpt_key key)
{
	struct radix_probe root;

	radix_start(&table->desc, key, &root);
	return root.node;
}

WALK_INLINE bool walk_tree(const struct walk *walk, const struct hpt *table, struct hpt_key key,
			   unsigned int sizes, uint64_t *entry, struct walk_count *count, bool own)
{
	int level = HPT_RADIX_LEVELS - 1;
	uint64_t node;

	key.size = HPT_4K; /* of which the pads are made */
	node = walk_root(table, key);

	if (walk_caches(walk)) {
		walk_cached_node(walk, own ? MMU_GUEST : MMU_HOST, key, &level, &node, count);
		return walk_tree_from(walk, table, key, sizes, level, node, entry, count, own);
	}
	return walk_tree_from(walk, table, key, sizes, HPT_RADIX_LEVELS - 1, node, entry, count,
			      own);
}

#endif
