/* SPDX-License-Identifier: MIT */
/*
 * Maps its own text read-only, sets CR0.WP and writes to it, without an IDT: 125. It pages as long
 * mode does, since the pvm kind of KVM knows no other paging, but executes 32-bit code throughout.
 */
#include "kernel.inc"

#define PRESENT	   1
#define WRITABLE   2
#define LARGE	   0x80
#define CR4_PAE	   0x20
#define CR0_WP	   0x10000
#define CR0_PG	   0x80000000
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100

start:
	movl $(pointers + PRESENT + WRITABLE), root
	movl $(directory + PRESENT + WRITABLE), pointers
	movl $(PRESENT | LARGE), directory	/* 2 MiB from 0 on, not writable */
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $root, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP), %eax
	movl %eax, %cr0
	movl $0, start
	finish 1

	.bss
	.balign 4096
root:
	.skip 4096
pointers:
	.skip 4096
directory:
	.skip 4096
