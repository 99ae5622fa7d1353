/* SPDX-License-Identifier: MIT */
/*
 * A program's arguments and environment: gathered in the kernel's memory, since the space that they
 * come from goes, and laid out on the new stack. One set of them at a time.
 */
#ifndef GUEST_ARGUMENTS_H
#define GUEST_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

struct program;

/* Bytes of all strings, with their zeros; and how many strings there can be. */
#define ARGUMENTS_BYTES (96 << 10)
#define ARGUMENTS_MAX	4000

/* None yet. -ENOMEM. */
int arguments_begin(void);

/* One more: arguments first, then the environment. -E2BIG. */
int arguments_add(const char *text, bool is_environment);

/*
 * Those of the list at `gva`, which may be 0, from number `skip` on. -EFAULT, -E2BIG.
 */
int arguments_add_list(uint64_t gva, unsigned int skip, bool is_environment);

/* Those that the boot command line has, behind the program's name; too many end the guest. */
void arguments_add_boot(const char *name);

/*
 * A stack in the space that this CPU has: argc, argv, envp and the auxiliary vector below the
 * strings. `path` is what was executed. *bottom becomes the stack pointer. -ENOMEM.
 */
int arguments_lay_out(const struct program *program, const char *path, uint64_t *bottom);

#endif
