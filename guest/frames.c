/* SPDX-License-Identifier: MIT */
/* See frames.h. */
#include "guest/frames.h"

#include <errno.h>
#include <string.h>

#include "guest/boot.h"
#include "guest/console.h"

/* So that a page is had without much ado, and alignment costs little. */
#define ARENA_SIZE (UINT64_C(1) << 20)

#define SIZES_LOG2 (HPT_CHUNK_SHIFT + 1)

extern char kernel_start[], kernel_end[];

static uint64_t kernel_next;  /* gPA: kernel memory is taken from here upwards, ... */
static uint64_t kernel_kept;  /* gPA: no program's frames below it, where kernel_next is */
static uint64_t kernel_limit; /* ... up to here at most */
static uint64_t kernel_free[SIZES_LOG2]; /* lists by log2 of the size, linked through the blocks */
static unsigned int home;  /* the range that the kernel is in; those below are left alone */
static unsigned int range; /* the program's frames are taken from this range, ... */
uint64_t frames_next;	   /* ... below this gPA */
uint64_t frames_stop;	   /* ... and above this one */
static uint64_t arena_next, arena_end; /* kernel pages one by one: most of what it needs */
static uint64_t user_free;	       /* list, linked through the frames */
static uint64_t user_free_count;
uint64_t frames_spare;

void frames_clear(uint64_t gpa, size_t size)
{
	void *target = direct(gpa);
	size_t words = size / sizeof(uint64_t);

	__asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(0) : "memory");
}

uint64_t frames_pop(uint64_t *list)
{
	uint64_t gpa = *list;

	if (gpa)
		*list = *(uint64_t *)direct(gpa);
	return gpa;
}

void frames_push(uint64_t *list, uint64_t gpa)
{
	*(uint64_t *)direct(gpa) = *list;
	*list = gpa;
}

static uint64_t module_end(void)
{
	return (boot.modules.end + HPT_PAGE_SIZE - 1) & ~(HPT_PAGE_SIZE - 1);
}

static bool in_home(uint64_t gpa)
{
	return gpa >= kernel_next && gpa < boot.ram[home].end;
}

static bool in_module(uint64_t gpa)
{
	return gpa + HPT_PAGE_SIZE > boot.modules.start && gpa < boot.modules.end;
}

/* The lowest gPA that the program's frames may come down to in the present range. */
static uint64_t user_floor(void)
{
	if (range > home)
		return boot.ram[range].start;
	return kernel_kept > kernel_next ? kernel_kept : kernel_next;
}

/*
 * Frames down to here can be handed out one after the other: to the kernel's memory, the start of
 * the range, or the module, which is stepped over.
 */
static void set_stop(void)
{
	frames_stop = user_floor();
	if (module_end() <= frames_next && module_end() > frames_stop)
		frames_stop = module_end();
}

/* The pages before the slab are the first that are taken one by one, the rest is behind it. */
static void leave_slab(void)
{
	uint64_t next = (kernel_next + HPT_PAGE_SIZE - 1) & ~(HPT_PAGE_SIZE - 1);

	if (boot.slab.start < next || boot.slab.end > boot.ram[home].end ||
	    (in_home(boot.modules.start) && boot.modules.start < boot.slab.end))
		panic("slab: found %lx to %lx, wanted it between the kernel's end, at %lx, and the "
		      "module or the end of its RAM",
		      boot.slab.start, boot.slab.end, next);
	arena_next = next;
	arena_end = boot.slab.start;
	kernel_next = boot.slab.end;
}

void frames_start(void)
{
	kernel_next = kernel_gpa(kernel_end);
	while (home < boot.ram_count && boot.ram[home].end <= kernel_next)
		home++;
	if (home == boot.ram_count || boot.ram[home].start > kernel_gpa(kernel_start))
		panic("there is no RAM where the kernel is");
	range = boot.ram_count - 1;
	frames_next = boot.ram[range].end;
	kernel_limit = boot.ram[home].end;
	if (boot.slab.end)
		leave_slab();
	/* The kernel's memory goes where there is more room: before the module or behind it. */
	if (in_home(boot.modules.start)) {
		if (boot.modules.start - kernel_next < kernel_limit - boot.modules.end)
			kernel_next = module_end();
		else
			kernel_limit = boot.modules.start;
	}
	set_stop();
}

