/* SPDX-License-Identifier: MIT */
/*
 * The space that this CPU has, as Linux's system calls change it: mmap, munmap, mprotect, mremap,
 * madvise and brk. Addresses and sizes are the program's; results are
 * those of Linux, errors negative errno values.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdint.h>

#include "guest/space.h"

/* The heap begins here (rounded up to a page). */
void memory_start_heap(struct space *space, uint64_t gva);

int64_t memory_map(uint64_t gva, uint64_t size, uint64_t protection, uint64_t flags, int64_t fd,
		   uint64_t offset);
int64_t memory_unmap(uint64_t gva, uint64_t size);
int64_t memory_protect(uint64_t gva, uint64_t size, uint64_t protection);
int64_t memory_remap(uint64_t gva, uint64_t old_size, uint64_t new_size, uint64_t flags);
int64_t memory_advise(uint64_t gva, uint64_t size, uint64_t advice);
int64_t memory_break(uint64_t gva);

/*
 * For the loader: a region of whole pages where there is none. `frame` as in struct region.
 */
int memory_add(struct space *space, uint64_t vpn, uint64_t pages, uint64_t protection,
	       uint64_t frame);

#define PROTECTION_READ	   1
#define PROTECTION_WRITE   2
#define PROTECTION_EXECUTE 4

#endif
