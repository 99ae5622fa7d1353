/* SPDX-License-Identifier: MIT */
/*
 * The memory of host tables: struct hpt_memory over anonymous mappings.
 *
 * Memory comes from the kernel in segments of many 2 MiB units, so that neither a chunk of lines
 * nor a radix node costs a mapping of its own. Smaller requests are halves of halves of a unit.
 * What is put back is kept for requests of that size or smaller, halves are not joined again: a
 * table asks for few small chunks and many of its largest size.
 *
 * Where a table shall be copied, all of it comes from one range of addresses, and the table's
 * addresses are places in that: so a copy of the bytes is a copy of the table, whatever its
 * organisation, which is reached by another offset (struct hpt_memory).
 *
 * Callers serialise, as they do for the table itself.
 */
#ifndef EPT_MEMORY_H
#define EPT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "hpt/hpt.h"

#define EPT_MEMORY_ORDERS 10 /* 4 KiB to 2 MiB */

struct ept_memory_segment;

struct ept_memory {
	struct ept_memory_segment *segments;
	char *next; /* the unused units of the newest segment */
	char *end;
	/* Addresses of lists, linked through the first word; zeroed otherwise. 0: the end. */
	uint64_t free[EPT_MEMORY_ORDERS];
	uintptr_t offset;    /* what is at an address is at the pointer (address + offset) */
	uint64_t reserved;   /* bytes of the one range; 0: segments */
	unsigned int carved; /* units that were cut into smaller pieces */
};

/* Makes *memory empty and gives the callbacks that draw from it; *memory stays where it is. */
struct hpt_memory ept_memory_init(struct ept_memory *memory);

/*
 * The same, in one range of at most `size` bytes: -ENOMEM. What is not used of it costs addresses
 * only.
 */
int ept_memory_reserve(struct ept_memory *memory, uint64_t size, struct hpt_memory *functions);

/* Copies what is in the one range of another, which is as large, to the same addresses. */
void ept_memory_copy(struct ept_memory *memory, const struct ept_memory *from);

/* Unmaps everything, also what was not put back. */
void ept_memory_destroy(struct ept_memory *memory);

#endif
