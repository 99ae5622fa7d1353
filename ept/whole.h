/* SPDX-License-Identifier: MIT */
/*
 * Whole blocks: one entry for 2 MiB (--host-pages 2m, mixed).
 *
 * A window block of which all 512 pages have their frames, in their places, may have one entry of
 * 2 MiB in the place of 512. With `2m` a block is whole from its first touch, if there are frames;
 * with both it becomes whole when the last of its pages gets its frame. It is split again when the
 * clock takes frames of it. The window does not know: it is filled by 4 KiB either way, or by the
 * whole block at once.
 *
 * All functions are called with ept->lock held.
 */
#ifndef EPT_WHOLE_H
#define EPT_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/entry.h"
#include "hpt/hpt.h"

struct ept;

enum ept_pages { EPT_4K, EPT_2M, EPT_MIXED };

/* Of the 4 KiB pages of a window block: with frames, in their places; with a swap location. */
struct ept_block {
	uint16_t resident;
	uint16_t away;
};

/* The number of the block's first page. */
static inline uint64_t ept_block_start(uint64_t gfn)
{
	return gfn & ~(uint64_t)(HPT_LARGE_PAGES - 1);
}

/*
 * What the table says of a page, whatever the size of its entry: 0 and an entry with the 4 KiB
 * page's own frame, LARGE if it stands for a whole block; -ENOENT. `ledger` may be NULL.
 */
int ept_find(const struct ept *ept, uint64_t gfn, uint64_t *entry, struct hpt_ledger *ledger);

/* Puts an entry in the place of the one that the page has, of 4 KiB: 0 or -ENOMEM. */
int ept_set_entry(struct ept *ept, uint64_t gfn, uint64_t entry);

/* Notes that so many pages of the block got frames, or swap locations, or lost them. */
void ept_block_note(struct ept *ept, uint64_t gfn, int resident, int away);

/* Whether a first touch of the page may get the whole block, of which nothing is mapped. */
bool ept_block_is_free(const struct ept *ept, uint64_t gfn);

/*
 * Makes one entry of 512 if the block of the page is complete: 0, also where it is not. -ENOMEM:
 * the table has no memory even for what it had.
 */
int ept_block_merge(struct ept *ept, uint64_t gfn);

/* Makes 512 entries of the one that a whole block has. -ENOMEM: none are lost, it stays whole. */
int ept_block_split(struct ept *ept, uint64_t gfn);

#endif
