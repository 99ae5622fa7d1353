/* SPDX-License-Identifier: MIT */
/*
 * Walks in batches where both tables nearly always answer with one line of memory: the lines of
 * trees but the last, that of the entry, are in the CPU's caches. Then a walk is a few steps, and
 * what a step reads was fetched WALK_DISTANCE keys ago by the step before. Each turn takes each
 * step once, for keys that far apart, so that as many lines are on their way as can be, always
 * (software-pipelined prefetching: Chen et al., "Improving Hash Join Performance through
 * Prefetching", ICDE'04, section 5):
 *
 *      address   which line of the guest's table; fetch what stage 2 says of its page    (nested)
 *      line      where that line is; fetch it
 *      entry     what it says: the GFN; fetch what stage 2 says of that
 *      frame     the answer
 *
 * A walk that is not so (another probe, another size, no entry) is done as a whole in the last
 * step.
 */
#ifndef EPT_WALK_RING_H
#define EPT_WALK_RING_H

#include "ept/walk_single.h"

#define WALK_DISTANCE 16
#define WALK_RING     64 /* keys that have begun: a power of two, not below four distances */

struct walk_member {
	uint64_t gpa;	       /* of the line, or word, of the guest's table */
	const uint64_t *guest; /* where that is; NULL: the walk is not as it should be */
	const uint64_t
		*host;	/* the line, or word, by which the host's table will answer, or NULL */
	uint64_t entry; /* of stage 1 */
};

/* Whether a table answers so. The ways of cuckoo do, where they need no translation of their own.
 */
WALK_INLINE bool walk_ring_guest(enum hpt_organisation guest, bool slab)
{
	return guest == HPT_RADIX || guest == HPT_OPEN || guest == HPT_BUCKET ||
	       guest == HPT_CLUSTERED || (guest == HPT_CUCKOO && slab);
}

WALK_INLINE bool walk_ring_host(enum hpt_organisation host)
{
	return walk_ring_guest(host, true);
}

/* The word of a tree that has the entry, but for an offset; 0 where there is none on the way. */
WALK_INLINE uint64_t walk_tree_leaf(const struct hpt *table, struct hpt_key key, unsigned int sizes)
{
	int last = sizes == WALK_2M ? 1 : 0;
	struct radix_probe probe;

	radix_start(&table->desc, key, &probe);
	for (uint64_t entry; probe.node && probe.level > last;) {
		if (radix_step(&probe, HPT_LOAD(*hpt_word(table, radix_word_address(&probe))),
			       &entry) != HPT_NEXT)
			return 0;
		probe.node ^= radix_probe_pad(&table->desc, &probe);
	}
	return probe.node ? radix_word_address(&probe) : 0;
}

/* The same of a tree in guest memory, whose upper levels stage 2 translates. */
WALK_INLINE uint64_t walk_nested_leaf(const struct walk *walk, struct hpt_key key,
				      enum hpt_organisation host)
{
	int last = walk->guest_sizes == WALK_2M ? 1 : 0;
	struct radix_probe probe;

	key.size = last ? HPT_2M : HPT_4K;
	radix_start(&walk->guest->desc, key, &probe);
	for (uint64_t entry; probe.node && probe.level > last;) {
		uint64_t gpa = radix_word_address(&probe);
		uintptr_t base = walk_table_page(walk, gpa / HPT_PAGE_SIZE, host, NULL);

		if (!base ||
		    radix_step(&probe, HPT_LOAD(*(const uint64_t *)(base + gpa % HPT_PAGE_SIZE)),
			       &entry) != HPT_NEXT)
			return 0;
		probe.node ^= radix_probe_pad(&walk->guest->desc, &probe);
	}
	return probe.node ? radix_word_address(&probe) : 0;
}

/* Where a table will answer, as an address in its space, or 0. */
WALK_INLINE uint64_t walk_answer_address(const struct hpt *table, struct hpt_key key,
					 unsigned int sizes, enum hpt_organisation organisation)
{
	struct hpt_probe probe;

	key.size = sizes & WALK_4K ? HPT_4K : HPT_2M;
	if (organisation == HPT_RADIX)
		return walk_tree_leaf(table, key, sizes);
	hpt_probe_start_as(&table->desc, key, &probe, organisation);
	if (organisation == HPT_CUCKOO && probe.line)
		hpt_fetch_ways(table, &probe.cuckoo);
	return probe.line;
}

/* Fetches the line, or word, by which a table that is reached by an offset will answer, or NULL. */
WALK_INLINE const uint64_t *walk_fetch_answer(const struct hpt *table, struct hpt_key key,
					      unsigned int sizes,
					      enum hpt_organisation organisation)
{
	uint64_t address = walk_answer_address(table, key, sizes, organisation);
	const uint64_t *line = address ? hpt_word(table, address) : NULL;

	__builtin_prefetch(line);
	return line;
}

/* What that line says: the entry, or 0 where another line would have to be read. */
WALK_INLINE uint64_t walk_read_answer(const struct hpt *table, struct hpt_key key,
				      unsigned int sizes, const uint64_t *line,
				      enum hpt_organisation organisation)
{
	struct hpt_probe probe;
	uint64_t entry;

