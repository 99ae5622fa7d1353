/* SPDX-License-Identifier: MIT */
/* One translation from beginning to end: see walk_inline.h. */
#ifndef EPT_WALK_SINGLE_H
#define EPT_WALK_SINGLE_H

#include "ept/walk_search.h"

/* Stage 2 of one GFN: the entry of its page. */
WALK_INLINE bool walk_stage2(const struct walk *walk, uint64_t gfn, enum hpt_organisation host,
			     uint64_t *entry, struct walk_count *count)
{
	struct hpt_key key = hpt_key(0, gfn, HPT_4K);
	enum hpt_size size = HPT_4K;
	struct walk_stage stage;
	bool found;

	if (walk_caches(walk) && mmu_nested_find(walk_caches(walk), gfn, &size, entry)) {
		if (count)
			walk_note_cached(count, MMU_HOST, 0);
		return true;
	}
	if (host == HPT_RADIX) {
		found = walk_tree(walk, walk->host, key, walk->host_sizes, entry, count, false);
	} else {
		found = walk_hashed(walk, walk->host, key, walk->host_sizes, host, &stage, count,
				    false);
		*entry = stage.entry;
	}
	if (walk_caches(walk) && found && hpt_resident(*entry))
		mmu_nested_put(walk_caches(walk), gfn, *entry & HPT_LARGE ? HPT_2M : HPT_4K,
			       *entry);
	return found;
}

/*
 * Pages of the guest's table that were translated in this walk: the last one; or those of the ways
 * of cuckoo, which are translated before the first is read.
 */
struct walk_pages {
	unsigned int used;
	uint64_t gfn[CUCKOO_WAYS];
	uintptr_t base[CUCKOO_WAYS];
};

/* Translates a page of the guest's table: where it is, or 0. */
WALK_INLINE uintptr_t walk_table_page(const struct walk *walk, uint64_t gfn,
				      enum hpt_organisation host, struct walk_count *count)
{
	uint64_t entry, frame;

	if (!walk_stage2(walk, gfn, host, &entry, count)) {
		walk_fail(count, 2, WALK_ABSENT, 0);
		return 0;
	}
	if (__builtin_expect(!hpt_resident(entry), 0)) {
		walk_fail_by(count, 2, entry);
		return 0;
	}
	frame = walk_frame(entry, gfn);
	if (__builtin_expect(frame >= walk->frame_count, 0)) {
		walk_fail(count, 1, WALK_ASTRAY, 0);
		return 0;
	}
	return walk->frames + frame * HPT_PAGE_SIZE;
}

/* Where the line at this gPA is; NULL where there is none. */
WALK_INLINE const uint64_t *walk_reach(const struct walk *walk, uint64_t gpa,
				       enum hpt_organisation guest, enum hpt_organisation host,
				       struct walk_pages *pages, unsigned int most,
				       struct walk_count *count)
{
	uint64_t gfn = gpa / HPT_PAGE_SIZE;
	unsigned int at = 0;

	while (at < pages->used && pages->gfn[at] != gfn)
		at++;
	if (at == pages->used) {
		uintptr_t base = walk_table_page(walk, gfn, host, count);

		if (!base)
			return NULL;
		at = at < most ? at : 0;
		pages->used = at < pages->used ? pages->used : at + 1;
		pages->gfn[at] = gfn;
		pages->base[at] = base;
	}
	return (const uint64_t *)(pages->base[at] + walk_in_page(gpa, guest));
}

/*
 * A tree in guest memory, from the node at `level` on. `base` is where that is, which the walk
 * caches hold of a node, or 0: then it is at gPA `node`.
 */
