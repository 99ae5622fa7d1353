/* SPDX-License-Identifier: MIT */
/*
 * Who runs when. A task stays on the CPU that it was given when it was made: the one that had the
 * fewest. There, tasks take turns; a timer ends a turn only where somebody waits for one, and wakes
 * those who sleep, so a single task is never interrupted.
 */
#ifndef GUEST_SCHEDULE_H
#define GUEST_SCHEDULE_H

#include "guest/process.h"

/* The CPU that has the fewest tasks. */
unsigned int schedule_place(void);

/* A task can run from now on: on its CPU, behind those who wait there. */
void schedule_ready(struct task *task);

/*
 * The current task waits: in `queue` (or NULL), until `wake_at` (or 0). Returns WAIT_AGAIN or
 * WAIT_DONE for the system call to return; in the latter case the result is `late` if the time
 * comes, and what schedule_wake() says otherwise.
 */
int64_t schedule_wait_again(struct wait_queue *queue, uint64_t wake_at);
int64_t schedule_wait(struct wait_queue *queue, uint64_t wake_at, int64_t late);

/* Wakes a task that waits, with this result if it is one of schedule_wait(). */
void schedule_wake(struct task *task, int64_t result);

/* Wakes all in a queue. */
void schedule_wake_all(struct wait_queue *queue);

/* The task goes nowhere any more: out of all lists. */
void schedule_remove(struct task *task);

/* The current one lets others go first. */
void schedule_yield(void);

/*
 * What a trap ends with: back to the task that was interrupted, whose registers are in `frame`, or
 * to another. Returns only in the first case.
 */
void schedule_leave(struct trap_frame *frame);

/* Runs whoever can run; the current task's registers are where they belong, or it is gone. */
__attribute__((noreturn)) void schedule(void);

/*
 * Where a CPU that idles halts. An interrupt that comes before that instruction, as it may where
 * ring 0 is emulated and STI holds nothing back, must go on behind it (trap.c).
 */
extern const char schedule_halt[];

/* The timer's interrupt. */
void schedule_tick(void);

/*
 * For a system call that needs the current task's vector registers in memory (vectors.h): it
 * returns what this returns, and is called again when they are there (task->vectors_saved).
 */
int64_t schedule_save_vectors(void);

/* Whether the task's vector registers are in the CPU, and other than in memory. */
bool schedule_has_vectors(const struct task *task);

/* The current task is gone. */
void schedule_end(void);

/* The current task's vector registers are those at its place in memory. */
void schedule_forget_vectors(void);

/* The trap page has saved or restored vector registers. */
__attribute__((noreturn)) void schedule_vectors_moved(void);

#endif
