/* SPDX-License-Identifier: MIT */
/* Where traps go that are no page faults, the probe of SYSCALL, and what kills a program. */
#include "guest/trap.h"

#include <stddef.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/layout.h"
#include "guest/publish.h"
#include "guest/region.h"
#include "guest/system_call.h"
#include "guest/user.h"

#define FROM_USER     3
#define USER_RFLAGS   0x244dd5 /* what a program may set: arithmetic flags, TF DF NT AC ID */
#define RFLAGS_ALWAYS 0x202
#define SIGNAL_STATUS 128

extern const char syscall_entry[], kernel_stack_top[];

/* While boot probes SYSCALL: what comes after. */
static void (*probe_next)(void);

static __attribute__((noreturn)) void end_probe(void)
{
	void (*next)(void) = probe_next;

	probe_next = NULL;
	next();
	panic("what follows the probe came back");
}

void trap_probe_faulted(const struct trap_cpu_frame *frame)
{
	if (!probe_next)
		return;
	if (frame->rip != (uint64_t)syscall_entry)
		panic("SYSCALL went to %lx", frame->rip);
	published.syscall_stays = 1;
	cpu_set_syscall_entry(TRAP_PAGE + TRAP_PAGE_INT3);
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

void program_killed(const struct trap_cpu_frame *frame, unsigned int signal, const char *why,
		    uint64_t gva)
{
	print("twostage guest: program killed by signal %u: %s, address %lx, rip %lx, rsp %lx\n",
	      signal, why, gva, frame->rip, frame->rsp);
	region_publish();
	cpu_exit(SIGNAL_STATUS + signal);
}

/* The stack in ring 0 begins at its top, and first on it is where the program was. */
void program_out_of_memory(void)
{
	uint64_t top = (uint64_t)kernel_stack_top;
	const struct trap_cpu_frame *frame = (const void *)(top - sizeof(*frame));

	program_killed(frame, SIGNAL_KILL, "guest memory exhausted", read_cr2());
}

/* A trap in the trap page is a SYSCALL that stayed in ring 3, or a program that jumped there. */
static void trapped_syscall(struct trap_frame *frame)
{
	/* A SYSCALL could not have come from there, and IRETQ would fault in ring 0. */
	if (frame->rcx >= USER_END)
		program_killed(&frame->cpu, SIGNAL_SEGMENTATION, "jump into the trap page",
			       frame->rcx);
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

static __attribute__((noreturn)) void exception(const struct trap_frame *frame)
{
	uint64_t rip = frame->cpu.rip;
	uint64_t vector = frame->vector;

	if (vector == TRAP_INVALID_OPCODE && enters_kernel(rip))
		vector = TRAP_PROTECTION;
	if (vector < sizeof(meanings) / sizeof(meanings[0]) && meanings[vector].why)
		program_killed(&frame->cpu, meanings[vector].signal, meanings[vector].why, rip);
	program_killed(&frame->cpu, SIGNAL_SEGMENTATION, "protection fault", rip);
}

void trap_in_kernel(const struct trap_cpu_frame *frame, uint64_t vector)
{
	panic("vector %lu, error %lx, rip %lx, cs %lx, rsp %lx, cr2 %lx", vector, frame->error,
	      frame->rip, frame->cs, frame->rsp, read_cr2());
}

void trap(struct trap_frame *frame)
{
	if ((frame->cpu.cs & TRAP_LEVEL_MASK) != TRAP_LEVEL_USER)
		trap_in_kernel(&frame->cpu, frame->vector);
	if (frame->vector == VECTOR_SYSCALL) {
		if (probe_next)
			end_probe();
		system_call(frame);
	} else if (frame->vector == TRAP_BREAKPOINT && published.syscall_stays &&
		   frame->cpu.rip == TRAP_PAGE + TRAP_PAGE_INT3 + 1) {
		trapped_syscall(frame);
	} else {
		exception(frame);
	}
}
