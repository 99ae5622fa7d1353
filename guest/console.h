/* SPDX-License-Identifier: MIT */
/*
 * Two 16550 ports, one for what the program writes to stdout and one for stderr and the kernel. A
 * VMM with doorbells is told where the bytes are instead: one exit for up to a page of them.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdint.h>

/* Sets the ports up. Where there is no second port, stderr goes to the first. */
void console_start(void);

/*
 * Writes `size` bytes at `gpa` to stdout (fd 1) or stderr (fd 2). They do not cross a page. Does
 * not come back before they are out.
 */
void console_write(int fd, uint64_t gpa, uint32_t size);

/* The kernel's own messages, to stderr: %s %u %d %lu %x %lx %%. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);

/* The program cannot be started as was asked: prints why, ends the guest with status 126. */
__attribute__((noreturn, format(printf, 1, 2))) void refuse(const char *format, ...);

/* The kernel gives up: prints why, tells the VMM, ends the guest with status 134. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

#endif
