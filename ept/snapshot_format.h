/* SPDX-License-Identifier: MIT */
/*
 * The file of a snapshot.
 *
 *	header    4096 bytes, of which the last eight are the checksum of all, with 0 in their place
 *	owner     what the VMM wants to know again (vmm/snapshot_state.h); opaque here
 *	pages     page_count pages of 4096 bytes, in the order of the index
 *	runs      run_count of struct snapshot_run: which guest frames the pages are of
 *	sums      page_count checksums of 64 bits, each of a page, its place and its guest frame
 *
 * Each part begins at a multiple of 4096, is filled with zeros up to the next, and follows the one
 * before at once, so sizes say where they are. Header, owner, runs and sums have checksums
 * (ept/sum.h), zeros included, which are checked before anything is done with them; that of a page
 * is checked when the page is read. A page of guest RAM that is in no run is all zeros. Numbers are
 * little-endian.
 *
 * The header is written last. A file gets its name when all of it is on the disk: until then it is
 * called NAME.tmp, which nobody reads.
 */
#ifndef EPT_SNAPSHOT_FORMAT_H
#define EPT_SNAPSHOT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "ept/ept.h"
#include "ept/sum.h"

#define SNAPSHOT_MAGIC	 "twostage memory" /* and its zero: 16 bytes */
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_BLOCK	 HPT_PAGE_SIZE

/* What an owner may keep. */
#define SNAPSHOT_OWNER_MAX (UINT64_C(1) << 20)

struct snapshot_header {
	char magic[16];
	uint32_t version;
	uint32_t range_count;
	struct ept_range ranges[EPT_RANGES_MAX]; /* the guest's RAM; those not in use are 0 */
	uint64_t file_size;
	uint64_t owner_size; /* bytes, without the zeros */
	uint64_t page_count;
	uint64_t run_count;
	uint64_t owner_sum;
	uint64_t runs_sum;
	uint64_t sums_sum;
	uint8_t zeros[3944];
	uint64_t sum;
};

_Static_assert(sizeof(struct snapshot_header) == SNAPSHOT_BLOCK, "one block");

/* Pages gfn to gfn + count - 1. Runs ascend and do not touch each other. */
struct snapshot_run {
	uint64_t gfn;
	uint64_t count;
};

/* What the checksums of the parts begin with, so that none of them passes for another. */
enum snapshot_part { SNAPSHOT_HEADER = 1, SNAPSHOT_OWNER, SNAPSHOT_RUNS, SNAPSHOT_SUMS };

static inline uint64_t snapshot_round(uint64_t size)
{
	return (size + SNAPSHOT_BLOCK - 1) & ~(SNAPSHOT_BLOCK - 1);
}

/* The checksum that a header must have: of all of it, with 0 in the place of the checksum. */
static inline uint64_t snapshot_header_sum(const struct snapshot_header *header)
{
	struct snapshot_header copy = *header;

	copy.sum = 0;
	return ept_sum(&copy, sizeof(copy), SNAPSHOT_HEADER, 0);
}

static inline uint64_t snapshot_pages_at(const struct snapshot_header *header)
{
	return SNAPSHOT_BLOCK + snapshot_round(header->owner_size);
}

static inline uint64_t snapshot_runs_at(const struct snapshot_header *header)
{
	return snapshot_pages_at(header) + header->page_count * HPT_PAGE_SIZE;
}

static inline uint64_t snapshot_sums_at(const struct snapshot_header *header)
{
	return snapshot_runs_at(header) +
	       snapshot_round(header->run_count * sizeof(struct snapshot_run));
}

static inline uint64_t snapshot_size(const struct snapshot_header *header)
{
	return snapshot_sums_at(header) + snapshot_round(header->page_count * sizeof(uint64_t));
}

#endif
