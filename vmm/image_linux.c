/* SPDX-License-Identifier: MIT */
/*
 * bzImages: the checks of a Linux kernel's setup header (Linux, Documentation/arch/x86/boot.rst;
 * the names of the fields are the header's in <asm/bootparam.h>).
 *
 * The file is a setup part of (setup_sects + 1) sectors, which only firmware would run, and the
 * protected-mode part of syssize paragraphs, which unpacks itself. It is loaded at IMAGE_LINUX_LOAD
 * and entered in long mode 0x200 behind that; what follows it in the file (a signature) is left
 * out.
 */
#include <asm/bootparam.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "vmm/image_check.h"

#define SECTOR		512u
#define PARAGRAPH	16u
#define SETUP_DEFAULT	4u /* what 0 setup sectors stand for */
#define BOOT_FLAG_AT	0x1fe
#define MAGIC_AT	0x202
#define VERSION_MIN	0x20c /* the first one with xloadflags, so with a 64-bit entry */
#define JUMP_SHORT	0xeb
#define JUMP_AT		0x200
#define HEADER_END_MIN	(0x1f1 + offsetof(struct setup_header, handover_offset))
#define ENTRY_OFFSET	0x200
#define IDENTITY_MAPPED (UINT64_C(1) << 32)

/* One bzImage under the checks. */
struct linux_check {
	struct image_check *check;
	struct setup_header header;
	uint64_t setup_size; /* bytes before the protected-mode part */
	uint64_t code_size;  /* bytes of that part */
};

bool image_is_bzimage(const struct image_check *check)
{
	unsigned char boot_flag[2], magic[4];

	return image_fetch(check, BOOT_FLAG_AT, boot_flag, sizeof(boot_flag)) &&
	       image_fetch(check, MAGIC_AT, magic, sizeof(magic)) &&
	       !memcmp(boot_flag, "\x55\xaa", sizeof(boot_flag)) &&
	       !memcmp(magic, "HdrS", sizeof(magic));
}

static void check_protocol(struct linux_check *kernel)
{
	struct image_check *check = kernel->check;
	const struct setup_header *header = &kernel->header;
	unsigned jump = header->jump & 0xff, length = header->jump >> 8;

	if (header->version < VERSION_MIN) {
		image_fail(check,
			   "version: found boot protocol %u.%02u, wanted at least %u.%02u (with a "
			   "64-bit entry)",
			   header->version >> 8, header->version & 0xff, VERSION_MIN >> 8,
			   VERSION_MIN & 0xff);
		return;
	}
	if (jump != JUMP_SHORT)
		image_fail(check, "jump: found 0x%02x, wanted 0x%02x (a short jump)", jump,
			   JUMP_SHORT);
	else if (MAGIC_AT + length < HEADER_END_MIN)
		image_fail(check,
			   "jump: found a header that ends at 0x%x, wanted at least 0x%zx (with "
			   "init_size)",
			   MAGIC_AT + length, HEADER_END_MIN);
	if (!(header->loadflags & LOADED_HIGH))
		image_fail(check, "loadflags: found 0x%x, wanted 0x%x set (loaded at 1 MiB)",
			   header->loadflags, LOADED_HIGH);
	if (!(header->xloadflags & XLF_KERNEL_64))
		image_fail(check, "xloadflags: found 0x%x, wanted 0x%x set (a 64-bit entry)",
			   header->xloadflags, XLF_KERNEL_64);
}

static void check_parts(struct linux_check *kernel)
{
	struct image_check *check = kernel->check;
	const struct setup_header *header = &kernel->header;
	uint64_t sectors = header->setup_sects ? header->setup_sects : SETUP_DEFAULT;

	kernel->setup_size = (sectors + 1) * SECTOR;
	kernel->code_size = (uint64_t)header->syssize * PARAGRAPH;
	if (kernel->setup_size > check->size)
		image_fail(check,
			   "setup_sects: found %u, a setup part of 0x%" PRIx64
			   " bytes, wanted it inside the file's 0x%" PRIx64 " bytes",
			   header->setup_sects, kernel->setup_size, check->size);
	else if (kernel->code_size > check->size - kernel->setup_size)
		image_fail(check,
			   "syssize: found 0x%x, 0x%" PRIx64 " bytes, wanted at most the 0x%" PRIx64
			   " that the file has behind its setup part",
			   header->syssize, kernel->code_size, check->size - kernel->setup_size);
	else if (kernel->code_size <= ENTRY_OFFSET)
		image_fail(check,
			   "syssize: found 0x%x, 0x%" PRIx64
			   " bytes, wanted more than 0x%x (the entry is there)",
			   header->syssize, kernel->code_size, ENTRY_OFFSET);
}

