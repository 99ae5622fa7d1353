/* SPDX-License-Identifier: MIT */
/*
 * Stage 1: the hashed (or radix) table that is the only truth about gVA -> gPA, the kernel's own
 * mappings included. What the CPU walks is the window (window.h), which is filled from here.
 */
#ifndef GUEST_STAGE1_H
#define GUEST_STAGE1_H

#include "guest/abi.h"
#include "hpt/hpt.h"

#define ASID_PROGRAM 1

extern struct hpt stage1;

/*
 * The organisation whose short way (hpt/lookup.h) page faults go, or neither of the two that have
 * one: the table decides it when it is made.
 */
extern enum hpt_organisation stage1_short_way;

/*
 * Makes the table in guest memory, enters the kernel's image, all RAM and the trap page into it,
 * builds the window's pinned part from those entries, and gives the CPU the window.
 */
void stage1_start(void);

static inline struct hpt_key program_key(uint64_t vpn)
{
	return hpt_key(ASID_PROGRAM, vpn, HPT_4K);
}

#endif
