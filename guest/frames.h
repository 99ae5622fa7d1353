/* SPDX-License-Identifier: MIT */
/*
 * Guest-physical memory. The kernel's own (tables) grows upwards from the end of its image, the
 * program's frames come downwards from the end of RAM, so that neither needs to know how large the
 * other will be. A frame that was never used is zero already; one that was given back is cleared
 * when it is used again, and only after there are no fresh ones.
 */
#ifndef GUEST_FRAMES_H
#define GUEST_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/layout.h"
#include "hpt/hpt.h"

/* RAM as the kernel sees it. */
static inline void *direct(uint64_t gpa)
{
	return (void *)(gpa + DIRECT_BASE);
}

/* gPA of something in the kernel's image. */
static inline uint64_t kernel_gpa(const volatile void *object)
{
	return (uint64_t)object - KERNEL_BASE;
}

void frames_start(void);

/* The run of fresh frames that are handed out one after the other, downwards. (frames.c) */
extern uint64_t frames_next, frames_stop;

/* What to do when that run has come to its end. */
uint64_t frames_next_run(void);

/* A zeroed frame for the program: its gPA, or 0 where memory has run out. */
static inline uint64_t frames_get(void)
{
	uint64_t next = frames_next;

	if (__builtin_expect(next <= frames_stop, 0))
		return frames_next_run();
	next -= HPT_PAGE_SIZE;
	frames_next = next;
	/* The kernel is below. */
	if (!next)
		__builtin_unreachable();
	return next;
}

/*
 * The same, whatever the frame holds: for whoever overwrites all of it. Frames that were in use
 * come first.
 */
uint64_t frames_take(void);

/* Frames that were in use and are not handed out: for whoever sets it to 0 for a moment. */
extern uint64_t frames_spare;

/* Programs get no frames of the next so many bytes that the kernel's memory will grow by. */
void frames_keep(uint64_t bytes);

/*
 * Whether so many pages from `gpa` on lie in the boot modules, which end with a whole page; of the
 * last one a part may not.
 */
bool frames_in_module(uint64_t gpa, uint64_t pages);

/* A page of the modules that begins anywhere, as far as they go, to a frame that is zero behind it.
 */
void frames_copy_module(uint64_t gpa, uint64_t source);

/* Gives a program's frame back. Frames of the boot modules are not ours to reuse and are ignored.
 */
void frames_put(uint64_t gpa);

/* How many more frames there are for the program. */
uint64_t frames_left(void);

/*
 * Blocks that are not in use, as a list that is linked through them; its end, and that of an empty
 * one, is 0. A block that was in use is to be cleared when it is used again.
 */
uint64_t frames_pop(uint64_t *list);
void frames_push(uint64_t *list, uint64_t gpa);
void frames_clear(uint64_t gpa, size_t size);

/* Kernel memory that is never given back: a zeroed, naturally aligned block. 0 or -ENOMEM. */
int frames_get_block(size_t size, uint64_t *gpa);

/*
 * Kernel memory, as struct hpt_memory wants it: zeroed, naturally aligned. A page may be a frame
 * that a program could have had, where nothing else is left.
 */
int frames_get_kernel(void *context, size_t size, uint64_t *gpa);
void frames_put_kernel(void *context, uint64_t gpa, size_t size);

#endif
