/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 kernels (Multiboot Specification version 0.6.96, section 3.1; the names of the fields
 * are its). The header is in the first 8 KiB. With flags bit 16 it says itself where the file goes,
 * whatever format the file has; without, the file is an ELF32, whose program headers say so.
 */
#include <inttypes.h>
#include <string.h>

#include "vmm/image_check.h"

#define FLAGS_REQUIRED 0x0000ffffu /* bits that a loader must know or refuse */
#define FLAG_ALIGN     (1u << 0)   /* modules begin at pages: they always do */
#define FLAG_MEMORY    (1u << 1)   /* wants to know the memory: it is always told */
#define FLAG_VIDEO     (1u << 2)
#define FLAG_ADDRESSES (1u << 16)
#define PHYSICAL_END   (UINT64_C(1) << 32)

/* The two multiboot specifications: magic, the alignment of the header, and where it may start. */
static const struct multiboot {
	uint32_t magic, step, limit, words; /* the first `words` 32-bit words of it sum up to 0 */
} multiboots[] = {
	{0x1badb002, 4, 8192, 3},
	{0xe85250d6, 8, 32768, 4},
};

static bool find_header(const struct image_check *check, const struct multiboot *kind, uint32_t *at)
{
	uint32_t word[4];

	for (uint32_t offset = 0; offset < kind->limit; offset += kind->step) {
		uint32_t sum = 0;

		if (!image_fetch(check, offset, word, kind->words * sizeof(word[0])))
			return false;
		for (uint32_t i = 0; i < kind->words; i++)
			sum += word[i];
		*at = offset;
		if (word[0] == kind->magic && sum == 0)
			return true;
	}
	return false;
}

unsigned image_multiboot(const struct image_check *check)
{
	uint32_t at;

	for (unsigned i = 0; i < sizeof(multiboots) / sizeof(multiboots[0]); i++) {
		if (find_header(check, &multiboots[i], &at))
			return i + 1;
	}
	return 0;
}

/* As it stands in the file; the addresses count only with FLAG_ADDRESSES. */
struct header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

/* One multiboot kernel under the checks. */
struct multiboot_check {
	struct image_check *check;
	struct header header;
	uint32_t at;	      /* file offset of the header */
	uint64_t load_offset; /* file offset of what goes to load_addr */
	uint64_t load_end, bss_end;
};

static void check_flags(struct multiboot_check *kernel, bool elf32)
{
	const uint32_t known = FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO;
	uint32_t flags = kernel->header.flags;

	if (flags & FLAGS_REQUIRED & ~known)
		image_fail(kernel->check,
			   "flags: found 0x%x, wanted none of bits 3 to 15 (requirements that this "
			   "loader does not know)",
			   flags);
	if (flags & FLAG_VIDEO)
		image_fail(kernel->check,
			   "flags: found 0x%x, wanted bit 2 clear (there is no display)", flags);
	if (!(flags & FLAG_ADDRESSES) && !elf32)
		image_fail(kernel->check,
			   "flags: found 0x%x, wanted bit 16 set (address fields) or an ELF32 file",
			   flags);
}

/* The file's part: from load_addr, which lies before the header or at it, to load_end_addr. */
static void check_file_part(struct multiboot_check *kernel)
{
	const struct header *header = &kernel->header;
	struct image_check *check = kernel->check;
	uint64_t before = (uint64_t)header->header_addr - header->load_addr, most;

	if (header->load_addr > header->header_addr) {
		image_fail(check, "load_addr: found 0x%x, wanted at most header_addr 0x%x",
			   header->load_addr, header->header_addr);
		return;
	}
	if (before > kernel->at) {
		image_fail(check,
			   "load_addr: found 0x%x, wanted at least 0x%x (the file begins there)",
			   header->load_addr, header->header_addr - kernel->at);
		return;
	}
	kernel->load_offset = kernel->at - before;
	most = header->load_addr + (check->size - kernel->load_offset);
	kernel->load_end = header->load_end_addr ? header->load_end_addr : most;
	if (kernel->load_end <= header->load_addr)
		image_fail(check, "load_end_addr: found 0x%x, wanted above load_addr 0x%x",
			   header->load_end_addr, header->load_addr);
	else if (kernel->load_end > most)
		image_fail(check,
			   "load_end_addr: found 0x%x, wanted at most 0x%" PRIx64
			   " (the file ends there)",
			   header->load_end_addr, most);
}

static void check_memory(struct multiboot_check *kernel)
{
	const struct header *header = &kernel->header;
	struct image_check *check = kernel->check;

	kernel->bss_end = header->bss_end_addr ? header->bss_end_addr : kernel->load_end;
	if (kernel->bss_end < kernel->load_end)
		image_fail(check,
			   "bss_end_addr: found 0x%x, wanted 0 or at least the end of what is "
			   "loaded, 0x%" PRIx64,
			   header->bss_end_addr, kernel->load_end);
	else if (header->load_addr < IMAGE_LOWEST)
		image_fail(check,
			   "load_addr: found 0x%x, wanted at least 0x%llx (boot structures lie "
			   "below)",
			   header->load_addr, IMAGE_LOWEST);
	else if (!image_in_ram(check->ram, header->load_addr, kernel->bss_end))
		image_fail(check, "load_addr: found 0x%x to 0x%" PRIx64 ", wanted inside guest RAM",
			   header->load_addr, kernel->bss_end);
	if (header->entry_addr < header->load_addr || header->entry_addr >= kernel->load_end)
		image_fail(check,
			   "entry_addr: found 0x%x, wanted inside what is loaded, 0x%x to "
			   "0x%" PRIx64,
			   header->entry_addr, header->load_addr, kernel->load_end);
}

