/* SPDX-License-Identifier: MIT */
/*
 * adaptive: a table that holds each region of 512 pages in the form that suits what is mapped there
 * (runs of one entry: Talluri and Hill, "Surpassing the TLB Performance of Superpages with Less
 * Operating System Support", ASPLOS'94; the code of a run is RISC-V's NAPOT, privileged
 * specification, Svnapot).
 *
 * The line. Five slots: entries, whose 16 spare bits and words 5 to 7 hold the tags and a count.
 *
 *    word   63 .. 48               47 .. 0
 *   0..4   | tag i bits 47..32    | entry of slot i, 0 where it is free |
 *
 *           63 .. 32               31 .. 0
 *    5     | tag 1 bits 31..0     | tag 0 bits 31..0 |
 *    6     | tag 3 bits 31..0     | tag 2 bits 31..0 |
 *    7     | passed | bits 50..48 | tag 4 bits 31..0 |     passed: 63..48; 47: 0; three bits of
 *                                                          each slot's tag, slot 0's lowest
 *
 *    tag = region (26..0) | ASID 4..0 (31..27) | pages (41..32) | ASID 11..5 (48..42)
 *        | by block (49) | 0 (50)
 *
 * `pages` names what of the region the slot is for: a naturally aligned run of 2^k pages with
 * contiguous frames and equal flags, k from 0 to 9, as first page << 1 | 1 << k. 0 is the region's
 * marker, whose word is no entry but says where the pages are:
 *
 *    47         12  11    10   9   8       0
 *   | leaf's address | 0  | SET | 1 | words - 1 |    LEAF: a page of 512 words, one for each page
 *   | blocks in use  | 1  |  0  | 1 | pages - 1 |    SPREAD: slots that hash by their block of 8
 *
 * (SET: ADAPTIVE_UNSETTLED. In a sealed table the address is sealed as that of a radix node.)
 *
 * Bit budget: VPN 36 bits, ASID 12, frame 36, flags 12. The whole key is in the line.
 *
 * A region is one of
 *    compact   at most ADAPTIVE_SLOTS runs, all in the sequence of the region's hash: one line
 *    spread    more of them, fewer than ADAPTIVE_LEAF_PAGES pages: the marker there, and runs of at
 *              most 8 pages in the sequences of their blocks' hashes: two lines, of which the first
 *              is shared by 512 pages. Bit i of `blocks in use` is set where the 16 pages from
 *              16 i on may have some.
 *    a leaf    the marker, and the word in the leaf: 8 bytes a page
 *    large     one page of 2 MiB: a run with k = 9 and HPT_LARGE
 *
 * Sequences and `passed` are those of bucket.h, with at most ADAPTIVE_SPILL_PAGES pages of spill,
 * so that `passed` has room.
 *
 * Invariants (hpt_check): every slot is found by its own tag; the slots of a region are of one
 * form, and do not overlap; markers count right; leaves hold entries alone; `passed` of each line
 * is exact; the counts are those of the slots and leaves.
 */
#ifndef HPT_ADAPTIVE_H
#define HPT_ADAPTIVE_H

#include "hpt/atomic.h"
#include "hpt/seal.h"

#define ADAPTIVE_LINE_SLOTS  5
#define ADAPTIVE_VPN_BITS    36
#define ADAPTIVE_ASID_BITS   12
#define ADAPTIVE_REGION_LOG2 9
#define ADAPTIVE_PAGES	     (1u << ADAPTIVE_REGION_LOG2)
#define ADAPTIVE_BLOCK_LOG2  3
#define ADAPTIVE_SLOTS	     4	 /* of a compact region */
#define ADAPTIVE_LEAF_PAGES  256 /* from which on a region that is not compact is a leaf */
#define ADAPTIVE_SPILL_PAGES 200

#define ADAPTIVE_PAGES_SHIFT 32
#define ADAPTIVE_CODE_MASK   UINT64_C(0x3ff)
#define ADAPTIVE_PAGES_MASK  (ADAPTIVE_CODE_MASK << ADAPTIVE_PAGES_SHIFT)
#define ADAPTIVE_ASID_LOW    5 /* bits of the ASID below `pages` */
#define ADAPTIVE_ASID_SHIFT  27
#define ADAPTIVE_HIGH_SHIFT  42
#define ADAPTIVE_BY_BLOCK    (UINT64_C(1) << 49)
/* What of a tag names the region. */
#define ADAPTIVE_REGION_MASK (((UINT64_C(1) << 49) - 1) & ~ADAPTIVE_PAGES_MASK)

