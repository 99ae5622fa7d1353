/* SPDX-License-Identifier: MIT */
/* Descriptor tables and the registers of SYSCALL. */
#include "guest/cpu.h"

#include "guest/abi.h"
#include "guest/layout.h"
#include "guest/trap.h"

struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint8_t reserved2[10];
	uint16_t io_map; /* past the end: no port is for ring 3 */
};

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
#define FLAGS_CLEARED  0x47700 /* AC NT IOPL DF IF TF */

extern uint64_t gdt[];
extern char kernel_stack_top[], fault_stack_top[];
extern const char trap_entries[], page_fault_entry[], syscall_entry[];

static struct tss tss;
static struct gate idt[GATES];

static void load_tss(void)
{
	uint64_t base = (uint64_t)&tss;
	uint64_t limit = sizeof(tss) - 1;

	tss.rsp[0] = (uint64_t)kernel_stack_top;
	tss.ist[0] = (uint64_t)fault_stack_top;
	tss.io_map = sizeof(tss);
	gdt[TSS_SELECTOR / 8] = limit | (base & 0xffffff) << 16 | (uint64_t)TSS_TYPE << 40 |
				(base >> 24 & 0xff) << 56;
	gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
}

static void load_idt(void)
{
	struct table_pointer pointer = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

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
	__asm__ volatile("lidt %0" ::"m"(pointer));
}

void cpu_set_syscall_entry(uint64_t entry)
{
	wrmsr(MSR_LSTAR, entry);
}

void cpu_start(void)
{
	outb(PORT_PIC1_MASK, 0xff);
	outb(PORT_PIC2_MASK, 0xff);
	load_tss();
	load_idt();
	wrmsr(MSR_STAR, STAR_VALUE);
	wrmsr(MSR_FMASK, FLAGS_CLEARED);
	cpu_set_syscall_entry((uint64_t)syscall_entry);
}

void cpu_exit(uint32_t status)
{
	outl(ABI_PORT_EXIT, status);
	for (;;)
		__asm__ volatile("hlt");
}
