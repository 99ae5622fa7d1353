/* SPDX-License-Identifier: MIT */
/*
 * The kernel's access to the memory of the space that this CPU has: by the stage-1 table and the
 * direct map, page by page and with the program's rights, never through the program's addresses. So
 * no system call can fault in the kernel, whatever pointer it was given. The copies return 0 or
 * -EFAULT; where they fail, a part may have been copied.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether all of it is below the end of user space; there may be nothing there. */
bool user_range(uint64_t gva, uint64_t size);

int user_read(void *target, uint64_t gva, size_t size);
int user_write(uint64_t gva, const void *source, size_t size);
int user_clear(uint64_t gva, size_t size);

#endif