#define ADAPTIVE_COUNT_MASK UINT64_C(0x1ff)
#define ADAPTIVE_MARKER	    (UINT64_C(1) << 9)	/* no marker is 0 */
#define ADAPTIVE_UNSETTLED  (UINT64_C(1) << 10) /* a leaf that may be held in less */
#define ADAPTIVE_SPREAD	    (UINT64_C(1) << 11)
#define ADAPTIVE_PAIR_LOG2  4 /* pages that a bit of `blocks in use` is for */

#define ADAPTIVE_WORD_SHIFT	 48 /* where a word has its part of the tag, and word 7 has `passed` */
#define ADAPTIVE_WORD_LOW	 16 /* how far it is from where the tag has it */
#define ADAPTIVE_ASID_WORD_SHIFT (ADAPTIVE_HIGH_SHIFT + ADAPTIVE_WORD_LOW)
#define ADAPTIVE_TOP_SHIFT	 32 /* where word 7 has the top bits of slot 0's tag */
#define ADAPTIVE_TOP_BITS	 3

typedef uint32_t __attribute__((may_alias)) adaptive_half;
#define ADAPTIVE_HALF(slot) (10 + (slot))

/* Which lines a probe reads. */
enum adaptive_part { ADAPTIVE_REGION, ADAPTIVE_BLOCK, ADAPTIVE_LEAF };

struct adaptive_probe {
	uint64_t tag;	 /* of the page, as if it had a slot of its own */
	uint64_t number; /* adaptive_number() of the sequence */
	uint64_t at;	 /* address of the home line, or of the line in the leaf */
	uint32_t index;	 /* of the probe in the sequence */
	uint32_t word;	 /* of the line that was read last: the entry's */
	uint8_t part;	 /* enum adaptive_part */
	bool large;
	bool is_run; /* what was found is one page of a run: its entry has no word of its own */
};

/* `pages` of 2^log2 pages from the region's page `first` on. */
static inline uint64_t adaptive_pages(unsigned int first, unsigned int log2)
{
	return (uint64_t)(first << 1 | 1u << log2) << ADAPTIVE_PAGES_SHIFT;
}

/* The tag of the region's marker. */
static inline uint64_t adaptive_region_tag(struct hpt_key key)
{
	return (key.vpn >> ADAPTIVE_REGION_LOG2) |
	       (uint64_t)(key.asid & 31) << ADAPTIVE_ASID_SHIFT |
	       (uint64_t)(key.asid >> ADAPTIVE_ASID_LOW) << ADAPTIVE_HIGH_SHIFT;
}

/* The region's page that a key names; the first for a key of 2 MiB. */
static inline unsigned int adaptive_page(struct hpt_key key)
{
	return key.size == HPT_2M ? 0 : key.vpn & (ADAPTIVE_PAGES - 1);
}

static inline unsigned int adaptive_code(uint64_t tag)
{
	return tag >> ADAPTIVE_PAGES_SHIFT & ADAPTIVE_CODE_MASK;
}

/* First page, and number of pages, of a tag that is no marker's. */
static inline unsigned int adaptive_first(uint64_t tag)
{
	unsigned int code = adaptive_code(tag);

	return (code & (code - 1)) >> 1;
}

static inline unsigned int adaptive_count(uint64_t tag)
{
	unsigned int code = adaptive_code(tag);

	return code & -code;
}

/* What is hashed: the region, or the block; blocks apart from regions. */
static inline uint64_t adaptive_number(uint64_t tag)
{
	uint64_t number = tag & ADAPTIVE_REGION_MASK;

	if (tag & ADAPTIVE_BY_BLOCK)
		number = (number & UINT32_MAX) << (ADAPTIVE_REGION_LOG2 - ADAPTIVE_BLOCK_LOG2) |
			 (number & ~(uint64_t)UINT32_MAX) | ADAPTIVE_BY_BLOCK |
			 adaptive_first(tag) >> ADAPTIVE_BLOCK_LOG2;
	return number;
}

/* The tag of a slot that is in use. */
static inline uint64_t adaptive_slot_tag(const uint64_t *line, unsigned int slot)
{
	uint64_t last = HPT_LOAD(line[HPT_LINE_WORDS - 1]);
	uint64_t top = last >> (ADAPTIVE_TOP_SHIFT + ADAPTIVE_TOP_BITS * slot);

	return HPT_LOAD(((const adaptive_half *)line)[ADAPTIVE_HALF(slot)]) |
	       HPT_LOAD(line[slot]) >> ADAPTIVE_WORD_SHIFT << ADAPTIVE_PAGES_SHIFT |
	       (top & 7) << 48;
}

