/* SPDX-License-Identifier: MIT */
/* Descriptor tables, the registers of SYSCALL, the start of the other CPUs, and the lock. */
#include "guest/cpu.h"

#include <errno.h>

#include "guest/abi.h"
#include "guest/boot.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/layout.h"
#include "guest/lock.h"
#include "guest/publish.h"
#include "guest/schedule.h"
#include "guest/stage1.h"
#include "guest/trap.h"

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

/* The interrupt masks of the two 8259s: firmware may have left the timer running into vector 8. */
#define PORT_PIC1_MASK 0x21
#define PORT_PIC2_MASK 0xa1

#define GATES	       256
#define GATE_INTERRUPT 0x8e
#define GATE_FROM_USER 0x60
#define TSS_TYPE       0x89
#define AREA_BLOCK     65536   /* what holds CPU_AREA_SIZE */
#define FLAGS_CLEARED  0x47700 /* AC NT IOPL DF IF TF */

extern uint64_t gdt[], gdt_end[];
extern const char trap_entries[], page_fault_entry[], syscall_entry[];
extern char boot_cpu_area[];

static struct gate idt[GATES];
static uint64_t system_call_entry = (uint64_t)syscall_entry;

struct cpu *cpus[ABI_CPUS_MAX];
unsigned int cpu_count = 1;
bool lock_needed;
static uint32_t lock;

void lock_wait(void)
{
	while (exchange_word(&lock, 1)) {
		if (cpu.flush)
			window_attend();
		__asm__ volatile("pause");
	}
}

void lock_release(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

/* Descriptors and task state of this CPU, in its area: at the same address on each. */
static void load_descriptors(void)
{
	struct table_pointer pointer = {.limit = sizeof(cpu.descriptors) - 1,
					.base = (uint64_t)cpu.descriptors};
	uint64_t base = (uint64_t)&cpu.task_state;
	uint64_t limit = sizeof(cpu.task_state) - 1;

	for (unsigned int i = 0; i < gdt_end - gdt; i++)
		cpu.descriptors[i] = gdt[i];
	cpu.task_state.rsp[0] = CPU_STACK_TOP;
	cpu.task_state.ist[0] = CPU_FAULT_STACK_TOP;
	cpu.task_state.io_map = sizeof(cpu.task_state);
	cpu.descriptors[TSS_SELECTOR / 8] = limit | (base & 0xffffff) << 16 |
					    (uint64_t)TSS_TYPE << 40 | (base >> 24 & 0xff) << 56;
	cpu.descriptors[TSS_SELECTOR / 8 + 1] = base >> 32;
	__asm__ volatile("lgdt %0\n\tltr %w1" ::"m"(pointer), "r"(TSS_SELECTOR));
}

static const struct table_pointer idt_pointer = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

static void load_idt(void)
{
	for (unsigned int vector = 0; vector < GATES; vector++) {
		uint64_t entry = vector == TRAP_PAGE_FAULT ? (uint64_t)page_fault_entry
							   : (uint64_t)trap_entries + vector * 16;

		idt[vector] = (struct gate){.offset_low = (uint16_t)entry,
					    .selector = KERNEL_CODE,
					    .type = GATE_INTERRUPT,
					    .offset_middle = (uint16_t)(entry >> 16),
					    .offset_high = (uint32_t)(entry >> 32)};
	}
	idt[TRAP_BREAKPOINT].type |= GATE_FROM_USER;
	idt[TRAP_DOUBLE_FAULT].ist = 1;
	idt[TRAP_NMI].ist = 1;
	__asm__ volatile("lidt %0" ::"m"(idt_pointer));
}

static void load_registers(void)
{
	wrmsr(MSR_STAR, STAR_VALUE);
	wrmsr(MSR_FMASK, FLAGS_CLEARED);
	wrmsr(MSR_LSTAR, system_call_entry);
}

void cpu_set_syscall_entry(uint64_t entry)
{
	system_call_entry = entry;
	wrmsr(MSR_LSTAR, entry);
}

void cpu_start(void)
{
	outb(PORT_PIC1_MASK, 0xff);
	outb(PORT_PIC2_MASK, 0xff);
	cpus[0] = direct(kernel_gpa(boot_cpu_area));
	load_descriptors();
	load_idt();
	load_registers();
}

/* Where another CPU comes from its start (abi.h): at the top of its stack, in its own window. */
static __attribute__((noreturn)) void begin(void)
{
	load_descriptors();
	__asm__ volatile("lidt %0" ::"m"(idt_pointer));
	load_registers();
	cpu.flush = 0;
	lock_kernel();
	schedule();
}

static int start_other(unsigned int number)
{
	struct cpu *other;
	uint64_t area;

	if (frames_get_block(AREA_BLOCK, &area))
		return -ENOMEM;
	other = direct(area);
	other->number = number;
	if (stage1_map_area(&other->pages, area, false) ||
	    window_create_second(&other->window, number, area))
		return -ENOMEM;
	cpus[number] = other;
	/* It has nothing that it could have forgotten; until it runs, nobody need wait for it. */
	published.own_asid[number] = other->pages.asid;
	published.cpu_start = (struct abi_cpu_start){
		.cr3 = (uint64_t)other->window.root - DIRECT_BASE,
		.rip = (uint64_t)begin,
		.rsp = CPU_STACK_TOP - 8,
	};
	publish_cpu(number);
	return 0;
}

void cpu_start_others(void)
{
	if (boot.cpus < 2 || !boot.doorbells)
		return;
	lock_needed = true;
	lock_kernel();
	for (unsigned int i = 1; i < boot.cpus && !start_other(i); i++)
		cpu_count++;
	unlock_kernel();
}

void cpu_exit(uint32_t status)
{
	outl(ABI_PORT_EXIT, status);
	for (;;)
		__asm__ volatile("hlt");
}
