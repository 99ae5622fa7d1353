/* SPDX-License-Identifier: MIT */
/*
 * Checks what a multiboot loader hands over and prints command line, loader, and of each module its
 * text and its first line's worth of bytes up to a zero or the end: 0, or the number of the check that
 * failed. Wants 16 MiB of memory.
 */
#include "multiboot.inc"

/* Offsets in the information, and in an entry of the list of modules. */
#define LOWER	     4
#define UPPER	     8
#define COMMAND_LINE 16
#define MODULES	     20
#define MODULE_LIST  24
#define MAP_LENGTH   44
#define MAP	     48
#define NAME	     64
#define MODULE_END   4
#define MODULE_TEXT  8
#define MODULE_SIZE  16

start:
	movl $stack_end, %esp
	cmpl $LOADER, %eax
	movl $1, %edi
	jne bad
	movl (%ebx), %eax		/* flags: memory, command line, modules, map, name */
	andl $0x24d, %eax
	cmpl $0x24d, %eax
	movl $2, %edi
	jne bad
	cmpl $639, LOWER(%ebx)
	movl $3, %edi
	jne bad
	cmpl $(15 * 1024), UPPER(%ebx)
	movl $4, %edi
	jne bad
	cmpl $(2 * 24), MAP_LENGTH(%ebx)
	movl $5, %edi
	jne bad
	movl MAP(%ebx), %esi		/* two ranges of RAM: below 639 KiB, from 1 MiB on */
	movl $want, %edi
	movl $(2 * 24), %ecx
	repe cmpsb
	movl $6, %edi
	jne bad
	cmpl $0x100000, %ebx		/* all of it lies below the image */
	movl $7, %edi
	jae bad
	cmpl $0, zeros			/* the image's memory behind its file is zero */
	movl $8, %edi
	jne bad

	movl COMMAND_LINE(%ebx), %esi
	call print
	movl NAME(%ebx), %esi
	call print
	movl MODULES(%ebx), %ebp
	movl MODULE_LIST(%ebx), %edi
next:
	testl %ebp, %ebp
	jz end
	movl MODULE_TEXT(%edi), %esi
	call print
	movl (%edi), %esi
	testl $0xfff, %esi
	movl $9, %eax
	jnz leave
	movl MODULE_END(%edi), %ecx
	subl %esi, %ecx
	movw $COM1, %dx
	rep outsb
	addl $MODULE_SIZE, %edi
	decl %ebp
	jmp next
end:
	finish 0
bad:
	movl %edi, %eax
leave:
	outb %al, $EXIT

print_function

	.section .rodata
want:
	.long 20, 0, 0, 639 * 1024, 0, 1
	.long 20, 1024 * 1024, 0, 15 * 1024 * 1024, 0, 1

	.bss
zeros:
	.skip 4096
	.skip 4096
stack_end:
