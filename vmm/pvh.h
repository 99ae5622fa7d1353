/* SPDX-License-Identifier: MIT */
/*
 * What a PVH kernel finds in memory when it starts: start info, module list, memory map and
 * command line (Xen, public/arch-x86/hvm/start_info.h, version 1), as bytes that go to guest low
 * memory, where no image may have a segment (IMAGE_LOWEST).
 *
 *	0x1000  start info, module list, memory map
 *	0x2000  command line, zero-terminated, up to IMAGE_LOWEST
 */
#ifndef VMM_PVH_H
#define VMM_PVH_H

#include <stdint.h>

#include "ept/ept.h"
#include "vmm/image.h"

#define PVH_START_INFO	 0x1000
#define PVH_COMMAND_LINE 0x2000
#define PVH_COMMAND_MAX	 (IMAGE_LOWEST - PVH_COMMAND_LINE - 1) /* bytes without the zero */

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
	uint64_t rsdp;	       /* ACPI: there is none, 0 */
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

/* As it lies at PVH_START_INFO. */
struct pvh_boot {
	struct pvh_start_info info;
	struct pvh_module module;
	struct pvh_memory memory[EPT_RANGES_MAX];
};

/* module_size = 0: there is no module. At most EPT_RANGES_MAX ranges. */
void pvh_build(struct pvh_boot *boot, const struct ept_range *ranges, unsigned int count,
	       gpa_t module, uint64_t module_size);

#endif
