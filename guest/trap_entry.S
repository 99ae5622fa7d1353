/* SPDX-License-Identifier: MIT */
/*
 * The ways into the kernel and out of it. All but one make a struct trap_frame (trap.h), and all
 * leave by iretq: SYSRET would save little and has traps of its own (non-canonical RIP). All clear
 * DF, which a gate does not and which a program may have set (memmove does): the kernel's string
 * instructions go upwards.
 */
#include "guest/layout.h"

#define TRAP_PAGE_FAULT 14

/*
 * Vectors 8, 10 to 14, 17, 21, 29 and 30 push an error code; the others get a 0. Each entry is 16
 * bytes long, so that the IDT is filled by counting.
 */
	.text
	.balign 16
	.globl trap_entries
trap_entries:
	.set vector, 0
	.rept 256
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

	.balign 16
trap_common:
	cld
	pushq %rax
	pushq %rdx
	pushq %rcx
	pushq %rbx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	call trap
	.globl trap_return
trap_return:
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rbx
	popq %rcx
	popq %rdx
	popq %rax
	addq $16, %rsp
	iretq

/*
 * Page faults are what is measured here, so they have a way of their own: fault_handle() keeps the
 * registers that a C function keeps; only the others are saved. The CPU has pushed the error code.
 */
	.balign 16
	.globl page_fault_entry
page_fault_entry:
	cld
	pushq %rax
	pushq %rdx
	rdtsc
	pushq %rcx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	leaq 72(%rsp), %rdi
	movl %eax, %esi
	call fault_handle
	testb %al, %al
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rcx
	popq %rdx
	popq %rax
	jz page_fault_unresolved
	addq $8, %rsp
	iretq

/* It is more than a matter of tables: trap() has all registers. CR2 is still the fault's. */
page_fault_unresolved:
	pushq $TRAP_PAGE_FAULT
	jmp trap_common

/*
 * SYSCALL, where it switches to ring 0: RCX = RIP, R11 = RFLAGS, RSP still the program's.
 * Interrupts are off (FMASK), so one word of each CPU is enough to hold RSP.
 */
	.balign 16
	.globl syscall_entry
syscall_entry:
	movq %rsp, CPU_SYSCALL_RSP
	movq $CPU_STACK_TOP, %rsp
	pushq $USER_DATA
	pushq CPU_SYSCALL_RSP
	pushq %r11
	pushq $USER_CODE
	pushq %rcx
	pushq $0
	pushq $VECTOR_SYSCALL
	jmp trap_common

/* void trap_leave(struct trap_frame *frame): into ring 3, with what the frame says. */
	.globl trap_leave
trap_leave:
	movq %rdi, %rsp
	jmp trap_return

/*
 * What the trap page holds. On the pvm kind of KVM, SYSCALL jumps to LSTAR but stays in ring 3;
 * there LSTAR names this int3, a gate that works everywhere, and trap() knows its address. Vector
 * registers are saved and restored by ring 3, since ring 0 may be an emulator that does not know
 * the instructions; EDX:EAX says which of them, and RDI where they are.
 */
	.section .rodata
	.globl trap_page_text, trap_page_text_end
trap_page_text:
	int3
	.org trap_page_text + TRAP_PAGE_PROBE, 0xcc
	mov $1, %eax
	cpuid
	mov %ecx, %esi
	syscall
	int3
	.org trap_page_text + TRAP_PAGE_XSAVE, 0xcc
	xsave64 (%rdi)
	int3
	.org trap_page_text + TRAP_PAGE_XRSTOR, 0xcc
	xrstor64 (%rdi)
	int3
	.org trap_page_text + TRAP_PAGE_FXSAVE, 0xcc
	fxsave64 (%rdi)
	int3
	.org trap_page_text + TRAP_PAGE_FXRSTOR, 0xcc
	fxrstor64 (%rdi)
	int3
	.org trap_page_text + TRAP_PAGE_END, 0xcc
trap_page_text_end:

	.section .note.GNU-stack, "", @progbits
