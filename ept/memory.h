/* SPDX-License-Identifier: MIT */
/*
 * The memory of host tables: struct hpt_memory over anonymous mappings.
 *
 * Memory comes from the kernel in segments of many 2 MiB units, so that neither a chunk of lines
 * nor a radix node costs a mapping of its own. Smaller requests are halves of halves of a unit.
 * What is put back is kept for requests of that size or smaller, halves are not joined again: a
 * table asks for few small chunks and many of its largest size.
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
	void *free[EPT_MEMORY_ORDERS]; /* lists, linked through the first word; zeroed otherwise */
	unsigned int carved;	       /* units that were cut into smaller pieces */
};

/* Makes *memory empty and gives the callbacks that draw from it; *memory stays where it is. */
struct hpt_memory ept_memory_init(struct ept_memory *memory);

/* Unmaps everything, also what was not put back. */
void ept_memory_destroy(struct ept_memory *memory);

#endif
