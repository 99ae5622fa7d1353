/* SPDX-License-Identifier: MIT */
/*
 * clustered: one line answers for eight neighbouring pages (Talluri, Hill and Khalidi, "A New
 * Page Table for 64-bit Address Spaces", SOSP'95, section 3).
 *
 * The line. Eight entries; the 16 spare bits of each carry the line's own words, called pieces:
 *
 *    word   63 .. 48           47 .. 0
 *     0    | tag bits 15..0   | entry of the block's page 0 |
 *     1    | tag bits 31..16  | entry of page 1             |
 *     2    | tag bits 47..32  | ...                         |
 *     3    | tag bits 63..48  |                             |
 *     4    | passed           |                             |
 *    5..7  | 0                | ... page 7                  |
 *
 *    tag = used (bit 63) | size (bit 62) | ASID (bits 61..46) | block (bits 45..0)
 *    block = page number of that size / 8
 *
 * Bit budget: VPN 45 bits, ASID 16, frame 36, flags 12. The whole key is in the line, so a match is
 * exact, whatever the hash, and the smallest table is one group.
 *
 * Where a line lives. The top bits of hpt_hash() choose the home line. A probe sequence visits the
 * home's group, the 64 lines of one 4 KiB page, in the order of hpt_group_line() (home first), and
 * then the spill lines in order: all probes of one lookup have, spill apart, one page address.
 *
 * `passed` counts the lines that were stored further along a sequence through this line. A lookup
 * ends at the first line with passed = 0 that does not match. So a removal clears its line and
 * takes its counts back: no tombstones, nothing is moved (the counters are those of "overflow
 * counts" in Folly's F14, per line).
 *
 * Invariants (hpt_check): every used line is found by its own tag; no tag twice; `passed` of each
 * line is exact; no used line is empty of entries; the counts are those of the lines.
 */
#ifndef HPT_CLUSTERED_H
#define HPT_CLUSTERED_H

#include "hpt/lines.h"

#define CLUSTERED_BLOCK_LOG2 3
#define CLUSTERED_BLOCK	     (1u << CLUSTERED_BLOCK_LOG2)

/* The 16-bit pieces lie at the top of each word: element 3 of every four. */
typedef uint16_t __attribute__((may_alias)) clustered_piece;
#define CLUSTERED_PIECE(word)  ((word)*4 + 3)
#define CLUSTERED_PASSED_PIECE CLUSTERED_PIECE(4)
#define CLUSTERED_PASSED_MAX   UINT16_MAX

struct clustered_probe {
	uint64_t tag;
	uint64_t home;	/* address of the home line */
	uint32_t index; /* of the probe in the sequence */
	uint32_t word;	/* the entry's word in the line */
	bool matched;	/* the line that was read last is that of the tag */
};

static inline uint64_t clustered_tag(struct hpt_key key)
{
	return hpt_tag_of(key, hpt_page(key) >> CLUSTERED_BLOCK_LOG2);
}

static inline unsigned int clustered_word(struct hpt_key key)
{
	return hpt_page(key) & (CLUSTERED_BLOCK - 1);
}

/* Address of the line that probe->index says. */
static inline uint64_t clustered_probe_line(const struct hpt_desc *desc,
					    const struct clustered_probe *probe)
{
	if (probe->index < HPT_GROUP_LINES)
		return hpt_group_line(probe->home, probe->tag, probe->index);
	return hpt_spill_address(desc, probe->index - HPT_GROUP_LINES);
}

static inline void clustered_start_at(const struct hpt_desc *desc, uint64_t tag,
				      struct hpt_spot home, struct clustered_probe *probe)
{
	probe->tag = tag;
	probe->home = hpt_spot_line(desc, home);
	probe->index = 0;
}

static inline void clustered_start_tag(const struct hpt_desc *desc, uint64_t tag,
				       struct clustered_probe *probe)
{
	clustered_start_at(desc, tag, hpt_spot(desc, tag), probe);
}

static inline void clustered_start(const struct hpt_desc *desc, struct hpt_key key,
				   struct clustered_probe *probe)
{
	clustered_start_tag(desc, clustered_tag(key), probe);
	probe->word = clustered_word(key);
	probe->matched = false;
}

static inline uint64_t clustered_line_tag(const uint64_t *line)
{
	const clustered_piece *piece = (const clustered_piece *)line;

	return (uint64_t)HPT_LOAD(piece[CLUSTERED_PIECE(0)]) |
	       (uint64_t)HPT_LOAD(piece[CLUSTERED_PIECE(1)]) << 16 |
	       (uint64_t)HPT_LOAD(piece[CLUSTERED_PIECE(2)]) << 32 |
	       (uint64_t)HPT_LOAD(piece[CLUSTERED_PIECE(3)]) << 48;
}

