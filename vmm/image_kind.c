/* SPDX-License-Identifier: MIT */
/*
 * What kind of image a file is: by magic where it is not ELF, by the Xen note, and by what a
 * program asks of a dynamic linker.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/image_check.h"

/* From Xen's public/elfnote.h: the physical address of the 32-bit entry point. */
#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define XEN_NOTE_NAME		 "Xen"

void image_refuse_foreign(struct image_check *check)
{
	uint64_t present = check->size < SELFMAG ? check->size : SELFMAG;
	unsigned char magic[SELFMAG] = {0};
	char found[3 * SELFMAG + 1] = "";

	image_fetch(check, 0, magic, present);
	for (uint64_t i = 0; i < present; i++)
		snprintf(found + 3 * i, 4, " %02x", magic[i]);
	image_fail(check, "e_ident: found%s%s, wanted 7f 45 4c 46 (ELF)", found,
		   present >= 2 && !memcmp(magic, "#!", 2) ? " (a script)" : "");
}

/* One note of a PT_NOTE: where its name and descriptor are in the file. */
struct note {
	Elf64_Nhdr header;
	uint64_t name, descriptor;
};

/*
 * Takes the note at *offset apart and moves *offset to the next one, or behind the end. Name and
 * descriptor are padded to `align`; the padding of the last one may be missing. False when the note
 * runs over the end.
 */
static bool next_note(struct image_check *check, uint64_t *offset, uint64_t end, uint64_t align,
		      struct note *note)
{
	/* 32-bit sizes added to an offset inside a file: 64 bits do not overflow. */
	uint64_t left = end - *offset;
	uint64_t descriptor, next;

	if (left < sizeof(note->header) ||
	    !image_fetch(check, *offset, &note->header, sizeof(note->header))) {
		image_fail(check,
			   "note: found 0x%" PRIx64 " bytes at 0x%" PRIx64
			   ", wanted a header of %zu",
			   left, *offset, sizeof(note->header));
		return false;
	}
	descriptor = (sizeof(note->header) + note->header.n_namesz + align - 1) & -align;
	next = (descriptor + note->header.n_descsz + align - 1) & -align;
	if (sizeof(note->header) + note->header.n_namesz > left) {
		image_fail(check,
			   "n_namesz: found 0x%x at 0x%" PRIx64 ", wanted at most 0x%" PRIx64,
			   note->header.n_namesz, *offset, left - sizeof(note->header));
		return false;
	}
	if (note->header.n_descsz && descriptor + note->header.n_descsz > left) {
		image_fail(
			check, "n_descsz: found 0x%x at 0x%" PRIx64 ", wanted at most 0x%" PRIx64,
			note->header.n_descsz, *offset, descriptor < left ? left - descriptor : 0);
		return false;
	}
	note->name = *offset + sizeof(note->header);
	note->descriptor = *offset + descriptor;
	*offset += next;
	return true;
}

static bool is_phys32_entry(const struct image_check *check, const struct note *note)
{
	char name[sizeof(XEN_NOTE_NAME)];

	return note->header.n_type == XEN_ELFNOTE_PHYS32_ENTRY &&
	       note->header.n_namesz == sizeof(name) &&
	       image_fetch(check, note->name, name, sizeof(name)) &&
	       !memcmp(name, XEN_NOTE_NAME, sizeof(name));
}

static void take_entry(struct image_check *check, const struct note *note)
{
	struct image *image = check->image;
	uint32_t size = note->header.n_descsz;
	uint64_t entry = 0;

	if ((size != 4 && size != 8) || !image_fetch(check, note->descriptor, &entry, size)) {
		image_fail(check, "n_descsz: found %u in XEN_ELFNOTE_PHYS32_ENTRY, wanted 4 or 8",
			   size);
		return;
	}
	if (entry > UINT32_MAX)
		image_fail(check,
			   "XEN_ELFNOTE_PHYS32_ENTRY: found 0x%" PRIx64
			   ", wanted below 0x100000000",
			   entry);
	else if (image->kind == IMAGE_PVH_KERNEL && entry != image->entry)
		image_fail(check,
			   "XEN_ELFNOTE_PHYS32_ENTRY: found 0x%" PRIx64 " and 0x%" PRIx64
			   ", wanted one entry",
			   image->entry, entry);
	image->kind = IMAGE_PVH_KERNEL;
	image->entry = entry;
}

