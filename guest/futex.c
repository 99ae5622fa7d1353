/* SPDX-License-Identifier: MIT */
/* See futex.h. */
#include "guest/futex.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest/clock.h"
#include "guest/cpu_area.h"
#include "guest/process.h"
#include "guest/schedule.h"
#include "guest/segment.h"
#include "guest/user.h"

#define WAIT		0
#define WAKE		1
#define REQUEUE		3
#define COMPARE_REQUEUE 4
#define WAIT_BITSET	9
#define WAKE_BITSET	10

/* Flags beside these commands. */
#define PRIVATE	 128
#define REALTIME 256

static uint32_t clock_of(uint32_t operation)
{
	return operation & REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

/* All that wait, for whatever word. */
static struct wait_queue waiters;

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

/* What a word is, whoever has it mapped where. */
static struct futex_word word_of(uint64_t gva, bool private)
{
	const struct space *space = cpu.window.space;
	const struct segment *segment;
	uint64_t page;

	segment = private ? NULL : segment_at(space, gva >> HPT_PAGE_SHIFT, &page);
	if (!segment)
		return (struct futex_word){.at = gva, .owner = space};
	return (struct futex_word){.at = page << HPT_PAGE_SHIFT | (gva & (HPT_PAGE_SIZE - 1)),
				   .owner = segment};
}

static bool same_word(const struct task *task, struct futex_word word)
{
	return task->futex.at == word.at && task->futex.owner == word.owner;
}

/* `timeout` is where the length of the wait stands, or, with WAIT_BITSET, its end. */
static int64_t wait_word(uint64_t gva, uint32_t value, uint64_t timeout, uint32_t bits, bool until,
			 uint32_t operation)
{
	struct task *task = current_task();
	uint64_t ns = 0;
	int error = timeout ? clock_take_time(timeout, &ns) : 0;

	if (!error)
		error = compare_word(gva, value);
	if (error)
		return error;
	/* Linux would wait for ever. */
	if (!timeout && !task_first->next_task)
		return -EDEADLK;
	task->futex = word_of(gva, operation & PRIVATE);
	task->futex_bits = bits;
	if (!timeout)
		return schedule_wait(&waiters, 0, 0);
	return schedule_wait(&waiters,
			     until ? clock_when(clock_of(operation), ns) : clock_after(ns),
			     -ETIMEDOUT);
}

/* Wakes up to `count` of those who wait for these bits of a word. */
static int64_t wake(struct futex_word word, uint32_t count, uint32_t bits)
{
	struct task *task = waiters.first, *next;
	uint32_t woken = 0;

	for (; task && woken < count; task = next) {
		next = task->next_waiter;
		if (!same_word(task, word) || !(task->futex_bits & bits))
			continue;
		schedule_wake(task, 0);
		woken++;
	}
	return woken;
}

void futex_wake(uint64_t gva, uint32_t count)
{
	wake(word_of(gva, false), count, UINT32_MAX);
}

static int64_t wake_word(uint64_t gva, uint32_t count, uint32_t bits, bool private)
{
	int error = check_word(gva, private);

	return error ? error : wake(word_of(gva, private), count, bits);
}

/* `more` of those who are not woken wait for another word from then on. */
static int64_t requeue(uint64_t gva, uint32_t count, uint64_t other, uint32_t more, bool private)
{
	struct futex_word from = word_of(gva, private), to = word_of(other, private);
	int error = check_word(gva, private);
	int64_t woken;

	if (!error)
		error = check_word(other, private);
	if (error)
		return error;
	woken = wake(from, count, UINT32_MAX);
	for (struct task *task = waiters.first; task && more; task = task->next_waiter) {
		if (!same_word(task, from))
			continue;
		task->futex = to;
		more--;
		woken++;
	}
	return woken;
}

int64_t futex(uint64_t gva, uint32_t operation, uint32_t value, uint64_t timeout, uint64_t other,
	      uint32_t bits)
{
	uint32_t command = operation & ~(uint32_t)(PRIVATE | REALTIME);
	bool private = operation & PRIVATE;
	int error;

	if (operation & REALTIME && command != WAIT_BITSET)
		return -ENOSYS;
	if ((command == WAIT_BITSET || command == WAKE_BITSET) && !bits)
		return -EINVAL;
	switch (command) {
	case WAIT:
		return wait_word(gva, value, timeout, UINT32_MAX, false, operation);
	case WAIT_BITSET:
		return wait_word(gva, value, timeout, bits, true, operation);
	case WAKE:
		return wake_word(gva, value, UINT32_MAX, private);
	case WAKE_BITSET:
		return wake_word(gva, value, bits, private);
	case COMPARE_REQUEUE:
		error = compare_word(gva, bits);
		if (error)
			return error;
		/* fall through */
	case REQUEUE:
		return requeue(gva, value, other, (uint32_t)timeout, private);
	default:
		/* Those that change words: to do nothing would be wrong. */
		return -ENOSYS;
	}
}
