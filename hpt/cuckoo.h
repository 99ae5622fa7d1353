/* SPDX-License-Identifier: MIT */
/*
 * cuckoo: the lines of clustered, each in one of three places (Fotakis, Pagh, Sanders and Spirakis,
 * "Space Efficient Hash Tables with Worst Case Constant Access Time", 2005; for page tables
 * Skarlatos et al., "Elastic Cuckoo Page Tables", ASPLOS'20).
 *
 * The line is that of clustered.h, and so is the bit budget.
 *
 * Where a line lives. Three hashes, the ways, name a line each; the block is in one of them, so a
 * lookup reads at most three lines that do not depend on each other (one step), and then, only if
 * `passed` of the line of way 0 says that a block whose way 0 this is has spilled, the spill lines.
 * All ways share one array: what lay in line L of the old generation belongs to line 2L or 2L + 1
 * of the new by the same way (under `local` to the same one of two fours of neighbours), so growth
 * moves lines without a collision. Where the salt changes as well, a line that is moved is inserted
 * like a new one.
 *
 * An insertion that finds its three lines used searches breadth first for a free line that used
 * lines can be moved to, over at most CUCKOO_SEARCH lines; then it moves those of the shortest path
 * or, without one, spills. So it ends, after a bounded number of moves.
 *
 * Invariants (hpt_check): every used line is found by its own tag; no tag twice; `passed` is the
 * number of spilled blocks whose way 0 the line is; no used line is empty of entries; the counts
 * are those of the lines.
 */
#ifndef HPT_CUCKOO_H
#define HPT_CUCKOO_H

#include "hpt/clustered.h"

#define CUCKOO_WAYS   3
#define CUCKOO_SEARCH 128

struct cuckoo_probe {
	uint64_t tag;
	uint64_t hash;	/* of way 0 */
	uint32_t index; /* the way, and behind the ways the spill lines */
	uint32_t word;	/* the entry's word in the line */
	bool spilled;	/* what the line of way 0 said */
};

/*
 * Way 0 is the hash that spreads neighbours; the others are mixed from it, by a fold and a
 * multiplication of their own (the constants are those of the mixer in mix.h).
 */
static inline uint64_t cuckoo_way_hash(uint64_t hash, unsigned int way)
{
	static const uint64_t multipliers[CUCKOO_WAYS] = {1, UINT64_C(0xbf58476d1ce4e5b9),
							  UINT64_C(0x94d049bb133111eb)};

	return way ? (hash ^ hash >> 32) * multipliers[way] : hash;
}

/* A way's spot in a table whose hash is not fibonacci, from that by the hash. (cuckoo.c) */
struct hpt_spot cuckoo_spot_slowly(const struct hpt_desc *desc, uint64_t tag, struct hpt_spot spot,
				   unsigned int way);

/* The address of a way's line, by hpt_hash(). Each way has its own side of `split`. */
static inline uint64_t cuckoo_way_line(const struct hpt_desc *desc, uint64_t tag, uint64_t hash,
				       unsigned int way)
{
	struct hpt_spot spot = hpt_spot_hashed(desc, cuckoo_way_hash(hash, way));

	if (__builtin_expect(HPT_LOAD(desc->hash) != HPT_FIBONACCI, 0))
		spot = cuckoo_spot_slowly(desc, tag, spot, way);
	return hpt_spot_line(desc, spot);
}

static inline void cuckoo_start_tag(const struct hpt_desc *desc, uint64_t tag,
				    struct cuckoo_probe *probe)
{
	probe->tag = tag;
	probe->hash = hpt_hash(desc, tag);
	probe->index = 0;
	probe->spilled = false;
}

static inline void cuckoo_start(const struct hpt_desc *desc, struct hpt_key key,
				struct cuckoo_probe *probe)
{
	cuckoo_start_tag(desc, clustered_tag(key), probe);
	probe->word = clustered_word(key);
}

static inline uint64_t cuckoo_probe_line(const struct hpt_desc *desc,
					 const struct cuckoo_probe *probe)
{
	if (probe->index < CUCKOO_WAYS)
		return cuckoo_way_line(desc, probe->tag, probe->hash, probe->index);
	return hpt_spill_address(desc, probe->index - CUCKOO_WAYS);
}

/* Whether the sequence goes on after this line, which does not match. */
static inline bool cuckoo_goes_on(const struct hpt_desc *desc, struct cuckoo_probe *probe,
				  const uint64_t *line)
{
	if (probe->index == 0)
		probe->spilled = clustered_line_passed(line);
	if (probe->index + 1 < CUCKOO_WAYS)
		return true;
	return probe->spilled && probe->index + 1 < CUCKOO_WAYS + HPT_LOAD(desc->spill_lines);
}

/* What `line`, read at cuckoo_probe_line(), says; HPT_NEXT leaves the probe at the next line. */
static inline enum hpt_answer cuckoo_step(const struct hpt_desc *desc, struct cuckoo_probe *probe,
					  const uint64_t *line, uint64_t *entry)
{
	if (clustered_line_matches(line, probe->tag)) {
		*entry = HPT_LOAD(line[probe->word]) & HPT_ENTRY_MASK;
		return *entry ? HPT_HIT : HPT_MISS;
	}
	if (!cuckoo_goes_on(desc, probe, line))
		return HPT_MISS;
	probe->index++;
	return HPT_NEXT;
}

#endif
