/* SPDX-License-Identifier: MIT */
/* Prints a line on each serial port and exits with 42. */
#include "kernel.inc"

start:
	say COM1 greeting 6
	say COM2 whisper 8
	finish 42

	.section .rodata
greeting:
	.ascii "hello\n"
whisper:
	.ascii "whisper\n"
