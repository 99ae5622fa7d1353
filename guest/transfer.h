/* SPDX-License-Identifier: MIT */
/* Reading and writing open files. */
#ifndef GUEST_TRANSFER_H
#define GUEST_TRANSFER_H

#include <stdint.h>

int64_t transfer_read(int fd, uint64_t gva, uint64_t size);
int64_t transfer_write(int fd, uint64_t gva, uint64_t size);
int64_t transfer_read_vector(int fd, uint64_t vector, uint64_t count);
int64_t transfer_write_vector(int fd, uint64_t vector, uint64_t count);
int64_t transfer_read_at(int fd, uint64_t gva, uint64_t size, int64_t offset);
int64_t transfer_write_at(int fd, uint64_t gva, uint64_t size, int64_t offset);
int64_t transfer_seek(int fd, int64_t offset, uint32_t from);

#endif
