/* SPDX-License-Identifier: MIT */
/*
 * The lookup, inline, and what follows one: for fault handlers, where every instruction counts and
 * where a lookup that misses is followed by a mapping of the same key.
 *
 *	if (hpt_find(table, key, &found))
 *		... found.entry ... hpt_set_found(table, key, &found, HPT_DIRTY) ...
 *	else
 *		error = hpt_map_found(table, key, entry, &found);
 *
 * What hpt_find() gives is good until the table is changed by any other call. All this is for the
 * table's one user or writer, not for readers beside him.
 */
#ifndef HPT_LOOKUP_H
#define HPT_LOOKUP_H

#include "hpt/hpt.h"
#include "hpt/probe.h"

struct hpt_found {
	uint64_t entry;	     /* of the key, if it is mapped */
	uint64_t *word;	     /* the word that was read last: the entry's, if it is mapped and has
				a word of its own; NULL for one page of a run (adaptive) */
	unsigned int probes; /* reads of lines */
	unsigned int again;  /* only where asked for: reads of a line that had been read */
	struct hpt_probe probe;
};

HPT_INLINE uint64_t *hpt_word(const struct hpt *table, uint64_t address)
{
	return (uint64_t *)(uintptr_t)(address + table->memory.offset);
}

/*
 * A table whose hash is fibonacci, that is not being rekeyed and not sealed. The first probe, which
 * is nearly always the last one, stands before the loop and costs no loop.
 */
HPT_INLINE bool hpt_find_clustered(const struct hpt *table, struct hpt_key key,
				   struct hpt_found *found)
{
	struct clustered_probe *probe = &found->probe.clustered;
	uint64_t tag = clustered_tag(key);
	enum hpt_answer answer;
	uint64_t *line;

	found->probes = 0;
	if (!hpt_key_fits(key, HPT_VPN_BITS, HPT_ASID_BITS))
		return false;
	clustered_start_at(&table->desc, tag,
			   hpt_spot_hashed(&table->desc, hpt_hash_fibonacci(&table->desc, tag)),
			   probe);
	probe->word = clustered_word(key);
	probe->matched = false;
	line = hpt_word(table, probe->home);
	answer = clustered_step(&table->desc, probe, line, &found->entry);
	while (__builtin_expect(answer == HPT_NEXT, 0)) {
		line = hpt_word(table, clustered_probe_line(&table->desc, probe));
		answer = clustered_step(&table->desc, probe, line, &found->entry);
	}
	found->probes = probe->index + 1;
	found->word = &line[probe->word];
	return answer == HPT_HIT;
}

/* The pads of the nodes below the root, by their level, and behind them that of the entry. */
HPT_INLINE void hpt_radix_pads(const struct hpt_desc *desc, struct hpt_key key,
			       struct aes_block pads[AES_FOUR])
{
	for (int level = 0; level < AES_FOUR - 1; level++)
		pads[level] = radix_node_place(key, level);
	pads[AES_FOUR - 1] = hpt_entry_place(key);
	aes_encrypt_four(&desc->seal, pads);
}

/*
 * A radix table; `sealed` is a constant. All pads are made at once, before the first load is
 * answered.
 */
HPT_INLINE bool hpt_find_radix_as(const struct hpt *table, struct hpt_key key,
				  struct hpt_found *found, bool sealed)
{
	struct radix_probe *probe = &found->probe.radix;
	struct aes_block pads[AES_FOUR];
	enum hpt_answer answer = HPT_NEXT;

