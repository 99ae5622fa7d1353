/* SPDX-License-Identifier: MIT */
/*
 * chained: buckets and nodes, the textbook's table (Knuth, The Art of Computer Programming 3,
 * section 6.4, algorithm C with separate lists).
 *
 * A line of the generation holds eight heads, addresses of nodes or 0. A node is half a line:
 *
 *    word  0     1       2               3
 *         | tag | entry | next node or 0 | 0 |
 *
 * The tag is that of lines.h. Bit budget: VPN 45 bits, ASID 16, frame 36, flags 12; the whole key
 * is in the node. The smallest table is one group, 512 heads, and no node.
 *
 * In a sealed table heads and next nodes are sealed, here and in the lists of blocks and free
 * nodes.
 *
 * The top bits of hpt_hash() choose the head. Nodes come from blocks of up to 2 MiB, which are
 * linked through their first node and go back with the table; a node that is removed is used
 * again. No spill lines are needed.
 *
 * Growth moves a line of heads with each page that is added, but no more than CHAINED_STEP nodes,
 * since nothing bounds a chain but the hash. What is left of the line's chains stays in the old
 * heads until the next step; `split` has been advanced, so a lookup of such a key asks its new head
 * first and then the old one: that is each whose line in the old generation ends at `split`.
 *
 * Invariants (hpt_check): every node is in the chain of its tag, or of its old head, no tag twice;
 * no node has entry 0; the counts are those of the chains; every node of a block is in a chain,
 * free, or still fresh.
 */
#ifndef HPT_CHAINED_H
#define HPT_CHAINED_H

#include "hpt/seal.h"

#define CHAINED_HEADS_LOG2 3
#define CHAINED_NODE_SIZE  (HPT_LINE_SIZE / 2)
#define CHAINED_STEP	   32 /* nodes that are moved at once */

enum chained_word { CHAINED_TAG, CHAINED_ENTRY, CHAINED_NEXT, CHAINED_WORDS = 4 };

struct chained_probe {
	uint64_t tag;
	uint64_t at;	   /* address of the head, or of the node, that is read next */
	uint64_t old_head; /* address of a head that is to be read after the chain; 0: none */
	uint32_t followed; /* nodes that were read */
	uint32_t word;	   /* of the line that was read last: the entry's */
	bool in_chain;	   /* `at` is a node */
};

static inline uint64_t chained_head(const struct hpt_desc *desc, struct hpt_spot spot)
{
	uint32_t lines_log2 = HPT_LOAD(spot.generation->lines_log2);
	uint64_t head = spot.hash >> (64 - CHAINED_HEADS_LOG2 - lines_log2);

	return hpt_line_address(desc, spot.generation, head >> CHAINED_HEADS_LOG2) +
	       (head & ((1u << CHAINED_HEADS_LOG2) - 1)) * sizeof(uint64_t);
}

/* The head of the old generation where a tag may be as well, while growth moves its line; or 0. */
static inline uint64_t chained_old_head(const struct hpt_desc *desc, uint64_t tag)
{
	uint32_t lines_log2 = HPT_LOAD(desc->old.lines_log2);
	unsigned int shift = 64 - lines_log2;
	uint64_t hash;

	if (__builtin_expect(!HPT_LOAD(desc->growing), 1))
		return 0;
	hash = hpt_hash(desc, tag);
	if (hash >> shift != HPT_LOAD(desc->split) >> shift)
		return 0;
	return chained_head(desc, hpt_spot_beside(desc, (struct hpt_spot){&desc->old, hash}, tag));
}

static inline void chained_start(const struct hpt_desc *desc, struct hpt_key key,
				 struct chained_probe *probe)
{
	probe->tag = hpt_tag(key);
	probe->at = chained_head(desc, hpt_spot(desc, probe->tag));
	probe->old_head = chained_old_head(desc, probe->tag);
	probe->followed = 0;
	probe->word = 0;
	probe->in_chain = false;
}

/* The address of the word that the next step follows if it goes on. */
static inline uint64_t chained_link(const struct chained_probe *probe)
{
	return probe->in_chain ? probe->at + CHAINED_NEXT * sizeof(uint64_t) : probe->at;
}

static inline uint64_t chained_probe_line(const struct chained_probe *probe)
{
	return probe->at & ~(HPT_LINE_SIZE - 1);
}

/*
 * What `line`, read at chained_probe_line(), says; HPT_NEXT leaves the probe at the next node,
 * whose address is still sealed if the table is. A reader who does not trust the chain must end the
 * walk by himself after as many nodes as he likes (probe->followed).
 */
static inline enum hpt_answer chained_step(struct chained_probe *probe, const uint64_t *line,
					   uint64_t *entry)
{
	const uint64_t *word = &line[(probe->at / sizeof(uint64_t)) & (HPT_LINE_WORDS - 1)];

	if (probe->in_chain) {
		probe->followed++;
		/* A node that is cut by the end of its line is no node. */
		if (probe->at & (CHAINED_NODE_SIZE - 1))
			return HPT_MISS;
		if (word[CHAINED_TAG] == probe->tag) {
			probe->word = (uint32_t)(word - line) + CHAINED_ENTRY;
			*entry = HPT_LOAD(word[CHAINED_ENTRY]) & HPT_ENTRY_MASK;
			return *entry ? HPT_HIT : HPT_MISS;
		}
		word += CHAINED_NEXT;
	}
	probe->at = *word;
	probe->in_chain = probe->at;
	if (!probe->at) {
		probe->at = probe->old_head;
		probe->old_head = 0;
	}
	return probe->at ? HPT_NEXT : HPT_MISS;
}

#endif
