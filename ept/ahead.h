/* SPDX-License-Identifier: MIT */
/*
 * Read-ahead: pages that come back with another one, from the swap file or a snapshot.
 *
 * As fault-around (around.h), and with it (config.around): who brings back page after page gets
 * more of them at a time, as far as they lie in a row where they are, in one block, and cost no
 * other page its frame. They are read by one call and installed by one.
 */
#ifndef EPT_AHEAD_H
#define EPT_AHEAD_H

#include "ept/fault.h"

/*
 * The page of *fill, whose run it is alone, has just come back from a swap location and is in the
 * window's place for it: makes the run longer by pages behind it that came back as well. Those that
 * cannot be read stay where they are. With the lock, which may be given up meanwhile.
 */
void ept_read_ahead(struct ept *ept, struct ept_fill *fill, uint64_t location);

#endif