	found->probes = 0;
	found->word = NULL;
	radix_start(&table->desc, key, probe);
	if (!probe->node)
		return false;
	if (sealed)
		hpt_radix_pads(&table->desc, key, pads);
#pragma GCC unroll 4
	for (int i = 0; i < HPT_RADIX_LEVELS && answer == HPT_NEXT; i++) {
		found->probes++;
		found->word = hpt_word(table, radix_word_address(probe));
		answer = radix_step(probe, HPT_LOAD(*found->word), &found->entry);
		if (sealed && answer == HPT_NEXT)
			probe->node ^= hpt_pad_of(pads[probe->level]);
	}
	if (sealed && answer == HPT_HIT)
		found->entry ^= hpt_pad_of(pads[AES_FOUR - 1]);
	return answer == HPT_HIT;
}

/* One that is not sealed. */
HPT_INLINE bool hpt_find_radix(const struct hpt *table, struct hpt_key key, struct hpt_found *found)
{
	return hpt_find_radix_as(table, key, found, false);
}

/* The ways do not depend on each other: their lines are on the way at once, as one step. */
HPT_INLINE void hpt_fetch_ways(const struct hpt *table, const struct cuckoo_probe *probe)
{
	for (unsigned int way = 1; way < CUCKOO_WAYS; way++)
		__builtin_prefetch(hpt_word(
			table, cuckoo_way_line(&table->desc, probe->tag, probe->hash, way)));
}

/*
 * The other organisations: line after line, to an entry as it is stored. `counting`: found->again,
 * which the caller has set to 0, counts reads of one of the two lines before: ways, or nodes, that
 * share a line.
 */
HPT_INLINE bool hpt_find_by_line(const struct hpt *table, struct hpt_key key,
				 struct hpt_found *found, enum hpt_organisation organisation,
				 bool counting)
{
	struct hpt_probe *probe = &found->probe;
	enum hpt_answer answer = HPT_MISS;
	uint64_t *line = NULL, *before = NULL;

	found->probes = 0;
	found->word = NULL;
	hpt_probe_start_as(&table->desc, key, probe, organisation);
	if (!probe->line)
		return false;
	if (organisation == HPT_CUCKOO)
		hpt_fetch_ways(table, &probe->cuckoo);
	do {
		uint64_t *next = hpt_word(table, probe->line);

		if (counting) {
			found->again += next == line || next == before;
			before = line;
		}
		line = next;
		answer = hpt_probe_step_as(&table->desc, probe, line, &found->entry, organisation);
		found->probes++;
		found->word = &line[probe->word];
	} while (answer == HPT_NEXT);
	if (organisation == HPT_ADAPTIVE && answer == HPT_HIT && probe->adaptive.is_run)
		found->word = NULL;
	return answer == HPT_HIT;
}

/* The home line of a hash. A table of one chunk, as most of adaptive are, saves a load. */
HPT_INLINE uint64_t *hpt_adaptive_home(const struct hpt *table, struct hpt_spot spot)
{
	const struct hpt_desc *desc = &table->desc;
	uint32_t lines_log2 = spot.generation->lines_log2;
	uint64_t line = spot.hash >> (64 - lines_log2);

	if (__builtin_expect(lines_log2 > HPT_CHUNK_LINES_LOG2, 0))
		return hpt_word(table, hpt_line_address(desc, spot.generation, line));
	return hpt_word(table, desc->directory[spot.generation->first_chunk]) +
	       line * HPT_LINE_WORDS;
}

/* What a slot says that is of the key's region. */
enum hpt_glance {
	HPT_GLANCE_LEAF,   /* found->word is the page's word */
	HPT_GLANCE_RUN,	   /* found->entry is its entry */
	HPT_GLANCE_NOTHING /* a search says */
};

