/* SPDX-License-Identifier: MIT */
/* See frames.h. */
#include "guest/frames.h"

#include <errno.h>

#include "guest/boot.h"
#include "guest/console.h"

#define SIZES_LOG2 (HPT_CHUNK_SHIFT + 1)

/* How much of the kernel's memory must lie between its image and a module, at the least. */
#define MODULE_GAP (UINT64_C(64) << 20)

extern char kernel_start[], kernel_end[];

static uint64_t kernel_next;		 /* gPA: kernel memory is taken from here upwards */
static uint64_t kernel_free[SIZES_LOG2]; /* lists by log2 of the size, linked through the blocks */
static unsigned int home;  /* the range that the kernel is in; those below are left alone */
static unsigned int range; /* the program's frames are taken from this range, ... */
static uint64_t user_next; /* ... below this gPA */
static uint64_t user_free; /* list, linked through the frames */
static uint64_t user_free_count;

static void clear(uint64_t gpa, size_t size)
{
	void *target = direct(gpa);
	size_t words = size / sizeof(uint64_t);

	__asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(0) : "memory");
}

static uint64_t pop(uint64_t *list)
{
	uint64_t gpa = *list;

	if (gpa)
		*list = *(uint64_t *)direct(gpa);
	return gpa;
}

static void push(uint64_t *list, uint64_t gpa)
{
	*(uint64_t *)direct(gpa) = *list;
	*list = gpa;
}

static bool in_module(uint64_t gpa)
{
	return gpa + HPT_PAGE_SIZE > boot.module.start && gpa < boot.module.end;
}

void frames_start(void)
{
	kernel_next = kernel_gpa(kernel_end);
	while (home < boot.ram_count && boot.ram[home].end <= kernel_next)
		home++;
	if (home == boot.ram_count || boot.ram[home].start > kernel_gpa(kernel_start))
		panic("there is no RAM where the kernel is");
	range = boot.ram_count - 1;
	user_next = boot.ram[range].end;
	/* A module that a VMM put right behind the kernel must survive the kernel's tables. */
	if (boot.module.end > kernel_next && boot.module.start < kernel_next + MODULE_GAP)
		kernel_next = (boot.module.end + HPT_PAGE_SIZE - 1) & ~(HPT_PAGE_SIZE - 1);
}

/* The lowest gPA that the program's frames may come down to in the present range. */
static uint64_t user_floor(void)
{
	return range == home ? kernel_next : boot.ram[range].start;
}

static uint64_t fresh_frame(void)
{
	for (;;) {
		if (user_next >= user_floor() + HPT_PAGE_SIZE) {
			user_next -= HPT_PAGE_SIZE;
			if (!in_module(user_next))
				return user_next;
		} else if (range > home) {
			user_next = boot.ram[--range].end;
		} else {
			return 0;
		}
	}
}

uint64_t frames_get(void)
{
	uint64_t gpa = fresh_frame();

	if (gpa || !user_free)
		return gpa;
	gpa = pop(&user_free);
	user_free_count--;
	clear(gpa, HPT_PAGE_SIZE);
	return gpa;
}

void frames_put(uint64_t gpa)
{
	if (in_module(gpa))
		return;
	push(&user_free, gpa);
	user_free_count++;
}

uint64_t frames_left(void)
{
	uint64_t left = user_next - user_floor();

	for (unsigned int i = home; i < range; i++)
		left += boot.ram[i].end - (i == home ? kernel_next : boot.ram[i].start);
	return left / HPT_PAGE_SIZE + user_free_count;
}

int frames_get_kernel(void *context, size_t size, uint64_t *gpa)
{
	uint64_t start = (kernel_next + size - 1) & ~((uint64_t)size - 1);
	uint64_t limit = range == home ? user_next : boot.ram[home].end;

	(void)context;
	*gpa = pop(&kernel_free[__builtin_ctzll(size)]);
	if (*gpa) {
		clear(*gpa, size);
		return 0;
	}
	if (start + size > limit)
		return -ENOMEM;
	/* What alignment skips is not lost: tables of one page are the most frequent. */
	for (; kernel_next < start; kernel_next += HPT_PAGE_SIZE)
		push(&kernel_free[HPT_PAGE_SHIFT], kernel_next);
	kernel_next = start + size;
	*gpa = start;
	return 0;
}

void frames_put_kernel(void *context, uint64_t gpa, size_t size)
{
	(void)context;
	push(&kernel_free[__builtin_ctzll(size)], gpa);
}
