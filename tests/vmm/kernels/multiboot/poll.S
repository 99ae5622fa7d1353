/* SPDX-License-Identifier: MIT */
/* Asks the serial port for input, without interrupts, and echoes a line of it: exits with 0. */
#include "multiboot.inc"

#define LINE_STATUS (COM1 + 5)

start:
	movw $LINE_STATUS, %dx
	inb %dx, %al
	testb $1, %al
	jz start
	movw $COM1, %dx
	inb %dx, %al
	outb %al, %dx
	cmpb $'\n', %al
	jne start
	finish 0
