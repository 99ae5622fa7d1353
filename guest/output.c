/* SPDX-License-Identifier: MIT */
/* See output.h. */
#include "guest/output.h"

#include <errno.h>

#include "guest/console.h"
#include "guest/fault.h"
#include "guest/frames.h"
#include "guest/process.h"
#include "guest/user.h"

#define PARTS_MAX    1024
#define TRANSFER_MAX UINT64_C(0x7ffff000) /* Linux moves no more in one call */

/* A part of what writev() is given: struct iovec. */
static struct part {
	uint64_t gva;
	uint64_t size;
} parts[PARTS_MAX];

bool output_is_open(int fd)
{
	return fd >= 0 && fd < 3 && !current_process()->files->closed[fd];
}

int64_t output_close(int fd)
{
	if (!output_is_open(fd))
		return -EBADF;
	current_process()->files->closed[fd] = true;
	return 0;
}

int64_t output_read(int fd, uint64_t gva, uint64_t size)
{
	if (!output_is_open(fd) || fd)
		return -EBADF;
	return user_range(gva, size) ? 0 : -EFAULT;
}

static bool can_write(int fd)
{
	return output_is_open(fd) && fd;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static int64_t write_bytes(int fd, uint64_t gva, uint64_t size)
{
	uint64_t written = 0;

	while (written < size) {
		uint64_t rest = HPT_PAGE_SIZE - ((gva + written) & (HPT_PAGE_SIZE - 1));
		char *bytes = fault_user_byte(gva + written, ACCESS_READ);

		if (!bytes)
			return written ? (int64_t)written : -EFAULT;
		rest = smaller(rest, size - written);
		console_write(fd, (uint64_t)bytes - DIRECT_BASE, (uint32_t)rest);
		written += rest;
	}
	return (int64_t)written;
}

/* As on Linux, a range that leaves user space is refused before anything is written. */
int64_t output_write(int fd, uint64_t gva, uint64_t size)
{
	if (!can_write(fd))
		return -EBADF;
	if (!user_range(gva, size))
		return -EFAULT;
	return write_bytes(fd, gva, smaller(size, TRANSFER_MAX));
}

/* Reads and checks all parts, so that a bad one is found before the first byte is written. */
static int take_parts(uint64_t vector, uint32_t count)
{
	uint64_t total = 0;

	if (count > PARTS_MAX)
		return -EINVAL;
	if (user_read(parts, vector, count * sizeof(parts[0])))
		return -EFAULT;
	for (uint32_t i = 0; i < count; i++) {
		if (parts[i].size > INT64_MAX)
			return -EINVAL;
		if (!user_range(parts[i].gva, parts[i].size))
			return -EFAULT;
		parts[i].size = smaller(parts[i].size, TRANSFER_MAX - total);
		total += parts[i].size;
	}
	return 0;
}

int64_t output_write_vector(int fd, uint64_t vector, uint32_t count)
{
	int64_t written = 0;
	int error;

	if (!can_write(fd))
		return -EBADF;
	error = take_parts(vector, count);
	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		int64_t result = write_bytes(fd, parts[i].gva, parts[i].size);

		if (result < 0)
			return written ? written : result;
		written += result;
		if ((uint64_t)result < parts[i].size)
			break;
	}
	return written;
}
