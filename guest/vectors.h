/* SPDX-License-Identifier: MIT */
/*
 * Vector registers of tasks that are not running. Ring 0 may be an emulator that knows no XSAVE, so
 * ring 3 saves and restores them itself, in the trap page, to a page of the task's own space: one
 * for each thread, from USER_VECTORS on. What a program writes there it could have put into its
 * registers as well. A fork copies the page as it copies all others.
 *
 * A CPU keeps the registers of the task that ran last until another one runs there, which is why a
 * task stays on its CPU.
 */
#ifndef GUEST_VECTORS_H
#define GUEST_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/layout.h"
#include "guest/process.h"

/* What CPUID's leaf 1 gives in ECX in ring 3: ring 0 may see another (trap.c). */
void vectors_start(uint32_t features);

/* There are places in the space that this CPU has. -ENOMEM. */
int vectors_prepare(struct space *space);

/* A place in the space that this CPU has, with registers as they are at a start. -ENOMEM, -EAGAIN.
 */
int vectors_get(struct space *space, unsigned int *place);
void vectors_put(struct space *space, unsigned int place);

/* Where a place is, gVA. */
static inline uint64_t vectors_at(unsigned int place)
{
	return USER_VECTORS + (uint64_t)place * HPT_PAGE_SIZE;
}

/* What a CPU does in ring 3 to save or restore them at a place. */
struct trap_frame vectors_frame(unsigned int place, bool is_save);

/* Whether an int3 at `rip - 1` is the end of that. */
bool vectors_moved(uint64_t rip);

#endif
