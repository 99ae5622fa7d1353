/* SPDX-License-Identifier: MIT */
/*
 * Small objects of one size, cut from pages of the kernel's memory. What is given back is used
 * again for objects of the same pool.
 */
#ifndef GUEST_POOL_H
#define GUEST_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	size_t size;	/* of an object: a multiple of 8, a page at most */
	void *free;	/* list, through their first words */
	uint64_t next;	/* of the page that is being cut: gVA of the rest, ... */
	uint64_t limit; /* ... and its end */
};

/* A zeroed object, or NULL where memory is out. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);

#endif
