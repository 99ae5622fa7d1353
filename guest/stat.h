/* SPDX-License-Identifier: MIT */
/* What files are: stat() and its kin. */
#ifndef GUEST_STAT_H
#define GUEST_STAT_H

#include <stdint.h>

int64_t stat_open(int fd, uint64_t to);
int64_t stat_path(int fd, uint64_t path, uint64_t to, uint32_t flags);
int64_t stat_extended(int fd, uint64_t path, uint32_t flags, uint32_t mask, uint64_t to);

#endif
