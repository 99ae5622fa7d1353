/* SPDX-License-Identifier: MIT */
/*
 * What a multiboot 1 kernel finds (Multiboot Specification 0.6.96, sections 3.2 and 3.3): the
 * information, a list of modules, a memory map and the texts that these lead to, all below
 * IMAGE_LOWEST, where no image has anything:
 *
 *	0x1000  struct block
 *	0x3000  command line, then the modules' texts, each with a zero
 *
 * The command line begins with the image's name, as that of other loaders does; a module's text is
 * its file's name.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "vmm/load.h"

#define BLOCK	  0x1000
#define TEXTS	  0x3000
#define TEXTS_END IMAGE_LOWEST

/* Bits of information.flags: what is there. */
#define HAS_MEMORY	 (1u << 0)
#define HAS_COMMAND_LINE (1u << 2)
#define HAS_MODULES	 (1u << 3)
#define HAS_MEMORY_MAP	 (1u << 6)
#define HAS_LOADER_NAME	 (1u << 9)

#define MEMORY_RAM 1

struct information {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 on */
	uint32_t mem_upper; /* KiB from 1 MiB on, up to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length; /* bytes */
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
};

struct module {
	uint32_t mod_start;
	uint32_t mod_end; /* the first byte behind it */
	uint32_t string;
	uint32_t reserved;
};

struct memory {
	uint32_t size; /* of what follows */
	uint64_t base_addr;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

struct block {
	struct information information;
	struct module modules[MACHINE_MODULES_MAX];
	struct memory memory[LOAD_PC_MEMORY_MAX];
	char loader[16];
};

_Static_assert(BLOCK + sizeof(struct block) <= TEXTS, "they do not overlap");
_Static_assert(sizeof(struct memory) == 24, "the layout of the specification");

static void describe_memory(const struct machine *machine, struct block *block)
{
	struct ept_range memory[LOAD_PC_MEMORY_MAX];
	unsigned int count = load_pc_memory(machine, memory);

	block->information.mem_lower = LOAD_LOW_END >> 10;
	block->information.mem_upper = (uint32_t)(memory[1].size >> 10);
	for (unsigned int i = 0; i < count; i++)
		block->memory[i] = (struct memory){.size = sizeof(struct memory) - sizeof(uint32_t),
						   .base_addr = memory[i].start,
						   .length = memory[i].size,
						   .type = MEMORY_RAM};
	block->information.mmap_length = count * (uint32_t)sizeof(struct memory);
	block->information.mmap_addr = BLOCK + offsetof(struct block, memory);
}

/* Copies a text with its zero to *at, and moves *at behind it. */
static int load_text(struct machine *machine, gpa_t *at, const char *text, struct message *message)
{
	size_t size = strlen(text) + 1;
	int error = load_bytes(machine, *at, text, size, "the command line", message);

	*at += size;
	return error;
}

static size_t texts_size(const struct machine_config *config)
{
	size_t size = strlen(config->name) + 1 + strlen(config->command_line) + 1;

	for (unsigned int i = 0; i < config->module_count; i++)
		size += strlen(config->modules[i].name) + 1;
	return size;
}

static int load_texts(struct machine *machine, struct block *block, struct message *message)
{
	const struct machine_config *config = &machine->config;
	gpa_t at = TEXTS;
	int error = load_check_command_line(texts_size(config), TEXTS_END - TEXTS, message);

	block->information.cmdline = TEXTS;
	if (!error)
		error = load_bytes(machine, at, config->name, strlen(config->name),
				   "the command line", message);
	at += strlen(config->name);
	if (!error)
		error = load_bytes(machine, at, " ", 1, "the command line", message);
	at++;
	if (!error)
		error = load_text(machine, &at, config->command_line, message);
	for (unsigned int i = 0; i < config->module_count && !error; i++) {
		block->modules[i].string = (uint32_t)at;
		error = load_text(machine, &at, config->modules[i].name, message);
	}
	return error;
}

static int describe_modules(struct machine *machine, struct block *block, struct message *message)
{
	const struct machine_config *config = &machine->config;
	struct load_modules modules;
	int error = load_modules(machine, UINT64_MAX, &modules, message);

	for (unsigned int i = 0; i < config->module_count; i++) {
		block->modules[i].mod_start = (uint32_t)modules.start[i];
		block->modules[i].mod_end = (uint32_t)(modules.start[i] + config->modules[i].size);
	}
	block->information.mods_count = config->module_count;
	block->information.mods_addr = BLOCK + offsetof(struct block, modules);
	return error;
}

int load_multiboot(struct machine *machine, struct message *message)
{
	struct block block = {
		.information.flags = HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MEMORY_MAP |
				     HAS_LOADER_NAME,
		.information.boot_loader_name = BLOCK + offsetof(struct block, loader),
		.loader = "twostage",
	};
	int error = load_kernel(machine, message);
	gpa_t rsdp;

	describe_memory(machine, &block);
	if (!error)
		error = describe_modules(machine, &block, message);
	if (!error)
		error = load_texts(machine, &block, message);
	/* Its kernels look for the tables where firmware has them. */
	if (!error)
		error = load_acpi(machine, &rsdp, message);
	if (!error)
		error = load_bytes(machine, BLOCK, &block, sizeof(block), "the boot structures",
				   message);
	if (error)
		return error;
	return kvm_set_multiboot_state(&machine->kvm, (uint32_t)machine->config.kernel->entry,
				       BLOCK, message);
}
