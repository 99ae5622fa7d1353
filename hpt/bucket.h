/* SPDX-License-Identifier: MIT */
/*
 * bucket: a line is a bucket of five pages, hashed page by page.
 *
 * The line. Five entries; their 16 spare bits and words 5 to 7 hold the five tags and a count.
 *
 *    word   63 .. 48               47 .. 0
 *   0..4   | tag i bits 15..0     | entry i, 0 where the slot is free |
 *
 *           63 .. 32               31 .. 0
 *    5     | tag 1 bits 47..16    | tag 0 bits 47..16 |
 *    6     | tag 3 bits 47..16    | tag 2 bits 47..16 |
 *    7     | passed               | tag 4 bits 47..16 |
 *
 *    tag = ASID (12 bits) | page number of the entry's size (36 bits)
 *
 * Bit budget: VPN 36 bits, ASID 12, frame 36, flags 12; the size is the entry's LARGE. The whole
 * key is in the line, whatever the hash, and the smallest table is one group. Eight entries and
 * exact tags do not fit into a line: 512 bits are 64 for each, of which 45 go to frame and flags;
 * the 19 left are short of the key's 49 by 30, more than the at most 26 bits that the line's place
 * could say even if the hash were a permutation. At equal bytes a page the bucket of five is
 * fuller.
 *
 * Where a page lives. As in clustered.h: the top bits of hpt_hash() choose the home line, the
 * sequence is that of hpt_group_line() and then the spill lines, and `passed` counts the
 * pages that were stored further along a sequence through the line. A lookup ends at the first line
 * that has not its page and was not passed; a removal clears a word and takes its counts back.
 *
 * Invariants (hpt_check): every entry is found by its own tag; no tag twice; `passed` of each line
 * is exact; the counts are those of the entries.
 */
#ifndef HPT_BUCKET_H
#define HPT_BUCKET_H

#include "hpt/lines.h"

#define BUCKET_SLOTS	 5
#define BUCKET_VPN_BITS	 36
#define BUCKET_ASID_BITS 12
#define BUCKET_LOW_SHIFT 48 /* where a word has its tag's low bits */
#define BUCKET_LOW_BITS	 16

/* The upper parts are the halves of words 5 to 7. */
typedef uint32_t __attribute__((may_alias)) bucket_half;
#define BUCKET_HIGH(slot) (10 + (slot))
#define BUCKET_PASSED	  15

struct bucket_probe {
	uint64_t tag;
	uint64_t large; /* HPT_LARGE or 0, as the entry must have it */
	uint64_t home;	/* address of the home line */
	uint32_t index; /* of the probe in the sequence */
	uint32_t word;	/* of the line that was read last: the entry's */
};

static inline uint64_t bucket_tag(struct hpt_key key)
{
	return (uint64_t)key.asid << BUCKET_VPN_BITS | hpt_page(key);
}

/* The tag that a used slot has. */
static inline uint64_t bucket_slot_tag(const uint64_t *line, unsigned int slot)
{
	const bucket_half *high = (const bucket_half *)line + BUCKET_HIGH(0);

	return (uint64_t)HPT_LOAD(high[slot]) << BUCKET_LOW_BITS |
	       HPT_LOAD(line[slot]) >> BUCKET_LOW_SHIFT;
}

/* What is hashed: the two sizes of a page number are two keys. */
static inline uint64_t bucket_hashed(uint64_t tag, uint64_t large)
{
	return tag | large << 55;
}

static inline void bucket_start_tag(const struct hpt_desc *desc, uint64_t tag, uint64_t large,
				    struct bucket_probe *probe)
{
	probe->tag = tag;
	probe->large = large;
	probe->home = hpt_spot_line(desc, hpt_spot(desc, bucket_hashed(tag, large)));
	probe->index = 0;
	probe->word = 0;
}

static inline void bucket_start(const struct hpt_desc *desc, struct hpt_key key,
				struct bucket_probe *probe)
{
	bucket_start_tag(desc, bucket_tag(key), key.size == HPT_2M ? HPT_LARGE : 0, probe);
}

static inline uint64_t bucket_probe_line(const struct hpt_desc *desc,
					 const struct bucket_probe *probe)
{
	if (probe->index < HPT_GROUP_LINES)
		return hpt_group_line(probe->home, probe->tag, probe->index);
	return hpt_spill_address(desc, probe->index - HPT_GROUP_LINES);
}

static inline bucket_half *bucket_passed(uint64_t *line)
{
	return (bucket_half *)line + BUCKET_PASSED;
}

static inline uint32_t bucket_line_passed(const uint64_t *line)
{
	return HPT_LOAD(((const bucket_half *)line)[BUCKET_PASSED]);
}

/*
 * A bit for the slot that has the page: without a branch, which would be guessed wrong often. Of
 * `tag` only the 48 bits of a tag count.
 */
static inline unsigned int bucket_matches(const uint64_t *line, uint64_t tag, uint64_t large)
{
	const bucket_half *high = (const bucket_half *)line + BUCKET_HIGH(0);
	uint32_t wanted_high = (uint32_t)(tag >> BUCKET_LOW_BITS);
	uint64_t wanted = tag << BUCKET_LOW_SHIFT | large;
	uint64_t looked_at = (uint64_t)UINT16_MAX << BUCKET_LOW_SHIFT | HPT_LARGE;
	unsigned int matches = 0;

#pragma GCC unroll 5
	for (int slot = BUCKET_SLOTS - 1; slot >= 0; slot--) {
		uint64_t word = HPT_LOAD(line[slot]);
		uint64_t differs = (word ^ wanted) & looked_at;

		differs |= HPT_LOAD(high[slot]) ^ wanted_high;
		matches = 2 * matches + (!differs & !!(word & HPT_ENTRY_MASK));
	}
	return matches;
}

/* Whether the sequence goes on after this line, which has not the page. */
static inline bool bucket_goes_on(const struct hpt_desc *desc, const struct bucket_probe *probe,
				  const uint64_t *line)
{
	if (probe->index < HPT_GROUP_LINES && !bucket_line_passed(line))
		return false;
	return probe->index + 1 < HPT_GROUP_LINES + HPT_LOAD(desc->spill_lines);
}

/* What `line`, read at bucket_probe_line(), says; HPT_NEXT leaves the probe at the next line. */
static inline enum hpt_answer bucket_step(const struct hpt_desc *desc, struct bucket_probe *probe,
					  const uint64_t *line, uint64_t *entry)
{
	unsigned int matches = bucket_matches(line, probe->tag, probe->large);

	if (matches) {
		probe->word = (uint32_t)__builtin_ctz(matches);
		*entry = HPT_LOAD(line[probe->word]) & HPT_ENTRY_MASK;
		return HPT_HIT;
	}
	if (!bucket_goes_on(desc, probe, line))
		return HPT_MISS;
	probe->index++;
	return HPT_NEXT;
}

#endif
