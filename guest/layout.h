/* SPDX-License-Identifier: MIT */
/*
 * Where things are in guest-virtual space, for C and assembly.
 *
 *   0x0000000000010000   program: text, data, heap              its space's ASID
 *   ...                  mmap area, downwards from below the stack
 *   USER_VECTORS         where vector registers of its threads are kept (vectors.h)
 *   USER_END             top of the program's stack
 *   TRAP_PAGE            what the kernel runs in ring 3 (trap_entry.S), in every space, pinned
 *   DIRECT_BASE          all RAM, for the kernel only           ASID 0, pinned
 *   KERNEL_BASE          the kernel's image                     ASID 0, pinned
 *   CPU_BASE             each CPU's own area (cpu_area.h)       the CPU's ASID, pinned
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define USER_START   0x0000000000010000
#define USER_END     0x00007ffff0000000
#define USER_VECTORS (USER_END - 0x1800000)
#define TRAP_PAGE    0x00007fffffffd000
#define DIRECT_BASE  0xffff888000000000
#define KERNEL_BASE  0xffffffff80000000
#define CPU_BASE     0xffffffffc0000000

/*
 * A CPU's area, from CPU_BASE on: what is its own at the same address on each. The pages below the
 * stacks are not mapped, so an overflow faults; the local APIC's registers are no RAM.
 */
#define CPU_SYSCALL_RSP	      (CPU_BASE + 0xff8)
#define CPU_STACK_GUARD	      0x1000
#define CPU_STACK_TOP	      (CPU_BASE + 0x6000)
#define CPU_FAULT_STACK_GUARD 0x6000
#define CPU_FAULT_STACK_TOP   (CPU_BASE + 0xb000)
#define CPU_AREA_SIZE	      0xb000
#define CPU_APIC	      (CPU_BASE + CPU_AREA_SIZE)
#define CPU_AREA_PAGES	      12 /* with the APIC */

/* Selectors, in the order that SYSCALL and SYSRET ask for. */
#define KERNEL_CODE  0x08
#define KERNEL_DATA  0x10
#define USER_DATA    (0x20 | 3)
#define USER_CODE    (0x28 | 3)
#define TSS_SELECTOR 0x30
#define STAR_VALUE   ((0x18UL | 3) << 48 | (unsigned long)KERNEL_CODE << 32)

#define APIC_GPA 0xfee00000

/*
 * The trap page: int3 for SYSCALL to land on, the probe that boot runs once
 * (with what CPUID says in ring 3), and what saves and
 * restores vector registers at RDI, with and without XSAVE. Each ends with an int3.
 */
#define TRAP_PAGE_INT3	  0
#define TRAP_PAGE_PROBE	  16
#define TRAP_PAGE_XSAVE	  32
#define TRAP_PAGE_XRSTOR  64
#define TRAP_PAGE_FXSAVE  96
#define TRAP_PAGE_FXRSTOR 112
#define TRAP_PAGE_END	  128

/* Interrupts. */
#define VECTOR_TIMER	32
#define VECTOR_ATTEND	33 /* another CPU wants something: see cpu_attend() */
#define VECTOR_SPURIOUS 255

/* trap_frame.vector of a SYSCALL: above all gates. */
#define VECTOR_SYSCALL 256

#endif
