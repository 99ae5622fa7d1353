/* SPDX-License-Identifier: MIT */
/*
 * A guest kernel that does one thing: it reads a word of guest memory at each of some addresses,
 * which its writer chooses, in their order, and ends with status 0. A guest that floods the host's
 * table is this kernel.
 */
#ifndef BENCH_FLOOD_KERNEL_H
#define BENCH_FLOOD_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define FLOOD_KERNEL_ADDRESSES 4096

/* Its image, in a file without a name: a descriptor that programs which are started inherit, or a
 * negative errno. */
int flood_kernel(const uint32_t *addresses, size_t count);

#endif
