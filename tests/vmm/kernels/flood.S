/* SPDX-License-Identifier: MIT */
/* Floods the console: 124 with a timeout, or 66 when its reader goes away. */
#include "kernel.inc"

start:
	say COM1 text 65
	jmp start

	.section .rodata
text:
	.ascii "flood flood flood flood flood flood flood flood flood flood fl..\n"
