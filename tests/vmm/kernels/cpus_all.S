/* SPDX-License-Identifier: MIT */
/*
 * Starts CPUs 1 to 31, each of which prints a dot; when all have, CPU 0 ends the line and exits
 * with 0. With --cpus 32.
 */
#include "cpus.inc"

first:
	movl $1, %edi
1:	call start_cpu
	incl %edi
	cmpl $32, %edi
	jne 1b
1:	pause
	cmpl $31, done
	jne 1b
	say64 newline, 1
	finish 0

second:
	movw $COM1, %dx
	movb $'.', %al
	outb %al, %dx
	lock incl done
1:	hlt
	jmp 1b

	.section .rodata
newline:
	.ascii "\n"

	.data
done:
	.long 0
