/* SPDX-License-Identifier: MIT */
/*
 * Starts CPU 1. Each sends the other an interrupt by its local APIC, and both wait for interrupts
 * in HLT, CPU 0 for one of its timer as well. Prints what has happened in order and exits with 0.
 * With --cpus 2.
 */
#include "cpus.inc"
#include "apic.inc"

#define VECTOR_START	0x40 /* to CPU 1 */
#define VECTOR_ANSWER	0x41 /* to CPU 0 */
#define VECTOR_TIMER	0x42

first:
	gate VECTOR_START, on_start
	gate VECTOR_ANSWER, on_answer
	gate VECTOR_TIMER, on_timer
	lidt gates_of
	apic_on

	movl $1, %edi
	call start_cpu
1:	pause
	cmpl $1, is_up
	jne 1b
	say64 text_up, 6

	/* Sleeps until CPU 1 answers. */
	apic APIC_COMMAND_TO, (1 << 24)
	apic APIC_COMMAND, VECTOR_START
1:	sti
	hlt
	cli
	cmpl $1, has_answer
	jne 1b
	say64 text_answer, 8

	/* And until the timer comes, once. */
	apic APIC_DIVIDE, 3
	apic APIC_TIMER, VECTOR_TIMER
	apic APIC_COUNT, 1000000
1:	sti
	hlt
	cli
	cmpl $1, has_time
	jne 1b
	say64 text_timer, 6
	finish 0

second:
	cmpq $1, %rdi
	jne wrong
	apic_on
	movl APIC_ID(%rbp), %eax
	cmpl $(1 << 24), %eax
	jne wrong
	movl $1, is_up
1:	sti
	hlt
	cli
	jmp 1b

wrong:
	finish 1

on_start:
	apic APIC_COMMAND_TO, 0
	apic APIC_COMMAND, VECTOR_ANSWER
	apic APIC_EOI, 0
	iretq

on_answer:
	movl $1, has_answer
	apic APIC_EOI, 0
	iretq

on_timer:
	movl $1, has_time
	apic APIC_EOI, 0
	iretq

	.section .rodata
text_up:
	.ascii "is up\n"
text_answer:
	.ascii "answers\n"
text_timer:
	.ascii "timer\n"

	.data
is_up:
	.long 0
has_answer:
	.long 0
has_time:
	.long 0
