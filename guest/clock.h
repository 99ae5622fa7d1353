/* SPDX-License-Identifier: MIT */
/* Time, from the time stamp counter. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdint.h>

/* Takes the counter's frequency from the command line, or measures it against the PIT. */
void clock_start(void);

/* Nanoseconds since clock_start(). */
uint64_t clock_now(void);

/* Waits; nothing else runs here meanwhile. */
void clock_wait(uint64_t ns);

#endif