static inline uint32_t adaptive_line_passed(const uint64_t *line)
{
	return (uint32_t)(HPT_LOAD(line[HPT_LINE_WORDS - 1]) >> ADAPTIVE_WORD_SHIFT);
}

static inline void adaptive_start(const struct hpt_desc *desc, struct hpt_key key,
				  struct adaptive_probe *probe)
{
	uint64_t tag = adaptive_region_tag(key);

	probe->tag = tag | adaptive_pages(adaptive_page(key), 0);
	probe->number = tag;
	probe->at = hpt_spot_line(desc, hpt_spot(desc, tag));
	probe->index = 0;
	probe->word = 0;
	probe->part = ADAPTIVE_REGION;
	probe->large = key.size == HPT_2M;
	probe->is_run = false;
}

/* The line `index` of a number's sequence, which begins at address `home`. */
static inline uint64_t adaptive_sequence_line(const struct hpt_desc *desc, uint64_t home,
					      uint64_t number, uint32_t index)
{
	if (__builtin_expect(!index, 1))
		return home;
	if (__builtin_expect(index < HPT_GROUP_LINES, 1))
		return hpt_group_line(home, number, index);
	return hpt_spill_address(desc, index - HPT_GROUP_LINES);
}

static inline uint64_t adaptive_probe_line(const struct hpt_desc *desc,
					   const struct adaptive_probe *probe)
{
	return adaptive_sequence_line(desc, probe->at, probe->number, probe->index);
}

/*
 * A bit for each slot whose tag has this lower half: without a branch, which would be guessed wrong
 * often. The rest of the tag differs where it is another region's, or other pages of this one.
 */
static inline unsigned int adaptive_candidates(const uint64_t *line, uint32_t half)
{
	const adaptive_half *halves = (const adaptive_half *)line + ADAPTIVE_HALF(0);
	unsigned int candidates = 0;

#pragma GCC unroll 5
	for (unsigned int slot = 0; slot < ADAPTIVE_LINE_SLOTS; slot++)
		candidates |= (unsigned int)(HPT_LOAD(halves[slot]) == half) << slot;
	return candidates;
}

/*
 * The slot of its home line that a tag takes if it is free, and where a lookup looks first. Tags
 * that share a line have hashes that lie evenly in it where regions are neighbours (Knuth, The Art
 * of Computer Programming 3, section 6.4, theorem S), and so have different ones.
 */
static inline unsigned int adaptive_preferred_slot(struct hpt_spot spot)
{
	uint64_t in_line = spot.hash << HPT_LOAD(spot.generation->lines_log2);

	return (in_line >> 32) * ADAPTIVE_LINE_SLOTS >> 32;
}

/*
 * Whether a slot has a tag of the key's region that is not one of its blocks'; or, for region 0 of
 * ASID 0, is free. The key fits.
 */
static inline bool adaptive_slot_is_of(const uint64_t *line, unsigned int slot, struct hpt_key key)
{
	adaptive_half half = HPT_LOAD(((const adaptive_half *)line)[ADAPTIVE_HALF(slot)]);
	uint64_t last = HPT_LOAD(line[HPT_LINE_WORDS - 1]);
	uint64_t top = last >> (ADAPTIVE_TOP_SHIFT + ADAPTIVE_TOP_BITS * slot);
	uint64_t asid = (top & 7) << 6 | HPT_LOAD(line[slot]) >> ADAPTIVE_ASID_WORD_SHIFT;

	return half == (uint32_t)adaptive_region_tag(key) && asid == key.asid >> ADAPTIVE_ASID_LOW;
}

/* Another slot of the home line that is of the region: ADAPTIVE_LINE_SLOTS if there is none. */
static inline unsigned int adaptive_other_slot(const uint64_t *line, struct hpt_key key)
{
	unsigned int candidates = adaptive_candidates(line, (uint32_t)adaptive_region_tag(key));

	for (; candidates; candidates &= candidates - 1) {
		unsigned int slot = (unsigned int)__builtin_ctz(candidates);

		if (adaptive_slot_is_of(line, slot, key))
			return slot;
	}
	return ADAPTIVE_LINE_SLOTS;
}

/* Of a slot's word, with the part of the tag that is in it. */
static inline bool adaptive_word_names_leaf(uint64_t word)
{
	uint64_t looked_at =
		ADAPTIVE_PAGES_MASK << ADAPTIVE_WORD_LOW | ADAPTIVE_SPREAD | ADAPTIVE_MARKER;

	return (word & looked_at) == ADAPTIVE_MARKER;
}