static void check_notes(struct image_check *check, const Elf64_Phdr *phdr)
{
	uint64_t offset = phdr->p_offset, end = phdr->p_offset + phdr->p_filesz;
	uint64_t align = phdr->p_align == 8 ? 8 : 4;
	struct note note;

	while (offset < end && next_note(check, &offset, end, align, &note)) {
		if (is_phys32_entry(check, &note))
			take_entry(check, &note);
	}
}

static void check_interpreter(struct image_check *check, const Elf64_Phdr *phdr)
{
	char name[64] = "";
	uint64_t size = phdr->p_filesz < sizeof(name) ? phdr->p_filesz : sizeof(name) - 1;

	check->image->kind = IMAGE_DYNAMIC_PROGRAM;
	image_fetch(check, phdr->p_offset, name, size);
	for (char *c = name; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	image_fail(check, "PT_INTERP: found \"%s\" (dynamically linked), wanted a static program",
		   name);
}

/* Sums up a PT_DYNAMIC: the libraries it needs, and its DT_FLAGS_1. */
static void read_dynamic(const struct image_check *check, const Elf64_Phdr *phdr, unsigned *needed,
			 uint64_t *flags)
{
	Elf64_Dyn entry;

	for (uint64_t at = 0; at + sizeof(entry) <= phdr->p_filesz; at += sizeof(entry)) {
		if (!image_fetch(check, phdr->p_offset + at, &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag == DT_NEEDED)
			++*needed;
		if (entry.d_tag == DT_FLAGS_1)
			*flags |= entry.d_un.d_val;
	}
}

static void check_static(struct image_check *check)
{
	unsigned multiboot = image_multiboot(check);
	unsigned needed = 0;
	uint64_t flags = 0;

	if (multiboot) {
		image_check_multiboot(check, multiboot);
		return;
	}
	for (unsigned i = 0; i < check->header.e_phnum; i++) {
		if (check->phdrs[i].p_type == PT_INTERP)
			check_interpreter(check, &check->phdrs[i]);
		if (check->phdrs[i].p_type == PT_DYNAMIC)
			read_dynamic(check, &check->phdrs[i], &needed, &flags);
	}
	if (needed)
		image_fail(check, "DT_NEEDED: found %u (dynamically linked), wanted 0", needed);
	/* A shared library differs from a static PIE in nothing else that binds. */
	if (check->header.e_type == ET_DYN && !(flags & DF_1_PIE))
		image_fail(check,
			   "DT_FLAGS_1: found 0x%" PRIx64
			   " (a shared library), wanted 0x%x set (PIE)",
			   flags, DF_1_PIE);
}

void image_check_kind(struct image_check *check)
{
	for (unsigned i = 0; i < check->header.e_phnum; i++) {
		if (check->phdrs[i].p_type == PT_NOTE)
			check_notes(check, &check->phdrs[i]);
	}
	if (check->failed || check->image->kind == IMAGE_PVH_KERNEL)
		return;
	check_static(check);
	if (check->failed || check->image->kind == IMAGE_MULTIBOOT_KERNEL)
		return;
	check->image->kind = IMAGE_STATIC_PROGRAM;
	check->image->relocatable = check->header.e_type == ET_DYN;
	check->image->entry = check->header.e_entry;
}

const char *image_kind_name(const struct image *image)
{
	switch (image->kind) {
	case IMAGE_PVH_KERNEL:
		return "PVH kernel";
	case IMAGE_LINUX_KERNEL:
		return "Linux kernel (bzImage)";
	case IMAGE_MULTIBOOT_KERNEL:
		return "multiboot 1 kernel";
	case IMAGE_STATIC_PROGRAM:
		return image->relocatable ? "static program (PIE)" : "static program";
	case IMAGE_DYNAMIC_PROGRAM:
		return "x86-64 program, dynamically linked";
	default:
		return "unknown";
	}
}
