/* SPDX-License-Identifier: MIT */
/* Batches of lookups: the pipeline of places (batch.h). */
#include "hpt/batch.h"

/* What a descriptor says in a table that is settled: not growing, and with the hash fibonacci. */
struct settled {
	uint64_t salt;
	const uint64_t *chunks;
	uintptr_t offset;
	uint32_t shift; /* of a hash: what is left is the number of a line */
};

static struct settled settled_of(const struct hpt *table)
{
	const struct hpt_generation *current = &table->desc.current;

	return (struct settled){
		.salt = table->desc.salt.value,
		.chunks = &table->desc.directory[current->first_chunk],
		.offset = table->memory.offset,
		.shift = 64 - current->lines_log2,
	};
}

HPT_INLINE uint64_t settled_hash(const struct settled *settled, uint64_t number)
{
	return (number ^ settled->salt) * HPT_MULTIPLIER;
}

HPT_INLINE const uint64_t *settled_line(const struct settled *settled, uint64_t hash)
{
	uint64_t line = hash >> settled->shift;
	uint64_t chunk = settled->chunks[line >> HPT_CHUNK_LINES_LOG2];

	return (const uint64_t *)(uintptr_t)(chunk + settled->offset) +
	       (line & ((1u << HPT_CHUNK_LINES_LOG2) - 1)) * HPT_LINE_WORDS;
}

/*
 * What is kept of a key whose first line is on its way: `place` is in it, where the entry stands if
 * the line is that of the tag (clustered), the home slot (open), or the line (bucket).
 */
struct ahead {
	const uint64_t *place;
	uint64_t tag;
};

/* What a key finds that does not fit: an empty line. */
static const uint64_t no_line[HPT_LINE_WORDS] __attribute__((aligned(HPT_LINE_SIZE)));

HPT_INLINE bool fits(struct hpt_key key, enum hpt_organisation organisation)
{
	return hpt_key_fits(key, hpt_vpn_bits(organisation), hpt_asid_bits(organisation));
}

HPT_INLINE void look_ahead(const struct settled *settled, struct hpt_key key, struct ahead *ahead,
			   enum hpt_organisation organisation)
{
	uint64_t hash;

	if (__builtin_expect(!fits(key, organisation), 0)) {
		*ahead = (struct ahead){.place = no_line};
		return;
	}
	/* For the compiler: all of it once for each size. */
	if (__builtin_expect(key.size == HPT_4K, 1))
		key.size = HPT_4K;
	switch (organisation) {
	case HPT_OPEN:
		ahead->tag = hpt_tag(key);
		break;
	case HPT_BUCKET:
		ahead->tag = bucket_hashed(bucket_tag(key), key.size == HPT_2M ? HPT_LARGE : 0);
		break;
	default:
		ahead->tag = clustered_tag(key);
	}
	hash = settled_hash(settled, ahead->tag);
	ahead->place = settled_line(settled, hash);
	__builtin_prefetch(ahead->place);
	if (organisation == HPT_CLUSTERED)
		ahead->place += clustered_word(key);
}

/* HPT_NEXT where the first line alone does not say. */
HPT_INLINE enum hpt_answer answer_of(const struct ahead *ahead, uint64_t *entry,
				     enum hpt_organisation organisation)
{
	const uint64_t *line = ahead->place;
	unsigned int matches = 0;

	switch (organisation) {
	case HPT_OPEN:
#pragma GCC unroll 4
		for (int slot = OPEN_LINE_SLOTS - 1; slot >= 0; slot--)
			matches = 2 * matches + (line[2 * slot] == ahead->tag);
		if (!matches)
			return HPT_NEXT;
		*entry = line[2 * __builtin_ctz(matches) + 1] & HPT_ENTRY_MASK;
		return HPT_HIT;
	case HPT_BUCKET:
		matches = bucket_matches(line, ahead->tag, ahead->tag >> 55 & HPT_LARGE);
		if (!matches)
			return bucket_line_passed(line) ? HPT_NEXT : HPT_MISS;
		*entry = line[__builtin_ctz(matches)] & HPT_ENTRY_MASK;
		return HPT_HIT;
	default:
		line = (const uint64_t *)((uintptr_t)line & ~(uintptr_t)(HPT_LINE_SIZE - 1));
		if (!clustered_line_matches(line, ahead->tag))
			return clustered_line_passed(line) ? HPT_NEXT : HPT_MISS;
		*entry = *ahead->place & HPT_ENTRY_MASK;
		return HPT_HIT;
	}
}

