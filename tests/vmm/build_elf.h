/* SPDX-License-Identifier: MIT */
/*
 * Images in memory for the tests of the loader: a few sound ones, and a table of broken ones. Each
 * broken image is a sound one with one thing wrong, named by the field that the refusal must name.
 */
#ifndef TWOSTAGE_TESTS_VMM_BUILD_ELF_H
#define TWOSTAGE_TESTS_VMM_BUILD_ELF_H

#include <stddef.h>
#include <stdint.h>

/* Where the sound images have things: the header, then the program headers, then these. */
#define BUILT_NOTES 0x400  /* of the kernels: a GNU note, then the PHYS32_ENTRY note */
#define BUILT_XEN   0x414  /* the header of the latter */
#define BUILT_CODE  0x1000 /* file offset of the first segment */
#define BUILT_DATA  0x2100 /* of the second one */
#define BUILT_SIZE  0x3000
#define BUILT_MAX   0x12000 /* of any image here */

enum built_kind {
	BUILT_PVH,     /* ET_EXEC, 8-byte descriptor. phdr[0] code, [1] data and bss, [2] notes */
	BUILT_PVH_4,   /* the same with a 4-byte descriptor */
	BUILT_PVH_DYN, /* ET_DYN */
	BUILT_PROGRAM, /* ET_EXEC. phdr[0] code, [1] data and bss, [2] PT_NULL */
	BUILT_PIE,     /* static PIE. phdr[2] is the PT_DYNAMIC, at BUILT_NOTES */
	BUILT_FOREIGN, /* nothing but zeros */
};

struct built {
	size_t size;
	unsigned char bytes[BUILT_MAX];
};

/* Builds a sound image of this kind. */
void build_image(enum built_kind kind, struct built *out);

/* Writes the low `width` bytes of the value, little endian. */
void built_poke(struct built *built, uint64_t offset, unsigned width, uint64_t value);

struct bad_image {
	const char *name;  /* describes itself, usable as the name of a file */
	int status;	   /* that a command which is given it exits with */
	const char *field; /* that the first message about it starts with */
};

size_t bad_image_count(void);
/* Builds broken image number i and describes it. */
struct bad_image build_bad_image(size_t i, struct built *out);

#endif
