/* SPDX-License-Identifier: MIT */
#include "vmm/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/status.h"
#include "vmm/terminal.h"

/* True once there is something to read, or the end of it; false if the thread shall end. */
static bool wait_for_input(struct input *input)
{
	struct pollfd fds[] = {
		{.fd = input->stop, .events = POLLIN},
		{.fd = input->fd, .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return !fds[0].revents;
}

/* Waits until all that was read is taken; false if the thread shall end. */
static bool wait_for_room(struct input *input)
{
	bool ending;

	pthread_mutex_lock(&input->lock);
	while (input->count && !input->ending)
		pthread_cond_wait(&input->taken, &input->lock);
	ending = input->ending;
	pthread_mutex_unlock(&input->lock);
	return !ending;
}

/* False at the end of the input. An fd that was handed to us non-blocking is asked again. */
static bool read_some(struct input *input)
{
	uint8_t bytes[INPUT_SIZE];
	ssize_t size = read(input->fd, bytes, sizeof(bytes));

	if (size < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!size)
		return false;
	pthread_mutex_lock(&input->lock);
	memcpy(input->bytes, bytes, (size_t)size);
	input->first = 0;
	input->count = (size_t)size;
	pthread_mutex_unlock(&input->lock);
	input->arrived(input->context);
	return true;
}

static void *read_input(void *context)
{
	struct input *input = context;

	while (wait_for_room(input) && wait_for_input(input) && read_some(input))
		continue;
	return NULL;
}

/* All signals are the vCPU thread's. */
static int start_thread(struct input *input)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&input->thread, NULL, read_input, input);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

int input_start(struct input *input, int fd, void (*arrived)(void *context), void *context,
		struct message *message)
{
	int error;

	memset(input, 0, sizeof(*input));
	if (fd < 0 || fcntl(fd, F_GETFD) < 0 || !terminal_may_be_read(fd))
		return 0;
	input->fd = fd;
	input->arrived = arrived;
	input->context = context;
	input->stop = eventfd(0, EFD_CLOEXEC);
	if (input->stop < 0)
		return message_set(message, -errno, STATUS_UNAVAILABLE,
				   "standard input: eventfd failed: %m");
	pthread_mutex_init(&input->lock, NULL);
	pthread_cond_init(&input->taken, NULL);
	terminal_set(fd);
	error = start_thread(input);
	input->runs = !error;
	if (!error)
		return 0;
	terminal_restore();
	close(input->stop);
	return message_set(message, -error, STATUS_UNAVAILABLE,
			   "standard input: cannot start a thread: %s", strerror(error));
}

bool input_take(struct input *input, uint8_t *byte)
{
	bool found;

	if (!input->runs)
		return false;
	pthread_mutex_lock(&input->lock);
	found = input->count;
	if (found) {
		*byte = input->bytes[input->first++];
		if (!--input->count)
			pthread_cond_signal(&input->taken);
	}
	pthread_mutex_unlock(&input->lock);
	return found;
}

void input_stop(struct input *input)
{
	uint64_t one = 1;

	if (!input->runs)
		return;
	pthread_mutex_lock(&input->lock);
	input->ending = true;
	pthread_cond_signal(&input->taken);
	pthread_mutex_unlock(&input->lock);
	if (write(input->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(input->thread, NULL);
	input->runs = false;
	terminal_restore();
	close(input->stop);
	pthread_mutex_destroy(&input->lock);
	pthread_cond_destroy(&input->taken);
}
