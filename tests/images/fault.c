/* SPDX-License-Identifier: MIT */
/*
 * Dies in the way its argument names. Each kind is one wrong thing that a program can do, and the
 * signal that Linux ends it with; `--list` prints them all, with the status that a shell then sees
 * (128 + signal). Whoever gets past the fault says so and ends with status 1.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "images/common/args.h"

#define PAGE_SIZE      4096
#define NOWHERE	       UINT64_C(0x100000000000) /* no program of ours has anything at 16 TiB */
#define KERNEL_ADDRESS UINT64_C(0xffffffff80000000)
#define NON_CANONICAL  UINT64_C(0x4000000000000000) /* with 48 address bits and with 57 */

/* The address as a pointer about which the compiler knows nothing. */
static volatile char *pointer_to(uint64_t address)
{
	__asm__("" : "+r"(address));
	return (volatile char *)address;
}

static void jump_to(uint64_t address)
{
	((void (*)(void))pointer_to(address))();
}

/* One page that was written once, so that it is really there. */
static volatile char *new_page(void)
{
	char *page =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		perror("fault: mmap");
		exit(1);
	}
	page[0] = 1;
	return page;
}

/* Asks for @protection of the page, or takes it away when that is -1. */
static volatile char *new_page_with(int protection)
{
	volatile char *page = new_page();
	int error = protection < 0 ? munmap((void *)page, PAGE_SIZE)
				   : mprotect((void *)page, PAGE_SIZE, protection);

	if (error) {
		perror("fault: munmap or mprotect");
		exit(1);
	}
	return page;
}

static void null_read(void)
{
	(void)*pointer_to(0);
}

static void null_write(void)
{
	*pointer_to(0) = 1;
}

static void write_text(void)
{
	volatile char *text = pointer_to((uintptr_t)write_text);

	*text = *text;
}

static void exec_data(void)
{
	static char code[] = {(char)0xc3}; /* ret: where data can be executed, we come back */

	jump_to((uintptr_t)code);
}

static void exec_stack(void)
{
	volatile char code[] = {(char)0xc3};

	jump_to((uintptr_t)code);
}

static void exec_mapped(void)
{
	volatile char *page = new_page();

	*page = (char)0xc3;
	jump_to((uintptr_t)page);
}

static void jump_nowhere(void)
{
	jump_to(NOWHERE);
}

static void kernel_read(void)
{
	(void)*pointer_to(KERNEL_ADDRESS);
}

static void kernel_write(void)
{
	*pointer_to(KERNEL_ADDRESS) = 1;
}

static void kernel_jump(void)
{
	jump_to(KERNEL_ADDRESS);
}

static void non_canonical(void)
{
	(void)*pointer_to(NON_CANONICAL);
}

static void privileged(void)
{
	__asm__ volatile("hlt");
}

static void int3(void)
{
	__asm__ volatile("int3");
}

static void ud2(void)
{
	__asm__ volatile("ud2");
}

static void interrupt(void)
{
	__asm__ volatile("int $255");
}

/* The flag is set by the instruction before the call, which must give it back. */
static void trap_flag(void)
{
	unsigned long number = SYS_getpid;

	__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tsyscall\n\tnop\n\tnop"
			 : "+a"(number)
			 :
			 : "rcx", "r11", "cc", "memory");
}

static void divide(void)
{
	uint32_t quotient = 1, rest = 0, divisor = 0;

	__asm__ volatile("divl %2" : "+a"(quotient), "+d"(rest) : "r"(divisor));
}

/* Never ends: no depth is SIZE_MAX. The compiler must not see that, or it makes a loop of it. */
static size_t recurse(size_t depth)
{
	volatile char frame[1024];
	size_t sum = 0;

	frame[depth % sizeof(frame)] = 1;
	if (*(volatile size_t *)&depth != SIZE_MAX)
		sum = recurse(depth + 1);
	return sum + (size_t)frame[depth % sizeof(frame)];
}

static void stack_overflow(void)
{
	recurse(0);
}

static void munmapped(void)
{
	(void)*new_page_with(-1);
}

static void readonly_mprotect(void)
{
	volatile char *page = new_page_with(PROT_READ);

	if (*page == 1) /* reading must still work */
		*page = 2;
}

static void none_mprotect(void)
{
	(void)*new_page_with(PROT_NONE);
}

static const struct {
	const char *name;
	int signal;
	void (*fault)(void);
} kinds[] = {
	{"null-read", SIGSEGV, null_read},
	{"null-write", SIGSEGV, null_write},
	{"write-text", SIGSEGV, write_text},
	{"exec-data", SIGSEGV, exec_data},
	{"exec-stack", SIGSEGV, exec_stack},
	{"exec-mapped", SIGSEGV, exec_mapped},
	{"jump-nowhere", SIGSEGV, jump_nowhere},
	{"kernel-read", SIGSEGV, kernel_read},
	{"kernel-write", SIGSEGV, kernel_write},
	{"kernel-jump", SIGSEGV, kernel_jump},
	{"noncanonical", SIGSEGV, non_canonical},
	{"privileged", SIGSEGV, privileged},
	{"int3", SIGTRAP, int3},
	{"ud2", SIGILL, ud2},
	{"interrupt", SIGSEGV, interrupt},
	{"trap-flag", SIGTRAP, trap_flag},
	{"divide", SIGFPE, divide},
	{"stack-overflow", SIGSEGV, stack_overflow},
	{"munmapped", SIGSEGV, munmapped},
	{"readonly-mprotect", SIGSEGV, readonly_mprotect},
	{"none-mprotect", SIGSEGV, none_mprotect},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	struct args args = args_start("fault", argv);
	const char *name = args_next(&args);

	if (argc == 2 && strcmp(name, "--list") == 0) {
		for (size_t i = 0; i < KINDS; i++)
			printf("%d %s\n", 128 + kinds[i].signal, kinds[i].name);
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < KINDS; i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		printf("fault: %s\n", name);
		fflush(stdout); /* nothing is written any more after the fault */
		kinds[i].fault();
		puts("fault: survived");
		return 1;
	}
	return args_refuse(&args, "KIND", name, "exactly one of those that --list prints");
}