WALK_INLINE bool walk_nested_tree_from(const struct walk *walk, struct hpt_key key,
				       enum hpt_organisation host, int level, uint64_t node,
				       uintptr_t base, uint64_t *entry, struct walk_count *count)
{
	const struct hpt *table = walk->guest;
	bool sealed = table->desc.sealed;
	enum hpt_answer answer = HPT_NEXT;
	struct aes_block pads[AES_FOUR];

	*entry = 0;
	if (__builtin_expect(sealed, 0))
		hpt_radix_pads(&table->desc, key, pads);
#pragma GCC unroll 4
	for (; level >= 0; level--, base = 0) {
		const uint64_t *word;

		walk_next_probe(count, (unsigned int)(HPT_RADIX_LEVELS - 1 - level));
		if (!base) {
			base = node ? walk_table_page(walk, node / HPT_PAGE_SIZE, host, count) : 0;
			if (__builtin_expect(!base, 0))
				return false;
			walk_cache_node(walk, MMU_GUEST, key, level, base);
		}
		word = (const uint64_t *)base + radix_index(key.vpn, level);
		if (count)
			walk_note(count, WALK_OWN, word, true);
		answer = walk_tree_word(HPT_LOAD(*word), level, walk->guest_sizes, entry);
		if (answer != HPT_NEXT)
			break;
		node = radix_node(*word);
		if (__builtin_expect(sealed, 0))
			node ^= hpt_pad_of(pads[level - 1]);
	}
	*entry = walk_tree_open(table, key, *entry, pads);
	return answer == HPT_HIT;
}

WALK_INLINE bool walk_nested_tree(const struct walk *walk, struct hpt_key key,
				  enum hpt_organisation host, uint64_t *entry,
				  struct walk_count *count)
{
	int level = HPT_RADIX_LEVELS - 1;
	uint64_t base = 0;
	uint64_t node;

	key.size = HPT_4K; /* of which the pads are made */
	node = walk_root(walk->guest, key);

	if (walk_caches(walk)) {
		walk_cached_node(walk, MMU_GUEST, key, &level, &base, count);
		return walk_nested_tree_from(walk, key, host, level, node, base, entry, count);
	}
	return walk_nested_tree_from(walk, key, host, HPT_RADIX_LEVELS - 1, node, 0, entry, count);
}

/*
 * Translates the pages of all ways and has their lines on the way. The longest of the translations
 * is what the walk waits for. A page that is not there fails when its line's turn comes.
 */
WALK_INLINE void walk_reach_ways(const struct walk *walk, const struct walk_stage *stage,
				 enum hpt_organisation host, struct walk_pages *pages,
				 struct walk_count *count)
{
	struct walk_result result = count ? *count->result : (struct walk_result){0};
	uint64_t before = count ? count->steps : 0;
	uint64_t longest = before;

	pages->used = 0;
	for (unsigned int way = 0; way < CUCKOO_WAYS; way++) {
		const uint64_t *line;

		walk_next_probe(count, stage->probes + way);
		if (count)
			count->steps = before;
		line = walk_reach(walk, walk_way(walk->guest, stage, way), HPT_CUCKOO, host, pages,
				  CUCKOO_WAYS, count);
		__builtin_prefetch(line);
		if (!count)
			continue;
		if (line)
			walk_note(count, WALK_OWN, line, true);
		if (count->steps > longest)
			longest = count->steps;
		count->early[true][way] = count->ledger->early;
	}
	if (!count)
		return;
	count->steps = longest;
	*count->result = result;
	walk_next_probe(count, stage->probes);
}

/* A hashed table in guest memory. */
WALK_INLINE bool walk_nested_search(const struct walk *walk, struct hpt_key key,
				    enum hpt_organisation guest, enum hpt_organisation host,
				    struct walk_stage *stage, struct walk_count *count)
{
	unsigned int most = guest == HPT_CUCKOO ? CUCKOO_WAYS : 1;
	struct walk_pages pages = {.used = 0};
	enum hpt_answer answer;

	walk_stage_start(stage, walk->guest, key, walk->guest_sizes, guest);
	if (!stage->probe.line)
		return false;
	walk_note_hashes(count, guest);
	walk_stage_pad(stage, walk->guest);
	do {
		const uint64_t *line;

		walk_next_probe(count, stage->probes);
		if (walk_ways_begin(stage, guest))
			walk_reach_ways(walk, stage, host, &pages, count);
		line = walk_reach(walk, stage->probe.line, guest, host, &pages, most, count);
		if (__builtin_expect(!line, 0))
			return false;
		walk_note_line(count, stage, line, guest, true);
		answer = walk_step_noted(stage, walk->guest, line, guest, count, true);
	} while (answer == HPT_NEXT && stage->probe.line);
	return answer == HPT_HIT;
}

