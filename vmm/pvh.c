/* SPDX-License-Identifier: MIT */
#include "vmm/pvh.h"

#include <stddef.h>

_Static_assert(PVH_START_INFO + sizeof(struct pvh_boot) <= PVH_COMMAND_LINE, "they do not overlap");
_Static_assert(sizeof(struct pvh_start_info) == 56, "the layout of version 1");

void pvh_build(struct pvh_boot *boot, const struct ept_range *ranges, unsigned int count,
	       const struct ept_range *modules, unsigned int module_count)
{
	*boot = (struct pvh_boot){
		.info =
			{
				.magic = PVH_MAGIC,
				.version = PVH_VERSION,
				.command_line = PVH_COMMAND_LINE,
				.memory_map = PVH_START_INFO + offsetof(struct pvh_boot, memory),
				.memory_map_count = count,
			},
	};
	if (module_count) {
		boot->info.module_count = module_count;
		boot->info.modules = PVH_START_INFO + offsetof(struct pvh_boot, modules);
	}
	for (unsigned int i = 0; i < module_count; i++) {
		boot->modules[i].address = modules[i].start;
		boot->modules[i].size = modules[i].size;
	}
	for (unsigned int i = 0; i < count; i++) {
		boot->memory[i].address = ranges[i].start;
		boot->memory[i].size = ranges[i].size;
		boot->memory[i].type = PVH_RAM;
	}
}
