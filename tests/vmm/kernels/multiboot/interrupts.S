/* SPDX-License-Identifier: MIT */
/*
 * Lives by interrupts alone: prints a text by those of the empty transmitter, waits for five ticks of
 * the timer, then echoes what the receiver brings, up to an end of line. Exits with 33; with 99 if
 * another vector came.
 */
#include "multiboot.inc"

#define PIC1	       0x20
#define PIC1_DATA      0x21
#define PIC2_DATA      0xa1
#define END	       0x20	/* of an interrupt */
#define TIMER_VECTOR   0x20
#define SERIAL_VECTOR  0x24
#define VECTORS	       0x30
#define TIMER_0	       0x40
#define TIMER_CONTROL  0x43
#define INTERRUPTS     (COM1 + 1)
#define IDENTITY       (COM1 + 2)
#define FIFO	       (COM1 + 2)
#define MODEM	       (COM1 + 4)
#define CODE	       0x8
#define TICKS	       5

.macro out port value
	movb $\value, %al
	movw $\port, %dx
	outb %al, %dx
.endm

/* Points the gate of vector al at ecx. */
.macro gate vector handler
	movl $\handler, %eax
	movw %ax, gates + 8 * \vector
	shrl $16, %eax
	movw %ax, gates + 8 * \vector + 6
.endm

/* An iret without that instruction, which pvm's emulator lacks in 32-bit protected mode. */
.macro return
	pushl 8(%esp)
	popfl
	lret $4
.endm

start:
	movl $stack_end, %esp
	lgdt descriptors_pointer
	ljmp $CODE, $1f
1:	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss

	movl $gates, %edi		/* every gate leads to `unexpected` first */
	movl $VECTORS, %ecx
2:	movl $unexpected, %eax
	movw %ax, (%edi)
	movw $CODE, 2(%edi)
	movw $0x8e00, 4(%edi)
	shrl $16, %eax
	movw %ax, 6(%edi)
	addl $8, %edi
	loop 2b
	gate TIMER_VECTOR, on_timer
	gate SERIAL_VECTOR, on_serial
	lidt gates_pointer

	out PIC1, 0x11			/* the controllers: vectors from 0x20, cascaded, 8086 mode */
	out PIC1_DATA, TIMER_VECTOR
	out PIC1_DATA, 4
	out PIC1_DATA, 1
	out PIC2_DATA, 0xff
	out PIC1_DATA, 0xee		/* timer and COM1 */
	out TIMER_CONTROL, 0x34		/* a rate generator of 100 Hz */
	out TIMER_0, 0x9c
	out TIMER_0, 0x2e
	out FIFO, 7
	out MODEM, 0xb
	out INTERRUPTS, 2		/* the transmitter is empty: that is the first one */
	sti
wait_text:
	hlt
	cmpb $0, sent
	je wait_text

	movl $0, ticks
wait_ticks:
	hlt
	cmpl $TICKS, ticks
	jb wait_ticks

	out INTERRUPTS, 1
wait_line:
	hlt
	cmpb $0, received
	je wait_line
	cli
	finish 33

on_timer:
	pushal
	incl ticks
	out PIC1, END
	popal
	return

/* Goes on until nothing is due: only then the line falls, and can rise again. */
on_serial:
	pushal
again:
	movw $IDENTITY, %dx
	inb %dx, %al
	andb $0xf, %al
	cmpb $1, %al
	je serial_end
	cmpb $2, %al
	je transmit
	cmpb $4, %al
	jne unexpected
	movw $COM1, %dx
	inb %dx, %al
	outb %al, %dx
	cmpb $'\n', %al
	jne again
	movb $1, received
	jmp again
transmit:
	movl at, %esi
	lodsb
	movl %esi, at
	testb %al, %al
	jz all_sent
	movw $COM1, %dx
	outb %al, %dx
	jmp again
all_sent:
	movb $1, sent
	out INTERRUPTS, 0
	jmp again
serial_end:
	out PIC1, END
	popal
	return

unexpected:
	finish 99

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
	.word 8 * VECTORS - 1
	.long gates
text:
	.asciz "by interrupts\n"

	.data
	.balign 4
at:
	.long text

	.bss
	.balign 8
gates:
	.skip 8 * VECTORS
ticks:
	.skip 4
sent:
	.skip 1
received:
	.skip 1
	.balign 4096
	.skip 4096
stack_end:
