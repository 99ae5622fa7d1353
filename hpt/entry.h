/* SPDX-License-Identifier: MIT */
/*
 * Keys and entries: the words that every organisation, the guest kernel, the VMM and the walkers
 * speak.
 *
 * An entry is one 64-bit word. What callers see is its low 48 bits; the top 16 belong to the
 * organisation that stores it (a piece of the line's key, a count) and never leave the table:
 *
 *   63            48 47              12  11   10   9    8   7    6   5  4  3  2   1   0
 *  +----------------+------------------+----+----+----+---+----+---+---+----+---+---+---+
 *  | organisation's |  frame (36 bits) | NX |SOFT|SWAP| G |LRGE| D | A |SPCE| U | W | P |
 *  +----------------+------------------+----+----+----+---+----+---+---+----+---+---+---+
 *
 * P, W, U, A, D, LARGE and G stand where x86 has them, and no-execute is bit 11, so that a window
 * entry is made by a mask and one shift (window_pte() in the guest). 36 bits of frame are
 * 256 TiB of physical memory.
 *
 * An entry with SWAPPED is of a page that is not in memory: P is 0 and the frame field has, in
 * place of a frame, where the page is instead (its swap location: any number of 36 bits, the
 * owner's). The page's permissions stay in the entry. To a walker such a page is one that is not
 * present.
 *
 * The two bits SPCE, which x86 has for caching, mean something where address spaces are managed
 * (space.h), and are like any other flag elsewhere.
 */
#ifndef HPT_ENTRY_H
#define HPT_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#define HPT_PRESENT  (UINT64_C(1) << 0)
#define HPT_WRITE    (UINT64_C(1) << 1)
#define HPT_USER     (UINT64_C(1) << 2)
#define HPT_COMMON   (UINT64_C(1) << 3) /* space.h: not copied on write */
#define HPT_COPIED   (UINT64_C(1) << 4) /* space.h: the frame may have another entry */
#define HPT_ACCESSED (UINT64_C(1) << 5)
#define HPT_DIRTY    (UINT64_C(1) << 6)
#define HPT_LARGE    (UINT64_C(1) << 7) /* the entry is for a 2 MiB page */
#define HPT_GLOBAL   (UINT64_C(1) << 8)
#define HPT_SWAPPED  (UINT64_C(1) << 9)	 /* the frame field has a swap location */
#define HPT_SOFT     (UINT64_C(1) << 10) /* the owner's: no table looks at it */
#define HPT_NOEXEC   (UINT64_C(1) << 11)

#define HPT_FRAME_SHIFT 12
#define HPT_FRAME_BITS	36
#define HPT_FRAME_MASK	(((UINT64_C(1) << HPT_FRAME_BITS) - 1) << HPT_FRAME_SHIFT)
#define HPT_FLAGS_MASK	UINT64_C(0xfff)
#define HPT_ENTRY_MASK	(HPT_FRAME_MASK | HPT_FLAGS_MASK)

#define HPT_PAGE_SHIFT	12
#define HPT_PAGE_SIZE	(UINT64_C(1) << HPT_PAGE_SHIFT)
#define HPT_LARGE_PAGES 512 /* 4 KiB pages in one of 2 MiB */

/* Virtual page numbers have at most 45 bits (57-bit addresses), address-space identifiers 16. */
#define HPT_VPN_BITS  45
#define HPT_ASID_BITS 16

enum hpt_size { HPT_4K, HPT_2M, HPT_SIZES };

/*
 * What is looked up. `vpn` always counts 4 KiB pages; for a 2 MiB page its low nine bits are
 * ignored by lookups and must be zero where a page is mapped. Stage 2 uses the guest frame number
 * as vpn and ASID 0.
 */
struct hpt_key {
	uint64_t vpn;
	uint16_t asid;
	uint8_t size; /* enum hpt_size */
};

static inline struct hpt_key hpt_key(uint16_t asid, uint64_t vpn, enum hpt_size size)
{
	return (struct hpt_key){.vpn = vpn, .asid = asid, .size = (uint8_t)size};
}

/*
 * Whether a key is one that a table of so many bits can hold. Every search asks it first: bits
 * beyond them would run into other parts of a tag or be cut off, and find another key's entry.
 */
static inline bool hpt_key_fits(struct hpt_key key, unsigned int vpn_bits, unsigned int asid_bits)
{
	return key.size < HPT_SIZES && !(key.vpn >> vpn_bits) && !((uint32_t)key.asid >> asid_bits);
}

/* How far the vpn moves from one page of this size to the next. */
static inline uint64_t hpt_pages_in(enum hpt_size size)
{
	return size == HPT_2M ? HPT_LARGE_PAGES : 1;
}

static inline uint64_t hpt_entry(uint64_t frame, uint64_t flags)
{
	return frame << HPT_FRAME_SHIFT | flags;
}

static inline uint64_t hpt_frame(uint64_t entry)
{
	return (entry & HPT_FRAME_MASK) >> HPT_FRAME_SHIFT;
}

/*
 * Whether an access may reach the page: the frame field has a frame. An entry that is neither
 * resident nor swapped is the owner's (a page without any access, a mark): no table looks into it.
 */
static inline bool hpt_resident(uint64_t entry)
{
	return entry & HPT_PRESENT;
}

/* What a page keeps while it is swapped out: permissions, size, the owner's flag, and space.h's. */
#define HPT_SWAP_KEPT                                                                         \
	(HPT_WRITE | HPT_USER | HPT_LARGE | HPT_GLOBAL | HPT_SOFT | HPT_NOEXEC | HPT_COMMON | \
	 HPT_COPIED)

/* The entry of a page that is at a swap location; of `flags` those of HPT_SWAP_KEPT. */
static inline uint64_t hpt_swap_entry(uint64_t location, uint64_t flags)
{
	return hpt_entry(location, (flags & HPT_SWAP_KEPT) | HPT_SWAPPED);
}

/* Where the page of a swapped entry is. */
static inline uint64_t hpt_swap_location(uint64_t entry)
{
	return hpt_frame(entry);
}

#endif
