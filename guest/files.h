/* SPDX-License-Identifier: MIT */
/* What a process has open: descriptors, which forks copy and threads share. */
#ifndef GUEST_FILES_H
#define GUEST_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct files;

/* 0 at its end, 1 and 2 the consoles; or NULL where memory is out. */
struct files *files_create(void);

/* A copy, or the same with one user more; or NULL. */
struct files *files_copy(struct files *files, bool is_shared);

/* One user less. */
void files_put(struct files *files);

#endif
