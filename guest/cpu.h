/* SPDX-License-Identifier: MIT */
/* The instructions that C has no words for. Only such as every kind of KVM runs in ring 0. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdint.h>

#define MSR_STAR    0xc0000081
#define MSR_LSTAR   0xc0000082
#define MSR_FMASK   0xc0000084
#define MSR_FS_BASE 0xc0000100

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* The low half: enough for the length of one fault. */
static inline uint32_t rdtsc_low(void)
{
	uint32_t low;

	__asm__ volatile("rdtsc" : "=a"(low)::"edx");
	return low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	*eax = leaf;
	*ecx = 0;
	__asm__ volatile("cpuid" : "+a"(*eax), "=b"(*ebx), "+c"(*ecx), "=d"(*edx));
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory");
}

static inline void invlpg(uint64_t gva)
{
	__asm__ volatile("invlpg (%0)" ::"r"(gva) : "memory");
}

/* A page-table word changes under the CPU's hands: one load and store that nothing splits. */
static inline uint64_t exchange(uint64_t *word, uint64_t value)
{
	return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t exchange_word(uint32_t *word, uint32_t value)
{
	return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}

/* The first CPU: descriptor tables, TSS, SYSCALL registers. (cpu.c) */
void cpu_start(void);

/* SYSCALL goes to `entry` from now on, on CPUs that start later, too. */
void cpu_set_syscall_entry(uint64_t entry);

/*
 * Starts the other CPUs that the VMM has: each comes to schedule(). Where memory does not suffice
 * for all of them, the rest stays out.
 */
void cpu_start_others(void);

/* Ends the guest with `status`; does not come back. */
__attribute__((noreturn)) void cpu_exit(uint32_t status);

#endif
