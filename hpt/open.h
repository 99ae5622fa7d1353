/* SPDX-License-Identifier: MIT */
/*
 * open: open addressing, a slot of 16 bytes for each page (Knuth, The Art of Computer Programming
 * 3, section 6.4, algorithms L and R).
 *
 * The line. Four slots: the tag (lines.h), 0 where the slot is free, and the entry.
 *
 *    word  0      1        2      3        4      5        6      7
 *         | tag  | entry  | tag  | entry  | tag  | entry  | tag  | entry |
 *
 * Bit budget: VPN 45 bits, ASID 16, frame 36, flags 12; the whole key is in the slot. The smallest
 * table is one group, 256 slots.
 *
 * Where a page lives. The top bits of hpt_hash() choose the home slot. A probe sequence goes slot
 * by slot, round within the home's group, and ends at a free slot; where a group is full, the spill
 * lines follow. A removal moves later slots of the run back into the gap (algorithm R), so there
 * are no tombstones; into a group that was full it brings a spilled page of that group back.
 *
 * Invariants (hpt_check): every used slot is found by its own tag; a page is spilled only where its
 * group is full; no used slot has entry 0; the counts are those of the slots.
 */
#ifndef HPT_OPEN_H
#define HPT_OPEN_H

#include "hpt/lines.h"

#define OPEN_LINE_LOG2	 2
#define OPEN_LINE_SLOTS	 (1u << OPEN_LINE_LOG2)
#define OPEN_GROUP_SLOTS (HPT_GROUP_LINES * OPEN_LINE_SLOTS)
#define OPEN_SLOT_SHIFT	 4

struct open_probe {
	uint64_t tag;
	uint64_t group; /* address of the home's group */
	uint32_t slot;	/* of the group: the next to be read */
	uint32_t seen;	/* slots of the group that were read; when all were, ... */
	uint32_t spill; /* ... the spill line to be read */
	uint32_t word;	/* of the line that was read last: the entry's */
};

/* The home slot's address. */
static inline uint64_t open_home(const struct hpt_desc *desc, uint64_t tag)
{
	struct hpt_spot spot = hpt_spot(desc, tag);
	uint32_t lines_log2 = HPT_LOAD(spot.generation->lines_log2);
	uint64_t slot = spot.hash >> (64 - OPEN_LINE_LOG2 - lines_log2);

	return hpt_line_address(desc, spot.generation, slot >> OPEN_LINE_LOG2) +
	       ((slot & (OPEN_LINE_SLOTS - 1)) << OPEN_SLOT_SHIFT);
}

static inline void open_start(const struct hpt_desc *desc, struct hpt_key key,
			      struct open_probe *probe)
{
	uint64_t home;

	probe->tag = hpt_tag(key);
	home = open_home(desc, probe->tag);
	probe->group = home & ~(HPT_PAGE_SIZE - 1);
	probe->slot = (home & (HPT_PAGE_SIZE - 1)) >> OPEN_SLOT_SHIFT;
	probe->seen = 0;
	probe->spill = 0;
	probe->word = 0;
}

static inline uint64_t open_probe_line(const struct hpt_desc *desc, const struct open_probe *probe)
{
	if (probe->seen < OPEN_GROUP_SLOTS)
		return probe->group + (probe->slot >> OPEN_LINE_LOG2 << HPT_LINE_SHIFT);
	return hpt_spill_address(desc, probe->spill);
}

static inline enum hpt_answer open_answer(struct open_probe *probe, const uint64_t *line,
					  unsigned int slot, uint64_t *entry)
{
	probe->word = 2 * slot + 1;
	*entry = HPT_LOAD(line[probe->word]) & HPT_ENTRY_MASK;
	return *entry ? HPT_HIT : HPT_MISS;
}

/* What `line`, read at open_probe_line(), says; HPT_NEXT leaves the probe at the next line. */
static inline enum hpt_answer open_step(const struct hpt_desc *desc, struct open_probe *probe,
					const uint64_t *line, uint64_t *entry)
{
	if (__builtin_expect(probe->seen < OPEN_GROUP_SLOTS, 1)) {
		unsigned int slot = probe->slot & (OPEN_LINE_SLOTS - 1);

		for (; slot < OPEN_LINE_SLOTS && probe->seen < OPEN_GROUP_SLOTS; slot++) {
			if (line[2 * slot] == probe->tag)
				return open_answer(probe, line, slot, entry);
			if (!line[2 * slot])
				return HPT_MISS;
			probe->seen++;
		}
		probe->slot = ((probe->slot | (OPEN_LINE_SLOTS - 1)) + 1) & (OPEN_GROUP_SLOTS - 1);
		return probe->seen < OPEN_GROUP_SLOTS || HPT_LOAD(desc->spill_lines) ? HPT_NEXT
										     : HPT_MISS;
	}
	for (unsigned int slot = 0; slot < OPEN_LINE_SLOTS; slot++) {
		if (line[2 * slot] == probe->tag)
			return open_answer(probe, line, slot, entry);
	}
	return ++probe->spill < HPT_LOAD(desc->spill_lines) ? HPT_NEXT : HPT_MISS;
}

#endif
