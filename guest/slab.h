/* SPDX-License-Identifier: MIT */
/*
 * The stage-1 table's memory: the slab that the VMM has given for it (abi.h), as long as there is
 * some left, and the kernel's memory. What of it is where is published.
 */
#ifndef GUEST_SLAB_H
#define GUEST_SLAB_H

#include <stddef.h>
#include <stdint.h>

/* After frames_start(). */
void slab_start(void);

/* As struct hpt_memory wants them. */
int slab_get(void *context, size_t size, uint64_t *gpa);
void slab_put(void *context, uint64_t gpa, size_t size);

#endif
