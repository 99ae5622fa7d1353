/* SPDX-License-Identifier: MIT */
/* Traps: exceptions of programs and of the kernel, and system calls. */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <stdint.h>

#define TRAP_DIVIDE	    0
#define TRAP_DEBUG	    1
#define TRAP_NMI	    2
#define TRAP_BREAKPOINT	    3
#define TRAP_INVALID_OPCODE 6
#define TRAP_DOUBLE_FAULT   8
#define TRAP_STACK	    12
#define TRAP_PROTECTION	    13
#define TRAP_PAGE_FAULT	    14
#define TRAP_X87	    16
#define TRAP_ALIGNMENT	    17
#define TRAP_SIMD	    19

/* As the CPU pushes it; trap_entry.S adds the error code where the CPU does not. */
struct trap_cpu_frame {
	uint64_t error;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

/* As trap_entry.S pushes it, above it what the CPU pushes. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rbx, rcx, rdx, rax;
	uint64_t vector;
	struct trap_cpu_frame cpu;
};

/* The privilege level in a selector. */
#define TRAP_LEVEL_MASK 3
#define TRAP_LEVEL_USER 3

/* Every trap but page faults that fault_handle() has resolved. */
void trap(struct trap_frame *frame);

/* A trap that the kernel itself ran into: says which and gives up. */
__attribute__((noreturn)) void trap_in_kernel(const struct trap_cpu_frame *frame, uint64_t vector);

/* Enters ring 3 with what the frame says. */
__attribute__((noreturn)) void trap_leave(struct trap_frame *frame);

/*
 * Finds out in ring 3 whether SYSCALL switches rings here, sets LSTAR accordingly, and goes on with
 * `next`, on a fresh stack. The trap page must be mapped.
 */
__attribute__((noreturn)) void trap_probe_syscall(void (*next)(void));

#endif
