/* SPDX-License-Identifier: MIT */
/*
 * How a library function of the VMM says what went wrong: it returns a negative errno and fills
 * in one line for the user, without prefix or newline, and the exit status that belongs to it.
 */
#ifndef VMM_MESSAGE_H
#define VMM_MESSAGE_H

struct message {
	int status; /* what the process ends with, see vmm/status.h */
	char text[512];
};

/* Fills in the message (cut at its size) and returns `error`, so that callers can return it. */
int message_set(struct message *message, int error, int status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
