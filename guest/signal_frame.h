/* SPDX-License-Identifier: MIT */
/*
 * What a signal handler finds on its stack and comes back from: as on Linux x86-64 (struct
 * rt_sigframe), with the vector registers as XSAVE or FXSAVE has left them.
 */
#ifndef GUEST_SIGNAL_FRAME_H
#define GUEST_SIGNAL_FRAME_H

#include <stdint.h>

#include "guest/process.h"

/*
 * The current task, whose registers are in task->frame and whose vector registers are in memory,
 * goes on in the handler of a signal. -EFAULT where the frame has no room.
 */
int signal_push_frame(struct task *task, int number);

/* rt_sigreturn(): the registers in `frame`, vector registers and mask become those before. */
int64_t signal_return(struct trap_frame *frame);

/* sigaltstack(). */
int64_t signal_set_stack(const struct trap_frame *frame, uint64_t stack, uint64_t old);

#endif