/* Whether the pages of the first tag have those of the second, or it is their region's marker. */
static inline bool adaptive_covers(uint64_t tag, uint64_t wanted)
{
	unsigned int code = adaptive_code(tag);
	uint64_t ignored = (uint64_t)((code ^ (code - 1)) & 0x3ff) << ADAPTIVE_PAGES_SHIFT;

	return !((tag ^ wanted) & ~ignored);
}

/* Whether a sequence goes on after line `index`. */
static inline bool adaptive_goes_on(const struct hpt_desc *desc, uint32_t index,
				    const uint64_t *line)
{
	if (index < HPT_GROUP_LINES && !adaptive_line_passed(line))
		return false;
	return index + 1 < HPT_GROUP_LINES + HPT_LOAD(desc->spill_lines);
}

/* The address of the leaf that a marker names, which may be sealed, and back. */
static inline uint64_t adaptive_leaf_address(const struct hpt_desc *desc, uint64_t tag,
					     uint64_t marker)
{
	struct aes_block place = {tag & ADAPTIVE_REGION_MASK, SEAL_NODE};

	if (__builtin_expect(desc->sealed, 0))
		marker ^= hpt_pad(desc, place);
	return marker & HPT_FRAME_MASK;
}

/* The walk goes where the region's marker says. */
static inline enum hpt_answer adaptive_follow(const struct hpt_desc *desc,
					      struct adaptive_probe *probe, uint64_t marker)
{
	unsigned int page = adaptive_first(probe->tag);

	/* Only a line that lies has markers among its blocks, or no address. */
	if (probe->large || probe->part != ADAPTIVE_REGION)
		return HPT_MISS;
	probe->index = 0;
	if (!(marker & ADAPTIVE_SPREAD)) {
		probe->part = ADAPTIVE_LEAF;
		probe->at = adaptive_leaf_address(desc, probe->tag, marker);
		if (!probe->at)
			return HPT_MISS;
		probe->at += page / HPT_LINE_WORDS * HPT_LINE_SIZE;
		return HPT_NEXT;
	}
	if (!(marker >> (HPT_FRAME_SHIFT + (page >> ADAPTIVE_PAIR_LOG2)) & 1))
		return HPT_MISS;
	probe->part = ADAPTIVE_BLOCK;
	probe->tag |= ADAPTIVE_BY_BLOCK;
	probe->number = adaptive_number(probe->tag);
	probe->at = hpt_spot_line(desc, hpt_spot(desc, probe->number));
	return HPT_NEXT;
}

/* What the slot says that was found for the probe's page. */
static inline enum hpt_answer adaptive_answer(const struct hpt_desc *desc,
					      struct adaptive_probe *probe, uint64_t tag,
					      uint64_t word, uint64_t *entry)
{
	unsigned int code = adaptive_code(tag);
	uint64_t page;

	if (!code)
		return adaptive_follow(desc, probe, word);
	if (!!(word & HPT_LARGE) != probe->large)
		return HPT_MISS;
	probe->is_run = !(code & 1) && !probe->large;
	page = adaptive_first(probe->tag) & (adaptive_count(tag) - 1);
	*entry = (word + (page << HPT_FRAME_SHIFT)) & HPT_ENTRY_MASK;
	return HPT_HIT;
}

/* What `line`, read at adaptive_probe_line(), says; HPT_NEXT leaves the probe at the next line. */
static inline enum hpt_answer adaptive_step(const struct hpt_desc *desc,
					    struct adaptive_probe *probe, const uint64_t *line,
					    uint64_t *entry)
{
	unsigned int candidates;

	if (probe->part == ADAPTIVE_LEAF) {
		probe->word = adaptive_first(probe->tag) & (HPT_LINE_WORDS - 1);
		*entry = HPT_LOAD(line[probe->word]) & HPT_ENTRY_MASK;
		return *entry ? HPT_HIT : HPT_MISS;
	}
	for (candidates = adaptive_candidates(line, (uint32_t)probe->tag); candidates;
	     candidates &= candidates - 1) {
		unsigned int slot = (unsigned int)__builtin_ctz(candidates);
		uint64_t tag = adaptive_slot_tag(line, slot);
		uint64_t word = HPT_LOAD(line[slot]);

		if (adaptive_covers(tag, probe->tag) && word & HPT_ENTRY_MASK) {
			probe->word = slot;
			return adaptive_answer(desc, probe, tag, word, entry);
		}
	}
	if (!adaptive_goes_on(desc, probe->index, line))
		return HPT_MISS;
	probe->index++;
	return HPT_NEXT;
}

#endif
