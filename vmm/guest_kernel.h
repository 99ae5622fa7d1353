/* SPDX-License-Identifier: MIT */
/* The built-in guest kernel: an ELF file, the bytes from start up to end (vmm/embed.S). */
#ifndef VMM_GUEST_KERNEL_H
#define VMM_GUEST_KERNEL_H

#include <stdint.h>

extern const uint8_t guest_kernel_start[];
extern const uint8_t guest_kernel_end[];

#endif
