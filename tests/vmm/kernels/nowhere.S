/* SPDX-License-Identifier: MIT */
/* Jumps to where no memory is: 125. */
#include "kernel.inc"

start:
	movl $0xd0000000, %eax
	jmp *%eax
