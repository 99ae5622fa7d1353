/* SPDX-License-Identifier: MIT */
/*
 * Publishes a page and a descriptor that are well-formed, but every line of the table says that the
 * walk goes on, through all the spill lines that there can be; then spins: 124, and the dump of the
 * endless walk ends all the same.
 */
#include "kernel.inc"

/* Fields of struct abi_page and struct hpt_desc. */
#define ABI_MAGIC_LOW  0x74736f77
#define ABI_MAGIC_HIGH 0x30656761
#define PAGE_DESC      56
#define PAGE_COUNTS    64
#define HPT_MAGIC      0x30747068
#define CLUSTERED      4
#define SPILL_LINES    32768
#define SPLIT	       24
#define CURRENT        32
#define DIRECTORY      128
#define DIRECTORY_SIZE ((4096 + 512) * 8)

start:
	movl $ABI_MAGIC_LOW, page
	movl $ABI_MAGIC_HIGH, page + 4
	movl $3, page + 8		/* version */
	movl $desc, page + PAGE_DESC
	movl $desc, page + PAGE_COUNTS	/* any bytes will do */

	movl $HPT_MAGIC, desc
	movl $3, desc + 4		/* version */
	movl $CLUSTERED, desc + 8
	movl $SPILL_LINES, desc + 16
	movl $-1, desc + SPLIT		/* split: the table does not grow */
	movl $-1, desc + SPLIT + 4
	movl $6, desc + CURRENT		/* 64 lines */

	movl $lines, %eax		/* every chunk and spill page is the same one */
	movl $(desc + DIRECTORY), %edi
fill:
	movl %eax, (%edi)
	addl $8, %edi
	cmpl $(desc + DIRECTORY + DIRECTORY_SIZE), %edi
	jb fill

	movl $lines, %edi		/* another walk's line came through each of them */
pass:
	movl $0x00010000, 36(%edi)
	addl $64, %edi
	cmpl $(lines + 4096), %edi
	jb pass

	movl $page, %eax
	shrl $12, %eax
	movw $PUBLISH, %dx
	outl %eax, %dx
again:
	pause
	jmp again

	.bss
	.balign 4096
page:
	.skip 4 * 4096
desc:
	.skip 12 * 4096
lines:
	.skip 4096
