/* SPDX-License-Identifier: MIT */
/*
 * Where things are in guest-virtual space, for C and assembly.
 *
 *   0x0000000000010000   program: text, data, heap              ASID 1
 *   ...                  mmap area, downwards from below the stack
 *   USER_END             top of the program's stack
 *   TRAP_PAGE            SYSCALL's landing place on the pvm kind (see trap_entry.S), pinned
 *   DIRECT_BASE          all RAM, for the kernel only           ASID 0, pinned
 *   KERNEL_BASE          the kernel's image                     ASID 0, pinned
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define USER_START  0x0000000000010000
#define USER_END    0x00007ffff0000000
#define TRAP_PAGE   0x00007fffffffd000
#define DIRECT_BASE 0xffff888000000000
#define KERNEL_BASE 0xffffffff80000000

/* Selectors, in the order that SYSCALL and SYSRET ask for. */
#define KERNEL_CODE  0x08
#define KERNEL_DATA  0x10
#define USER_DATA    (0x20 | 3)
#define USER_CODE    (0x28 | 3)
#define TSS_SELECTOR 0x30
#define STAR_VALUE   ((0x18UL | 3) << 48 | (unsigned long)KERNEL_CODE << 32)

#define KERNEL_STACK_SIZE 16384

/* The trap page: int3 for SYSCALL to land on, and the probe that boot runs in ring 3 once. */
#define TRAP_PAGE_INT3	0
#define TRAP_PAGE_PROBE 16

/* trap_frame.vector of a SYSCALL: above all gates. */
#define VECTOR_SYSCALL 256

#endif
