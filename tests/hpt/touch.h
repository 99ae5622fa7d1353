/* SPDX-License-Identifier: MIT */
/*
 * What operations touch, counted without a clock: their memory is out of reach, each access
 * faults, is counted, is let through for one instruction (the trap flag), and is shut out again.
 */
#ifndef TESTS_HPT_TOUCH_H
#define TESTS_HPT_TOUCH_H

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "hpt/hpt.h"

#define TOUCH_ARENA	(UINT64_C(4) << 20)
#define TOUCH_TRAP_FLAG 0x100

static char *touch_arena;
static uint64_t touch_arena_used;
static volatile bool touch_watching;
static volatile uint64_t touch_lines; /* lines, counted again whenever another came between */
static volatile uint64_t touch_last_line;
static char *volatile touch_open_page;

static int touch_get(void *context, size_t size, uint64_t *address)
{
	(void)context;
	touch_arena_used = (touch_arena_used + size - 1) & ~(size - 1);
	if (touch_arena_used + size > TOUCH_ARENA)
		return -ENOMEM;
	*address = (uintptr_t)touch_arena + touch_arena_used;
	touch_arena_used += size;
	return 0;
}

/* What is freed stays in reach of the watch and is not used again. */
static void touch_put(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
}

static void touch_set_open(char *start, size_t size, bool open)
{
	mprotect(start, size, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

static void touch_on_access(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	uint64_t line = (uintptr_t)info->si_addr / HPT_LINE_SIZE;

	if (!touch_watching || (uintptr_t)info->si_addr - (uintptr_t)touch_arena >= TOUCH_ARENA) {
		signal(number, SIG_DFL);
		return;
	}
	touch_lines += line != touch_last_line;
	touch_last_line = line;
	touch_open_page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(HPT_PAGE_SIZE - 1));
	touch_set_open(touch_open_page, HPT_PAGE_SIZE, true);
	user->uc_mcontext.gregs[REG_EFL] |= TOUCH_TRAP_FLAG;
}

static void touch_on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)number;
	(void)info;
	user->uc_mcontext.gregs[REG_EFL] &= ~TOUCH_TRAP_FLAG;
	touch_set_open(touch_open_page, HPT_PAGE_SIZE, false);
}

/* From here on accesses are counted. */
static void touch_watch(void)
{
	touch_lines = 0;
	touch_last_line = 0;
	touch_watching = true;
	touch_set_open(touch_arena, TOUCH_ARENA, false);
}

/* How many lines were touched since. */
static uint64_t touch_unwatch(void)
{
	touch_set_open(touch_arena, TOUCH_ARENA, true);
	touch_watching = false;
	return touch_lines;
}

/* The memory whose accesses are counted, empty; false if there is none. */
static bool touch_begin(struct hpt_memory *memory)
{
	struct sigaction access = {.sa_sigaction = touch_on_access, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = touch_on_step, .sa_flags = SA_SIGINFO};

	/* The provider aligns blocks of 2 MiB within the arena, so it starts at such a border. */
	touch_arena = mmap(NULL, 2 * TOUCH_ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (touch_arena == MAP_FAILED)
		return false;
	touch_arena += -(uintptr_t)touch_arena & (TOUCH_ARENA - 1);
	touch_arena_used = 0;
	touch_set_open(touch_arena, TOUCH_ARENA, true);
	*memory = (struct hpt_memory){.get = touch_get, .put = touch_put};
	return !sigaction(SIGSEGV, &access, NULL) && !sigaction(SIGTRAP, &step, NULL);
}

#endif
