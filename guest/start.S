/* SPDX-License-Identifier: MIT */
/*
 * From the PVH entry (32-bit, paging off, EBX = start_info) to kernel_main() in long mode.
 *
 * The tables here are scaffolding: 2 MiB pages over the first GiB, seen at 0, at DIRECT_BASE and at
 * KERNEL_BASE. They are laid out by the assembler, since ring 0 may be an instruction emulator and
 * a loop of stores would cost milliseconds. window_start() replaces them by a window that is filled
 * from the hashed table.
 */
#include "guest/layout.h"

#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

#define PAGE_TABLE 0x03 /* present, write */
#define LARGE_PAGE 0x83

#define CR0_BITS 0x80050033 /* PG AM WP NE ET MP PE */
#define CR4_BITS 0x00000620 /* OSXMMEXCPT OSFXSR PAE */
#define EFER	 0xc0000080
#define EFER_BITS 0x00000901 /* NXE LME SCE */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18 /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYSICAL(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	movl $PHYSICAL(boot_tables), %eax
	movl %eax, %cr3
	movl $CR4_BITS, %eax
	movl %eax, %cr4
	movl $EFER, %ecx
	movl $EFER_BITS, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_BITS, %eax
	movl %eax, %cr0
	lgdt PHYSICAL(boot_gdt_pointer)
	ljmp $KERNEL_CODE, $PHYSICAL(boot_long)

	.code64
boot_long:
	movq $boot_high, %rax
	jmp *%rax
boot_high:
	lgdt boot_gdt_pointer_high(%rip)
	movl $KERNEL_DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq $CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	movl %ebx, %edi
	call kernel_main
	ud2

	.data
	.balign 16
	.globl gdt, gdt_end
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* kernel code */
	.quad 0x00cf93000000ffff /* kernel data */
	.quad 0			 /* 32-bit user code: none */
	.quad 0x00cff3000000ffff /* user data */
	.quad 0x00affb000000ffff /* user code */
gdt_end:
boot_gdt_pointer:
	.word gdt_end - gdt - 1
	.long PHYSICAL(gdt)
boot_gdt_pointer_high:
	.word gdt_end - gdt - 1
	.quad gdt

	.balign 4096
boot_tables:
	.quad PHYSICAL(boot_pdpt) + PAGE_TABLE
	.fill 272, 8, 0
	.quad PHYSICAL(boot_pdpt) + PAGE_TABLE /* 273: DIRECT_BASE */
	.fill 237, 8, 0
	.quad PHYSICAL(boot_pdpt_high) + PAGE_TABLE /* 511: KERNEL_BASE */
boot_pdpt:
	.quad PHYSICAL(boot_pd) + PAGE_TABLE
	.fill 511, 8, 0
boot_pdpt_high:
	.fill 510, 8, 0
	.quad PHYSICAL(boot_pd) + PAGE_TABLE
	.quad PHYSICAL(boot_pd_cpu) + PAGE_TABLE /* CPU_BASE */
boot_pd:
	.set address, 0
	.rept 512
	.quad address + LARGE_PAGE
	.set address, address + 0x200000
	.endr

boot_pd_cpu:
	.quad PHYSICAL(boot_pt_cpu) + PAGE_TABLE
	.fill 511, 8, 0
boot_pt_cpu:
	.set page, 0
	.rept CPU_AREA_SIZE / 4096
	.quad PHYSICAL(boot_cpu_area) + page + PAGE_TABLE
	.set page, page + 4096
	.endr
	.fill 512 - CPU_AREA_SIZE / 4096, 8, 0

	/* The first CPU's area (cpu_area.h). */
	.bss
	.balign 4096
	.globl boot_cpu_area
boot_cpu_area:
	.skip CPU_AREA_SIZE

	.section .note.GNU-stack, "", @progbits