/* A frame that was in use, or 0. */
static uint64_t get_used(void)
{
	if (user_free_count <= frames_spare)
		return 0;
	user_free_count--;
	return frames_pop(&user_free);
}

uint64_t frames_next_run(void)
{
	uint64_t gpa;

	while (frames_next <= frames_stop) {
		if (frames_next > user_floor() && in_module(frames_next - HPT_PAGE_SIZE)) {
			frames_next = boot.modules.start & ~(HPT_PAGE_SIZE - 1);
		} else if (range > home) {
			frames_next = boot.ram[--range].end;
		} else {
			gpa = get_used();
			if (gpa)
				frames_clear(gpa, HPT_PAGE_SIZE);
			return gpa;
		}
		set_stop();
	}
	return frames_next -= HPT_PAGE_SIZE;
}

uint64_t frames_take(void)
{
	uint64_t gpa = get_used();

	return gpa ? gpa : frames_get();
}

void frames_keep(uint64_t bytes)
{
	uint64_t end = kernel_limit < frames_next || range > home ? kernel_limit : frames_next;

	/* Half of what there is at the most: something is the program's. */
	if (bytes > (end - kernel_next) / 2)
		bytes = (end - kernel_next) / 2;
	kernel_kept = (kernel_next + bytes) & ~(HPT_PAGE_SIZE - 1);
	set_stop();
}

bool frames_in_module(uint64_t gpa, uint64_t pages)
{
	return gpa >= boot.modules.start && gpa < boot.modules.end &&
	       (pages - 1) < (module_end() - gpa + HPT_PAGE_SIZE - 1) / HPT_PAGE_SIZE;
}

void frames_copy_module(uint64_t gpa, uint64_t source)
{
	uint64_t size = HPT_PAGE_SIZE;

	if (source % HPT_PAGE_SIZE && !frames_in_module(source, 2))
		size -= source % HPT_PAGE_SIZE;
	memcpy(direct(gpa), direct(source), size);
}

void frames_put(uint64_t gpa)
{
	if (in_module(gpa))
		return;
	frames_push(&user_free, gpa);
	user_free_count++;
}

uint64_t frames_left(void)
{
	uint64_t left = frames_next - user_floor();

	for (unsigned int i = home; i < range; i++)
		left += boot.ram[i].end - (i == home ? kernel_next : boot.ram[i].start);
	if (user_free_count > frames_spare)
		left += (user_free_count - frames_spare) * HPT_PAGE_SIZE;
	return left / HPT_PAGE_SIZE;
}

int frames_get_block(size_t size, uint64_t *gpa)
{
	uint64_t start = (kernel_next + size - 1) & ~((uint64_t)size - 1);
	uint64_t end = start + size;

	if (end > kernel_limit || (range == home && end > frames_next))
		return -ENOMEM;
	kernel_next = end;
	if (range == home && frames_stop < end)
		frames_stop = end;
	*gpa = start;
	return 0;
}

static int new_arena(void)
{
	size_t size = ARENA_SIZE;

	while (size >= HPT_PAGE_SIZE) {
		if (!frames_get_block(size, &arena_next)) {
			arena_end = arena_next + size;
			return 0;
		}
		size /= 2;
	}
	return -ENOMEM;
}

int frames_get_kernel(void *context, size_t size, uint64_t *gpa)
{
	uint64_t *list = &kernel_free[__builtin_ctzll(size)];

	(void)context;
	if (*list) {
		*gpa = frames_pop(list);
		frames_clear(*gpa, size);
		return 0;
	}
	if (size > HPT_PAGE_SIZE)
		return frames_get_block(size, gpa);
	if (arena_next == arena_end && new_arena()) {
		*gpa = frames_get();
		return *gpa ? 0 : -ENOMEM;
	}
	*gpa = arena_next;
	arena_next += HPT_PAGE_SIZE;
	return 0;
}

void frames_put_kernel(void *context, uint64_t gpa, size_t size)
{
	(void)context;
	frames_push(&kernel_free[__builtin_ctzll(size)], gpa);
}
