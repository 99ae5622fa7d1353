/* SPDX-License-Identifier: MIT */
/*
 * The PVH start of the world: Xen's public/arch-x86/hvm/start_info.h, in our words. Shared with
 * the VMM, which writes what the kernel reads.
 */
#ifndef GUEST_PVH_H
#define GUEST_PVH_H

#include <stdint.h>

#define PVH_MAGIC   0x336ec578
#define PVH_VERSION 1

#define PVH_MEMORY_RAM 1

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules; /* gPA of struct pvh_module[] */
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map; /* gPA of struct pvh_memory[] */
	uint32_t memory_count;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t start;
	uint64_t size;
	uint64_t command_line;
	uint64_t reserved;
};

struct pvh_memory {
	uint64_t start;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

#endif
