/* SPDX-License-Identifier: MIT */
/* Where traps go: page faults first, since they are what is measured here. */
#include "guest/trap.h"

#include <stddef.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/fault.h"
#include "guest/layout.h"
#include "guest/publish.h"
#include "guest/region.h"
#include "guest/system_call.h"

#define FROM_USER     3
#define USER_RFLAGS   0xcd5 /* what a program may set: arithmetic flags, DF; not TF, not IOPL */
#define RFLAGS_ALWAYS 0x202
#define SIGNAL_STATUS 128

extern const char syscall_entry[];

/* While boot probes SYSCALL: what comes after. */
static void (*probe_next)(void);

static __attribute__((noreturn)) void end_probe(const struct trap_frame *frame)
{
	void (*next)(void) = probe_next;

	probe_next = NULL;
	if (frame->vector != VECTOR_SYSCALL) {
		if (frame->vector != TRAP_PAGE_FAULT || frame->rip != (uint64_t)syscall_entry)
			panic("SYSCALL gave vector %lu at %lx", frame->vector, frame->rip);
		published.syscall_stays = 1;
		cpu_set_syscall_entry(TRAP_PAGE + TRAP_PAGE_INT3);
	}
	next();
	panic("what follows the probe came back");
}

void trap_probe_syscall(void (*next)(void))
{
	struct trap_frame frame = {
		.rip = TRAP_PAGE + TRAP_PAGE_PROBE,
		.cs = USER_CODE,
		.rflags = RFLAGS_ALWAYS,
		.ss = USER_DATA,
	};

	probe_next = next;
	trap_leave(&frame);
}

void program_killed(const struct trap_frame *frame, unsigned int signal, const char *why,
		    uint64_t gva)
{
	print("twostage guest: program killed by signal %u: %s, address %lx, rip %lx, rsp %lx\n",
	      signal, why, gva, frame->rip, frame->rsp);
	region_publish();
	cpu_exit(SIGNAL_STATUS + signal);
}

/* A trap in the trap page is a SYSCALL that stayed in ring 3, or a program that jumped there. */
static void trapped_syscall(struct trap_frame *frame)
{
	/* A SYSCALL could not have come from there, and IRETQ would fault in ring 0. */
	if (frame->rcx >= USER_END)
		program_killed(frame, SIGNAL_SEGMENTATION, "jump into the trap page", frame->rcx);
	frame->rip = frame->rcx;
	frame->rflags = (frame->r11 & USER_RFLAGS) | RFLAGS_ALWAYS;
	system_call(frame);
}

static __attribute__((noreturn)) void exception(struct trap_frame *frame)
{
	switch (frame->vector) {
	case TRAP_DIVIDE:
		program_killed(frame, SIGNAL_FLOAT, "division", frame->rip);
	case TRAP_DEBUG:
	case TRAP_BREAKPOINT:
		program_killed(frame, SIGNAL_TRAP, "breakpoint", frame->rip);
	case TRAP_INVALID_OPCODE:
		program_killed(frame, SIGNAL_ILLEGAL, "invalid instruction", frame->rip);
	case TRAP_X87:
	case TRAP_SIMD:
		program_killed(frame, SIGNAL_FLOAT, "floating point", frame->rip);
	case TRAP_ALIGNMENT:
		program_killed(frame, SIGNAL_BUS, "alignment", frame->rip);
	default:
		program_killed(frame, SIGNAL_SEGMENTATION, "protection fault", frame->rip);
	}
}

static __attribute__((noreturn)) void kernel_trap(const struct trap_frame *frame)
{
	panic("vector %lu, error %lx, rip %lx, cs %lx, rsp %lx, cr2 %lx", frame->vector,
	      frame->error, frame->rip, frame->cs, frame->rsp, read_cr2());
}

void trap(struct trap_frame *frame, uint64_t tsc)
{
	if (probe_next && (frame->cs & FROM_USER))
		end_probe(frame);
	if ((frame->cs & FROM_USER) != FROM_USER)
		kernel_trap(frame);
	if (frame->vector == TRAP_PAGE_FAULT)
		fault_handle(frame, tsc);
	else if (frame->vector == VECTOR_SYSCALL)
		system_call(frame);
	else if (frame->vector == TRAP_BREAKPOINT && published.syscall_stays &&
		 frame->rip == TRAP_PAGE + TRAP_PAGE_INT3 + 1)
		trapped_syscall(frame);
	else
		exception(frame);
}
