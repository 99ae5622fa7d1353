/* SPDX-License-Identifier: MIT */
/*
 * Kernels of others in memory for the tests of the loader: sound ones, and a table of broken ones,
 * each with the very text that refuses it. As build_elf.h.
 */
#ifndef TWOSTAGE_TESTS_VMM_BUILD_KERNEL_H
#define TWOSTAGE_TESTS_VMM_BUILD_KERNEL_H

#include "tests/vmm/build_elf.h"

enum built_kernel_kind {
	KERNEL_BZIMAGE,	       /* setup part, protected-mode part, 0x100 bytes of signature */
	KERNEL_MULTIBOOT_ELF,  /* ELF32. phdr[0] code, [1] data and bss; linked high, loaded low */
	KERNEL_MULTIBOOT_FLAT, /* address fields, no other format */
	KERNEL_KINDS
};

/* Where they have things. */
#define BZIMAGE_NAME   0x300 /* kernel_version leads there */
#define BZIMAGE_SETUP  0x400
#define BZIMAGE_CODE   0x1000 /* bytes of the protected-mode part */
#define BZIMAGE_SIZE   (BZIMAGE_SETUP + BZIMAGE_CODE + 0x100)
#define MULTIBOOT_ELF  0x80 /* the multiboot header of the ELF32 */
#define MULTIBOOT_CODE 0x1000
#define MULTIBOOT_DATA 0x2100
#define MULTIBOOT_SIZE 0x2400
#define MULTIBOOT_FLAT 0x40 /* that of the flat one */
#define FLAT_LOADED    0x800
#define FLAT_SIZE      0x1000

/* All of them, once started, exit with 42 by the debug port, in whatever mode they are. */
void build_kernel(enum built_kernel_kind kind, struct built *out);

/* Changes the flags of a multiboot header at this offset, and its checksum. */
void built_poke_flags(struct built *built, uint64_t header, uint32_t flags);

struct broken_poke {
	unsigned width; /* 0: none */
	uint64_t offset, value;
};

/* A broken kernel is a sound one over which up to two values are written, and which is then cut. */
struct broken_kernel {
	const char *name; /* usable as the name of a file */
	const char *text; /* the first message about it */
	enum built_kernel_kind from;
	struct broken_poke pokes[2];
	uint32_t flags; /* of the multiboot header; 0: as they are */
	size_t size;	/* 0: as it is */
};

extern const struct broken_kernel broken_kernels[];
extern const size_t broken_kernel_count;

void build_broken_kernel(const struct broken_kernel *broken, struct built *out);

#endif
