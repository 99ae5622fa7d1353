/* SPDX-License-Identifier: MIT */
/* What the tests of the image loader expect of one image_parse, as Criterion assertions. */
#ifndef TWOSTAGE_TESTS_VMM_IMAGE_EXPECT_H
#define TWOSTAGE_TESTS_VMM_IMAGE_EXPECT_H

#include <elf.h>

#include "tests/vmm/build_elf.h"
#include "vmm/image.h"

/* All that a guest's RAM can be. */
extern const struct image_ram any_ram;

/* The first problem of a file, and how many there were. */
struct problems {
	unsigned count;
	struct image_problem first;
};

/* Parses; an accepted image must keep every promise of image.h. */
int parse(const struct built *built, const struct image_ram *ram, struct image *image,
	  struct problems *problems);

void expect_accepted(const struct built *built, struct image *image);
/* The first message is about this field. */
void expect_refused(const struct built *built, const struct image_ram *ram, const char *field);
/* The first message is this text. */
void expect_refused_with(const struct built *built, const char *text);

#define POKE_EHDR(built, field, value) \
	built_poke(built, offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field), value)
#define POKE_PHDR(built, n, field, value)                                                       \
	built_poke(built,                                                                       \
		   sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field), \
		   sizeof(((Elf64_Phdr *)0)->field), value)

#endif
