/* SPDX-License-Identifier: MIT */
/* Reads and writes where no memory is: ones, and nothing; exits with 0, or 1. */
#include "kernel.inc"

start:
	movl $0xd0000000, %esi
	movl $0x12345678, (%esi)
	movl (%esi), %eax
	cmpl $0xffffffff, %eax
	jne bad
	movw $0x1234, %dx
	inl %dx, %eax
	cmpl $0xffffffff, %eax
	jne bad
	inb $0x64, %al
	cmpb $0xff, %al
	jne bad
	finish 0
bad:
	finish 1
