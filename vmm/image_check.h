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

/* Reports a file that is not ELF at all, by what it is where that is recognised. */
void image_refuse_foreign(struct image_check *check);

/* The multiboot version (1 or 2) whose header the file carries, or 0. Needs no other step. */
unsigned image_multiboot(const struct image_check *check);
void image_refuse_multiboot(struct image_check *check, unsigned version);

/* Needs the program headers: finds the kind, and a kernel's entry; checks that a program is static.
 */
void image_check_kind(struct image_check *check);

/* Needs the kind: places the segments and checks them against memory, each other and the entry. */
void image_check_segments(struct image_check *check);

#endif
