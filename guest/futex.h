/* SPDX-License-Identifier: MIT */
/*
 * Futexes: tasks that wait for a word of memory to change. A word is known by its space and address
 * there.
 */
#ifndef GUEST_FUTEX_H
#define GUEST_FUTEX_H

#include <stdint.h>

/* The arguments in the order of the system call. */
/* Wakes up to `count` tasks that wait for a word of the space that this CPU has. */
void futex_wake(uint64_t gva, uint32_t count);

int64_t futex(uint64_t gva, uint32_t operation, uint32_t value, uint64_t timeout, uint64_t other,
	      uint32_t bits);

#endif
