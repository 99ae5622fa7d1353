/* SPDX-License-Identifier: MIT */
/*
 * Signals: dispositions are a process's, masks a thread's. What is pending is delivered when a
 * thread is about to go on in ring 3 (schedule.c). Handlers get a frame as on Linux x86-64, with
 * their vector registers in it, and come back by rt_sigreturn().
 */
#ifndef GUEST_SIGNAL_H
#define GUEST_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/process.h"

#define SIGNAL_ILLEGAL	    4
#define SIGNAL_TRAP	    5
#define SIGNAL_ABORT	    6
#define SIGNAL_BUS	    7
#define SIGNAL_FLOAT	    8
#define SIGNAL_KILL	    9
#define SIGNAL_SEGMENTATION 11
#define SIGNAL_PIPE	    13
#define SIGNAL_CHILD	    17
#define SIGNAL_CONT	    18
#define SIGNAL_STOP	    19

#define SIGNALS 64

/* SIGKILL and SIGSTOP, as bits of a mask. */
#define SIGNAL_NEVER_BLOCKED (UINT64_C(1) << (SIGNAL_KILL - 1) | UINT64_C(1) << (SIGNAL_STOP - 1))

/* As the kernel interface of x86-64 lays it out. */
struct signal_action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

int64_t signal_action(int number, uint64_t action, uint64_t old, uint64_t size);
int64_t signal_mask(int how, uint64_t set, uint64_t old, uint64_t size);

/* kill() and tgkill(), of the current task; 0 asks only whether there is somebody. */
/*
 * The mask that a call has while it waits: set once, however often the call begins anew, and undone
 * when it ends, or by the handler of the signal that interrupts it. -EINVAL, -EFAULT.
 */
int signal_set_for_call(uint64_t set, uint64_t size);
void signal_end_call(void);

int64_t signal_kill(int32_t process, int number);
int64_t signal_kill_task(int32_t process, int32_t task, int number);

/* rt_sigsuspend(), pause(), rt_sigpending(). */
int64_t signal_suspend(uint64_t set, uint64_t size);
int64_t signal_pause(void);
int64_t signal_get_pending(uint64_t set, uint64_t size);

/* For execve(): handlers are gone, what is ignored stays. */
void signal_reset(struct process *process);

void signal_send_process(struct process *process, int number);

/* A process of which nobody need wait for children. */
bool signal_ignores_children(const struct process *process);

/* A fault of the current task: a handler's matter if it has one, else its end. */
void signal_fault(struct trap_frame *frame, int number, const char *why, uint64_t gva);

static inline uint64_t signal_pending(const struct task *task)
{
	return (task->signals | task->process->signals) & ~task->signal_mask;
}

static inline bool signal_is_pending(const struct task *task)
{
	return signal_pending(task);
}

/*
 * Delivers one of the current task's, whose registers are in task->frame: false if that was its
 * end. A handler's frame has the vector registers in it: where the CPU has them
 * (schedule_has_vectors()) they are to be saved first, and nothing is delivered yet.
 */
bool signal_deliver(struct task *task);

#endif
