/* SPDX-License-Identifier: MIT */
/*
 * What a PVH kernel finds in memory when it starts: start info, module list, memory map (the
 * structures are those of guest/pvh.h) and command line, as bytes that go to guest low memory,
 * where no image may have a segment (IMAGE_LOWEST).
 *
 *	0x1000  start info, module list, memory map
 *	0x2000  command line, zero-terminated, up to IMAGE_LOWEST
 */
#ifndef VMM_PVH_H
#define VMM_PVH_H

#include <stdint.h>

#include "ept/ept.h"
#include "guest/abi.h"
#include "vmm/image.h"

#define PVH_START_INFO	 0x1000
#define PVH_COMMAND_LINE 0x2000
#define PVH_COMMAND_MAX	 (IMAGE_LOWEST - PVH_COMMAND_LINE - 1) /* bytes without the zero */

#define PVH_RANGES_MAX 8

/* As it lies at PVH_START_INFO. */
struct pvh_boot {
	struct pvh_start_info info;
	struct pvh_module module;
	struct pvh_memory memory[PVH_RANGES_MAX];
};

/* module_size = 0: there is no module. At most PVH_RANGES_MAX ranges. */
void pvh_build(struct pvh_boot *boot, const struct ept_range *ranges, unsigned int count,
	       gpa_t module, uint64_t module_size);

#endif
