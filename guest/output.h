/* SPDX-License-Identifier: MIT */
/* The program's three file descriptors: 0 is at its end, 1 and 2 are the consoles. */
#ifndef GUEST_OUTPUT_H
#define GUEST_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

struct files {
	unsigned int users;
	bool closed[3];
};

int64_t output_read(int fd, uint64_t gva, uint64_t size);
int64_t output_write(int fd, uint64_t gva, uint64_t size);
int64_t output_write_vector(int fd, uint64_t vector, uint32_t count);
int64_t output_close(int fd);
bool output_is_open(int fd);

#endif
