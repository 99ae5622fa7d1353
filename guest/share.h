/* SPDX-License-Identifier: MIT */
/*
 * How many entries name a frame: kept from the first fork on, in an array over all of RAM, for what
 * has more than one. A frame's first entry is not counted, so the fault path counts nothing.
 */
#ifndef GUEST_SHARE_H
#define GUEST_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the array, at the first fork; later nothing. -ENOMEM. */
int share_start(void);

/* The next entry that is taken for this frame is its first one; 0: of none. */
void share_first(uint64_t entry);

/* As struct hpt_spaces_config wants them. The last entry that goes gives the frame back. */
void share_taken(void *context, uint64_t entry);
void share_dropped(void *context, uint64_t entry);
/* Whether no other entry names the frame of this one, which is resident, and it may be given back.
 */
bool share_is_only(uint64_t entry);
uint64_t share_references(void *context, uint64_t entry);

#endif
