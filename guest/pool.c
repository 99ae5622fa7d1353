/* SPDX-License-Identifier: MIT */
/* See pool.h. */
#include "guest/pool.h"

#include <string.h>

#include "guest/frames.h"

void *pool_get(struct pool *pool)
{
	void *object = pool->free;
	uint64_t gpa;

	if (object) {
		pool->free = *(void **)object;
		memset(object, 0, pool->size);
		return object;
	}
	if (pool->limit - pool->next < pool->size) {
		if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
			return NULL;
		pool->next = (uint64_t)direct(gpa);
		pool->limit = pool->next + HPT_PAGE_SIZE;
	}
	object = (void *)pool->next;
	pool->next += pool->size;
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	*(void **)object = pool->free;
	pool->free = object;
}
