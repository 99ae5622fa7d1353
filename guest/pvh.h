/* SPDX-License-Identifier: MIT */
/*
 * The PVH start of the world, which the VMM writes and the kernel reads: Xen's
 * public/arch-x86/hvm/start_info.h, version 1, in our words. Part of abi.h.
 */
#ifndef GUEST_PVH_H
#define GUEST_PVH_H

#include <stdint.h>

#define PVH_MAGIC   UINT32_C(0x336ec578)
#define PVH_VERSION 1
#define PVH_RAM	    1 /* memory map type, as in e820 */

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;      /* gPA of the module list, or 0 */
	uint64_t command_line; /* gPA */
	uint64_t rsdp;	       /* ACPI; 0: there is none */
	uint64_t memory_map;   /* gPA */
	uint32_t memory_map_count;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t address; /* gPA */
	uint64_t size;
	uint64_t command_line;
	uint64_t reserved;
};

struct pvh_memory {
	uint64_t address;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

#endif
