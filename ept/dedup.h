/* SPDX-License-Identifier: MIT */
/*
 * Sharing: pages of equal content have one frame (--dedup), copied on write.
 *
 * Who looks for them goes round guest memory, some pages at a time, while nobody runs the guest
 * (Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI'02, section 4:
 * content-based page sharing). Pages of zeros are found at once; others by a hash of their content,
 * of which the last page that had it is remembered; equal is only who is compared byte by byte.
 *
 * A shared frame is none of a window block's own: it lies behind them in the pool, and counts how
 * many pages have it. Their entries name it and lack W. In the window each is a mapping of its own,
 * of which userfaultfd reports the first write: the page gets a copy in its own frame, and its
 * mapping becomes a part of its block's again. Mappings are the budget (window.h): when it is spent
 * no more pages are shared, and nothing else changes.
 *
 * A shared frame is never swapped out. All functions are called with ept->lock held.
 */
#ifndef EPT_DEDUP_H
#define EPT_DEDUP_H

#include <stdbool.h>
#include <stdint.h>

struct ept;

struct ept_dedup {
	/*
	 * What the search remembers: 2^bits places, each of the last page whose hash came to it
	 * (its number plus 1), or of a shared frame (the same with the top bit set); 0: none.
	 */
	uint64_t *places;
	unsigned int bits;
	uint32_t *sharers;  /* of each shared frame; 0: it is free */
	uint64_t first;	    /* the first shared frame, behind the blocks' */
	uint64_t count;	    /* how many there may be; 0: pages are not shared */
	uint64_t next_free; /* where the search for a free one goes on */
	uint64_t zero;	    /* the frame of zeros, plus 1; 0: none yet */
	unsigned int range; /* where the search through guest memory is */
	uint64_t page;
};

/* For `pages` pages of guest memory, shared frames from `first` on. -ENOMEM. */
int ept_dedup_create(struct ept_dedup *dedup, uint64_t pages, uint64_t first, uint64_t count);
void ept_dedup_destroy(struct ept_dedup *dedup);

static inline bool ept_is_shared_frame(const struct ept_dedup *dedup, uint64_t frame)
{
	return dedup->count && frame >= dedup->first && frame < dedup->first + dedup->count;
}

/*
 * Gives the page of `gfn`, which shares a frame and is in transit by the caller, its own frame with
 * a copy: 0 and the new entry. The lock may be given up meanwhile. As ept_make_room(), and -EIO
 * where the window does not take it.
 */
int ept_unshare(struct ept *ept, uint64_t gfn, uint64_t *entry, const char **reason);

#endif