/* Piece by piece: the lowest differs in most lines that do not match. */
static inline bool clustered_line_matches(const uint64_t *line, uint64_t tag)
{
	const clustered_piece *piece = (const clustered_piece *)line;

	return HPT_LOAD(piece[CLUSTERED_PIECE(0)]) == (uint16_t)tag &&
	       HPT_LOAD(piece[CLUSTERED_PIECE(1)]) == (uint16_t)(tag >> 16) &&
	       HPT_LOAD(piece[CLUSTERED_PIECE(2)]) == (uint16_t)(tag >> 32) &&
	       HPT_LOAD(piece[CLUSTERED_PIECE(3)]) == (uint16_t)(tag >> 48);
}

/* Nothing more than a store each: a fault handler has them inline. */
static inline void clustered_set_tag(uint64_t *line, uint64_t tag)
{
	clustered_piece *piece = (clustered_piece *)line;

	__atomic_store_n(&piece[CLUSTERED_PIECE(0)], (uint16_t)tag, __ATOMIC_RELAXED);
	__atomic_store_n(&piece[CLUSTERED_PIECE(1)], (uint16_t)(tag >> 16), __ATOMIC_RELAXED);
	__atomic_store_n(&piece[CLUSTERED_PIECE(2)], (uint16_t)(tag >> 32), __ATOMIC_RELAXED);
	__atomic_store_n(&piece[CLUSTERED_PIECE(3)], (uint16_t)(tag >> 48), __ATOMIC_RELAXED);
}

static inline clustered_piece *clustered_passed(uint64_t *line)
{
	return (clustered_piece *)line + CLUSTERED_PASSED_PIECE;
}

static inline bool clustered_line_used(const uint64_t *line)
{
	return HPT_LOAD(line[3]) >> 63;
}

static inline unsigned int clustered_line_passed(const uint64_t *line)
{
	return HPT_LOAD(((const clustered_piece *)line)[CLUSTERED_PASSED_PIECE]);
}

/* Whether the sequence goes on after this line, which did not match. */
static inline bool clustered_goes_on(const struct hpt_desc *desc,
				     const struct clustered_probe *probe, const uint64_t *line)
{
	if (probe->index < HPT_GROUP_LINES && !clustered_line_passed(line))
		return false;
	return probe->index + 1 < HPT_GROUP_LINES + HPT_LOAD(desc->spill_lines);
}

/* What `line`, read at clustered_probe_line(), says; HPT_NEXT leaves the probe at the next line. */
static inline enum hpt_answer clustered_step(const struct hpt_desc *desc,
					     struct clustered_probe *probe, const uint64_t *line,
					     uint64_t *entry)
{
	if (clustered_line_matches(line, probe->tag)) {
		probe->matched = true;
		*entry = HPT_LOAD(line[probe->word]) & HPT_ENTRY_MASK;
		return *entry ? HPT_HIT : HPT_MISS;
	}
	if (!clustered_goes_on(desc, probe, line))
		return HPT_MISS;
	probe->index++;
	return HPT_NEXT;
}

/* The line at place `index` of the sequence, where that is in the group. */
static inline uint64_t *clustered_group_line(uintptr_t offset, const struct clustered_probe *probe,
					     uint32_t index)
{
	return (uint64_t *)(uintptr_t)(hpt_group_line(probe->home, probe->tag, index) + offset);
}

/*
 * Takes the first free line of the sequence, if there is one in the group, for the probe's tag,
 * which has no line; the lines before it count it as passed. NULL if there is none. The sequence
 * comes back to the home line, at 0, after all lines of the group.
 */
static inline uint64_t *clustered_claim(uintptr_t offset, const struct clustered_probe *probe)
{
	uint64_t *line = clustered_group_line(offset, probe, 0);
	uint64_t at = 0;

	while (__builtin_expect(clustered_line_used(line), 0)) {
		++*clustered_passed(line);
		at = (at + hpt_group_stride(probe->tag)) & (HPT_PAGE_SIZE - 1);
		if (__builtin_expect(!at, 0)) {
			for (uint32_t index = 0; index < HPT_GROUP_LINES; index++)
				--*clustered_passed(clustered_group_line(offset, probe, index));
			return NULL;
		}
		line = (uint64_t *)(uintptr_t)((probe->home ^ at) + offset);
	}
	clustered_set_tag(line, probe->tag);
	return line;
}

#endif
