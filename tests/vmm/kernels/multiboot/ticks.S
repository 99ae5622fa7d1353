/* SPDX-License-Identifier: MIT */
/* Waits in HLT for 60 ticks of the timer at 100 Hz, prints a dot for each, exits with 0. */
#include "multiboot.inc"

#define PIC1	      0x20
#define PIC1_DATA     0x21
#define PIC2_DATA     0xa1
#define END	      0x20 /* of an interrupt */
#define VECTOR	      0x20
#define TIMER_0	      0x40
#define TIMER_CONTROL 0x43
#define CODE	      0x8
#define TICKS	      60

.macro out port value
	movb $\value, %al
	movw $\port, %dx
	outb %al, %dx
.endm

start:
	movl $stack_end, %esp
	lgdt descriptors_pointer
	ljmp $CODE, $1f
1:	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss

	movl $on_timer, %eax
	movl $gates + 8 * VECTOR, %edi
	movw %ax, (%edi)
	movw $CODE, 2(%edi)
	movw $0x8e00, 4(%edi)
	shrl $16, %eax
	movw %ax, 6(%edi)
	lidt gates_pointer

	out PIC1, 0x11			/* vectors from 0x20, cascaded, 8086 mode; the timer alone */
	out PIC1_DATA, VECTOR
	out PIC1_DATA, 4
	out PIC1_DATA, 1
	out PIC2_DATA, 0xff
	out PIC1_DATA, 0xfe
	out TIMER_CONTROL, 0x34		/* a rate generator of 100 Hz */
	out TIMER_0, 0x9c
	out TIMER_0, 0x2e
	movl $TICKS, %ebx
1:	sti
	hlt
	cli
	testl %ebx, %ebx
	jnz 1b
	out COM1, '\n'
	finish 0

/* Ends without iret, which pvm's emulator lacks in 32-bit protected mode. */
on_timer:
	pushal
	out PIC1, END
	out COM1, '.'
	popal
	testl %ebx, %ebx
	jz 1f
	decl %ebx
1:	pushl 8(%esp)
	popfl
	lret $4

	.section .rodata
	.balign 8
descriptors:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
descriptors_pointer:
	.word 23
	.long descriptors
gates_pointer:
	.word 8 * (VECTOR + 1) - 1
	.long gates

	.bss
	.balign 8
gates:
	.skip 8 * (VECTOR + 1)
	.balign 4096
	.skip 4096
stack_end:
