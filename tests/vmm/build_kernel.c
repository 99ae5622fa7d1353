/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <string.h>

#include "tests/vmm/build_kernel.h"

#define MULTIBOOT_MAGIC 0x1badb002u

/* mov $42, %al; out %al, $0xf4: the same bytes with 32 and 64 bits. */
static const unsigned char leave[] = {0xb0, 42, 0xe6, 0xf4};

/* A value of the setup header, by its place in the file (Linux, Documentation/arch/x86/boot.rst).
 */
static const struct field {
	unsigned offset, width;
	uint64_t value;
} bzimage_fields[] = {
	{0x1f1, 1, BZIMAGE_SETUP / 512 - 1}, /* setup_sects */
	{0x1f4, 4, BZIMAGE_CODE / 16},	     /* syssize */
	{0x1fe, 2, 0xaa55},		     /* boot_flag */
	{0x200, 2, 0x6aeb},		     /* jump: to 0x26c */
	{0x202, 4, 0x53726448},		     /* header: "HdrS" */
	{0x206, 2, 0x20f},		     /* version */
	{0x20e, 2, BZIMAGE_NAME - 0x200},    /* kernel_version */
	{0x211, 1, 0x01},		     /* loadflags: LOADED_HIGH */
	{0x22c, 4, 0x7fffffff},		     /* initrd_addr_max */
	{0x230, 4, 0x200000},		     /* kernel_alignment */
	{0x234, 1, 1},			     /* relocatable_kernel */
	{0x236, 2, 0x3},		     /* xloadflags: KERNEL_64, above 4 GiB */
	{0x238, 4, 255},		     /* cmdline_size */
	{0x248, 4, 0x300},		     /* payload_offset */
	{0x24c, 4, BZIMAGE_CODE - 0x300},    /* payload_length */
	{0x258, 8, 0x200000},		     /* pref_address */
	{0x260, 4, 0x100000},		     /* init_size */
};

static void build_bzimage(struct built *out)
{
	static const char name[] = "6.1.0-test (nobody) #1";

	for (size_t i = 0; i < sizeof(bzimage_fields) / sizeof(bzimage_fields[0]); i++)
		built_poke(out, bzimage_fields[i].offset, bzimage_fields[i].width,
			   bzimage_fields[i].value);
	memcpy(out->bytes + BZIMAGE_NAME, name, sizeof(name));
	memset(out->bytes + BZIMAGE_SETUP, 0xf4, BZIMAGE_CODE);
	memcpy(out->bytes + BZIMAGE_SETUP + 0x200, leave, sizeof(leave));
	memset(out->bytes + BZIMAGE_SETUP + BZIMAGE_CODE, 0x51, 0x100);
	out->size = BZIMAGE_SIZE;
}

void built_poke_flags(struct built *built, uint64_t header, uint32_t flags)
{
	built_poke(built, header, 4, MULTIBOOT_MAGIC);
	built_poke(built, header + 4, 4, flags);
	built_poke(built, header + 8, 4, -(MULTIBOOT_MAGIC + flags));
}

static void build_multiboot_elf(struct built *out)
{
	const Elf32_Ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = 0xc0101010,
		.e_phoff = sizeof(Elf32_Ehdr),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 2,
	};
	const Elf32_Phdr phdrs[2] = {
		{PT_LOAD, MULTIBOOT_CODE, 0xc0101000, 0x101000, 0x800, 0x800, PF_R | PF_X, 0x1000},
		{PT_LOAD, MULTIBOOT_DATA, 0xc0102100, 0x102100, 0x200, 0x1000, PF_R | PF_W, 0x1000},
	};

	memcpy(out->bytes, &header, sizeof(header));
	memcpy(out->bytes + sizeof(header), phdrs, sizeof(phdrs));
	built_poke_flags(out, MULTIBOOT_ELF, 3);
	memset(out->bytes + MULTIBOOT_CODE, 0xf4, 0x800);
	memcpy(out->bytes + MULTIBOOT_CODE + 0x10, leave, sizeof(leave));
	memset(out->bytes + MULTIBOOT_DATA, 0xda, 0x200);
	out->size = MULTIBOOT_SIZE;
}

static void build_multiboot_flat(struct built *out)
{
	const uint32_t addresses[5] = {0x100000 + MULTIBOOT_FLAT, 0x100000, 0x100000 + FLAT_LOADED,
				       0x101800, 0x100060};

	memset(out->bytes, 0xf4, FLAT_SIZE);
	built_poke_flags(out, MULTIBOOT_FLAT, 0x10003);
	memcpy(out->bytes + MULTIBOOT_FLAT + 12, addresses, sizeof(addresses));
	memcpy(out->bytes + 0x60, leave, sizeof(leave));
	out->size = FLAT_SIZE;
}

void build_kernel(enum built_kernel_kind kind, struct built *out)
{
	memset(out, 0, sizeof(*out));
	if (kind == KERNEL_BZIMAGE)
		build_bzimage(out);
	else if (kind == KERNEL_MULTIBOOT_ELF)
		build_multiboot_elf(out);
	else
		build_multiboot_flat(out);
}

void build_broken_kernel(const struct broken_kernel *broken, struct built *out)
{
	build_kernel(broken->from, out);
	if (broken->flags)
		built_poke_flags(
			out, broken->from == KERNEL_MULTIBOOT_ELF ? MULTIBOOT_ELF : MULTIBOOT_FLAT,
			broken->flags);
	for (size_t i = 0; i < sizeof(broken->pokes) / sizeof(broken->pokes[0]); i++)
		built_poke(out, broken->pokes[i].offset, broken->pokes[i].width,
			   broken->pokes[i].value);
	if (broken->size)
		out->size = broken->size;
}
