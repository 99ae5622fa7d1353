/* SPDX-License-Identifier: MIT */
#include "vmm/console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void console_init(struct console *console, int fd)
{
	console->fd = fd;
	console->error = 0;
	console->due = false;
	console->used = 0;
	console->written = 0;
}

void console_put(struct console *console, const void *bytes, size_t size)
{
	size_t room = CONSOLE_SIZE - console->used;

	if (size > room)
		size = room;
	memcpy(console->bytes + console->used, bytes, size);
	console->used += size;
	if (memchr(bytes, '\n', size) || console->used > CONSOLE_SIZE - CONSOLE_EXIT_MAX)
		console->due = true;
}

/* An fd that was handed to us non-blocking is waited for; EINTR passes through. */
static int wait_for_room(const struct console *console)
{
	struct pollfd poll_fd = {.fd = console->fd, .events = POLLOUT};

	return poll(&poll_fd, 1, -1) < 0 ? -errno : 0;
}

static int give_up(struct console *console, int error)
{
	console->error = error;
	console->due = false;
	console->used = 0;
	return -error;
}

int console_flush(struct console *console)
{
	if (console->error)
		return give_up(console, console->error);
	while (console->used) {
		ssize_t written = write(console->fd, console->bytes, console->used);

		if (written >= 0) {
			console->written += (size_t)written;
			console->used -= (size_t)written;
			memmove(console->bytes, console->bytes + written, console->used);
		} else if (errno == EINTR ||
			   (errno == EAGAIN && wait_for_room(console) == -EINTR)) {
			return -EINTR;
		} else if (errno != EAGAIN) {
			return give_up(console, errno);
		}
	}
	console->due = false;
	return 0;
}
