/* SPDX-License-Identifier: MIT */
/*
 * What the guest's console reads: a file descriptor, usually standard input, read by a thread of
 * its own, so that whoever runs a vCPU never waits for it.
 *
 * The thread reads only when all that it has read before was taken: what the guest never asks for
 * stays in the pipe or file but for INPUT_SIZE bytes. At the end of the input it ends; nothing
 * tells the guest.
 *
 * A terminal in whose foreground this process is hands over each key at once, without an echo: the
 * guest has a line discipline of its own. Keys that make signals keep doing so, but for that of
 * suspension. The terminal's settings come back at input_stop(), and before this process dies of
 * SIGINT, SIGTERM, SIGHUP or SIGQUIT. In the background a terminal is left alone, and not read.
 */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/message.h"

#define INPUT_SIZE 4096

struct input {
	int fd;
	int stop; /* an event that ends the thread */
	bool runs;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t taken; /* the buffer has become empty, or the thread shall end */
	bool ending;
	size_t first, count; /* in bytes[] */
	uint8_t bytes[INPUT_SIZE];
	void (*arrived)(void *context); /* called by the thread, without the lock */
	void *context;
};

/*
 * Begins to read `fd`, which stays the caller's; -1 or one that is not open: there is no input.
 * `arrived` is called whenever there are bytes again. Returns 0, or a negative errno with a
 * message.
 */
int input_start(struct input *input, int fd, void (*arrived)(void *context), void *context,
		struct message *message);

/* Takes the next byte, if there is one. Never waits. */
bool input_take(struct input *input, uint8_t *byte);

/* Ends the thread. What nobody took is lost. Harmless where input_start() was never called. */
void input_stop(struct input *input);

#endif