HPT_INLINE enum hpt_glance hpt_adaptive_glance(const struct hpt *table, struct hpt_key key,
					       const uint64_t *slot, struct hpt_found *found)
{
	unsigned int page = adaptive_page(key);
	unsigned int code, count, first;
	uint64_t word = HPT_LOAD(*slot);

	if (key.size == HPT_4K && adaptive_word_names_leaf(word)) {
		found->word = hpt_word(table, word & HPT_FRAME_MASK) + page;
		return HPT_GLANCE_LEAF;
	}
	code = word >> ADAPTIVE_WORD_SHIFT & ADAPTIVE_CODE_MASK;
	count = code & -code;
	first = (code ^ count) >> 1;
	if (!!(word & HPT_LARGE) != (key.size == HPT_2M) || page - first >= count)
		return HPT_GLANCE_NOTHING;
	found->entry = (word + ((uint64_t)(page - first) << HPT_FRAME_SHIFT)) & HPT_ENTRY_MASK;
	found->word = NULL;
	if (count == 1 || key.size == HPT_2M)
		found->word = (uint64_t *)(uintptr_t)slot;
	return HPT_GLANCE_RUN;
}

/*
 * A table as for hpt_find_clustered(). Nearly always the region's marker, or the one run there is,
 * stands where it is looked for first. What is found there is decided by branches, so that the CPU
 * reads the leaf while the tag is still being compared. HPT_NEXT: a search says. `all_slots`, a
 * constant: of the home line.
 */
HPT_INLINE enum hpt_answer hpt_find_adaptive_at_once(const struct hpt *table, struct hpt_key key,
						     struct hpt_found *found, bool all_slots)
{
	uint64_t hash = hpt_hash_fibonacci(&table->desc, adaptive_region_tag(key));
	struct hpt_spot spot = hpt_spot_hashed(&table->desc, hash);
	const uint64_t *line = hpt_adaptive_home(table, spot);
	unsigned int slot = adaptive_preferred_slot(spot);

	if (__builtin_expect(!hpt_key_fits(key, ADAPTIVE_VPN_BITS, ADAPTIVE_ASID_BITS), 0))
		return HPT_NEXT;
	if (__builtin_expect(!adaptive_slot_is_of(line, slot, key), 0)) {
		slot = all_slots ? adaptive_other_slot(line, key) : ADAPTIVE_LINE_SLOTS;
		if (slot == ADAPTIVE_LINE_SLOTS)
			return HPT_NEXT;
	}
	switch (hpt_adaptive_glance(table, key, &line[slot], found)) {
	case HPT_GLANCE_LEAF:
		found->probes = 2;
		found->entry = HPT_LOAD(*found->word) & HPT_ENTRY_MASK;
		return found->entry ? HPT_HIT : HPT_MISS;
	case HPT_GLANCE_RUN:
		found->probes = 1;
		return HPT_HIT;
	default:
		return HPT_NEXT;
	}
}

HPT_INLINE bool hpt_find_adaptive(const struct hpt *table, struct hpt_key key,
				  struct hpt_found *found)
{
	enum hpt_answer answer = hpt_find_adaptive_at_once(table, key, found, true);

	if (__builtin_expect(answer == HPT_NEXT, 0))
		return hpt_find_by_line(table, key, found, HPT_ADAPTIVE, false);
	return answer == HPT_HIT;
}

/* Whether the key is mapped: any organisation, sealed or not. (find.c) */
bool hpt_find(const struct hpt *table, struct hpt_key key, struct hpt_found *found);

/* Adds what a search cost to a ledger. The ways of cuckoo are one step. */
HPT_INLINE void hpt_ledger_add(struct hpt_ledger *ledger, const struct hpt *table,
			       const struct hpt_found *found, bool hit)
{
	unsigned int ways = 1;

	if (table->desc.organisation == HPT_CUCKOO)
		ways = found->probes < CUCKOO_WAYS ? found->probes : CUCKOO_WAYS;
	ledger->lookups++;
	ledger->hits += hit;
	ledger->hashes += table->desc.organisation == HPT_RADIX ? 0 : ways;
	ledger->probes += found->probes;
	ledger->lines += found->probes - found->again;
	ledger->steps += found->probes > ways ? found->probes - ways + 1 : !!found->probes;
}

/*
 * Gives one page of a run, which has no word of its own, another entry; 0 unmaps it. 0, or -ENOMEM
 * as hpt_visit_range(). (table.c)
 */