/* The image where the header has the addresses. */
static void place_by_header(struct multiboot_check *kernel)
{
	const struct header *header = &kernel->header;
	struct image *image = kernel->check->image;

	check_file_part(kernel);
	if (!kernel->check->failed)
		check_memory(kernel);
	if (kernel->check->failed)
		return;
	image->entry = header->entry_addr;
	image->segment_count = 1;
	image->segments[0] = (struct image_segment){
		.address = header->load_addr,
		.file_offset = kernel->load_offset,
		.file_size = kernel->load_end - header->load_addr,
		.memory_size = kernel->bss_end - header->load_addr,
		.flags = PF_R | PF_W | PF_X,
	};
}

static void check_elf32_header(struct image_check *check, const Elf32_Ehdr *header)
{
	if (header->e_ident[EI_DATA] != ELFDATA2LSB)
		image_fail(check, "EI_DATA: found %u, wanted 1 (little endian)",
			   header->e_ident[EI_DATA]);
	if (header->e_type != ET_EXEC)
		image_fail(check, "e_type: found %u, wanted 2 (executable)", header->e_type);
	if (header->e_machine != EM_386)
		image_fail(check, "e_machine: found %u, wanted 3 (i386)", header->e_machine);
	if (header->e_phentsize != sizeof(Elf32_Phdr))
		image_fail(check, "e_phentsize: found %u, wanted %zu", header->e_phentsize,
			   sizeof(Elf32_Phdr));
	if (header->e_phnum == 0 || header->e_phnum > IMAGE_SEGMENTS_MAX)
		image_fail(check, "e_phnum: found %u, wanted 1 to %u", header->e_phnum,
			   IMAGE_SEGMENTS_MAX);
}

/* Widens the program headers, so that the checks of ELF64 do for both. */
static void read_phdrs(struct image_check *check, const Elf32_Ehdr *header)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf32_Phdr phdr;

		if (!image_fetch(check, header->e_phoff + (uint64_t)i * sizeof(phdr), &phdr,
				 sizeof(phdr))) {
			image_fail(check,
				   "e_phoff: found 0x%x for %u headers of %zu bytes, wanted them "
				   "inside the file's 0x%" PRIx64 " bytes",
				   header->e_phoff, header->e_phnum, sizeof(phdr), check->size);
			return;
		}
		check->phdrs[i] = (Elf64_Phdr){
			.p_type = phdr.p_type,
			.p_flags = phdr.p_flags,
			.p_offset = phdr.p_offset,
			.p_vaddr = phdr.p_vaddr,
			.p_paddr = phdr.p_paddr,
			.p_filesz = phdr.p_filesz,
			.p_memsz = phdr.p_memsz,
			.p_align = phdr.p_align,
		};
	}
	check->header.e_phnum = header->e_phnum;
}

/* e_entry is a virtual address; paging is off, so the kernel is entered where it was loaded. */
static uint64_t physical_entry(const struct image_check *check, uint32_t entry)
{
	for (unsigned i = 0; i < check->header.e_phnum; i++) {
		const Elf64_Phdr *phdr = &check->phdrs[i];

		if (phdr->p_type == PT_LOAD && entry >= phdr->p_vaddr &&
		    entry - phdr->p_vaddr < phdr->p_memsz)
			return entry - phdr->p_vaddr + phdr->p_paddr;
	}
	return entry;
}

/* The image where an ELF32 has the addresses. */
static void place_by_elf32(struct image_check *check)
{
	Elf32_Ehdr header;

	if (!image_fetch(check, 0, &header, sizeof(header))) {
		image_fail(check,
			   "size: found %" PRIu64 " bytes, wanted at least %zu (an ELF32 header)",
			   check->size, sizeof(header));
		return;
	}
	check_elf32_header(check, &header);
	if (!check->failed)
		read_phdrs(check, &header);
	if (!check->failed)
		image_check_phdrs(check);
	if (check->failed)
		return;
	check->image->entry = physical_entry(check, header.e_entry);
	image_check_segments(check);
}

static bool is_elf32(const struct image_check *check)
{
	unsigned char ident[EI_CLASS + 1];

	return image_fetch(check, 0, ident, sizeof(ident)) && !memcmp(ident, ELFMAG, SELFMAG) &&
	       ident[EI_CLASS] == ELFCLASS32;
}

void image_check_multiboot(struct image_check *check, unsigned version)
{
	struct multiboot_check kernel = {.check = check};
	size_t size = sizeof(kernel.header);

	if (version != 1) {
		image_fail(check,
			   "kind: found a multiboot %u kernel, wanted a PVH, Linux or multiboot 1 "
			   "kernel or a static program; this kind is not supported by this version",
			   version);
		return;
	}
	check->image->kind = IMAGE_MULTIBOOT_KERNEL;
	find_header(check, &multiboots[0], &kernel.at);
	/* Three words are there; the addresses may be cut off, and need not be there at all. */
	image_fetch(check, kernel.at, &kernel.header, 3 * sizeof(uint32_t));
	check_flags(&kernel, is_elf32(check));
	if (check->failed)
		return;
	if (!(kernel.header.flags & FLAG_ADDRESSES))
		place_by_elf32(check);
	else if (image_fetch(check, kernel.at, &kernel.header, size))
		place_by_header(&kernel);
	else
		image_fail(check,
			   "size: found %" PRIu64 " bytes, wanted at least %zu (a multiboot header "
			   "with address fields)",
			   check->size, kernel.at + size);
}
