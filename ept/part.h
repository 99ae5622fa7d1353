/* SPDX-License-Identifier: MIT */
/*
 * Pages that part from those of a clone: copy on write, and which frame a page gets where members
 * of a family (family.h) have some of its places already.
 *
 * A page keeps to where its window shows it while nobody has that frame. Else it gets its place in
 * another layer, and the window shows that there, by a mapping of its own. Neighbours that part as
 * well are one mapping with it. When there are too many, the whole block moves to one layer, all of
 * its pages with frames: that costs up to 512 copies, and is one mapping again.
 *
 * A page that moves is in transit, and has its content before the window shows it: so it does no
 * harm that another thread may touch it there before it is watched.
 *
 * All functions are called with ept->lock held, the page in transit by the caller.
 */
#ifndef EPT_PART_H
#define EPT_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/fault.h"

/*
 * Takes a frame for the page, which has none or shall have another. -ENOSPC where it would have to
 * move and there is no mapping for that. ept_place_give_up() undoes it, before it is shown.
 */
int ept_place_claim(struct ept *ept, uint64_t gfn, struct ept_place *place);
void ept_place_give_up(struct ept *ept, uint64_t gfn, const struct ept_place *place);

/*
 * The window shows the page in its place, where it has its content; its entry says that it is
 * there. -EIO where the kernel does not do it: then nobody reaches its block any more.
 */
int ept_place_show(struct ept *ept, uint64_t gfn, const struct ept_place *place);

/*
 * Splits the whole block of the page, whose entry is given, if the access is one for which pages of
 * it would have to part: each does so for itself. Without memory it stays whole, and ept_part()
 * says so.
 */
void ept_split_common(struct ept *ept, uint64_t gfn, enum ept_access access, uint64_t *entry);

/* Whether the page, whose entry is given, has to get a frame of its own for such an access. */
bool ept_must_part(const struct ept *ept, uint64_t entry, enum ept_access access);

/*
 * Gives it a frame of its own with a copy: 0 and the new entry. The lock may be given up meanwhile.
 * -EAGAIN if others have pages of its block in transit: let the page go, wait for one to arrive,
 * and try again. Else as ept_make_room(); -EIO as above.
 */
int ept_part(struct ept *ept, struct ept_fill *fill, const char **reason);

/*
 * Moves all of the page's block, as far as it is of one range of guest memory, to one layer: errors
 * as ept_part(). All of its pages have frames then, and the window shows them.
 */
int ept_block_move(struct ept *ept, uint64_t gfn, const char **reason);

/* Whether all pages of a block have frames of their own, in a row and as the window shows them. */
bool ept_block_is_alone(struct ept *ept, uint64_t start);

#endif
