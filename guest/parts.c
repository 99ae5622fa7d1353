/* SPDX-License-Identifier: MIT */
/* See parts.h. */
#include "guest/parts.h"

#include <errno.h>
#include <stddef.h>

#include "guest/user.h"
#include "hpt/entry.h"

#define PARTS_MAX    1024
#define TRANSFER_MAX UINT64_C(0x7ffff000) /* Linux moves no more in one call */

static struct part store[PARTS_MAX];

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

int parts_of(uint64_t gva, uint64_t size, struct parts *parts)
{
	/* As on Linux, of what does not fit nothing is done. */
	if (!user_range(gva, size))
		return -EFAULT;
	store[0] = (struct part){gva, smaller(size, TRANSFER_MAX)};
	*parts = (struct parts){.part = store, .count = 1, .total = store[0].size};
	return 0;
}

int parts_of_vector(uint64_t vector, uint64_t count, struct parts *parts)
{
	*parts = (struct parts){.part = store, .count = (uint32_t)count};
	if (count > PARTS_MAX)
		return -EINVAL;
	if (user_read(store, vector, count * sizeof(store[0])))
		return -EFAULT;
	for (uint32_t i = 0; i < count; i++) {
		if (store[i].size > INT64_MAX)
			return -EINVAL;
		if (!user_range(store[i].gva, store[i].size))
			return -EFAULT;
		store[i].size = smaller(store[i].size, TRANSFER_MAX - parts->total);
		parts->total += store[i].size;
	}
	return 0;
}

uint64_t parts_at(const struct parts *parts, uint64_t offset, uint64_t *size)
{
	const struct part *part = parts->part;
	uint64_t gva;

	for (; offset >= part->size; part++)
		offset -= part->size;
	gva = part->gva + offset;
	*size = smaller(part->size - offset, HPT_PAGE_SIZE - (gva & (HPT_PAGE_SIZE - 1)));
	return gva;
}

int parts_read(const struct parts *parts, uint64_t offset, void *target, uint64_t size)
{
	for (uint64_t done = 0, part; done < size; done += part) {
		uint64_t gva = parts_at(parts, offset + done, &part);

		part = smaller(part, size - done);
		if (user_read((char *)target + done, gva, part))
			return -EFAULT;
	}
	return 0;
}

int parts_write(const struct parts *parts, uint64_t offset, const void *source, uint64_t size)
{
	for (uint64_t done = 0, part; done < size; done += part) {
		uint64_t gva = parts_at(parts, offset + done, &part);

		part = smaller(part, size - done);
		if (user_write(gva, (const char *)source + done, part))
			return -EFAULT;
	}
	return 0;
}

int parts_clear(const struct parts *parts, uint64_t offset, uint64_t size)
{
	for (uint64_t done = 0, part; done < size; done += part) {
		uint64_t gva = parts_at(parts, offset + done, &part);

		part = smaller(part, size - done);
		if (user_clear(gva, part))
			return -EFAULT;
	}
	return 0;
}
