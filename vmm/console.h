/* SPDX-License-Identifier: MIT */
/*
 * A console: what the guest prints, gathered and written to a file descriptor.
 *
 * The vCPU loop decides when to write: it calls console_flush() before each entry into the guest
 * for which console_is_due(), so a line is out before the guest goes on, and a moment later by a
 * timer, so a line without an end is out soon. One exit of the guest adds at most
 * CONSOLE_EXIT_MAX bytes, and a console that is not due has room for that much.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_EXIT_MAX 8192
#define CONSOLE_SIZE	 (2 * CONSOLE_EXIT_MAX)

struct console {
	int fd;
	int error; /* errno of the write that failed; from then on bytes are thrown away */
	bool due;
	size_t used;
	uint64_t written; /* bytes that the fd took */
	uint8_t bytes[CONSOLE_SIZE];
};

/* The fd stays the caller's. */
void console_init(struct console *console, int fd);

/* Adds bytes. What does not fit is lost: only a caller that does not flush gets there. */
void console_put(struct console *console, const void *bytes, size_t size);

/* Whether an end of line or too little room asks for a flush. */
static inline bool console_is_due(const struct console *console)
{
	return console->due;
}

/*
 * Writes everything. 0; -EINTR if a signal came first (the rest is kept: call again); or the
 * negative errno of the write, each time, once one has failed.
 */
int console_flush(struct console *console);

#endif
