/* SPDX-License-Identifier: MIT */
/*
 * From an access of the program to a page: the middle of the live path. The stage-1 table is asked
 * first; a page that it does not know is made if a region allows it.
 */
#ifndef GUEST_FAULT_H
#define GUEST_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/space.h"
#include "guest/trap.h"

/*
 * The kernel's view of a byte of the memory of the space that this CPU has, on the program's behalf
 * and with its rights: a pointer through the direct map, good up to the end of the page and until
 * the next call. NULL if the program could not make this access.
 */
void *fault_user_byte(uint64_t gva, enum access access);

/*
 * A page fault, from trap_entry.S: whether it is resolved. If it is not, trap() gets it, with all
 * registers. `tsc` is the low half of the time stamp counter at the trap.
 */
bool fault_handle(const struct trap_cpu_frame *frame, uint32_t tsc);

/* A page fault that fault_handle() has not resolved: the program ends, or gets a signal. */
void fault_unresolved(struct trap_frame *frame);

#endif
