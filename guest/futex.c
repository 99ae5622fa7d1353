/* SPDX-License-Identifier: MIT */
/* See futex.h. */
#include "guest/futex.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/clock.h"
#include "guest/user.h"

#define WAIT	    0
#define WAKE	    1
#define REQUEUE	    3
#define WAIT_BITSET 9
#define WAKE_BITSET 10

/* Flags beside these commands. */
#define PRIVATE	 128
#define REALTIME 256

/* The word must be there, but for a private one its address is enough. */
static int check_word(uint64_t gva, bool private)
{
	uint32_t value;

	if (gva % sizeof(value))
		return -EINVAL;
	if (!user_range(gva, sizeof(value)))
		return -EFAULT;
	return private ? 0 : user_read(&value, gva, sizeof(value));
}

/* Before a wait: -EAGAIN if the word has another value than this one. */
static int compare_word(uint64_t gva, uint32_t wanted)
{
	uint32_t value;
	int error = check_word(gva, true);

	if (!error)
		error = user_read(&value, gva, sizeof(value));
	if (error)
		return error;
	return value == wanted ? 0 : -EAGAIN;
}

/* `timeout` is where the length of the wait stands, or, with WAIT_BITSET, its end. */
static int64_t wait_word(uint64_t gva, uint32_t value, uint64_t timeout, bool until, uint32_t clock)
{
	uint64_t ns = 0;
	int error = timeout ? clock_take_time(timeout, &ns) : 0;

	if (!error)
		error = compare_word(gva, value);
	if (error)
		return error;
	if (!timeout)
		return -EDEADLK; /* Linux would wait for ever */
	if (until)
		clock_wait_until(clock, ns);
	else
		clock_wait(ns);
	return -ETIMEDOUT;
}

static int64_t requeue(uint64_t gva, uint64_t other, bool private)
{
	int error = check_word(gva, private);

	return error ? error : check_word(other, private);
}

int64_t futex(uint64_t gva, uint32_t operation, uint32_t value, uint64_t timeout, uint64_t other,
	      uint32_t bits)
{
	uint32_t command = operation & ~(uint32_t)(PRIVATE | REALTIME);
	uint32_t clock = operation & REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	bool private = operation & PRIVATE;

	if (clock == CLOCK_REALTIME && command != WAIT_BITSET)
		return -ENOSYS;
	if ((command == WAIT_BITSET || command == WAKE_BITSET) && !bits)
		return -EINVAL;
	switch (command) {
	case WAIT:
	case WAIT_BITSET:
		return wait_word(gva, value, timeout, command == WAIT_BITSET, clock);
	case WAKE:
	case WAKE_BITSET:
		return check_word(gva, private);
	case REQUEUE:
		return requeue(gva, other, private);
	default:
		/* Those that change words: to do nothing would be wrong. */
		return -ENOSYS;
	}
}