	if (!line)
		return 0;
	key.size = sizes & WALK_4K ? HPT_4K : HPT_2M;
	if (organisation == HPT_RADIX) {
		entry = HPT_LOAD(*line) & HPT_ENTRY_MASK;
		if (!entry || !(entry & HPT_LARGE) != (key.size == HPT_4K))
			return 0;
		return hpt_open(&table->desc, key, entry);
	}
	/* The line was fetched for this key, so it fits. */
	hpt_probe_name_as(&table->desc, key, &probe, organisation);
	if (hpt_probe_ask(&table->desc, &probe, line, &entry, organisation) != HPT_HIT)
		return 0;
	return hpt_open(&table->desc, key, entry);
}

WALK_INLINE const uint64_t *walk_fetch_stage2(const struct walk *walk, uint64_t gfn,
					      enum hpt_organisation host)
{
	return walk_fetch_answer(walk->host, hpt_key(0, gfn, HPT_4K), walk->host_sizes, host);
}

WALK_INLINE uint64_t walk_read_stage2(const struct walk *walk, uint64_t gfn, const uint64_t *line,
				      enum hpt_organisation host)
{
	return walk_read_answer(walk->host, hpt_key(0, gfn, HPT_4K), walk->host_sizes, line, host);
}

WALK_INLINE void walk_ring_address(const struct walk *walk, struct hpt_key key,
				   struct walk_member *member, enum hpt_organisation guest,
				   enum hpt_organisation host)
{
	if (guest == HPT_RADIX)
		member->gpa = walk_nested_leaf(walk, key, host);
	else
		member->gpa = walk_answer_address(walk->guest, key, walk->guest_sizes, guest);
	member->host = NULL;
	if (member->gpa)
		member->host = walk_fetch_stage2(walk, member->gpa / HPT_PAGE_SIZE, host);
}

WALK_INLINE void walk_ring_line(const struct walk *walk, struct walk_member *member,
				enum hpt_organisation guest, enum hpt_organisation host)
{
	uint64_t gfn = member->gpa / HPT_PAGE_SIZE;
	uint64_t entry = walk_read_stage2(walk, gfn, member->host, host);
	uint64_t frame = walk_frame(entry, gfn);

	member->guest = NULL;
	if (!hpt_resident(entry) || frame >= walk->frame_count)
		return;
	member->guest = (const uint64_t *)(walk->frames + frame * HPT_PAGE_SIZE +
					   walk_in_page(member->gpa, guest));
	__builtin_prefetch(member->guest);
}

WALK_INLINE void walk_ring_entry(const struct walk *walk, struct hpt_key key,
				 struct walk_member *member, enum hpt_organisation guest,
				 enum hpt_organisation host)
{
	member->entry = walk_read_answer(walk->guest, key, walk->guest_sizes, member->guest, guest);
	if (hpt_resident(member->entry))
		member->host = walk_fetch_stage2(walk, walk_frame(member->entry, key.vpn), host);
}

WALK_INLINE uint64_t walk_ring_frame(const struct walk *walk, struct hpt_key key,
				     const struct walk_member *member, enum hpt_organisation guest,
				     enum hpt_organisation host, bool slab)
{
	uint64_t gfn = walk_frame(member->entry, key.vpn);
	uint64_t stage2 = 0;

	if (__builtin_expect(hpt_resident(member->entry), 1))
		stage2 = walk_read_stage2(walk, gfn, member->host, host);
	if (__builtin_expect(!hpt_resident(stage2), 0))
		return walk_whole(walk, key, guest, host, slab, NULL);
	return walk_join(member->entry, stage2, walk_frame(stage2, gfn));
}

/* walk_batch(). Keys that are not there yet, or not any more, have numbers beyond `count`. */
WALK_INLINE void walk_ring(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
			   size_t count, enum hpt_organisation guest, enum hpt_organisation host,
			   bool slab)
{
	const size_t steps = slab ? 2 : 4; /* behind the first */
	struct walk_member members[WALK_RING];

	for (size_t now = 0; now < count + steps * WALK_DISTANCE; now++) {
		size_t i = now - steps * WALK_DISTANCE;

		if (i < count)
			entries[i] = walk_ring_frame(walk, keys[i], &members[i % WALK_RING], guest,
						     host, slab);
		i += WALK_DISTANCE;
		if (i < count)
			walk_ring_entry(walk, keys[i], &members[i % WALK_RING], guest, host);
		i += WALK_DISTANCE;
		if (slab && i < count)
			members[i % WALK_RING].guest =
				walk_fetch_answer(walk->guest, keys[i], walk->guest_sizes, guest);
		if (!slab && i < count)
			walk_ring_line(walk, &members[i % WALK_RING], guest, host);
		i += WALK_DISTANCE;
		if (!slab && i < count)
			walk_ring_address(walk, keys[i], &members[i % WALK_RING], guest, host);
	}
}

#endif
