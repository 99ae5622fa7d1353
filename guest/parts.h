/* SPDX-License-Identifier: MIT */
/* The parts of a program's memory that one transfer reads or writes: of readv() and writev(). */
#ifndef GUEST_PARTS_H
#define GUEST_PARTS_H

#include <stdbool.h>
#include <stdint.h>

/* struct iovec */
struct part {
	uint64_t gva;
	uint64_t size;
};

struct parts {
	const struct part *part;
	uint32_t count;
	uint64_t total; /* at most what Linux moves in one call */
};

/* One part. -EFAULT where it leaves user space. */
int parts_of(uint64_t gva, uint64_t size, struct parts *parts);

/*
 * Those that a vector lists: read and checked as a whole, so that a bad one is found before the
 * first byte moves. -EINVAL, -EFAULT. Until the next such call.
 */
int parts_of_vector(uint64_t vector, uint64_t count, struct parts *parts);

/* Copies from `offset` of all parts on, or there: 0 or -EFAULT. */
int parts_read(const struct parts *parts, uint64_t offset, void *target, uint64_t size);
int parts_write(const struct parts *parts, uint64_t offset, const void *source, uint64_t size);
int parts_clear(const struct parts *parts, uint64_t offset, uint64_t size);

/* Where the byte at `offset` is, and how many follow it in the same page of the same part. */
uint64_t parts_at(const struct parts *parts, uint64_t offset, uint64_t *size);

#endif
