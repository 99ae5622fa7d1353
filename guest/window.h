/* SPDX-License-Identifier: MIT */
/*
 * The stage-1 window: the x86 tables under CR3. A bounded cache of the stage-1 table: at most
 * `pages` entries of the program at a time, the oldest evicted first, plus the kernel's pinned
 * ones, which do not count. It is never the truth: any entry may be dropped at any time.
 */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#include <stdint.h>

#include "hpt/entry.h"

void window_create(uint64_t pages);

/* Ends the guest at its start, for a window that leaves too little memory for anything else. */
__attribute__((noreturn)) void window_refuse(void);

/* Enters a mapping that stays: before window_start() and for no program page. */
void window_pin(struct hpt_key key, uint64_t entry);

/* Gives the CPU these tables. */
void window_start(void);

/* Installing a page of the program is window_install() of window_install.h. */

/*
 * Makes what leads to the page's leaf table, so that the first fault there need not. It may go
 * again while no page needs it.
 */
void window_prepare(uint64_t vpn);

/*
 * Takes a page out of the window. Returns HPT_DIRTY if the CPU has written to it since it was
 * installed, else 0: for the caller to put into the hashed entry.
 */
uint64_t window_drop(uint64_t vpn);

#endif
