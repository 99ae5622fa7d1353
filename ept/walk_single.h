/* SPDX-License-Identifier: MIT */
/* One translation from beginning to end: see walk_inline.h. */
#ifndef EPT_WALK_SINGLE_H
#define EPT_WALK_SINGLE_H

#include "ept/walk_inline.h"

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
WALK_INLINE bool walk_hashed(const struct hpt *table, struct hpt_key key, unsigned int sizes,
			     enum hpt_organisation organisation, struct walk_stage *stage,
			     struct walk_count *count, bool own)
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
		if (walk_ways_begin(stage, organisation))
			walk_fetch_ways(table, stage, count, own);
		walk_note_line(count, stage, line, organisation, own);
		answer = walk_step_noted(stage, table, line, organisation, count, own);
	} while (answer == HPT_NEXT && stage->probe.line);
	return answer == HPT_HIT;
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

/* A tree that the walker reaches by adding an offset; as walk_hashed(). */
WALK_INLINE bool walk_tree(const struct hpt *table, struct hpt_key key, unsigned int sizes,
			   uint64_t *entry, struct walk_count *count, bool own)
{
	bool sealed = table->desc.sealed;
	enum hpt_answer answer = HPT_NEXT;
	struct aes_block pads[AES_FOUR];
	struct radix_probe root;
	uint64_t node;

	key.size = HPT_4K; /* of which the pads are made */
	radix_start(&table->desc, key, &root);
	node = root.node;
	if (!node)
		return false;
	if (__builtin_expect(sealed, 0))
		hpt_radix_pads(&table->desc, key, pads);
#pragma GCC unroll 4
	for (int level = HPT_RADIX_LEVELS - 1; level >= 0; level--) {
		const uint64_t *word = hpt_word(table, node) + radix_index(key.vpn, level);

		if (own)
			walk_next_probe(count, (unsigned int)(HPT_RADIX_LEVELS - 1 - level));
		if (count)
			walk_note(count, own ? WALK_OWN : HPT_RADIX_LEVELS - 1 - level, word, true);
		answer = walk_tree_word(HPT_LOAD(*word), level, sizes, entry);
		if (answer != HPT_NEXT)
			break;
		node = radix_node(*word);
		if (__builtin_expect(sealed, 0))
			node ^= hpt_pad_of(pads[level - 1]);
		if (__builtin_expect(!node, 0))
			return false;
	}
	*entry = walk_tree_open(table, key, *entry, pads);
	return answer == HPT_HIT;
}

/* Stage 2 of one GFN: the entry of its page. */
WALK_INLINE bool walk_stage2(const struct walk *walk, uint64_t gfn, enum hpt_organisation host,
			     uint64_t *entry, struct walk_count *count)
{
	struct hpt_key key = hpt_key(0, gfn, HPT_4K);
	struct walk_stage stage;
	bool found;

	if (host == HPT_RADIX)
		return walk_tree(walk->host, key, walk->host_sizes, entry, count, false);
	found = walk_hashed(walk->host, key, walk->host_sizes, host, &stage, count, false);
	*entry = stage.entry;
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

/* Where the word of a tree, or the line, at this gPA is; NULL where there is none. */
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

/* A tree in guest memory. */
WALK_INLINE bool walk_nested_tree(const struct walk *walk, struct hpt_key key,
				  enum hpt_organisation host, uint64_t *entry,
				  struct walk_count *count)
{
	const struct hpt *table = walk->guest;
	bool sealed = table->desc.sealed;
	struct walk_pages pages = {.used = 0};
	enum hpt_answer answer = HPT_NEXT;
	struct aes_block pads[AES_FOUR];
	struct radix_probe root;
	uint64_t node;

	key.size = HPT_4K; /* of which the pads are made */
	radix_start(&table->desc, key, &root);
	node = root.node;
	if (!node)
		return false;
	if (__builtin_expect(sealed, 0))
		hpt_radix_pads(&table->desc, key, pads);
#pragma GCC unroll 4
	for (int level = HPT_RADIX_LEVELS - 1; level >= 0; level--) {
		uint64_t gpa = node + radix_index(key.vpn, level) * sizeof(uint64_t);
		const uint64_t *word;

		walk_next_probe(count, (unsigned int)(HPT_RADIX_LEVELS - 1 - level));
		pages.used = 0;
		word = walk_reach(walk, gpa, HPT_RADIX, host, &pages, 1, count);
		if (__builtin_expect(!word, 0))
			return false;
		if (count)
			walk_note(count, WALK_OWN, word, true);
		answer = walk_tree_word(HPT_LOAD(*word), level, walk->guest_sizes, entry);
		if (answer != HPT_NEXT)
			break;
		node = radix_node(*word);
		if (__builtin_expect(sealed, 0))
			node ^= hpt_pad_of(pads[level - 1]);
		if (__builtin_expect(!node, 0))
			return false;
	}
	*entry = walk_tree_open(table, key, *entry, pads);
	return answer == HPT_HIT;
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
WALK_INLINE bool walk_nested_hashed(const struct walk *walk, struct hpt_key key,
				    enum hpt_organisation guest, enum hpt_organisation host,
				    uint64_t *entry, struct walk_count *count)
{
	unsigned int most = guest == HPT_CUCKOO ? CUCKOO_WAYS : 1;
	struct walk_pages pages = {.used = 0};
	struct walk_stage stage;
	enum hpt_answer answer;

	walk_stage_start(&stage, walk->guest, key, walk->guest_sizes, guest);
	if (!stage.probe.line)
		return false;
	walk_note_hashes(count, guest);
	walk_stage_pad(&stage, walk->guest);
	do {
		const uint64_t *line;

		walk_next_probe(count, stage.probes);
		if (walk_ways_begin(&stage, guest))
			walk_reach_ways(walk, &stage, host, &pages, count);
		line = walk_reach(walk, stage.probe.line, guest, host, &pages, most, count);
		if (__builtin_expect(!line, 0))
			return false;
		walk_note_line(count, &stage, line, guest, true);
		answer = walk_step_noted(&stage, walk->guest, line, guest, count, true);
	} while (answer == HPT_NEXT && stage.probe.line);
	*entry = stage.entry;
	return answer == HPT_HIT;
}

/* Stage 1 of one page: its entry. */
WALK_INLINE bool walk_stage1(const struct walk *walk, struct hpt_key key,
			     enum hpt_organisation guest, enum hpt_organisation host, bool slab,
			     uint64_t *entry, struct walk_count *count)
{
	struct walk_stage stage;
	bool found;

	if (slab && guest == HPT_RADIX)
		return walk_tree(walk->guest, key, walk->guest_sizes, entry, count, true);
	if (guest == HPT_RADIX)
		return walk_nested_tree(walk, key, host, entry, count);
	if (!slab)
		return walk_nested_hashed(walk, key, guest, host, entry, count);
	found = walk_hashed(walk->guest, key, walk->guest_sizes, guest, &stage, count, true);
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
