/* SPDX-License-Identifier: MIT */
/*
 * Program images: static x86-64 ELF files that lie in a module. Segments that nobody may write are
 * not copied but where they do not lie at pages, and then page by page, as they are touched;
 * segments that can be written are copied at once.
 */
#ifndef GUEST_PROGRAM_H
#define GUEST_PROGRAM_H

#include <elf.h>
#include <stdint.h>

#define PROGRAM_SEGMENTS_MAX 32

struct program {
	uint64_t gpa; /* the image, anywhere in a module */
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Phdr segments[PROGRAM_SEGMENTS_MAX];
	uint64_t bias;	  /* added to the image's addresses */
	uint64_t end;	  /* of the highest segment */
	uint64_t headers; /* gVA of the program headers */
	uint64_t entry;	  /* gVA of the first instruction */
	const char *why;  /* what is wrong, where something is */
};

/* Reads and checks what an image says of itself. -ENOEXEC, with program->why. */
int program_read(struct program *program, uint64_t gpa, uint64_t size);

/*
 * Loads it into the space that this CPU has, which is empty, and begins its heap. -ENOEXEC, -ENOMEM
 * with program->why.
 */
int program_load(struct program *program);

#endif
