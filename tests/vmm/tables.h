/* SPDX-License-Identifier: MIT */
/*
 * Page tables as the CPU walks them, in a machine's memory: two pages of 4 KiB, one of 2 MiB and
 * one of 1 GiB below, one of 4 KiB above. A test thread that writes them is the guest.
 */
#ifndef TESTS_VMM_TABLES_H
#define TESTS_VMM_TABLES_H

#include "vmm/machine.h"

#define TABLES_ROOT   UINT64_C(0x10000)
#define TABLES_SMALL  UINT64_C(0x400000)
#define TABLES_LARGE  UINT64_C(0x600000)
#define TABLES_HUGE   UINT64_C(0x40000000)
#define TABLES_KERNEL UINT64_C(0xffff888000000000)

#define TABLES_NOEXEC	 (UINT64_C(1) << 63)
#define TABLES_DIRECTORY (HPT_PRESENT | HPT_WRITE | HPT_USER)

static inline void tables_word(struct machine *machine, gpa_t table, unsigned int index,
			       uint64_t word)
{
	*(volatile uint64_t *)ept_window_address(&machine->ept, table + index * sizeof(word)) =
		word;
}

static inline void tables_create(struct machine *machine)
{
	gpa_t level2 = TABLES_ROOT + 0x1000, level1 = TABLES_ROOT + 0x2000;
	gpa_t level0 = TABLES_ROOT + 0x3000, kernel = TABLES_ROOT + 0x4000;

	tables_word(machine, TABLES_ROOT, 0, level2 | TABLES_DIRECTORY);
	tables_word(machine, level2, 0, level1 | TABLES_DIRECTORY);
	tables_word(machine, level2, 1,
		    0x40000000 | HPT_PRESENT | HPT_WRITE | HPT_LARGE | HPT_ACCESSED);
	tables_word(machine, level1, 2, level0 | TABLES_DIRECTORY);
	tables_word(machine, level1, 3, 0x200000 | HPT_PRESENT | HPT_USER | HPT_LARGE);
	tables_word(machine, level0, 0, 0x5000 | TABLES_DIRECTORY);
	tables_word(machine, level0, 1, 0x6000 | HPT_PRESENT | HPT_USER | TABLES_NOEXEC);
	/* What a directory forbids is forbidden below it. */
	tables_word(machine, TABLES_ROOT, 273, kernel | HPT_PRESENT | HPT_WRITE);
	tables_word(machine, kernel, 0, (kernel + 0x1000) | TABLES_DIRECTORY | TABLES_NOEXEC);
	tables_word(machine, kernel + 0x1000, 0, (kernel + 0x2000) | TABLES_DIRECTORY);
	tables_word(machine, kernel + 0x2000, 0, 0x7000 | TABLES_DIRECTORY);
}

#endif
