/* SPDX-License-Identifier: MIT */
/*
 * The order of the checks, those of the ELF header and of the program headers as a table, and the
 * load itself. What kind of image it is: image_kind.c; where it goes: image_segments.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/image_check.h"
#include "vmm/status.h"

/* Notes and dynamic sections are searched entry by entry: a limit keeps that from taking long. */
#define SEARCHED_MAX (64u << 10)

void image_fail(struct image_check *check, const char *format, ...)
{
	struct image_problem problem = {.status = STATUS_DATA};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem.text, sizeof(problem.text), format, arguments);
	va_end(arguments);
	check->failed++;
	check->report(check->context, &problem);
}

bool image_fetch(const struct image_check *check, uint64_t offset, void *out, size_t size)
{
	uint64_t end;

	if (__builtin_add_overflow(offset, size, &end) || end > check->size)
		return false;
	memcpy(out, check->bytes + offset, size);
	return true;
}

/* A number and what it stands for in an ELF header; tables end with a NULL name. */
struct name {
	unsigned value;
	const char *name;
};

static const struct name machines[] = {
	{EM_NONE, "none"},	 {EM_386, "i386"},	  {EM_MIPS, "MIPS"},
	{EM_PPC, "PowerPC"},	 {EM_PPC64, "PowerPC64"}, {EM_S390, "S/390"},
	{EM_ARM, "ARM"},	 {EM_SPARCV9, "SPARC"},	  {EM_IA_64, "IA-64"},
	{EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"},	  {0, NULL},
};

static const struct name types[] = {
	{ET_NONE, "none"},	   {ET_REL, "object file"}, {ET_EXEC, "executable"},
	{ET_DYN, "shared object"}, {ET_CORE, "core dump"},  {0, NULL},
};

static const char *name_of(const struct name *names, unsigned value)
{
	for (; names->name; names++) {
		if (names->value == value)
			return names->name;
	}
	return "unknown";
}

static void check_ident(struct image_check *check)
{
	const unsigned char *ident = check->header.e_ident;
	unsigned char magic[SELFMAG] = {0};
	uint64_t present = check->size < SELFMAG ? check->size : SELFMAG;

	if (check->size == 0) {
		image_fail(check, "size: found 0 bytes, wanted an ELF file");
		return;
	}
	image_fetch(check, 0, magic, present);
	if (memcmp(magic, ELFMAG, present) != 0) {
		image_refuse_foreign(check);
		return;
	}
	if (!image_fetch(check, 0, &check->header, sizeof(check->header))) {
		image_fail(check,
			   "size: found %" PRIu64 " bytes, wanted at least %zu (an ELF header)",
			   check->size, sizeof(check->header));
		return;
	}
	if (ident[EI_CLASS] != ELFCLASS64)
		image_fail(check, "EI_CLASS: found %u%s, wanted 2 (64-bit)", ident[EI_CLASS],
			   ident[EI_CLASS] == ELFCLASS32 ? " (32-bit)" : "");
	if (ident[EI_DATA] != ELFDATA2LSB)
		image_fail(check, "EI_DATA: found %u%s, wanted 1 (little endian)", ident[EI_DATA],
			   ident[EI_DATA] == ELFDATA2MSB ? " (big endian)" : "");
	if (ident[EI_VERSION] != EV_CURRENT)
		image_fail(check, "EI_VERSION: found %u, wanted 1", ident[EI_VERSION]);
}

static void check_header(struct image_check *check)
{
	const Elf64_Ehdr *header = &check->header;

	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		image_fail(check, "e_type: found %u (%s), wanted 2 (executable) or 3 (static PIE)",
			   header->e_type, name_of(types, header->e_type));
	if (header->e_machine != EM_X86_64)
		image_fail(check, "e_machine: found %u (%s), wanted 62 (x86-64)", header->e_machine,
			   name_of(machines, header->e_machine));
	if (header->e_version != EV_CURRENT)
		image_fail(check, "e_version: found %u, wanted 1", header->e_version);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		image_fail(check, "e_phentsize: found %u, wanted %zu", header->e_phentsize,
			   sizeof(Elf64_Phdr));
	if (header->e_phnum == 0 || header->e_phnum > IMAGE_SEGMENTS_MAX)
		image_fail(check, "e_phnum: found %u, wanted 1 to %u", header->e_phnum,
			   IMAGE_SEGMENTS_MAX);
	else if (!image_fetch(check, header->e_phoff, check->phdrs,
			      header->e_phnum * sizeof(Elf64_Phdr)))
		image_fail(check,
			   "e_phoff: found 0x%" PRIx64 " for %u headers of %zu bytes, "
			   "wanted them inside the file's 0x%" PRIx64 " bytes",
			   header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr), check->size);
}