int hpt_replace_in_run(struct hpt *table, struct hpt_key key, uint64_t entry);

/*
 * Sets flags of the entry of `key`, which was found: one store, or -ENOMEM in a run. Not where
 * readers mark entries.
 */
HPT_INLINE int hpt_set_found(struct hpt *table, struct hpt_key key, struct hpt_found *found,
			     uint64_t flags)
{
	found->entry |= flags;
	if (__builtin_expect(!found->word, 0))
		return hpt_replace_in_run(table, key, found->entry);
	__atomic_store_n(found->word, *found->word | flags, __ATOMIC_RELAXED);
	return 0;
}

/* hpt_map_found() where a node must be made, or a table grows; they give where the entry stands. */
int hpt_map_node(struct hpt *table, struct hpt_key key, uint64_t entry,
		 const struct radix_probe *probe, uint64_t **word);
int hpt_map_slowly(struct hpt *table, struct hpt_key key, uint64_t entry, uint64_t **word);

/* Copies: the address of what the caller keeps in registers is not taken. */
HPT_INLINE int hpt_map_growing(struct hpt *table, struct hpt_key key, uint64_t entry,
			       struct hpt_found *found)
{
	uint64_t *word = found->word;
	int error = hpt_map_slowly(table, key, entry, &word);

	found->word = word;
	return error;
}

/*
 * Maps the key that was not found, as hpt_map() does, whose checks of key and entry are the
 * caller's here. found->word is where the entry then stands. Short where the line or node is there
 * already, or where the home line is free.
 */
HPT_INLINE int hpt_map_found_clustered(struct hpt *table, struct hpt_key key, uint64_t entry,
				       struct hpt_found *found)
{
	const struct clustered_probe *probe = &found->probe.clustered;
	uint64_t *line;

	if (!probe->matched) {
		if (__builtin_expect(table->counts.used >= table->grow_at, 0))
			return hpt_map_growing(table, key, entry, found);
		line = clustered_claim(table->memory.offset, probe);
		if (__builtin_expect(!line, 0))
			return hpt_map_growing(table, key, entry, found);
		table->counts.used++;
		found->word = &line[probe->word];
	}
	__atomic_store_n(found->word, HPT_LOAD(*found->word) | entry, __ATOMIC_RELAXED);
	table->counts.entries++;
	return 0;
}

HPT_INLINE int hpt_map_found_radix(struct hpt *table, struct hpt_key key, uint64_t entry,
				   struct hpt_found *found)
{
	if (found->probe.radix.level || HPT_LOAD(*found->word)) {
		struct radix_probe at = found->probe.radix;
		uint64_t *word = found->word;
		int error = hpt_map_node(table, key, entry, &at, &word);

		found->word = word;
		return error;
	}
	__atomic_store_n(found->word, entry, __ATOMIC_RELAXED);
	HPT_ADD(*hpt_word(table, found->probe.radix.parent), RADIX_USED_ONE);
	table->counts.entries++;
	return 0;
}

/* `organisation`: one of the two that have a short way, in a table that is not sealed, or neither.
 */
HPT_INLINE int hpt_map_found_as(struct hpt *table, struct hpt_key key, uint64_t entry,
				struct hpt_found *found, enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_RADIX:
		return hpt_map_found_radix(table, key, entry, found);
	case HPT_CLUSTERED:
		return hpt_map_found_clustered(table, key, entry, found);
	default:
		return hpt_map_growing(table, key, entry, found);
	}
}

HPT_INLINE int hpt_map_found(struct hpt *table, struct hpt_key key, uint64_t entry,
			     struct hpt_found *found)
{
	enum hpt_organisation organisation = (enum hpt_organisation)table->desc.organisation;

	return hpt_map_found_as(table, key, entry, found,
				table->desc.sealed ? HPT_ORGANISATIONS : organisation);
}

#endif
