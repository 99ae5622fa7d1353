/* SPDX-License-Identifier: MIT */
/*
 * Ring 3 spins on CPU 0 and is interrupted by the timer, then by CPU 1. Prints which came and exits
 * with 0. With --cpus 2.
 */
#include "cpus.inc"
#include "apic.inc"

#define VECTOR_TIMER 0x42
#define VECTOR_OTHER 0x43

#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TASK	  0x28

#define FLAG_INTERRUPTS 0x200

first:
	/* All memory is ring 3's as well. */
	orl $4, tables
	orl $4, upper
	orl $4, upper + 8
	orl $4, upper + 16
	orl $4, upper + 24
	movl $directories, %edi
	movl $2048, %ecx
1:	orl $4, (%rdi)
	addl $8, %edi
	loop 1b
	movq $tables, %rax
	movq %rax, %cr3

	movl $task, %eax
	movw %ax, task_descriptor + 2
	shrl $16, %eax
	movb %al, task_descriptor + 4
	movq $stacks + 1024, task + 4
	lgdt user_descriptors_of
	movl $TASK, %eax
	ltr %ax

	gate VECTOR_TIMER, on_timer
	gate VECTOR_OTHER, on_other
	lidt gates_of
	apic_on
	movl $1, %edi
	call start_cpu

	apic APIC_DIVIDE, 3
	apic APIC_TIMER, VECTOR_TIMER
	apic APIC_COUNT, 1000000
	pushq $USER_DATA
	pushq $stacks + 31 * 1024
	pushq $FLAG_INTERRUPTS + 2
	pushq $USER_CODE
	pushq $user
	iretq

user:
	incq rounds
	jmp user

on_timer:
	testb $3, 8(%rsp)
	jz wrong
	apic APIC_EOI, 0
	say64 text_timer, 6
	movl $1, had_timer
	iretq

on_other:
	testb $3, 8(%rsp)
	jz wrong
	say64 text_other, 6
	finish 0

wrong:
	finish 1

second:
	pause
	cmpl $1, had_timer
	jne second
	apic_on
	apic APIC_COMMAND_TO, 0
	apic APIC_COMMAND, VECTOR_OTHER
1:	hlt
	jmp 1b

	.section .rodata
text_timer:
	.ascii "timer\n"
text_other:
	.ascii "other\n"

	.data
rounds:
	.quad 0
had_timer:
	.long 0
	.balign 8
user_descriptors:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00affb000000ffff
	.quad 0x00cff3000000ffff
task_descriptor:
	.quad 0x0000890000000067
	.quad 0
user_descriptors_of:
	.word 55
	.quad user_descriptors

	.bss
	.balign 16
task:
	.skip 104
