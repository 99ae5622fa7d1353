/* SPDX-License-Identifier: MIT */
/* The boot structures, and the layout of guest memory that they describe. */
#include <criterion/criterion.h>

#include <stddef.h>
#include <string.h>

#include "guest/abi.h"
#include "vmm/machine.h"
#include "vmm/pvh.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

Test(pvh, field_offsets_are_those_of_the_interface)
{
	cr_expect_eq(offsetof(struct pvh_start_info, module_count), 12);
	cr_expect_eq(offsetof(struct pvh_start_info, modules), 16);
	cr_expect_eq(offsetof(struct pvh_start_info, command_line), 24);
	cr_expect_eq(offsetof(struct pvh_start_info, rsdp), 32);
	cr_expect_eq(offsetof(struct pvh_start_info, memory_map), 40);
	cr_expect_eq(offsetof(struct pvh_start_info, memory_map_count), 48);
	cr_expect_eq(sizeof(struct pvh_module), 32);
	cr_expect_eq(sizeof(struct pvh_memory), 24);
}

Test(pvh, a_machine_with_modules)
{
	const struct ept_range modules[] = {{.start = 0xff00000, .size = 12345},
					    {.start = 0xfe00000, .size = 678}};
	struct ept_range ranges[EPT_RANGES_MAX];
	unsigned int count = machine_layout(256 * MIB, ranges);
	struct pvh_boot boot;
	uint64_t base = PVH_START_INFO;

	pvh_build(&boot, ranges, count, modules, 2);
	cr_expect_eq(boot.info.magic, 0x336ec578);
	cr_expect_eq(boot.info.version, 1);
	cr_expect_eq(boot.info.flags, 0);
	cr_expect_eq(boot.info.module_count, 2);
	cr_expect_eq(boot.info.modules, base + offsetof(struct pvh_boot, modules));
	cr_expect_eq(boot.modules[0].address, 0xff00000);
	cr_expect_eq(boot.modules[0].size, 12345);
	cr_expect_eq(boot.modules[0].command_line, 0);
	cr_expect_eq(boot.modules[1].address, 0xfe00000);
	cr_expect_eq(boot.modules[1].size, 678);
	cr_expect_eq(boot.info.command_line, PVH_COMMAND_LINE);
	cr_expect_eq(boot.info.rsdp, 0);
	cr_expect_eq(boot.info.memory_map, base + offsetof(struct pvh_boot, memory));
	cr_expect_eq(boot.info.memory_map_count, 1);
	cr_expect_eq(boot.memory[0].address, 0);
	cr_expect_eq(boot.memory[0].size, 256 * MIB);
	cr_expect_eq(boot.memory[0].type, 1);
}

Test(pvh, no_module_is_no_list)
{
	struct ept_range ranges[EPT_RANGES_MAX];
	struct pvh_boot boot;

	pvh_build(&boot, ranges, machine_layout(4 * GIB, ranges), NULL, 0);
	cr_expect_eq(boot.info.module_count, 0);
	cr_expect_eq(boot.info.modules, 0);
	cr_expect_eq(boot.info.memory_map_count, 2);
	cr_expect_eq(boot.memory[1].address, ABI_HOLE_END);
	cr_expect_eq(boot.memory[1].size, 4 * GIB - ABI_HOLE_START);
	cr_expect_eq(boot.memory[1].type, 1);
}

Test(pvh, memory_up_to_the_hole_is_one_range)
{
	struct ept_range ranges[EPT_RANGES_MAX];
	struct image_ram ram;

	cr_expect_eq(machine_layout(ABI_HOLE_START, ranges), 1);
	cr_expect_eq(ranges[0].size, ABI_HOLE_START);
	cr_expect_eq(machine_layout(ABI_HOLE_START + 4096, ranges), 2);
	cr_expect_eq(ranges[0].size, ABI_HOLE_START);
	cr_expect_eq(ranges[1].start, ABI_HOLE_END);
	cr_expect_eq(ranges[1].size, 4096);
	machine_ram(ABI_HOLE_START + 4096, &ram);
	cr_expect_eq(ram.count, 2);
	cr_expect_eq(ram.range[0].end, ABI_HOLE_START);
	cr_expect_eq(ram.range[1].start, ABI_HOLE_END);
	cr_expect_eq(ram.range[1].end, ABI_HOLE_END + 4096);
}
