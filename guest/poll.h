/* SPDX-License-Identifier: MIT */
/* poll() and ppoll(). */
#ifndef GUEST_POLL_H
#define GUEST_POLL_H

#include <stdint.h>

#define POLL_IN	     0x001
#define POLL_OUT     0x004
#define POLL_ERROR   0x008
#define POLL_HANGUP  0x010
#define POLL_INVALID 0x020

/* `timeout` in milliseconds, or negative: for ever. */
int64_t poll(uint64_t list, uint32_t count, int32_t timeout);

/* `timeout`: gVA of a struct timespec, or 0; `set` of a mask, or 0. */
int64_t poll_masked(uint64_t list, uint32_t count, uint64_t timeout, uint64_t set, uint64_t size);

/* Something is different about a file that somebody may wait for. */
void poll_wake(void);

#endif
