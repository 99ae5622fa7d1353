/* SPDX-License-Identifier: MIT */
/*
 * Putting a kernel, its modules and what else it finds at its start into guest memory, and the vCPU
 * into the state in which it is entered. One file for each way to boot; load.c chooses.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <stdint.h>

#include "vmm/machine.h"

/* Everything that the machine's configuration says is to be loaded. The vCPU has not run yet. */
int load_guest(struct machine *machine, struct message *message);

/* What the files have in common. */

/* Where the modules are; only the first config.module_count count. */
struct load_modules {
	gpa_t start[MACHINE_MODULES_MAX];
};

/*
 * Copies the modules to the top of the RAM below the hole, each from a page boundary on, downwards,
 * and below `limit`. Their place is behind all that the kernel takes (image_bounds()).
 */
int load_modules(struct machine *machine, uint64_t limit, struct load_modules *modules,
		 struct message *message);

/* Copies the kernel's segments. */
int load_kernel(struct machine *machine, struct message *message);

/* Copies bytes to guest memory; `what` names them in a message: "the boot structures". */
int load_bytes(struct machine *machine, gpa_t gpa, const void *bytes, uint64_t size,
	       const char *what, struct message *message);

/* Refuses a kernel command line of `size` bytes where `most` are wanted, none of them the zero. */
int load_check_command_line(size_t size, size_t most, struct message *message);

int load_linux(struct machine *machine, struct message *message);
int load_multiboot(struct machine *machine, struct message *message);

/*
 * Puts the ACPI tables of a PC with several CPUs where they belong (acpi.h); nothing to do for
 * others. *rsdp is their gPA, or 0. Status 65 if the kernel has bytes there.
 */
int load_acpi(struct machine *machine, gpa_t *rsdp, struct message *message);

/*
 * RAM as the firmware of a PC describes it: without what lies between 640 KiB and 1 MiB, which is
 * memory here as well, and without the last KiB below, where firmware keeps data.
 */
#define LOAD_LOW_END	   UINT64_C(0x9fc00)
#define LOAD_HIGH_START	   UINT64_C(0x100000)
#define LOAD_PC_MEMORY_MAX (EPT_RANGES_MAX + 1)

unsigned int load_pc_memory(const struct machine *machine,
			    struct ept_range memory[LOAD_PC_MEMORY_MAX]);

#endif
