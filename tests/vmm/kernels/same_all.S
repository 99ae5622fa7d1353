/* SPDX-License-Identifier: MIT */
/*
 * Writes one word to every page from 2 MiB up to 32 MiB, lets four thousand million cycles pass,
 * writes another to the first page and reads all: 0, or 1 if a page does not hold what it should.
 */
#include "kernel.inc"

start:
	movl $0x200000, %edi
next:
	movl $0x5a5a5a5a, (%edi)
	addl $4096, %edi
	cmpl $0x2000000, %edi
	jb next

	rdtsc
	movl %edx, %ecx
	addl $2, %ecx	/* 2^32 cycles or more, as edx counts them */
wait:
	pause
	rdtsc
	cmpl %ecx, %edx
	jb wait

	movl $1, 0x200000
	movl $0x201000, %edi
read:
	cmpl $0x5a5a5a5a, (%edi)
	jne wrong
	addl $4096, %edi
	cmpl $0x2000000, %edi
	jb read
	cmpl $1, 0x200000
	jne wrong
	finish 0
wrong:
	finish 1
