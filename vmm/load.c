/* SPDX-License-Identifier: MIT */
/* What all ways to boot share, and PVH. */
#include "vmm/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guest/abi.h"
#include "vmm/acpi.h"
#include "vmm/pvh.h"
#include "vmm/status.h"

#define PAGE_MASK (HPT_PAGE_SIZE - 1)

_Static_assert(LOAD_PC_MEMORY_MAX <= PVH_RANGES_MAX, "a PC's memory fits into the start info");

static int copy_in(void *context, uint64_t address, const void *bytes, uint64_t size)
{
	struct machine *machine = context;

	return ept_copy_in(&machine->ept, address, bytes, size);
}

static int load_failed(struct message *message, int error, const char *what)
{
	if (error == -EIO)
		return message_set(message, error, STATUS_NOINPUT,
				   "the swap file cannot be read or written while %s is loaded; "
				   "fix: --swap on another device",
				   what);
	if (error == -ENOMEM || error == -ENOSPC)
		return message_set(
			message, error, STATUS_GUEST_DIED,
			"host memory exhausted while loading %s, before the guest started; fix: a "
			"larger --host-mem",
			what);
	return message_set(message, error, STATUS_DATA, "%s cannot be loaded: %s", what,
			   strerror(-error));
}

int load_bytes(struct machine *machine, gpa_t gpa, const void *bytes, uint64_t size,
	       const char *what, struct message *message)
{
	int error = ept_copy_in(&machine->ept, gpa, bytes, size);

	return error ? load_failed(message, error, what) : 0;
}

int load_kernel(struct machine *machine, struct message *message)
{
	const struct machine_config *config = &machine->config;
	int error = image_load(config->kernel, config->kernel_bytes, config->kernel_size, copy_in,
			       machine);

	return error ? load_failed(message, error, "the kernel") : 0;
}

int load_check_command_line(size_t size, size_t most, struct message *message)
{
	if (size <= most)
		return 0;
	return message_set(message, -E2BIG, STATUS_USAGE,
			   "arguments: found %zu bytes of kernel command line, wanted at most %zu",
			   size, most);
}

/* A program is the first module of the built-in kernel. */
static bool is_program(const struct machine *machine, unsigned int module)
{
	return !machine->config.pc && !module;
}

static int place_module(const struct machine *machine, unsigned int module, gpa_t *top,
			struct message *message)
{
	uint64_t size = machine->config.modules[module].size;
	uint64_t start, end;

	image_bounds(machine->config.kernel, &start, &end);
	if (machine->slab.size)
		end = machine->slab.start + machine->slab.size;
	if (size > *top || *top - size < ((end + PAGE_MASK) & ~PAGE_MASK))
		return message_set(
			message, -ENOSPC, STATUS_DATA,
			"%s: found %" PRIu64 " bytes, wanted at most the memory between 0x%" PRIx64
			" and 0x%" PRIx64 "; fix: a larger --mem",
			is_program(machine, module) ? "program" : "--initrd", size, end, *top);
	*top = (*top - size) & ~PAGE_MASK;
	return 0;
}

int load_modules(struct machine *machine, uint64_t limit, struct load_modules *modules,
		 struct message *message)
{
	const struct machine_config *config = &machine->config;
	gpa_t top = machine->ranges[0].size < limit ? machine->ranges[0].size : limit;
	int error = 0;

	memset(modules, 0, sizeof(*modules));
	for (unsigned int i = 0; i < config->module_count && !error; i++) {
		const struct machine_module *module = &config->modules[i];

		error = place_module(machine, i, &top, message);
		modules->start[i] = top;
		if (!error)
			error = load_bytes(machine, top, module->bytes, module->size,
					   is_program(machine, i) ? "the program" : "the initrd",
					   message);
	}
	return error;
}

static bool is_in_the_way(const struct image *kernel)
{
	for (unsigned int i = 0; i < kernel->segment_count; i++) {
		const struct image_segment *segment = &kernel->segments[i];

		if (segment->address < ACPI_END &&
		    segment->address + segment->memory_size > ACPI_START)
			return true;
	}
	return false;
}

