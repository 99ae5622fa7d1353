/* SPDX-License-Identifier: MIT */
/*
 * Futexes of the only thread there is: nobody can be woken, and nobody could wake a waiter, so it
 * waits for its timeout.
 */
#ifndef GUEST_FUTEX_H
#define GUEST_FUTEX_H

#include <stdint.h>

/* The arguments in the order of the system call. */
int64_t futex(uint64_t gva, uint32_t operation, uint32_t value, uint64_t timeout, uint64_t other,
	      uint32_t bits);

#endif