static void check_payload(struct linux_check *kernel)
{
	const struct setup_header *header = &kernel->header;

	/* Nobody here unpacks it; but where it is not whole, the kernel's own unpacking fails. */
	if ((uint64_t)header->payload_offset + header->payload_length > kernel->code_size)
		image_fail(
			kernel->check,
			"payload_offset: found 0x%x and payload_length 0x%x, wanted an end of at "
			"most syssize, 0x%" PRIx64 " bytes",
			header->payload_offset, header->payload_length, kernel->code_size);
}

/* Where the kernel itself will be once it has unpacked, and how much it takes there from the start.
 */
static void check_runtime(struct linux_check *kernel)
{
	struct image_check *check = kernel->check;
	const struct setup_header *header = &kernel->header;
	uint64_t align = header->relocatable_kernel ? header->kernel_alignment : 1;
	uint64_t start = header->pref_address, end;

	if (!align || align & (align - 1)) {
		image_fail(check, "kernel_alignment: found 0x%" PRIx64 ", wanted a power of two",
			   align);
		return;
	}
	if (header->relocatable_kernel && start < IMAGE_LINUX_LOAD)
		start = IMAGE_LINUX_LOAD;
	if (start >= IDENTITY_MAPPED) {
		image_fail(check,
			   "pref_address: found 0x%" PRIx64 ", wanted below 0x%" PRIx64
			   " (what is mapped at the entry)",
			   start, IDENTITY_MAPPED);
		return;
	}
	start = (start + align - 1) & -align;
	end = start + header->init_size;
	if (!header->init_size)
		image_fail(check, "init_size: found 0, wanted what the kernel takes to unpack");
	else if (end > IDENTITY_MAPPED || !image_in_ram(check->ram, start, end))
		image_fail(check,
			   "init_size: found 0x%x bytes from 0x%" PRIx64
			   " on, wanted them inside guest RAM below 0x%" PRIx64,
			   header->init_size, start, IDENTITY_MAPPED);
	check->image->claimed_end = end;
}

/* kernel_version leads to a text in the setup part; 0: the kernel does not name itself. */
static void check_name(struct linux_check *kernel)
{
	char *name = kernel->check->image->linux_kernel.name;
	size_t room = sizeof(kernel->check->image->linux_kernel.name);
	uint64_t at = (uint64_t)kernel->header.kernel_version + SECTOR;
	unsigned char byte = 0;

	if (!kernel->header.kernel_version)
		return;
	for (uint64_t i = 0; at + i < kernel->setup_size; i++) {
		if (!image_fetch(kernel->check, at + i, &byte, 1) || !byte)
			return;
		if (i + 1 < room)
			name[i] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
	}
	image_fail(kernel->check,
		   "kernel_version: found 0x%x, wanted a text that ends inside the setup part of "
		   "0x%" PRIx64 " bytes",
		   kernel->header.kernel_version, kernel->setup_size);
}

static void place(struct linux_check *kernel)
{
	struct image_check *check = kernel->check;
	struct image *image = check->image;
	uint64_t end = IMAGE_LINUX_LOAD + kernel->code_size;

	if (!image_in_ram(check->ram, IMAGE_LINUX_LOAD, end))
		image_fail(check,
			   "syssize: found 0x%" PRIx64 " bytes, wanted them inside guest RAM from "
			   "0x%llx on",
			   kernel->code_size, IMAGE_LINUX_LOAD);
	image->entry = IMAGE_LINUX_LOAD + ENTRY_OFFSET;
	image->segment_count = 1;
	image->segments[0] = (struct image_segment){
		.address = IMAGE_LINUX_LOAD,
		.file_offset = kernel->setup_size,
		.file_size = kernel->code_size,
		.memory_size = kernel->code_size,
		.flags = PF_R | PF_W | PF_X,
	};
	image->linux_kernel.protocol = kernel->header.version;
	image->linux_kernel.command_line_max = kernel->header.cmdline_size;
	image->linux_kernel.initrd_max = kernel->header.initrd_addr_max;
}

void image_check_linux(struct image_check *check)
{
	static void (*const steps[])(struct linux_check *) = {
		check_protocol, check_parts, check_payload, check_runtime, check_name, place,
	};
	struct linux_check kernel = {.check = check};

	check->image->kind = IMAGE_LINUX_KERNEL;
	if (!image_fetch(check, IMAGE_LINUX_HEADER, &kernel.header, sizeof(kernel.header))) {
		image_fail(check,
			   "size: found %" PRIu64 " bytes, wanted at least %zu (a setup header)",
			   check->size, IMAGE_LINUX_HEADER + sizeof(kernel.header));
		return;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !check->failed; i++)
		steps[i](&kernel);
}
