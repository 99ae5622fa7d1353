/* SPDX-License-Identifier: MIT */
/* See pipe.h. */
#include "guest/pipe.h"

#include <errno.h>
#include <stddef.h>

#include "guest/file.h"
#include "guest/frames.h"
#include "guest/parts.h"
#include "guest/poll.h"
#include "guest/pool.h"
#include "guest/process.h"
#include "guest/schedule.h"
#include "guest/signal.h"

#define PAGES	 16
#define CAPACITY (PAGES * HPT_PAGE_SIZE)
#define WHOLE	 HPT_PAGE_SIZE /* PIPE_BUF: what a write puts in as a whole */

struct pipe {
	unsigned int ends[2]; /* open ones: of who reads and who writes; at most one each */
	uint32_t first;	      /* where the bytes begin, as an offset into the pages */
	uint32_t used;
	struct wait_queue readers, writers;
	char *pages[PAGES]; /* NULL: not needed yet */
};

static struct pool pipes = {.size = sizeof(struct pipe)};

static struct file *create_end(struct pipe *pipe, bool is_writer, uint32_t flags)
{
	struct file *file = file_create(FILE_PIPE, flags | (is_writer ? OPEN_WRITE : OPEN_READ));

	if (file) {
		file->pipe = pipe;
		pipe->ends[is_writer] = 1;
	}
	return file;
}

int pipe_create(struct file *ends[2], uint32_t flags)
{
	struct pipe *pipe = pool_get(&pipes);

	if (!pipe)
		return -ENOMEM;
	ends[0] = create_end(pipe, false, flags);
	ends[1] = ends[0] ? create_end(pipe, true, flags) : NULL;
	if (ends[1])
		return 0;
	if (ends[0])
		file_put(ends[0]);
	else
		pool_put(&pipes, pipe);
	return -ENOMEM;
}

void pipe_close(struct pipe *pipe, bool is_writer)
{
	pipe->ends[is_writer] = 0;
	schedule_wake_all(&pipe->readers);
	schedule_wake_all(&pipe->writers);
	poll_wake();
	if (pipe->ends[0] || pipe->ends[1])
		return;
	for (unsigned int i = 0; i < PAGES; i++) {
		if (pipe->pages[i])
			frames_put_kernel(NULL, (uint64_t)pipe->pages[i] - DIRECT_BASE,
					  HPT_PAGE_SIZE);
	}
	pool_put(&pipes, pipe);
}

/* The place of the byte `offset` bytes behind the first, and how many follow in its page. */
static char *place(struct pipe *pipe, uint32_t offset, uint64_t *size)
{
	uint32_t at = (pipe->first + offset) % CAPACITY;
	char **page = &pipe->pages[at / HPT_PAGE_SIZE];
	uint64_t gpa;

	*size = HPT_PAGE_SIZE - at % HPT_PAGE_SIZE;
	if (!*page) {
		if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
			return NULL;
		*page = direct(gpa);
	}
	return *page + at % HPT_PAGE_SIZE;
}

static int64_t take_bytes(struct pipe *pipe, const struct parts *parts, uint64_t wanted)
{
	uint64_t done = 0;

	while (done < wanted) {
		uint64_t size;
		const char *source = place(pipe, 0, &size);

		if (size > wanted - done)
			size = wanted - done;
		if (parts_write(parts, done, source, size))
			break;
		done += size;
		pipe->used -= (uint32_t)size;
		/* An empty one begins anew, so that a pipe for a few bytes needs one page. */
		pipe->first = pipe->used ? (pipe->first + (uint32_t)size) % CAPACITY : 0;
	}
	return done ? (int64_t)done : -EFAULT;
}

int64_t pipe_read(struct file *file, const struct parts *parts)
{
	struct pipe *pipe = file->pipe;
	int64_t result;

	if (!parts->total)
		return 0;
	if (!pipe->used) {
		if (!pipe->ends[1])
			return 0;
		if (file->flags & OPEN_NONBLOCK)
			return -EAGAIN;
		return schedule_wait_again(&pipe->readers, 0);
	}
	result = take_bytes(pipe, parts, pipe->used < parts->total ? pipe->used : parts->total);
	schedule_wake_all(&pipe->writers);
	/* What is left is for others who wait. */
	if (pipe->used)
		schedule_wake_all(&pipe->readers);
	poll_wake();
	return result;
}

/* Puts bytes in that there is room for: how many, or -EFAULT or -ENOMEM where there are none. */
static int64_t put_bytes(struct pipe *pipe, const struct parts *parts, uint64_t from,
			 uint64_t wanted)
{
	uint64_t done = 0;

	while (done < wanted) {
		uint64_t size;
		char *target = place(pipe, pipe->used, &size);

		if (!target)
			return done ? (int64_t)done : -ENOMEM;
		if (size > wanted - done)
			size = wanted - done;
		if (parts_read(parts, from + done, target, size))
			return done ? (int64_t)done : -EFAULT;
		done += size;
		pipe->used += (uint32_t)size;
	}
	return (int64_t)done;
}

static int64_t broken(uint64_t done)
{
	const struct task *task = current_task();

	signal_kill_task((int32_t)task->process->number, (int32_t)task->number, SIGNAL_PIPE);
	return done ? (int64_t)done : -EPIPE;
}

int64_t pipe_write(struct file *file, const struct parts *parts)
{
	struct pipe *pipe = file->pipe;
	struct task *task = current_task();
	uint64_t done = task->progress;
	uint64_t rest = parts->total - done;
	uint64_t room = CAPACITY - pipe->used;
	int64_t moved = 0;

	if (!parts->total)
		return 0;
	if (!pipe->ends[0])
		return broken(done);
	if (parts->total <= WHOLE && room < rest)
		room = 0;
	if (room)
		moved = put_bytes(pipe, parts, done, rest < room ? rest : room);
	if (moved < 0)
		return done ? (int64_t)done : moved;
	if (moved) {
		schedule_wake_all(&pipe->readers);
		poll_wake();
	}
	done += (uint64_t)moved;
	if (done == parts->total || (moved && (uint64_t)moved < room && (uint64_t)moved < rest))
		return (int64_t)done;
	if (file->flags & OPEN_NONBLOCK)
		return done ? (int64_t)done : -EAGAIN;
	task->progress = done;
	return schedule_wait_again(&pipe->writers, 0);
}

uint32_t pipe_bytes(const struct pipe *pipe)
{
	return pipe->used;
}

uint32_t pipe_events(const struct file *file)
{
	const struct pipe *pipe = file->pipe;

	if (!file_can_write(file))
		return (pipe->used ? POLL_IN : 0) | (pipe->ends[1] ? 0 : POLL_HANGUP);
	return (CAPACITY - pipe->used >= WHOLE ? POLL_OUT : 0) | (pipe->ends[0] ? 0 : POLL_ERROR);
}
