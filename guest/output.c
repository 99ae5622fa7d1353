/* SPDX-License-Identifier: MIT */
/* See output.h. */
#include "guest/output.h"

#include <errno.h>

#include "guest/console.h"
#include "guest/fault.h"
#include "guest/frames.h"
#include "guest/user.h"

#define VECTORS_MAX 1024

static bool closed[3];

bool output_is_open(int fd)
{
	return fd >= 0 && fd < 3 && !closed[fd];
}

int64_t output_close(int fd)
{
	if (!output_is_open(fd))
		return -EBADF;
	closed[fd] = true;
	return 0;
}

int64_t output_read(int fd, uint64_t gva, uint64_t size)
{
	(void)gva;
	(void)size;
	return output_is_open(fd) ? 0 : -EBADF;
}

int64_t output_write(int fd, uint64_t gva, uint64_t size)
{
	uint64_t written = 0;

	if (!output_is_open(fd) || !fd)
		return -EBADF;
	while (written < size) {
		uint64_t rest = HPT_PAGE_SIZE - ((gva + written) & (HPT_PAGE_SIZE - 1));
		char *bytes = fault_user_byte(gva + written, ACCESS_READ);

		if (!bytes)
			return written ? (int64_t)written : -EFAULT;
		if (rest > size - written)
			rest = size - written;
		console_write(fd, (uint64_t)bytes - DIRECT_BASE, (uint32_t)rest);
		written += rest;
	}
	return (int64_t)written;
}

int64_t output_write_vector(int fd, uint64_t vector, uint64_t count)
{
	int64_t written = 0;

	if (!output_is_open(fd) || !fd)
		return -EBADF;
	if (count > VECTORS_MAX)
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t part[2];
		int64_t result;

		if (user_read(part, vector + i * sizeof(part), sizeof(part)))
			return written ? written : -EFAULT;
		result = output_write(fd, part[0], part[1]);
		if (result < 0)
			return written ? written : result;
		written += result;
		if ((uint64_t)result < part[1])
			break;
	}
	return written;
}
