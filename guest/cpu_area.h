/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has for itself: at CPU_BASE, the same address on all of them, so that nothing need
 * be added to an address to find it. Behind it are the CPU's stacks and its local APIC (layout.h).
 * Other CPUs reach it through the direct map, by cpus[], with the kernel's lock held.
 */
#ifndef GUEST_CPU_AREA_H
#define GUEST_CPU_AREA_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"
#include "guest/layout.h"
#include "guest/window.h"
#include "hpt/space.h"

struct task;

struct __attribute__((packed)) cpu_task_state {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint8_t reserved2[10];
	uint16_t io_map; /* past the end: no port is for ring 3 */
};

#define CPU_DESCRIPTORS 8

/* The area's first page: the last word of it is trap_entry.S's. */

struct cpu {
	struct window window;
	unsigned int number; /* and its local APIC's identifier */
	struct task *task;   /* whose registers the CPU runs with, or last ran with; NULL: none */
	struct task *next;   /* who runs once the vector registers are right */
	struct task
		*vectors;   /* whose vector registers the CPU has; NULL: nobody's who needs them */
	bool moves_vectors; /* it saves or restores them, in the trap page */
	bool is_idle;
	bool has_apic; /* it is set up */
	/* Tasks that could run here, in order; and those that wait here for a time. */
	struct task *ready, *ready_last;
	struct task *sleepers;
	unsigned int tasks;	 /* that belong here */
	uint64_t turn_ends;	 /* of the task, by clock_now() */
	uint64_t timer_set;	 /* for when the timer is set, by clock_now(); 0: it is not */
	volatile uint32_t flush; /* another CPU waits for this one to load CR3 again */
	struct hpt_space pages;	 /* what the stage-1 table says of its area */
	uint64_t descriptors[CPU_DESCRIPTORS];
	struct cpu_task_state task_state;
};

_Static_assert(sizeof(struct cpu) <= CPU_SYSCALL_RSP - CPU_BASE, "the area's first page holds it");

/* This CPU's own (kernel.lds). */
extern struct cpu cpu;

/* All that run, by number. (cpu.c) */
extern struct cpu *cpus[ABI_CPUS_MAX];
extern unsigned int cpu_count;

#endif
