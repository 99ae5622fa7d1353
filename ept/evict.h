/* SPDX-License-Identifier: MIT */
/*
 * Making room: which pages lose their frames when --host-mem is used up.
 *
 * Policy: a clock with two hands (Babaoglu and Joy, "Converting a Swap-Based System to do Paging in
 * an Architecture Lacking Page-Referenced Bits", SOSP'81; the second hand is 4.3BSD's: Leffler et
 * al., "The Design and Implementation of the 4.3BSD UNIX Operating System", section 5.12). The host
 * sees no accessed bits of a guest that runs behind userfaultfd, so they are made: A in a page's
 * entry says that the page is in the window. The front hand clears it and takes the page out of the
 * window, not its frame; who touches the page misses, which is cheap, and sets A again. The back
 * hand follows at a distance and takes the frames of the pages whose A is still clear.
 *
 * So a page that can lose its frame is not in the window: nobody writes it while it is written out.
 * Its entry names the swap location once the page is there, and then the frame goes; where writing
 * fails nothing has changed.
 */
#ifndef EPT_EVICT_H
#define EPT_EVICT_H

#include "ept/ept.h"

/* How far the front hand leads, in pages that it took out of the window: 1/EPT_LEAD of the limit.
 */
#define EPT_LEAD 8

/*
 * Makes sure that `frames` more frames, at most EPT_AROUND_MAX, may be taken. Called with the lock
 * held, which is given up and taken again meanwhile where pages must go. On failure *reason (static
 * text): -ENOMEM if no page can go, -ENOSPC if the swap has no room, -EIO if it cannot be written.
 */
int ept_make_room(struct ept *ept, unsigned int frames, const char **reason);

/*
 * Brings the page back whose entry is *entry, of one that is swapped out: a frame is taken and
 * filled. The page is in transit, by the caller; the lock is held, and given up meanwhile. 0 and
 * the new entry; as ept_make_room(), and -EIO if the page cannot be read or is not what was
 * written: then it stays where it is.
 */
int ept_bring_back(struct ept *ept, uint64_t gfn, uint64_t *entry, const char **reason);

/* Counts that a page came back, and frees its place; one in a snapshot is not used again. */
void ept_count_return(struct ept *ept, uint64_t location);

#endif
