/* SPDX-License-Identifier: MIT */
/*
 * The descriptor of a table: plain data, everything that a walk needs besides the lines.
 *
 * It holds addresses in the table's own physical space (guest-physical for the guest's table, the
 * VMM's addresses for the host's) and no pointers, so that the VMM reads a guest's descriptor
 * through its gateway and walks the guest's table with the very same functions (probe.h).
 *
 * A reader of a foreign descriptor must run hpt_desc_valid() first.
 */
#ifndef HPT_DESC_H
#define HPT_DESC_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/aes.h"
#include "hpt/entry.h"
#include "hpt/hash.h"

#define HPT_MAGIC   UINT32_C(0x30747068) /* "hpt0" */
#define HPT_VERSION 3

#define HPT_LINE_WORDS 8
#define HPT_LINE_SHIFT 6
#define HPT_LINE_SIZE  (UINT64_C(1) << HPT_LINE_SHIFT)

/* Lines come in chunks of at most 2 MiB, each naturally aligned and contiguous in its space. */
#define HPT_CHUNK_SHIFT	     21
#define HPT_CHUNK_LINES_LOG2 (HPT_CHUNK_SHIFT - HPT_LINE_SHIFT)

/* A group is the 64 lines of one 4 KiB page: a probe sequence stays in one as long as it can. */
#define HPT_GROUP_LOG2	6
#define HPT_GROUP_LINES (1u << HPT_GROUP_LOG2)

/* Chunks of one generation: 4 GiB of lines, 512 GiB of densely mapped memory. */
#define HPT_CHUNKS	   2048
#define HPT_LINES_LOG2_MIN HPT_GROUP_LOG2
#define HPT_LINES_LOG2_MAX (HPT_CHUNK_LINES_LOG2 + 11)
#define HPT_SPILL_PAGES	   512

#define HPT_RADIX_LEVELS 4
#define HPT_RADIX_ASIDS	 4096

enum hpt_organisation {
	HPT_RADIX,
	HPT_CHAINED,
	HPT_OPEN,
	HPT_BUCKET,
	HPT_CLUSTERED,
	HPT_CUCKOO,
	HPT_ADAPTIVE,
	HPT_ORGANISATIONS
};

/*
 * In place of a hash family: whoever computes hashes asks for the family first, so that a table
 * whose salt does not change pays nothing for one that may.
 */
#define HPT_REKEYING UINT32_MAX

/* One array of lines; while a table grows there are two of them. */
struct hpt_generation {
	uint32_t lines_log2;
	uint32_t first_chunk; /* index into the directory: 0 or HPT_CHUNKS */
};

struct hpt_desc {
	uint32_t magic;
	uint32_t version;
	uint32_t organisation; /* enum hpt_organisation */
	uint32_t hash;	       /* enum hpt_hash_family, or HPT_REKEYING while the salt changes */
	uint32_t spill_lines;  /* lines that the spill pages hold, used or not */
	uint32_t family;       /* enum hpt_hash_family, also then */
	/*
	 * But for radix: a key whose hash under `salt` is at most `split` lives in the current
	 * generation, any other still in the old one. A table that is not growing, and whose salt
	 * does not change, has split = UINT64_MAX. In a chained table that is `growing` a key of
	 * the line of heads that ends at `split` may still be in the old one as well (chained.h).
	 */
	uint64_t split;
	struct hpt_generation current;
	struct hpt_generation old;
	struct hpt_salt salt;
	/* Rekeying: what the places in the current generation are named by. */
	struct hpt_salt next_salt;
	/* Chunk addresses of both generations. Radix: the root node of each ASID. */
	uint64_t directory[2 * HPT_CHUNKS];
	uint64_t spill[HPT_SPILL_PAGES];
	struct aes_keys seal; /* of a sealed table */
	uint32_t sealed;      /* 1 or 0: whether frames are stored sealed (seal.h) */
	uint32_t growing;     /* 1 or 0: whether the old generation has something yet */
};

_Static_assert(HPT_RADIX_ASIDS == 2 * HPT_CHUNKS, "roots and chunks share the directory");

/*
 * What lookups cost, added up: hashes computed (one a way, though a table that is being rekeyed may
 * need a second), lines probed, distinct lines touched, and the
 * longest chain of dependent loads (a radix level depends on the one above; so does a second
 * probe, which is made only after the first has answered).
 */
struct hpt_ledger {
	uint64_t lookups;
	uint64_t hits;
	uint64_t hashes;
	uint64_t probes;
	uint64_t lines;
	uint64_t steps;
};

static inline bool hpt_generation_placed(const struct hpt_generation *generation)
{
	return generation->lines_log2 <= HPT_LINES_LOG2_MAX &&
	       (generation->first_chunk == 0 || generation->first_chunk == HPT_CHUNKS);
}

/* What a line says: the key has no entry, it has one, or another line must be read. */
enum hpt_answer { HPT_MISS, HPT_HIT, HPT_NEXT };

/* Whether every field is in its range, so that a walk computes only addresses from the directory.
 */
static inline bool hpt_desc_valid(const struct hpt_desc *desc)
{
	if (desc->magic != HPT_MAGIC || desc->version != HPT_VERSION || desc->sealed > 1 ||
	    desc->growing > 1)
		return false;
	if (desc->organisation == HPT_RADIX)
		return true;
	return desc->organisation < HPT_ORGANISATIONS && desc->family < HPT_HASH_FAMILIES &&
	       (desc->hash == desc->family || desc->hash == HPT_REKEYING) &&
	       hpt_generation_placed(&desc->current) && hpt_generation_placed(&desc->old) &&
	       desc->current.lines_log2 >= HPT_LINES_LOG2_MIN &&
	       ((desc->split == UINT64_MAX && !desc->growing) ||
		desc->old.lines_log2 >= HPT_LINES_LOG2_MIN) &&
	       desc->spill_lines <= HPT_SPILL_PAGES * HPT_GROUP_LINES &&
	       desc->spill_lines % HPT_GROUP_LINES == 0;
}

#endif