/* Whether the loader reads the bytes that a header of this type names. */
static bool is_read(const Elf64_Phdr *phdr)
{
	switch (phdr->p_type) {
	case PT_LOAD:
	case PT_NOTE:
	case PT_INTERP:
	case PT_DYNAMIC:
		return true;
	default:
		return false;
	}
}

static void check_phdr(struct image_check *check, unsigned i)
{
	const Elf64_Phdr *phdr = &check->phdrs[i];

	if (phdr->p_type == PT_LOAD && phdr->p_filesz > phdr->p_memsz)
		image_fail(check,
			   "phdr[%u].p_filesz: found 0x%" PRIx64
			   ", wanted at most p_memsz 0x%" PRIx64,
			   i, phdr->p_filesz, phdr->p_memsz);
	if (phdr->p_filesz == 0)
		return;
	if (phdr->p_offset > check->size)
		image_fail(check,
			   "phdr[%u].p_offset: found 0x%" PRIx64
			   ", wanted inside the file's 0x%" PRIx64 " bytes",
			   i, phdr->p_offset, check->size);
	else if (phdr->p_filesz > check->size - phdr->p_offset)
		image_fail(check,
			   "phdr[%u].p_filesz: found 0x%" PRIx64 ", wanted at most 0x%" PRIx64
			   " (the file ends there)",
			   i, phdr->p_filesz, check->size - phdr->p_offset);
	else if (phdr->p_type != PT_LOAD && phdr->p_filesz > SEARCHED_MAX)
		image_fail(check, "phdr[%u].p_filesz: found 0x%" PRIx64 ", wanted at most 0x%x", i,
			   phdr->p_filesz, SEARCHED_MAX);
}

void image_check_phdrs(struct image_check *check)
{
	unsigned loads = 0;

	for (unsigned i = 0; i < check->header.e_phnum; i++) {
		const Elf64_Phdr *phdr = &check->phdrs[i];

		if (is_read(phdr))
			check_phdr(check, i);
		if (phdr->p_type == PT_LOAD && phdr->p_memsz)
			loads++;
	}
	if (!loads)
		image_fail(check, "PT_LOAD: found no segment with bytes, wanted at least 1");
}

static void check_elf64(struct image_check *check)
{
	static void (*const steps[])(struct image_check *) = {
		check_ident,	  check_header,		image_check_phdrs,
		image_check_kind, image_check_segments,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !check->failed; i++)
		steps[i](check);
}

/* An ELF64 that is also a multiboot kernel may still be a PVH kernel: that is seen later. */
static bool is_elf64(const struct image_check *check)
{
	unsigned char ident[EI_CLASS + 1];

	return image_fetch(check, 0, ident, sizeof(ident)) && !memcmp(ident, ELFMAG, SELFMAG) &&
	       ident[EI_CLASS] == ELFCLASS64;
}

int image_parse(const void *bytes, size_t size, const struct image_ram *ram, struct image *out,
		image_report_fn *report, void *context)
{
	struct image_check check = {
		.bytes = bytes,
		.size = size,
		.ram = ram,
		.report = report,
		.context = context,
		.image = out,
	};

	unsigned multiboot;

	memset(out, 0, sizeof(*out));
	multiboot = is_elf64(&check) ? 0 : image_multiboot(&check);
	if (image_is_bzimage(&check) && !is_elf64(&check))
		image_check_linux(&check);
	else if (multiboot)
		image_check_multiboot(&check, multiboot);
	else
		check_elf64(&check);
	return check.failed ? -ENOEXEC : 0;
}

void image_bounds(const struct image *image, uint64_t *start, uint64_t *end)
{
	*start = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (segment->address < *start)
			*start = segment->address;
		if (segment->address + segment->memory_size > *end)
			*end = segment->address + segment->memory_size;
	}
	if (image->claimed_end > *end)
		*end = image->claimed_end;
}

static int load_segment(const struct image_segment *segment, const unsigned char *bytes,
			size_t size, image_copy_fn *copy, void *context)
{
	uint64_t zeros, file_end, end;
	int error = 0;

	/* image_parse has seen to all of this, but the bytes or the image may be another's. */
	if (__builtin_sub_overflow(segment->memory_size, segment->file_size, &zeros) ||
	    __builtin_add_overflow(segment->file_offset, segment->file_size, &file_end) ||
	    __builtin_add_overflow(segment->address, segment->memory_size, &end) ||
	    (segment->file_size && file_end > size))
		return -EINVAL;
	if (segment->file_size)
		error = copy(context, segment->address, bytes + segment->file_offset,
			     segment->file_size);
	if (!error && zeros)
		error = copy(context, segment->address + segment->file_size, NULL, zeros);
	return error;
}

int image_load(const struct image *image, const void *bytes, size_t size, image_copy_fn *copy,
	       void *context)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		int error = load_segment(&image->segments[i], bytes, size, copy, context);

		if (error)
			return error;
	}
	return 0;
}
