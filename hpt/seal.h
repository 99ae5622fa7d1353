/* SPDX-License-Identifier: MIT */
/*
 * Sealed tables: whoever reads their memory learns no frame number.
 *
 * What is sealed. The frame field (bits 47..12) of every word that names memory is stored XORed
 * with a pad, the low 36 bits of AES-128 over the word's place, which no two words share:
 *
 *    word                              high half of the block    low half
 *    an entry (a swap location too)    SEAL_ENTRY                hpt_tag() of its page
 *    radix: the word that names a node SEAL_NODE + its level     ASID, and the vpn above it
 *    chained: a head, or a next word   SEAL_LINK                 the word's address
 *
 * The key's eleven round keys stand in the descriptor, which a walker holds as a CPU holds CR3; so
 * roots, chunk addresses and spill pages, which stand there as well, are in the clear. Flags, keys
 * and counts are in the clear. An entry's pad goes with its page, so lines and slots are moved as
 * they are; flags are changed without opening. An entry of a sealed table has a flag set, since a
 * sealed frame may be 0, and a word of 0 is none.
 *
 * Against whom. A reader of the table's memory, not of the descriptor, who sees it at one time,
 * learns which pages are mapped and with which flags, and of frames nothing: equal frames look
 * unrelated, and an entry that he knows of one page says nothing of another's. A reader who sees
 * one page's entry at two times learns the difference of its two frames, and so whether it has
 * moved; an ASID that is used again is such a second time, unless the key changes. There is no
 * integrity: a writer of the memory flips bits of frames as he likes; what he moves to another
 * page's place opens to garbage.
 *
 * Why XOR. The pad depends on nothing that is stored, so it is computed while the line is on its
 * way. A cipher over the field itself could only start when the line is there, ten dependent rounds
 * before the frame is known; one over a wide block would need more than the word. What XOR gives up
 * is the difference between two times, above. (The counter-like use of a block cipher is that of
 * memory encryption: Suh et al., "Efficient Memory Integrity Verification and Encryption for Secure
 * Processors", MICRO-36, 2003, section 4.)
 */
#ifndef HPT_SEAL_H
#define HPT_SEAL_H

#include "hpt/lines.h"

enum hpt_seal_domain { SEAL_ENTRY, SEAL_LINK, SEAL_NODE };

/* The bits of a frame field that a block of the cipher gives. */
static inline uint64_t hpt_pad_of(struct aes_block block)
{
	return block.low << HPT_FRAME_SHIFT & HPT_FRAME_MASK;
}

/* The pad of a word of a sealed table, by its place as above. */
uint64_t hpt_pad(const struct hpt_desc *desc, struct aes_block place);

static inline struct aes_block hpt_entry_place(struct hpt_key key)
{
	return (struct aes_block){hpt_tag(key), SEAL_ENTRY};
}

static inline struct aes_block hpt_link_place(uint64_t address)
{
	return (struct aes_block){address, SEAL_LINK};
}

/* The entry as it is stored, and back; the same in a table that is not sealed. No entry is 0. */
static inline uint64_t hpt_seal(const struct hpt_desc *desc, struct hpt_key key, uint64_t entry)
{
	if (__builtin_expect(desc->sealed, 0))
		entry ^= hpt_pad(desc, hpt_entry_place(key));
	return entry;
}

static inline uint64_t hpt_open(const struct hpt_desc *desc, struct hpt_key key, uint64_t stored)
{
	return hpt_seal(desc, key, stored);
}

/*
 * A link is the address of a node of 32 bytes, 0 for none. Sealed it has bit 0 set, since its frame
 * may be 0.
 */
#define SEAL_LINK_USED UINT64_C(1)

static inline uint64_t hpt_seal_link(const struct hpt_desc *desc, uint64_t address, uint64_t link)
{
	if (__builtin_expect(desc->sealed, 0) && link)
		link = (link ^ hpt_pad(desc, hpt_link_place(address))) | SEAL_LINK_USED;
	return link;
}

static inline uint64_t hpt_open_link(const struct hpt_desc *desc, uint64_t address, uint64_t stored)
{
	if (__builtin_expect(desc->sealed, 0) && stored)
		stored = (stored ^ hpt_pad(desc, hpt_link_place(address))) & ~SEAL_LINK_USED;
	return stored;
}

#endif
