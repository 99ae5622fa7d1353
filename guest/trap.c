/* SPDX-License-Identifier: MIT */
/* Where traps go, but for page faults that are resolved at once; and the probe of SYSCALL. */
#include "guest/trap.h"

#include <stddef.h>

#include "guest/boot.h"
#include "guest/apic.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/fault.h"
#include "guest/layout.h"
#include "guest/lock.h"
#include "guest/process.h"
#include "guest/publish.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/system_call.h"
#include "guest/user.h"
#include "guest/vectors.h"

#define FROM_USER     3
#define USER_RFLAGS   0x244dd5 /* what a program may set: arithmetic flags, TF DF NT AC ID */
#define RFLAGS_ALWAYS 0x202

extern const char syscall_entry[];

/* While boot probes SYSCALL: what comes after. */
static void (*probe_next)(void);

static __attribute__((noreturn)) void end_probe(void)
{
	void (*next)(void) = probe_next;

	probe_next = NULL;
	next();
	panic("what follows the probe came back");
}

/* While boot probes SYSCALL, the page fault that tells that it stays in ring 3. */
static __attribute__((noreturn)) void probe_faulted(const struct trap_cpu_frame *frame)
{
	if (frame->rip != (uint64_t)syscall_entry)
		panic("SYSCALL went to %lx", frame->rip);
	published.syscall_stays = 1;
	cpu_set_syscall_entry(TRAP_PAGE + TRAP_PAGE_INT3);
	end_probe();
}

/* The probe has asked CPUID, too. */
static void probed(const struct trap_frame *frame)
{
	vectors_start((uint32_t)frame->rsi);
	if (frame->vector == TRAP_PAGE_FAULT)
		probe_faulted(&frame->cpu);
	if (frame->vector == VECTOR_SYSCALL)
		end_probe();
}

void trap_probe_syscall(void (*next)(void))
{
	struct trap_frame frame = {
		.cpu = {.rip = TRAP_PAGE + TRAP_PAGE_PROBE,
			.cs = USER_CODE,
			.rflags = RFLAGS_ALWAYS,
			.ss = USER_DATA},
	};

	probe_next = next;
	trap_leave(&frame);
}

/* A trap in the trap page is a SYSCALL that stayed in ring 3, or a program that jumped there. */
static void trapped_syscall(struct trap_frame *frame)
{
	/* A SYSCALL could not have come from there, and IRETQ would fault in ring 0. */
	if (frame->rcx >= USER_END) {
		signal_fault(frame, SIGNAL_SEGMENTATION, "jump into the trap page", frame->rcx);
		return;
	}
	frame->cpu.rip = frame->rcx;
	frame->cpu.rflags = (frame->r11 & USER_RFLAGS) | RFLAGS_ALWAYS;
	system_call(frame);
}

/* What an exception of the program means to it, as on Linux. */
static const struct {
	unsigned int signal;
	const char *why;
} meanings[] = {
	[TRAP_DIVIDE] = {SIGNAL_FLOAT, "division"},
	[TRAP_DEBUG] = {SIGNAL_TRAP, "debug exception"},
	[TRAP_BREAKPOINT] = {SIGNAL_TRAP, "breakpoint"},
	[TRAP_INVALID_OPCODE] = {SIGNAL_ILLEGAL, "invalid instruction"},
	[TRAP_STACK] = {SIGNAL_BUS, "stack segment"},
	[TRAP_X87] = {SIGNAL_FLOAT, "x87 floating point"},
	[TRAP_ALIGNMENT] = {SIGNAL_BUS, "alignment"},
	[TRAP_SIMD] = {SIGNAL_FLOAT, "SIMD floating point"},
};

/*
 * INT with a vector that is not for programs, and SYSENTER: protection faults natively, invalid
 * instructions on the pvm kind of KVM.
 */
static bool enters_kernel(uint64_t rip)
{
	uint8_t code[2];

	if (user_read(code, rip, sizeof(code)))
		return false;
	return code[0] == 0xcd || (code[0] == 0x0f && code[1] == 0x34);
}

static void exception(struct trap_frame *frame)
{
	uint64_t rip = frame->cpu.rip;
	uint64_t vector = frame->vector;

	if (vector == TRAP_INVALID_OPCODE && enters_kernel(rip))
		vector = TRAP_PROTECTION;
	if (vector < sizeof(meanings) / sizeof(meanings[0]) && meanings[vector].why)
		signal_fault(frame, meanings[vector].signal, meanings[vector].why, rip);
	else
		signal_fault(frame, SIGNAL_SEGMENTATION, "protection fault", rip);
}

void trap_in_kernel(const struct trap_cpu_frame *frame, uint64_t vector)
{
	panic("vector %lu, error %lx, rip %lx, cs %lx, rsp %lx, cr2 %lx", vector, frame->error,
	      frame->rip, frame->cs, frame->rsp, read_cr2());
}

/* An interrupt that meets this CPU while it idles: schedule() goes on behind it. */
static void woken(const struct trap_frame *frame)
{
	if (!cpu.is_idle || frame->vector < VECTOR_TIMER)
		trap_in_kernel(&frame->cpu, frame->vector);
	if (cpu.flush)
		window_attend();
	if (frame->vector == VECTOR_TIMER)
		cpu.timer_set = 0;
	if (frame->vector != VECTOR_SPURIOUS)
		apic_done();
}

static void breakpoint(struct trap_frame *frame)
{
	if (published.syscall_stays && frame->cpu.rip == TRAP_PAGE + TRAP_PAGE_INT3 + 1)
		trapped_syscall(frame);
	else if (cpu.moves_vectors && vectors_moved(frame->cpu.rip))
		schedule_vectors_moved();
	else
		exception(frame);
}

static void from_ring3(struct trap_frame *frame)
{
	switch (frame->vector) {
	case VECTOR_SYSCALL:
		system_call(frame);
		break;
	case TRAP_BREAKPOINT:
		breakpoint(frame);
		break;
	case TRAP_PAGE_FAULT:
		fault_unresolved(frame);
		break;
	case VECTOR_TIMER:
		apic_done();
		schedule_tick();
		break;
	case VECTOR_ATTEND:
		apic_done();
		if (cpu.flush)
			window_attend();
		break;
	case VECTOR_SPURIOUS:
		break;
	default:
		exception(frame);
	}
}

void trap(struct trap_frame *frame)
{
	if ((frame->cpu.cs & TRAP_LEVEL_MASK) != TRAP_LEVEL_USER) {
		woken(frame);
		return;
	}
	if (probe_next)
		probed(frame);
	lock_kernel();
	from_ring3(frame);
	schedule_leave(frame);
}
