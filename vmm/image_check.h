/* SPDX-License-Identifier: MIT */
/*
 * Inside the image loader: the state of one image_parse, and the steps that work on it. Each step
 * reports every failed check of its own and may rely on the steps before it having found nothing.
 */
#ifndef TWOSTAGE_VMM_IMAGE_CHECK_H
#define TWOSTAGE_VMM_IMAGE_CHECK_H

#include <elf.h>

#include "vmm/image.h"

struct image_check {
	const unsigned char *bytes;
	uint64_t size;
	const struct image_ram *ram; /* NULL: not known */
	image_report_fn *report;
	void *context;
	unsigned failed; /* checks reported so far */
	Elf64_Ehdr header;
	Elf64_Phdr phdrs[IMAGE_SEGMENTS_MAX]; /* header.e_phnum of them */
	struct image *image;
};

/* Reports a failed check. The text is "FIELD: found X, wanted Y". */
__attribute__((format(printf, 2, 3))) void image_fail(struct image_check *check, const char *format,
						      ...);

/*
 * The only way to the file's bytes: copies [offset, + size) out, so that no alignment is assumed.
 * False, and nothing copied, where that range is not in the file.
 */
bool image_fetch(const struct image_check *check, uint64_t offset, void *out, size_t size);

/* Whether [start, end) is in guest RAM; true while that is not known. */
bool image_in_ram(const struct image_ram *ram, uint64_t start, uint64_t end);

/* Reports a file of no format that is known here. */
void image_refuse_foreign(struct image_check *check);

/* A bzImage has two magic numbers; then all checks of one, which describe the whole image. */
bool image_is_bzimage(const struct image_check *check);
void image_check_linux(struct image_check *check);

/* The multiboot version (1 or 2) whose header the file carries, or 0. Needs no other step. */
unsigned image_multiboot(const struct image_check *check);
/* All checks of a multiboot kernel, which describe the whole image; version 2 is refused. */
void image_check_multiboot(struct image_check *check, unsigned version);

/* Needs the program headers: that each is inside the file. */
void image_check_phdrs(struct image_check *check);

/* Needs the program headers: finds the kind, and a kernel's entry; checks that a program is static.
 */
void image_check_kind(struct image_check *check);

/*
 * Needs the kind, and of a kernel the entry: places the segments and checks them against memory,
 * each other and the entry. Nothing is left to do for a kernel that is placed already.
 */
void image_check_segments(struct image_check *check);

#endif
