/* SPDX-License-Identifier: MIT */
/* Lies to every doorbell in many ways; all of it is ignored: exits with 0, printing ok. */
#include "kernel.inc"

/* Fields of struct abi_page. */
#define GPA  16
#define SIZE 24
#define FD   28

.macro ring port value
	movl $\value, %eax
	movw $\port, %dx
	outl %eax, %dx
.endm

.macro request gpa high size fd
	movl $\gpa, page + GPA
	movl $\high, page + GPA + 4
	movl $\size, page + SIZE
	movl $\fd, page + FD
	ring WRITE 0
.endm

start:
	ring WRITE 0			/* nothing is published */
	ring PUBLISH 0xffffffff		/* no RAM */
	ring PUBLISH 0xc0000		/* the hole */
	ring PUBLISH 0x1000		/* beyond RAM of 16M */
	movw $PUBLISH, %dx
	movb $1, %al
	outb %al, %dx			/* not 32 bits */

	movl $page, %eax
	shrl $12, %eax
	movw $PUBLISH, %dx
	outl %eax, %dx			/* right */
	outl %eax, %dx			/* a second time */

	request secret, 0, 8, 0		/* fd */
	request secret, 0, 8, 3
	request secret, 0, 8, 0xffffffff
	request secret, 0, 4097, 1	/* size */
	request secret, 0, 0xffffffff, 1
	request secret + 4090, 0, 8, 1	/* crosses a page */
	request 0xd0000000, 0, 8, 1	/* hole */
	request 0xfffffff8, 0xffffffff, 8, 1
	request 0x10000000, 0, 8, 1	/* beyond RAM of 16M */
	request secret, 1, 8, 1
	request secret, 0, 0, 1		/* nothing: right */
	request okay, 0, 3, 1		/* right */
	finish 0

	.section .rodata
okay:
	.ascii "ok\n"

	.bss
	.balign 4096
secret:
	.skip 4096
	.balign 4096
page:
	.skip 4 * 4096
