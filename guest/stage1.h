/* SPDX-License-Identifier: MIT */
/*
 * Stage 1: the hashed (or radix) table that is the only truth about gVA -> gPA, the kernel's own
 * mappings included. What the CPU walks is the window (window.h), which is filled from here.
 */
#ifndef GUEST_STAGE1_H
#define GUEST_STAGE1_H

#include <stdbool.h>

#include "guest/abi.h"
#include "guest/space.h"
#include "hpt/hpt.h"
#include "hpt/space.h"

extern struct hpt stage1;
extern struct hpt_spaces spaces; /* its identifiers: of programs' spaces, and of CPUs' areas */

/* Which way page faults go: the table decides it when it is made. */
extern enum space_way stage1_way;

/*
 * Makes the table in guest memory, enters the kernel's image, all RAM and the trap page into it,
 * builds the window's pinned part from those entries, and gives the CPU the window.
 */
void stage1_start(void);

/* Entries may have another place than they had: words that are kept mean nothing any more. */
extern uint64_t stage1_moved;

static inline uint64_t stage1_moves(void)
{
	return stage1.counts.moves + stage1_moved;
}

/*
 * Enters the pages of a CPU's area, which are at `area` (gPA) and behind, under an identifier of
 * its own, and pins them if it is this CPU's. -ENOMEM, -ENOSPC.
 */
int stage1_map_area(struct hpt_space *pages, uint64_t area, bool is_own);

#endif
