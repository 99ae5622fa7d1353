/* SPDX-License-Identifier: MIT */
/* See poll.h. Whoever waits is woken by every pipe, and looks again. */
#include "guest/poll.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest/clock.h"
#include "guest/file.h"
#include "guest/files.h"
#include "guest/pipe.h"
#include "guest/process.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/user.h"

#define NS_PER_MS  UINT64_C(1000000)
#define ALWAYS	   (POLL_ERROR | POLL_HANGUP) /* told whether it is asked for or not */
#define POLL_READY 0x145		      /* POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM */
#define POLL_READ  0x041
#define POLL_WRITE 0x104

/* struct pollfd */
struct entry {
	int32_t fd;
	uint16_t wanted;
	uint16_t found;
};

static struct wait_queue pollers;

void poll_wake(void)
{
	if (pollers.first)
		schedule_wake_all(&pollers);
}

static uint32_t events_of(int32_t fd, uint32_t wanted)
{
	const struct file *file;
	uint32_t events = POLL_READY;

	if (fd < 0)
		return 0;
	file = files_find(fd);
	if (!file)
		return POLL_INVALID;
	if (file->kind == FILE_PIPE) {
		events = pipe_events(file);
		events |= events & POLL_IN ? POLL_READ : 0;
		events |= events & POLL_OUT ? POLL_WRITE : 0;
	}
	return events & (wanted | ALWAYS);
}

/* How many of the list have something to tell, or -EFAULT. */
static int64_t look(uint64_t list, uint32_t count)
{
	int64_t ready = 0;

	for (uint32_t i = 0; i < count; i++, list += sizeof(struct entry)) {
		struct entry entry;

		if (user_read(&entry, list, sizeof(entry)))
			return -EFAULT;
		entry.found = (uint16_t)events_of(entry.fd, entry.wanted);
		if (user_write(list, &entry, sizeof(entry)))
			return -EFAULT;
		ready += entry.found != 0;
	}
	return ready;
}

/* Until `until`, by clock_now(); 0: for ever. */
static int64_t wait_until(uint64_t list, uint32_t count, bool waits, uint64_t until)
{
	struct task *task = current_task();
	int64_t ready;

	if (count > FILES_MAX)
		return -EINVAL;
	ready = look(list, count);
	if (ready || !waits || (until && clock_now() >= until))
		return ready;
	task->until = until;
	return schedule_wait_again(&pollers, until);
}

int64_t poll(uint64_t list, uint32_t count, int32_t timeout)
{
	uint64_t until = current_task()->until;

	if (!until && timeout > 0)
		until = clock_after((uint64_t)timeout * NS_PER_MS);
	return wait_until(list, count, timeout, until);
}

int64_t poll_masked(uint64_t list, uint32_t count, uint64_t timeout, uint64_t set, uint64_t size)
{
	struct task *task = current_task();
	uint64_t until = task->until, ns = 1;
	int64_t result;
	int error;

	if (timeout && !until) {
		error = clock_take_time(timeout, &ns);
		if (error)
			return error;
		until = ns ? clock_after(ns) : 0;
	}
	if (set) {
		error = signal_set_for_call(set, size);
		if (error)
			return error;
	}
	if (signal_is_pending(task))
		return -EINTR;
	result = wait_until(list, count, ns, until);
	if (result != WAIT_AGAIN)
		signal_end_call();
	return result;
}
