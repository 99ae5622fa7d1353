/* SPDX-License-Identifier: MIT */
/* Prints its command line and checks start info and memory map; exits with 0, or 1. */
#include "kernel.inc"

#define MAGIC 0x336ec578

start:
	cmpl $MAGIC, 0(%ebx)
	jne bad
	cmpl $1, 4(%ebx)	/* version */
	jne bad
	cmpl $0, 12(%ebx)	/* modules */
	jne bad
	cmpl $1, 48(%ebx)	/* memory map entries */
	jne bad
	movl 24(%ebx), %esi	/* command line */
	movw $COM1, %dx
next:
	lodsb
	testb %al, %al
	jz end
	outb %al, %dx
	jmp next
end:
	movb $'\n', %al
	outb %al, %dx
	finish 0
bad:
	finish 1
