/* SPDX-License-Identifier: MIT */
/*
 * Where the lines of hashed organisations are: addresses as pure functions of the descriptor, for
 * probes (probe.h) and for generation.h.
 */
#ifndef HPT_LINES_H
#define HPT_LINES_H

#include <stddef.h>

#include "hpt/atomic.h"
#include "hpt/desc.h"
#include "hpt/hash.h"

static inline uint64_t hpt_hash_fibonacci(const struct hpt_desc *desc, uint64_t tag)
{
	return (tag ^ HPT_LOAD(desc->salt.value)) * HPT_MULTIPLIER;
}

/* hpt_hash() of a table whose hash is not fibonacci. (lines.c) */
uint64_t hpt_hash_slowly(const struct hpt_desc *desc, uint64_t tag);

/* The hash that orders the tags of a table: growth moves them in this order. */
static inline uint64_t hpt_hash(const struct hpt_desc *desc, uint64_t tag)
{
	if (__builtin_expect(HPT_LOAD(desc->hash) == HPT_FIBONACCI, 1))
		return hpt_hash_fibonacci(desc, tag);
	return hpt_hash_slowly(desc, tag);
}

/* The page number of a key, in pages of its size. */
static inline uint64_t hpt_page(struct hpt_key key)
{
	return key.size == HPT_2M ? key.vpn / HPT_LARGE_PAGES : key.vpn;
}

/*
 * The tag of a place: the whole key of its page, or of its block of pages, and that it is used.
 *
 *    used (bit 63) | size (bit 62) | ASID (bits 61..46) | number of page or block (bits 45..0)
 */
#define HPT_TAG_USED	  (UINT64_C(1) << 63)
#define HPT_TAG_PAGE_BITS 46

static inline uint64_t hpt_tag_of(struct hpt_key key, uint64_t number)
{
	return HPT_TAG_USED | (uint64_t)key.size << 62 | (uint64_t)key.asid << HPT_TAG_PAGE_BITS |
	       number;
}

static inline uint64_t hpt_tag(struct hpt_key key)
{
	return hpt_tag_of(key, hpt_page(key));
}

static inline struct hpt_key hpt_tag_key(uint64_t tag)
{
	uint64_t page = tag & ((UINT64_C(1) << HPT_TAG_PAGE_BITS) - 1);
	enum hpt_size size = tag >> 62 & 1 ? HPT_2M : HPT_4K;

	return hpt_key((uint16_t)(tag >> HPT_TAG_PAGE_BITS), page * hpt_pages_in(size), size);
}

static inline uint64_t hpt_line_address(const struct hpt_desc *desc,
					const struct hpt_generation *generation, uint64_t line)
{
	uint32_t first = HPT_LOAD(generation->first_chunk);
	uint64_t chunk = HPT_LOAD(desc->directory[first + (line >> HPT_CHUNK_LINES_LOG2)]);

	return chunk + ((line & ((1u << HPT_CHUNK_LINES_LOG2) - 1)) << HPT_LINE_SHIFT);
}

/* The generation that has the keys of this hash. */
static inline const struct hpt_generation *hpt_generation_of(const struct hpt_desc *desc,
							     uint64_t hash)
{
	return hash <= HPT_LOAD(desc->split) ? &desc->current : &desc->old;
}

/* Where a tag belongs: the top bits of the hash name a line of the generation, or a part of one. */
struct hpt_spot {
	const struct hpt_generation *generation;
	uint64_t hash;
};

static inline struct hpt_spot hpt_spot_hashed(const struct hpt_desc *desc, uint64_t hash)
{
	return (struct hpt_spot){hpt_generation_of(desc, hash), hash};
}

/*
 * Under `local` neighbours have one hash. This gives each its place, by the lowest bits of the
 * place's number, that of a line, of a head (chained) or of a slot (open): they are XORed with
 * those of the tag. So nobody leaves the group of his hash, and keys that have no neighbours spread
 * as by the hash. Under other families the spot stays as it is. (lines.c)
 */
struct hpt_spot hpt_spot_beside(const struct hpt_desc *desc, struct hpt_spot spot, uint64_t tag);

/* hpt_spot() of a table whose hash is not fibonacci. (lines.c) */
struct hpt_spot hpt_spot_slowly(const struct hpt_desc *desc, uint64_t tag);

static inline struct hpt_spot hpt_spot(const struct hpt_desc *desc, uint64_t tag)
{
	if (__builtin_expect(HPT_LOAD(desc->hash) == HPT_FIBONACCI, 1))
		return hpt_spot_hashed(desc, hpt_hash_fibonacci(desc, tag));
	return hpt_spot_slowly(desc, tag);
}

/* Of a table that is being rekeyed: the hash under the salt that is to come. (lines.c) */
uint64_t hpt_hash_next(const struct hpt_desc *desc, uint64_t tag);

/* The address of the spot's line. */
static inline uint64_t hpt_spot_line(const struct hpt_desc *desc, struct hpt_spot spot)
{
	return hpt_line_address(desc, spot.generation,
				spot.hash >> (64 - HPT_LOAD(spot.generation->lines_log2)));
}

/*
 * The line of a group that a probe sequence comes to at `index`: home ^ (index * stride modulo 64),
 * which visits each line once, as the stride is odd. It depends on the tag (by the top bits of
 * another multiplication), so that those who share a home line part at once: as in double hashing
 * (Knuth, The Art of Computer Programming 3, section 6.4, algorithm D). With home ^ index, segments
 * of an address space whose blocks meet line after line would pile up. A group is a naturally
 * aligned 4 KiB page, so that this is done on the address.
 */
#define HPT_STRIDE_MULTIPLIER UINT64_C(0xbf58476d1ce4e5b9)

/* The stride of a tag, in bytes. */
static inline uint64_t hpt_group_stride(uint64_t tag)
{
	uint64_t bytes = tag * HPT_STRIDE_MULTIPLIER >> (64 - HPT_GROUP_LOG2 - HPT_LINE_SHIFT);

	return (bytes & (HPT_PAGE_SIZE - HPT_LINE_SIZE)) | HPT_LINE_SIZE;
}

static inline uint64_t hpt_group_line(uint64_t home, uint64_t tag, uint32_t index)
{
	return home ^ (index * hpt_group_stride(tag) & (HPT_PAGE_SIZE - 1));
}

static inline uint64_t hpt_spill_address(const struct hpt_desc *desc, uint32_t line)
{
	return HPT_LOAD(desc->spill[line >> HPT_GROUP_LOG2]) +
	       ((uint64_t)(line & (HPT_GROUP_LINES - 1)) << HPT_LINE_SHIFT);
}

#endif
