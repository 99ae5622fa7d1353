/* SPDX-License-Identifier: MIT */
/*
 * Where the segments of an image go, and whether they may: in memory that there is, each apart from
 * the others, with the entry point among them.
 */
#include <inttypes.h>

#include "guest/abi.h"
#include "vmm/image_check.h"

#define PAGE_SIZE     4096ull
#define ALIGNMENT_MAX (1ull << 30)

static uint64_t end_of(const struct image_segment *segment)
{
	return segment->address + segment->memory_size;
}

bool image_in_ram(const struct image_ram *ram, uint64_t start, uint64_t end)
{
	if (!ram)
		return true;
	for (unsigned i = 0; i < ram->count; i++) {
		if (start >= ram->range[i].start && end <= ram->range[i].end)
			return true;
	}
	return false;
}

static void check_kernel_segment(struct image_check *check, unsigned i, uint64_t end)
{
	const Elf64_Phdr *phdr = &check->phdrs[i];

	if (phdr->p_paddr < IMAGE_LOWEST)
		image_fail(check,
			   "phdr[%u].p_paddr: found 0x%" PRIx64
			   ", wanted at least 0x%llx (boot structures lie below)",
			   i, phdr->p_paddr, IMAGE_LOWEST);
	else if (!image_in_ram(check->ram, phdr->p_paddr, end))
		image_fail(check,
			   "phdr[%u].p_paddr: found 0x%" PRIx64 " to 0x%" PRIx64
			   ", wanted inside guest RAM",
			   i, phdr->p_paddr, end);
}

static void check_program_segment(struct image_check *check, unsigned i, uint64_t end)
{
	const Elf64_Phdr *phdr = &check->phdrs[i];
	struct image *image = check->image;
	uint64_t limit = IMAGE_USER_END - (image->relocatable ? ABI_RELOCATION_BASE : 0);

	if (!image->relocatable && phdr->p_vaddr < IMAGE_LOWEST)
		image_fail(check, "phdr[%u].p_vaddr: found 0x%" PRIx64 ", wanted at least 0x%llx",
			   i, phdr->p_vaddr, IMAGE_LOWEST);
	if (end > limit)
		image_fail(check,
			   "phdr[%u].p_vaddr: found 0x%" PRIx64 " to 0x%" PRIx64
			   ", wanted an end of at most 0x%" PRIx64,
			   i, phdr->p_vaddr, end, limit);
	if ((phdr->p_offset ^ phdr->p_vaddr) % PAGE_SIZE)
		image_fail(check,
			   "phdr[%u].p_offset: found 0x%" PRIx64
			   ", wanted as far into a page as p_vaddr 0x%" PRIx64,
			   i, phdr->p_offset, phdr->p_vaddr);
	if ((phdr->p_align & (phdr->p_align - 1)) || phdr->p_align > ALIGNMENT_MAX)
		image_fail(check,
			   "phdr[%u].p_align: found 0x%" PRIx64
			   ", wanted a power of two, at most 0x%llx",
			   i, phdr->p_align, ALIGNMENT_MAX);
}

static void place_segment(struct image_check *check, unsigned i)
{
	const Elf64_Phdr *phdr = &check->phdrs[i];
	struct image *image = check->image;
	struct image_segment *segment = &image->segments[image->segment_count];
	bool kernel = image_is_kernel(image->kind);
	uint64_t end;

	*segment = (struct image_segment){
		.address = kernel ? phdr->p_paddr : phdr->p_vaddr,
		.file_offset = phdr->p_offset,
		.file_size = phdr->p_filesz,
		.memory_size = phdr->p_memsz,
		.flags = phdr->p_flags & (PF_R | PF_W | PF_X),
	};
	if (__builtin_add_overflow(segment->address, segment->memory_size, &end)) {
		image_fail(check,
			   "phdr[%u].p_memsz: found 0x%" PRIx64 " at 0x%" PRIx64
			   ", wanted an end below 2^64",
			   i, segment->memory_size, segment->address);
		return;
	}
	if (kernel)
		check_kernel_segment(check, i, end);
	else
		check_program_segment(check, i, end);
	image->segment_count++;
}

/* The guest kernel maps a program by whole pages, each for one segment. */
static bool share_pages(const struct image_segment *one, const struct image_segment *other)
{
	return one->address / PAGE_SIZE <= (end_of(other) - 1) / PAGE_SIZE &&
	       other->address / PAGE_SIZE <= (end_of(one) - 1) / PAGE_SIZE;
}

static bool share_bytes(const struct image_segment *one, const struct image_segment *other)
{
	return one->address < end_of(other) && other->address < end_of(one);
}

/* phdr_of[s] is the program header that segment s comes from: messages speak of headers. */
static void check_overlaps(struct image_check *check, const unsigned *phdr_of)
{
	const struct image *image = check->image;
	bool kernel = image_is_kernel(image->kind);

	for (unsigned i = 0; i < image->segment_count; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct image_segment *one = &image->segments[i];
			const struct image_segment *other = &image->segments[j];

			if (!(kernel ? share_bytes : share_pages)(one, other))
				continue;
			image_fail(check,
				   "phdr[%u].%s: found 0x%" PRIx64 " to 0x%" PRIx64
				   ", wanted %s phdr[%u] at 0x%" PRIx64 " to 0x%" PRIx64,
				   phdr_of[i], kernel ? "p_paddr" : "p_vaddr", one->address,
				   end_of(one), kernel ? "apart from" : "on other pages than",
				   phdr_of[j], other->address, end_of(other));
		}
	}
}

/* An entry in the zeros after the file's bytes would run `add %al, (%rax)`: surely a broken file.
 */
static void check_entry(struct image_check *check)
{
	const struct image *image = check->image;
	bool kernel = image_is_kernel(image->kind);

	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (image->entry >= segment->address &&
		    image->entry - segment->address < segment->file_size &&
		    (kernel || segment->flags & PF_X))
			return;
	}
	image_fail(check, "%s: found 0x%" PRIx64 ", wanted inside the file bytes of %s segment",
		   image->kind == IMAGE_PVH_KERNEL ? "XEN_ELFNOTE_PHYS32_ENTRY" : "e_entry",
		   image->entry, kernel ? "a" : "an executable");
}

void image_check_segments(struct image_check *check)
{
	struct image *image = check->image;
	unsigned phdr_of[IMAGE_SEGMENTS_MAX] = {0};

	if (image->segment_count)
		return;
	for (unsigned i = 0; i < check->header.e_phnum; i++) {
		if (check->phdrs[i].p_type != PT_LOAD || !check->phdrs[i].p_memsz)
			continue;
		phdr_of[image->segment_count] = i;
		place_segment(check, i);
	}
	if (check->failed)
		return;
	check_overlaps(check, phdr_of);
	check_entry(check);
}
