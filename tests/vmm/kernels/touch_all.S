/* SPDX-License-Identifier: MIT */
/* Writes a word to every page from 2 MiB up to 32 MiB: 0, or 125 with less host memory. */
#include "kernel.inc"

start:
	movl $0x200000, %edi
next:
	movl %edi, (%edi)
	addl $4096, %edi
	cmpl $0x2000000, %edi
	jb next
	finish 0
