/* SPDX-License-Identifier: MIT */
/*
 * CPU 0 waits in HLT for 40 ticks of its periodic timer, each of which sends CPU 1 an interrupt;
 * that one waits for them in HLT as well and prints a dot for each. CPU 0 then ends the line and
 * exits with 0. With --cpus 2.
 */
#include "cpus.inc"
#include "apic.inc"

#define VECTOR_TIMER 0x42
#define VECTOR_DOT   0x43

#define PERIODIC (1 << 17)
#define TICKS	 40

first:
	gate VECTOR_TIMER, on_timer
	gate VECTOR_DOT, on_dot
	lidt gates_of
	apic_on
	movl $1, %edi
	call start_cpu
	apic APIC_COMMAND_TO, (1 << 24)
	apic APIC_DIVIDE, 3
	apic APIC_TIMER, (VECTOR_TIMER | PERIODIC)
	apic APIC_COUNT, 1250000	/* 20 ms */
1:	sti
	hlt
	cli
	cmpl $TICKS, dots
	jb 1b
	say64 newline, 1
	finish 0

second:
	apic_on
	movl $1, is_up
1:	sti
	hlt
	cli
	jmp 1b

on_timer:
	apic APIC_EOI, 0
	cmpl $1, is_up
	jne 1f
	apic APIC_COMMAND, VECTOR_DOT
1:	iretq

on_dot:
	pushq %rax
	pushq %rdx
	cmpl $TICKS, dots		/* one more may be on its way */
	jae 1f
	movb $'.', %al
	movw $COM1, %dx
	outb %al, %dx
	incl dots
1:	apic APIC_EOI, 0
	popq %rdx
	popq %rax
	iretq

	.section .rodata
newline:
	.ascii "\n"

	.data
is_up:
	.long 0
dots:
	.long 0
