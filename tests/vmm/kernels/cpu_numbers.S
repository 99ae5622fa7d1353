/* SPDX-License-Identifier: MIT */
/*
 * Rings for CPUs that make no sense, 7 times, and for CPU 2 twice, which starts, prints its number
 * and exits with 0. With --cpus 3.
 */
#include "cpus.inc"

.macro ring number
	movl $\number, %edi
	call start_cpu
.endm

first:
	ring 0
	ring 3
	ring 32
	ring 33
	ring 0x80000001
	ring 0xffffffff
	movw $CPU, %dx
	movb $1, %al
	outb %al, %dx			/* not 32 bits */
	ring 2
	ring 2				/* it was started */
	movl $1, rung
1:	pause
	jmp 1b

second:
	pause
	cmpl $1, rung
	jne second
	movw $COM1, %dx
	movb $'0', %al
	addb %dil, %al
	outb %al, %dx
	finish 0

	.data
rung:
	.long 0
