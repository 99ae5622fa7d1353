/* SPDX-License-Identifier: MIT */
/*
 * The image loader: decides whether a file is an image that can be launched, and where each of its
 * bytes goes. The file is untrusted; this is the VMM's attack surface. Nothing here touches KVM or
 * guest memory: the loader only reads the bytes it is given and hands them to a callback.
 *
 * Four kinds are accepted. Two are ELF64, little endian, x86-64:
 *
 *  - a PVH kernel: ET_EXEC or ET_DYN with a Xen note PHYS32_ENTRY (type 18, a descriptor of 4 or 8
 *    bytes) in a PT_NOTE. Segments are placed by p_paddr, the entry is the note's. It is entered
 *    in 32-bit protected mode, so the entry is below 4 GiB.
 *  - a static program: no such note, ET_EXEC or static PIE. Segments are placed by p_vaddr, the
 *    entry is e_entry. It runs in ring 3 under the project's guest kernel.
 *
 * and two are kernels that others write:
 *
 *  - a Linux kernel as bzImage, boot protocol 2.12 or later, entered in long mode.
 *  - a multiboot 1 kernel: with address fields whatever its format, else ELF32 for i386, placed by
 *    p_paddr. It is entered in 32-bit protected mode.
 */
#ifndef TWOSTAGE_VMM_IMAGE_H
#define TWOSTAGE_VMM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More program headers than this are refused, of whatever type. */
#define IMAGE_SEGMENTS_MAX 32
/* Below this, guest RAM holds boot structures, and programs have nothing: null must fault. */
#define IMAGE_LOWEST 0x10000ull
/* End of the addresses that a program may use: inside the canonical low half. */
#define IMAGE_USER_END 0x7fff00000000ull
/* Where the protected-mode part of a bzImage goes. */
#define IMAGE_LINUX_LOAD 0x100000ull
/* File offset of a bzImage's setup header. */
#define IMAGE_LINUX_HEADER 0x1f1
/* Largest file that is read, bytes. */
#define IMAGE_FILE_MAX (1ull << 30)

enum image_kind {
	IMAGE_UNKNOWN,
	IMAGE_PVH_KERNEL,
	IMAGE_STATIC_PROGRAM,
	IMAGE_DYNAMIC_PROGRAM, /* never accepted: it wants a dynamic linker */
	IMAGE_LINUX_KERNEL,
	IMAGE_MULTIBOOT_KERNEL,
};

static inline bool image_is_kernel(enum image_kind kind)
{
	return kind == IMAGE_PVH_KERNEL || kind == IMAGE_LINUX_KERNEL ||
	       kind == IMAGE_MULTIBOOT_KERNEL;
}

/*
 * One PT_LOAD that occupies memory. file_size <= memory_size, memory_size > 0; the bytes after
 * file_size are zero. Where file_size > 0, [file_offset, + file_size) lies in the file.
 */
struct image_segment {
	uint64_t address; /* guest physical for a kernel, guest virtual for a program */
	uint64_t file_offset;
	uint64_t file_size;
	uint64_t memory_size;
	uint32_t flags; /* PF_R, PF_W, PF_X of <elf.h>; they bind programs only */
};

/* What else a bzImage says. */
struct image_linux {
	uint16_t protocol;	   /* boot protocol: major version * 256 + minor */
	uint32_t command_line_max; /* bytes, without the zero */
	uint32_t initrd_max;	   /* the highest address that a byte of the initrd may have */
	char name[128]; /* release, builder, date: printable ASCII; "": it does not say */
};

/*
 * An accepted image. Segments stand in the file's order, and their byte ranges are disjoint. Two
 * segments of a program may share a page: its protection is then the union of both.
 *
 * A kernel may take more memory than its segments before it looks at its memory map: up to
 * claimed_end, which is 0 where there is no more. Nothing else may lie there.
 *
 * A relocatable program (static PIE) is moved as a whole, by a base that is a multiple of every
 * p_align; its addresses may start at 0.
 */
struct image {
	enum image_kind kind;
	bool relocatable;
	uint64_t entry; /* lies in the file bytes of a segment; of an executable one for programs */
	unsigned segment_count;
	struct image_segment segments[IMAGE_SEGMENTS_MAX];
	uint64_t claimed_end;
	struct image_linux linux_kernel; /* of IMAGE_LINUX_KERNEL */
};

/* Guest RAM: `count` ranges [start, end) of guest physical addresses, which do not touch. */
struct image_ram {
	unsigned count;
	struct {
		uint64_t start, end;
	} range[2];
};

/*
 * One check that failed. The text is "FIELD: found X, wanted Y", one line of printable ASCII (bytes
 * quoted from the file are made so). The status is what a command that refuses exits with.
 */
struct image_problem {
	int status; /* STATUS_DATA or STATUS_NOINPUT */
	char text[240];
};

typedef void image_report_fn(void *context, const struct image_problem *problem);

/*
 * Reads a whole regular file. Never blocks on a FIFO and never opens a device. On success the
 * caller owns *bytes (free()); a file of 0 bytes gives size 0, which image_parse refuses. On
 * failure returns a negative errno, *problem says why, and *bytes is NULL.
 */
int image_read_file(const char *path, void **bytes, size_t *size, struct image_problem *problem);

/*
 * Checks the image and describes it in *out. `ram` is where a kernel's segments must lie; NULL says
 * that it is not known yet, and only what holds for every size is checked.
 *
 * Every check that fails is reported, in the file's order; the first one is the reason to refuse.
 * Checks whose inputs have failed already are left out, so one fault is not told many times.
 *
 * Returns 0, or -ENOEXEC when anything was reported; then only out->kind is meaningful, and it is
 * IMAGE_UNKNOWN when the file was refused before that was clear. No reference to bytes is kept.
 */
int image_parse(const void *bytes, size_t size, const struct image_ram *ram, struct image *out,
		image_report_fn *report, void *context);

/* "PVH kernel", "static program (PIE)", ...: what an image is, accepted or not. */
const char *image_kind_name(const struct image *image);

/* The lowest address of an accepted image, and the first one after all that it takes. */
void image_bounds(const struct image *image, uint64_t *start, uint64_t *end);

/*
 * Takes `size` bytes to `address`: `bytes`, or zeros where bytes is NULL. Returns 0 or a negative
 * errno, which stops the load. The callee checks the address: it is the gateway to guest memory.
 */
typedef int image_copy_fn(void *context, uint64_t address, const void *bytes, uint64_t size);

/*
 * Hands every segment to `copy`: its file bytes, then its zeros, at the address of the segment.
 * `bytes` and `size` are what image_parse saw. Returns 0, what copy returned, or -EINVAL when
 * segment and file do not go together; what was copied before a failure stays copied.
 */
int image_load(const struct image *image, const void *bytes, size_t size, image_copy_fn *copy,
	       void *context);

#endif
