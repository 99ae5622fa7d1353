/* SPDX-License-Identifier: MIT */
/* System calls: Linux's numbers, arguments and results (x86-64). */
#ifndef GUEST_SYSTEM_CALL_H
#define GUEST_SYSTEM_CALL_H

#include "guest/trap.h"

/*
 * Serves the call in the frame's registers; the result goes to rax. What the kernel does not know
 * gives -ENOSYS and is counted. A call that waits (process.h) has no result yet.
 */
void system_call(struct trap_frame *frame);

#endif
