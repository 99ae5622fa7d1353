/* SPDX-License-Identifier: MIT */
/* Prints text without an end of line, and never ends: the text must come out all the same. */
#include "kernel.inc"

start:
	say COM1 text 7
again:
	pause
	jmp again

	.section .rodata
text:
	.ascii "ready? "