int load_acpi(struct machine *machine, gpa_t *rsdp, struct message *message)
{
	const struct machine_config *config = &machine->config;
	uint8_t bytes[ACPI_SIZE];

	*rsdp = 0;
	if (!config->pc || config->cpus == 1)
		return 0;
	if (is_in_the_way(config->kernel))
		return message_set(message, -EADDRINUSE, STATUS_DATA,
				   "--cpus: found %u and a kernel with bytes between 0x%" PRIx64
				   " and 0x%" PRIx64 ", wanted none there: the tables of the CPUs "
				   "lie there",
				   config->cpus, ACPI_START, ACPI_END);
	*rsdp = ACPI_START;
	return load_bytes(machine, ACPI_START, bytes, acpi_build(bytes, config->cpus),
			  "the ACPI tables", message);
}

unsigned int load_pc_memory(const struct machine *machine,
			    struct ept_range memory[LOAD_PC_MEMORY_MAX])
{
	unsigned int count = 0;

	memory[count++] = (struct ept_range){.start = 0, .size = LOAD_LOW_END};
	memory[count++] = (struct ept_range){.start = LOAD_HIGH_START,
					     .size = machine->ranges[0].size - LOAD_HIGH_START};
	for (unsigned int i = 1; i < machine->range_count; i++)
		memory[count++] = machine->ranges[i];
	return count;
}

/* What the kernel would have to measure or could not know, as keys of its command line. */
static void write_keys(const struct machine *machine, char *text, size_t size)
{
	uint64_t khz = kvm_tsc_khz(&machine->kvm);
	struct timespec now;
	int used = 0;

	text[0] = 0;
	if (machine->slab.size)
		used = snprintf(text, size, "slab_start=%" PRIu64 " slab_size=%" PRIu64 " ",
				machine->slab.start, machine->slab.size);
	if (!machine->config.clocks)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (khz)
		used += snprintf(text + used, size - (size_t)used, "tsc_khz=%" PRIu64 " ", khz);
	snprintf(text + used, size - (size_t)used, "wall_ns=%" PRIu64 " ",
		 (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec);
}

static int copy_command_line(struct machine *machine, const char *keys)
{
	const char *text = machine->config.command_line;
	size_t length = strlen(keys);
	int error = ept_copy_in(&machine->ept, PVH_COMMAND_LINE, keys, length);

	if (error)
		return error;
	return ept_copy_in(&machine->ept, PVH_COMMAND_LINE + length, text, strlen(text) + 1);
}

static int load_start_info(struct machine *machine, const struct load_modules *modules,
			   struct message *message)
{
	struct ept_range places[PVH_MODULES_MAX];
	const struct machine_config *config = &machine->config;
	struct ept_range memory[LOAD_PC_MEMORY_MAX];
	unsigned int count = machine->range_count;
	struct pvh_boot boot;
	char keys[160];
	gpa_t rsdp;
	int error;

	for (unsigned int i = 0; i < config->module_count; i++)
		places[i] = (struct ept_range){.start = modules->start[i],
					       .size = config->modules[i].size};
	write_keys(machine, keys, sizeof(keys));
	error = load_check_command_line(strlen(keys) + strlen(config->command_line),
					PVH_COMMAND_MAX, message);
	if (error)
		return error;
	error = load_acpi(machine, &rsdp, message);
	if (error)
		return error;
	/* What firmware has is no RAM then. */
	if (rsdp)
		count = load_pc_memory(machine, memory);
	pvh_build(&boot, rsdp ? memory : machine->ranges, count, places, config->module_count);
	boot.info.rsdp = rsdp;
	error = ept_copy_in(&machine->ept, PVH_START_INFO, &boot, sizeof(boot));
	if (!error)
		error = copy_command_line(machine, keys);
	return error ? load_failed(message, error, "the boot structures") : 0;
}

static int load_pvh(struct machine *machine, struct message *message)
{
	struct load_modules modules;
	int error = load_kernel(machine, message);

	if (!error)
		error = load_modules(machine, UINT64_MAX, &modules, message);
	if (!error)
		error = load_start_info(machine, &modules, message);
	if (error)
		return error;
	return kvm_set_pvh_state(&machine->kvm, (uint32_t)machine->config.kernel->entry,
				 PVH_START_INFO, message);
}

int load_guest(struct machine *machine, struct message *message)
{
	switch (machine->config.kernel->kind) {
	case IMAGE_LINUX_KERNEL:
		return load_linux(machine, message);
	case IMAGE_MULTIBOOT_KERNEL:
		return load_multiboot(machine, message);
	default:
		return load_pvh(machine, message);
	}
}
