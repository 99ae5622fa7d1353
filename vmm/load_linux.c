/* SPDX-License-Identifier: MIT */
/*
 * Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst): the zero page, which is the
 * setup header with what a loader fills in, the memory map, the command line and the initrd; and
 * what the state at the entry takes: descriptors, and page tables that map the first 4 GiB to
 * themselves. The kernel makes its own of all of that, so it lies in memory that it may use later:
 *
 *	0x1000   descriptors
 *	0x7000   zero page
 *	0x9000   page tables: one of level 4, one of level 3, four of level 2 with pages of 2 MiB
 *	0x20000  command line, zero-terminated, up to the end of low memory
 */
#include <asm/bootparam.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "vmm/load.h"
#include "vmm/status.h"

#define DESCRIPTORS  0x1000
#define ZERO_PAGE    0x7000
#define TABLES	     0x9000
#define COMMAND_LINE 0x20000

#define TABLE_SIZE  4096
#define TABLE_WORDS 512
#define DIRECTORIES 4 /* of level 2: 1 GiB each */
#define LARGE_PAGE  (UINT64_C(2) << 20)
#define TABLE_FLAGS 0x3	 /* present, writable */
#define LARGE_FLAGS 0x83 /* and a page of 2 MiB */

#define LOADER_UNKNOWN 0xff /* a loader without a number of its own */
#define E820_RAM       1

#define MAGIC_AT 0x202 /* where the jump over the header is counted from */

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page is a page");
_Static_assert(offsetof(struct boot_params, hdr) == IMAGE_LINUX_HEADER, "as it lies in the file");

static int load_tables(struct machine *machine, struct message *message)
{
	static uint64_t words[2 + DIRECTORIES][TABLE_WORDS];
	gpa_t directory = TABLES + 2 * TABLE_SIZE;

	memset(words, 0, sizeof(words));
	words[0][0] = (TABLES + TABLE_SIZE) | TABLE_FLAGS;
	for (uint64_t i = 0; i < DIRECTORIES; i++)
		words[1][i] = (directory + i * TABLE_SIZE) | TABLE_FLAGS;
	for (uint64_t i = 0; i < DIRECTORIES * TABLE_WORDS; i++)
		words[2 + i / TABLE_WORDS][i % TABLE_WORDS] = i * LARGE_PAGE | LARGE_FLAGS;
	return load_bytes(machine, TABLES, words, sizeof(words), "the page tables", message);
}

static int load_descriptors(struct machine *machine, struct message *message)
{
	static const uint64_t descriptors[KVM_LINUX_DESCRIPTORS] = {
		[KVM_LINUX_CODE] = UINT64_C(0x00af9b000000ffff), /* flat, 64-bit code */
		[KVM_LINUX_DATA] = UINT64_C(0x00cf93000000ffff), /* flat data */
	};

	return load_bytes(machine, DESCRIPTORS, descriptors, sizeof(descriptors), "descriptors",
			  message);
}

static int load_command_line(struct machine *machine, struct message *message)
{
	const struct machine_config *config = &machine->config;
	size_t most = config->kernel->linux_kernel.command_line_max;
	size_t size = strlen(config->command_line);
	int error;

	if (most > LOAD_LOW_END - COMMAND_LINE - 1)
		most = LOAD_LOW_END - COMMAND_LINE - 1;
	error = load_check_command_line(size, most, message);
	if (error)
		return error;
	return load_bytes(machine, COMMAND_LINE, config->command_line, size + 1, "the command line",
			  message);
}

/* The header ends where its own jump leads to; what would follow is code. */
static void copy_header(struct boot_params *zero_page, const struct machine_config *config)
{
	const uint8_t *file = config->kernel_bytes;
	size_t size =
		MAGIC_AT + file[offsetof(struct boot_params, hdr.jump) + 1] - IMAGE_LINUX_HEADER;

	if (size > sizeof(zero_page->hdr))
		size = sizeof(zero_page->hdr);
	memcpy(&zero_page->hdr, file + IMAGE_LINUX_HEADER, size);
}

static int load_zero_page(struct machine *machine, gpa_t initrd, gpa_t rsdp,
			  struct message *message)
{
	const struct machine_config *config = &machine->config;
	struct ept_range memory[LOAD_PC_MEMORY_MAX];
	struct boot_params zero_page = {0};

	copy_header(&zero_page, config);
	zero_page.hdr.type_of_loader = LOADER_UNKNOWN;
	zero_page.hdr.cmd_line_ptr = COMMAND_LINE;
	zero_page.acpi_rsdp_addr = rsdp;
	if (config->module_count) {
		zero_page.hdr.ramdisk_image = (uint32_t)initrd;
		zero_page.hdr.ramdisk_size = (uint32_t)config->modules[0].size;
	}
	zero_page.e820_entries = (uint8_t)load_pc_memory(machine, memory);
	for (unsigned int i = 0; i < zero_page.e820_entries; i++)
		zero_page.e820_table[i] = (struct boot_e820_entry){
			.addr = memory[i].start, .size = memory[i].size, .type = E820_RAM};
	return load_bytes(machine, ZERO_PAGE, &zero_page, sizeof(zero_page), "the zero page",
			  message);
}

int load_linux(struct machine *machine, struct message *message)
{
	const struct image *kernel = machine->config.kernel;
	const struct kvm_linux_state state = {
		.entry = (uint32_t)kernel->entry,
		.zero_page = ZERO_PAGE,
		.tables = TABLES,
		.descriptors = DESCRIPTORS,
	};
	struct load_modules modules;
	gpa_t rsdp = 0;
	int error = load_kernel(machine, message);

	if (!error)
		error = load_modules(machine, (uint64_t)kernel->linux_kernel.initrd_max + 1,
				     &modules, message);
	if (!error)
		error = load_tables(machine, message);
	if (!error)
		error = load_descriptors(machine, message);
	if (!error)
		error = load_command_line(machine, message);
	if (!error)
		error = load_acpi(machine, &rsdp, message);
	if (!error)
		error = load_zero_page(machine, modules.start[0], rsdp, message);
	return error ? error : kvm_set_linux_state(&machine->kvm, &state, message);
}
