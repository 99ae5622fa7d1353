/* SPDX-License-Identifier: MIT */
/*
 * See program.h. The VMM has checked the first program's image already; under a VMM that has not,
 * and for all others, these checks keep the kernel safe.
 */
#include "guest/program.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "guest/abi.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/memory.h"
#include "guest/region.h"
#include "guest/user.h"

static int fail(struct program *program, int error, const char *why)
{
	program->why = why;
	return error;
}

static bool is_elf(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_MAG0] == ELFMAG0 && header->e_ident[EI_MAG1] == 'E' &&
	       header->e_ident[EI_MAG2] == 'L' && header->e_ident[EI_MAG3] == 'F' &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == EM_X86_64;
}

static bool has_headers(const Elf64_Ehdr *header, uint64_t size)
{
	return header->e_phnum && header->e_phnum <= PROGRAM_SEGMENTS_MAX &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phoff % 8 == 0 &&
	       header->e_phoff <= size &&
	       size - header->e_phoff >= header->e_phnum * sizeof(Elf64_Phdr);
}

static bool segment_fits(const struct program *program, const Elf64_Phdr *segment)
{
	uint64_t size = program->size;

	/* Where nothing is taken from the file it may be of any length. */
	if (segment->p_filesz &&
	    (segment->p_offset > size || segment->p_filesz > size - segment->p_offset))
		return false;
	return segment->p_filesz <= segment->p_memsz && segment->p_memsz <= USER_END &&
	       segment->p_vaddr <= USER_END &&
	       !((segment->p_offset ^ segment->p_vaddr) & (HPT_PAGE_SIZE - 1));
}

static int check_segments(struct program *program)
{
	for (unsigned int i = 0; i < program->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &program->segments[i];

		if (segment->p_type == PT_INTERP)
			return fail(program, -ENOEXEC, "it is dynamically linked");
		if (segment->p_type == PT_LOAD && !segment_fits(program, segment))
			return fail(program, -ENOEXEC,
				    "a segment is not in the file or not aligned to it");
	}
	return 0;
}

int program_read(struct program *program, uint64_t gpa, uint64_t size)
{
	Elf64_Ehdr *header = &program->header;

	program->gpa = gpa;
	program->size = size;
	program->end = program->headers = 0;
	if (size < sizeof(*header))
		return fail(program, -ENOEXEC, "it is not an x86-64 ELF");
	/* It may begin anywhere. */
	memcpy(header, direct(gpa), sizeof(*header));
	if (!is_elf(header))
		return fail(program, -ENOEXEC, "it is not an x86-64 ELF");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return fail(program, -ENOEXEC,
			    "e_type is neither executable nor position-independent");
	if (!has_headers(header, size))
		return fail(program, -ENOEXEC, "its program headers are not in the file");
	memcpy(program->segments, direct(gpa + header->e_phoff),
	       header->e_phnum * sizeof(Elf64_Phdr));
	program->bias = header->e_type == ET_DYN ? ABI_RELOCATION_BASE : 0;
	program->entry = program->bias + header->e_entry;
	if (program->entry >= USER_END)
		return fail(program, -ENOEXEC, "e_entry is outside user space");
	return check_segments(program);
}

static uint64_t protection_of(const Elf64_Phdr *segment)
{
	return (segment->p_flags & PF_R ? PROTECTION_READ : 0) |
	       (segment->p_flags & PF_W ? PROTECTION_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROTECTION_EXECUTE : 0);
}

static int load_copy(struct program *program, const Elf64_Phdr *segment, uint64_t start,
		     uint64_t pages)
{
	uint64_t gva = program->bias + segment->p_vaddr;
	uint64_t protection = protection_of(segment);

	if (memory_add(cpu.window.space, start >> HPT_PAGE_SHIFT, pages,
		       protection | PROTECTION_WRITE, 0) ||
	    user_write(gva, direct(program->gpa + segment->p_offset), segment->p_filesz))
		return fail(program, -ENOMEM, "a segment does not fit into memory");
	if (!(protection & PROTECTION_WRITE))
		memory_protect(start, pages << HPT_PAGE_SHIFT, protection);
	return 0;
}

/* From the page of the file on that the segment begins in. */
static int load_mapped(struct program *program, const Elf64_Phdr *segment, uint64_t start,
		       uint64_t pages)
{
	uint64_t source = program->gpa + (segment->p_offset & ~(HPT_PAGE_SIZE - 1));

	if (memory_add(cpu.window.space, start >> HPT_PAGE_SHIFT, pages, protection_of(segment),
		       region_place(source)))
		return fail(program, -ENOMEM, "segments overlap or lie outside user space");
	return 0;
}

static int load_segment(struct program *program, const Elf64_Phdr *segment)
{
	uint64_t gva = program->bias + segment->p_vaddr;
	uint64_t start = gva & ~(HPT_PAGE_SIZE - 1);
	uint64_t pages = (gva - start + segment->p_memsz + HPT_PAGE_SIZE - 1) >> HPT_PAGE_SHIFT;
	int error;

	if (!segment->p_memsz)
		return 0;
	if (segment->p_flags & PF_W || segment->p_memsz > segment->p_filesz)
		error = load_copy(program, segment, start, pages);
	else
		error = load_mapped(program, segment, start, pages);
	if (error)
		return error;
	if (gva + segment->p_memsz > program->end)
		program->end = gva + segment->p_memsz;
	if (program->header.e_phoff >= segment->p_offset &&
	    program->header.e_phoff < segment->p_offset + segment->p_filesz)
		program->headers = gva + program->header.e_phoff - segment->p_offset;
	return 0;
}

int program_load(struct program *program)
{
	int error = 0;

	for (unsigned int i = 0; i < program->header.e_phnum && !error; i++) {
		if (program->segments[i].p_type == PT_LOAD)
			error = load_segment(program, &program->segments[i]);
	}
	if (!error)
		memory_start_heap(cpu.window.space, program->end);
	return error;
}