/* That search, by a walk cache where it has what is needed: then one line is reached and read. */
WALK_INLINE bool walk_nested_hashed(const struct walk *walk, struct hpt_key key,
				    enum hpt_organisation guest, enum hpt_organisation host,
				    uint64_t *entry, struct walk_count *count)
{
	struct walk_pages pages = {.used = 0};
	struct walk_stage stage;
	bool found = false;

	if (count && walk_way_known(walk, MMU_GUEST, key, walk->guest_sizes, guest)) {
		struct walk quiet = *walk;

		quiet.caches = NULL;
		found = walk_nested_search(&quiet, key, guest, host, &stage, NULL);
	}
	if (count && found) {
		const uint64_t *line;

		walk_next_probe(count, 0);
		walk_note_cached(count, MMU_GUEST, 0);
		line = walk_reach(walk, stage.probe.line, guest, host, &pages, 1, count);
		walk_note(count, WALK_OWN, line, true);
	} else {
		found = walk_nested_search(walk, key, guest, host, &stage, count);
	}
	*entry = stage.entry;
	return found;
}

/* Stage 1 of one page: its entry. */
WALK_INLINE bool walk_stage1(const struct walk *walk, struct hpt_key key,
			     enum hpt_organisation guest, enum hpt_organisation host, bool slab,
			     uint64_t *entry, struct walk_count *count)
{
	struct walk_stage stage;
	bool found;

	if (slab && guest == HPT_RADIX)
		return walk_tree(walk, walk->guest, key, walk->guest_sizes, entry, count, true);
	if (guest == HPT_RADIX)
		return walk_nested_tree(walk, key, host, entry, count);
	if (!slab)
		return walk_nested_hashed(walk, key, guest, host, entry, count);
	found = walk_hashed(walk, walk->guest, key, walk->guest_sizes, guest, &stage, count, true);
	*entry = stage.entry;
	return found;
}

/* Fetches what stage 2 would read first if the prediction for this page is right. */
WALK_INLINE void walk_predict(const struct walk *walk, uint64_t vpn, enum hpt_organisation host)
{
	uint64_t gfn = vpn + (uint64_t)(int64_t)*walk_predicted(walk->predictor, vpn);
	struct hpt_probe probe;

	hpt_probe_start_as(&walk->host->desc,
			   hpt_key(0, gfn, walk->host_sizes & WALK_4K ? HPT_4K : HPT_2M), &probe,
			   host);
	if (probe.line)
		__builtin_prefetch(hpt_word(walk->host, probe.line));
}

WALK_INLINE void walk_learn(const struct walk *walk, uint64_t vpn, uint64_t gfn)
{
	int32_t *predicted = walk_predicted(walk->predictor, vpn);
	int32_t difference = (int32_t)(gfn - vpn);

	if (*predicted != difference)
		*predicted = difference;
}

/* walk_one() */
WALK_INLINE uint64_t walk_whole(const struct walk *walk, struct hpt_key key,
				enum hpt_organisation guest, enum hpt_organisation host, bool slab,
				struct walk_count *count)
{
	uint64_t gfn, stage1, stage2;

	if (slab && walk->predictor)
		walk_predict(walk, key.vpn, host);
	if (!walk_stage1(walk, key, guest, host, slab, &stage1, count)) {
		/* What failed below has said so. */
		if (count && count->result->outcome == WALK_TRANSLATED)
			walk_fail(count, 1, WALK_ABSENT, 0);
		return 0;
	}
	if (__builtin_expect(!hpt_resident(stage1), 0)) {
		walk_fail_by(count, 1, stage1);
		return 0;
	}
	gfn = walk_frame(stage1, key.vpn);
	if (slab && walk->predictor)
		walk_learn(walk, key.vpn, gfn);
	if (count) {
		count->result->gfn = gfn;
		count->result->guest_size = stage1 & HPT_LARGE ? HPT_2M : HPT_4K;
		count->row = WALK_DATA;
	}
	if (!walk_stage2(walk, gfn, host, &stage2, count)) {
		walk_fail(count, 2, WALK_ABSENT, 0);
		return 0;
	}
	if (__builtin_expect(!hpt_resident(stage2), 0)) {
		walk_fail_by(count, 2, stage2);
		return 0;
	}
	if (count)
		count->result->host_size = stage2 & HPT_LARGE ? HPT_2M : HPT_4K;
	return walk_join(stage1, stage2, walk_frame(stage2, gfn));
}

#endif