HPT_INLINE void answer_first(const struct batch *batch, struct late *late,
			     const struct ahead *ahead, size_t number,
			     enum hpt_organisation organisation)
{
	uint64_t entry = 0;
	enum hpt_answer answer = answer_of(ahead, &entry, organisation);

	batch->entries[number] = entry;
	if (__builtin_expect(answer == HPT_NEXT, 0))
		batch_late_add(batch, late, number);
}

HPT_INLINE void find_ahead(const struct batch *batch, enum hpt_organisation organisation)
{
	const struct settled settled = settled_of(batch->table);
	const struct hpt_key *keys = batch->keys;
	size_t count = batch->count;
	struct ahead ring[BATCH_AHEAD];
	struct late late;
	size_t i;

	late.first = late.end = 0;
	for (i = 0; i < count && i < BATCH_AHEAD; i++)
		look_ahead(&settled, keys[i], &ring[i], organisation);
	for (i = 0; i + BATCH_AHEAD < count; i++) {
		answer_first(batch, &late, &ring[i % BATCH_AHEAD], i, organisation);
		look_ahead(&settled, keys[i + BATCH_AHEAD], &ring[i % BATCH_AHEAD], organisation);
	}
	for (; i < count; i++)
		answer_first(batch, &late, &ring[i % BATCH_AHEAD], i, organisation);
	batch_late_finish(batch, &late);
}

static __attribute__((noinline)) void find_open(const struct batch *batch)
{
	find_ahead(batch, HPT_OPEN);
}

static __attribute__((noinline)) void find_bucket(const struct batch *batch)
{
	find_ahead(batch, HPT_BUCKET);
}

static __attribute__((noinline)) void find_clustered(const struct batch *batch)
{
	find_ahead(batch, HPT_CLUSTERED);
}

/* The words of a tree, or of leaves, that answer: one that is 0 for a key that has none. */
HPT_INLINE const uint64_t *radix_word(const struct hpt *table, struct hpt_key key)
{
	struct radix_probe probe;
	int leaf = key.size == HPT_2M ? 1 : 0;
	uint64_t ignored;

	radix_start(&table->desc, key, &probe);
	if (!probe.node)
		return no_line;
#pragma GCC unroll 3
	for (int i = 1; i < HPT_RADIX_LEVELS; i++) {
		if (probe.level == leaf)
			break;
		if (radix_step(&probe, *hpt_word(table, radix_word_address(&probe)), &ignored) !=
		    HPT_NEXT)
			return no_line;
	}
	return hpt_word(table, radix_word_address(&probe));
}

/* The upper levels of a tree are in the CPU's caches, or near: what is fetched is the last word. */
static __attribute__((noinline)) void find_radix(const struct batch *batch)
{
	const struct hpt_key *keys = batch->keys;
	size_t count = batch->count;
	const uint64_t *ring[BATCH_AHEAD];

	for (size_t i = 0; i < count + BATCH_AHEAD; i++) {
		const uint64_t **place = &ring[i % BATCH_AHEAD];

		if (i >= BATCH_AHEAD) {
			size_t number = i - BATCH_AHEAD;
			uint64_t entry = **place & HPT_ENTRY_MASK;
			bool is_large = entry & HPT_LARGE;

			batch->entries[number] =
				is_large == (keys[number].size == HPT_2M) ? entry : 0;
		}
		if (i < count) {
			*place = radix_word(batch->table, keys[i]);
			__builtin_prefetch(*place);
		}
	}
}

