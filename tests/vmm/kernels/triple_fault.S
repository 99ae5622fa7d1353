/* SPDX-License-Identifier: MIT */
/* Raises an exception without an IDT: 125. */
#include "kernel.inc"

start:
	lidt empty
	ud2

	.section .rodata
empty:
	.word 0
	.long 0
