/* SPDX-License-Identifier: MIT */
/* See user.h. */
#include "guest/user.h"

#include <errno.h>
#include <string.h>

#include "guest/fault.h"
#include "guest/layout.h"
#include "hpt/entry.h"

static size_t rest_of_page(uint64_t gva, size_t size)
{
	size_t rest = HPT_PAGE_SIZE - (gva & (HPT_PAGE_SIZE - 1));

	return size < rest ? size : rest;
}

bool user_range(uint64_t gva, uint64_t size)
{
	return gva <= USER_END && size <= USER_END - gva;
}

int user_read(void *target, uint64_t gva, size_t size)
{
	while (size) {
		size_t part = rest_of_page(gva, size);
		const void *source = fault_user_byte(gva, ACCESS_READ);

		if (!source)
			return -EFAULT;
		memcpy(target, source, part);
		target = (char *)target + part;
		gva += part;
		size -= part;
	}
	return 0;
}

int user_write(uint64_t gva, const void *source, size_t size)
{
	while (size) {
		size_t part = rest_of_page(gva, size);
		void *target = fault_user_byte(gva, ACCESS_WRITE);

		if (!target)
			return -EFAULT;
		memcpy(target, source, part);
		source = (const char *)source + part;
		gva += part;
		size -= part;
	}
	return 0;
}

int user_clear(uint64_t gva, size_t size)
{
	while (size) {
		size_t part = rest_of_page(gva, size);
		void *target = fault_user_byte(gva, ACCESS_WRITE);

		if (!target)
			return -EFAULT;
		memset(target, 0, part);
		gva += part;
		size -= part;
	}
	return 0;
}
