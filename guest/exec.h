/* SPDX-License-Identifier: MIT */
/* Executing programs: the first one, which the boot module holds, and those of execve(). */
#ifndef GUEST_EXEC_H
#define GUEST_EXEC_H

#include <stdint.h>

struct trap_frame;

/*
 * Starts the first program. An image that is not a static x86-64 ELF ends the guest with a message
 * and status 126, as a shell does.
 */
__attribute__((noreturn)) void exec_start(void);

/*
 * execve(): the current process goes on with another program, whose first registers are in `frame`
 * then. Until it has been loaded as a whole, errors are returned. `arguments` and `environment`:
 * gVA of lists of addresses, or 0.
 */
int64_t exec_call(struct trap_frame *frame, uint64_t path, uint64_t arguments,
		  uint64_t environment);

#endif
