/* SPDX-License-Identifier: MIT */
/*
 * The kernel's lock: a CPU is in the kernel's data only with it, from a trap to the return to ring
 * 3 or to idling. So all but what is in a CPU's own area, and even that but for the trap's stack,
 * is changed by one CPU at a time, and what one has written the next one that takes the lock sees.
 *
 * Interrupts are off in ring 0. A CPU that waits for the lock does what others ask of it
 * (cpu.flush), so whoever holds the lock may wait for that.
 */
#ifndef GUEST_LOCK_H
#define GUEST_LOCK_H

#include <stdbool.h>

/* Whether there is more than one CPU: without, the lock costs a test. (cpu.c) */
extern bool lock_needed;

void lock_wait(void);
void lock_release(void);

static inline void lock_kernel(void)
{
	if (__builtin_expect(lock_needed, 0))
		lock_wait();
}

static inline void unlock_kernel(void)
{
	if (__builtin_expect(lock_needed, 0))
		lock_release();
}

#endif