/* A key of an adaptive table: the home line of its region is on its way. */
struct ahead_region {
	const uint64_t *line;
	unsigned int preferred;
};

HPT_INLINE void look_ahead_region(const struct hpt *table, const struct settled *settled,
				  struct hpt_key key, struct ahead_region *ahead)
{
	uint64_t hash = settled_hash(settled, adaptive_region_tag(key));

	ahead->line = settled_line(settled, hash);
	ahead->preferred = adaptive_preferred_slot(
		(struct hpt_spot){.generation = &table->desc.current, .hash = hash});
	__builtin_prefetch(ahead->line);
}

/* The word of a key whose home line is there; NULL where its answer is known, or it is late. */
HPT_INLINE const uint64_t *glance(const struct batch *batch, struct late *late,
				  const struct ahead_region *ahead, size_t number)
{
	struct hpt_key key = batch->keys[number];
	unsigned int slot = ahead->preferred;
	enum hpt_glance seen = HPT_GLANCE_NOTHING;
	struct hpt_found found;

	batch->entries[number] = 0;
	if (__builtin_expect(!fits(key, HPT_ADAPTIVE), 0))
		return NULL;
	if (__builtin_expect(!adaptive_slot_is_of(ahead->line, slot, key), 0))
		slot = adaptive_other_slot(ahead->line, key);
	if (__builtin_expect(slot != ADAPTIVE_LINE_SLOTS, 1))
		seen = hpt_adaptive_glance(batch->table, key, &ahead->line[slot], &found);
	switch (seen) {
	case HPT_GLANCE_LEAF:
		__builtin_prefetch(found.word);
		return found.word;
	case HPT_GLANCE_RUN:
		batch->entries[number] = found.entry;
		return NULL;
	default:
		batch_late_add(batch, late, number);
		return NULL;
	}
}

/* Three steps for a key, BATCH_AHEAD keys apart: to its region's line, to its word, to its entry.
 */
static __attribute__((noinline)) void find_adaptive(const struct batch *batch)
{
	const struct settled settled = settled_of(batch->table);
	size_t count = batch->count;
	struct ahead_region regions[BATCH_AHEAD];
	const uint64_t *words[BATCH_AHEAD];
	struct late late;

	late.first = late.end = 0;
	for (size_t i = 0; i < count + 2 * BATCH_AHEAD; i++) {
		size_t in_ring = i % BATCH_AHEAD;

		if (i >= 2 * BATCH_AHEAD && words[in_ring])
			batch->entries[i - 2 * BATCH_AHEAD] = *words[in_ring] & HPT_ENTRY_MASK;
		words[in_ring] = NULL;
		if (i >= BATCH_AHEAD && i < count + BATCH_AHEAD)
			words[in_ring] = glance(batch, &late, &regions[in_ring], i - BATCH_AHEAD);
		if (i < count)
			look_ahead_region(batch->table, &settled, batch->keys[i],
					  &regions[in_ring]);
	}
	batch_late_finish(batch, &late);
}

bool batch_find_ahead(const struct batch *batch)
{
	const struct hpt_desc *desc = &batch->table->desc;
	bool settled = desc->hash == HPT_FIBONACCI && desc->split == UINT64_MAX;

	switch (batch_organisation(batch)) {
	case HPT_RADIX:
		if (!desc->sealed)
			find_radix(batch);
		return !desc->sealed;
	case HPT_OPEN:
		if (settled)
			find_open(batch);
		return settled;
	case HPT_BUCKET:
		if (settled)
			find_bucket(batch);
		return settled;
	case HPT_CLUSTERED:
		if (settled)
			find_clustered(batch);
		return settled;
	case HPT_ADAPTIVE:
		settled = settled && !desc->sealed;
		if (settled)
			find_adaptive(batch);
		return settled;
	default:
		return false;
	}
}
