/* SPDX-License-Identifier: MIT */
/*
 * Pages of programs that are on the disk (disk.h) in place of RAM. Such a page has an entry as any
 * other, with HPT_SWAPPED and, as its location, the number of a slot: a page of the disk. So a
 * lookup finds it, and what it finds is where to read it.
 *
 * Which pages go: a clock with two hands over the stage-1 table, as the VMM has for its own frames
 * (ept/evict.h). The front hand is a visit of the table, which clears A of some hundred pages from
 * where the last one stopped and takes them out of the windows, so that an access sets A again; the
 * back hand follows page by page as frames are needed, and takes those that still lack it. A page
 * without A is in no window, so nobody writes it while it is written out.
 *
 * Only what has one entry goes: no page that processes share as copies or by a segment, none of the
 * kernel, none of a module.
 *
 * Frames are made free where nobody holds the address of one: see swap_make_room().
 */
#ifndef GUEST_SWAP_H
#define GUEST_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/entry.h"

/*
 * Behind disk_start(): the slots, and a part of RAM that is kept for the kernel, since programs
 * take all else. Without a disk there are no slots.
 */
void swap_start(void);

/*
 * Writes pages out until some frames are free; false: there are none to be had. The caller holds no
 * pointer into a program's page, and looks up again whatever it knew of one.
 */
bool swap_make_room(void);

/* The same if there are hardly any: before the kernel makes something that is not a page. */
void swap_prepare(void);

/* How many more pages of programs the disk has room for. */
uint64_t swap_left(void);

/*
 * Brings a page back, which has A then: `entry` is what the table has for `key`. Others may go for
 * it, as by swap_make_room(). -ENOMEM where there is no frame for it, -EIO where the disk cannot be
 * read; the entry is as it was then.
 */
int swap_in(struct hpt_key key, uint64_t entry);

/* One more entry has a swapped page's location, and one less. The last one frees the slot. */
void swap_taken(uint64_t entry);
void swap_dropped(uint64_t entry);

#endif
