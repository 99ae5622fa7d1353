/* SPDX-License-Identifier: MIT */
/*
 * radix: the four-level tree of x86-64, the baseline.
 *
 * Nodes are 4 KiB, 512 words. The root of each ASID stands in the descriptor's directory (a walker
 * holds it as a CPU holds CR3). Leaves are at level 0 (4 KiB pages) or, with HPT_LARGE set, at
 * level 1 (2 MiB pages). A word that names a node:
 *
 *    63    58 57      48 47           12 11     1 0
 *   | zero   | used     | node address  | zero   |P|
 *
 * `used` is the number of words in use in the node below, less one (1 to 512 fit as 0 to 511), so
 * that unmapping frees an empty node without searching it. In a sealed table (seal.h) the address
 * is sealed but in the directory, which is in the descriptor.
 *
 * VPNs have 36 bits here, ASIDs 12.
 */
#ifndef HPT_RADIX_H
#define HPT_RADIX_H

#include "hpt/atomic.h"
#include "hpt/seal.h"

#define RADIX_BITS	 9
#define RADIX_WORDS	 (1u << RADIX_BITS)
#define RADIX_VPN_BITS	 (RADIX_BITS * HPT_RADIX_LEVELS)
#define RADIX_ASID_BITS	 12
#define RADIX_USED_SHIFT 48
#define RADIX_USED_ONE	 (UINT64_C(1) << RADIX_USED_SHIFT)

_Static_assert(1u << RADIX_ASID_BITS == HPT_RADIX_ASIDS, "the directory holds every root");

struct radix_probe {
	uint64_t vpn;
	uint64_t node;	 /* address; 0: there is none */
	uint64_t parent; /* address of the word that names it; 0: it is the root */
	int level;	 /* of `node`: 3 is the root */
	uint16_t asid;
	uint8_t size;
};

static inline unsigned int radix_index(uint64_t vpn, int level)
{
	return (vpn >> (RADIX_BITS * level)) & (RADIX_WORDS - 1);
}

static inline uint64_t radix_node(uint64_t word)
{
	return word & HPT_FRAME_MASK;
}

/* The place of the word that names the node at `level` on the way to a page, for its pad. */
static inline struct aes_block radix_node_place(struct hpt_key key, int level)
{
	uint64_t above = key.vpn >> RADIX_BITS * (level + 1);

	return (struct aes_block){(uint64_t)key.asid << HPT_TAG_PAGE_BITS | above,
				  SEAL_NODE + (uint64_t)level};
}

/* That pad, where the word is sealed; else 0. */
static inline uint64_t radix_node_pad(const struct hpt_desc *desc, struct hpt_key key, int level)
{
	if (__builtin_expect(desc->sealed, 0) && level < HPT_RADIX_LEVELS - 1)
		return hpt_pad(desc, radix_node_place(key, level));
	return 0;
}

static inline void radix_start(const struct hpt_desc *desc, struct hpt_key key,
			       struct radix_probe *probe)
{
	bool fits = hpt_key_fits(key, RADIX_VPN_BITS, RADIX_ASID_BITS);

	probe->vpn = key.vpn;
	probe->asid = key.asid;
	probe->size = key.size;
	probe->level = HPT_RADIX_LEVELS - 1;
	probe->parent = 0;
	probe->node = fits ? radix_node(HPT_LOAD(desc->directory[key.asid])) : 0;
}

static inline uint64_t radix_word_address(const struct radix_probe *probe)
{
	return probe->node + radix_index(probe->vpn, probe->level) * sizeof(uint64_t);
}

/*
 * What the word read at radix_word_address() says; HPT_NEXT leaves the probe at the node below,
 * whose address is still sealed if the word is.
 */
static inline enum hpt_answer radix_step(struct radix_probe *probe, uint64_t word, uint64_t *entry)
{
	int leaf = probe->size == HPT_2M ? 1 : 0;

	if (probe->level == leaf) {
		*entry = word & HPT_ENTRY_MASK;
		return *entry && !!(word & HPT_LARGE) == leaf ? HPT_HIT : HPT_MISS;
	}
	if (!(word & HPT_PRESENT) || word & HPT_LARGE)
		return HPT_MISS;
	probe->parent = radix_word_address(probe);
	probe->node = radix_node(word);
	probe->level--;
	return HPT_NEXT;
}

/* The pad of the node that the last step has led to. */
static inline uint64_t radix_probe_pad(const struct hpt_desc *desc, const struct radix_probe *probe)
{
	return radix_node_pad(desc, hpt_key(probe->asid, probe->vpn, HPT_4K), probe->level);
}

#endif
