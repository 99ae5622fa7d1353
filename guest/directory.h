/* SPDX-License-Identifier: MIT */
/* System calls about the tree of files: opening, and asking what there is. */
#ifndef GUEST_DIRECTORY_H
#define GUEST_DIRECTORY_H

#include <stdint.h>

int64_t directory_open(int fd, uint64_t path, uint32_t flags);
int64_t directory_access(int fd, uint64_t path, uint32_t mode, uint32_t flags);
int64_t directory_read_link(int fd, uint64_t path, uint64_t target, int64_t size);
int64_t directory_list(int fd, uint64_t entries, uint64_t size);
int64_t directory_change(uint64_t path);
int64_t directory_change_to(int fd);
int64_t directory_current(uint64_t path, uint64_t size);

#endif
