/* SPDX-License-Identifier: MIT */
/* Time, from the time stamp counter: the kernel's own, and the system calls about it. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_REALTIME	0
#define CLOCK_MONOTONIC 1

/* Takes the counter's frequency from the command line, or measures it against the PIT. */
void clock_start(void);

struct task;

/* Nanoseconds since clock_start(). */
uint64_t clock_now(void);

/* When that clock comes to `ns`, by clock_now(): never 0. */
uint64_t clock_when(uint32_t number, uint64_t ns);

/* The end of a wait of so long, by clock_now(). */
uint64_t clock_after(uint64_t ns);

/* Reads a struct timespec of the program's. */
int clock_take_time(uint64_t gva, uint64_t *ns);

int64_t clock_get(uint32_t number, uint64_t gva);
int64_t clock_resolution(uint32_t number, uint64_t gva);
int64_t clock_time_of_day(uint64_t time, uint64_t zone);

/* `rest`: where the time that is left goes if a signal interrupts a sleep for a length; or 0. */
int64_t clock_sleep(uint32_t number, uint32_t flags, uint64_t gva, uint64_t rest);

/* That, when the task is about to go on. */
void clock_tell_rest(struct task *task);

#endif
