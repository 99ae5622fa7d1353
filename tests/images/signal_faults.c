/* SPDX-License-Identifier: MIT */
/*
 * Signals that faults cause: a page that the handler mends, faults that are left by a jump, stacks
 * of the handlers' own, frames that cannot be made or come back from.
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/images/children.h"
#include "tests/images/handlers.h"
#include "tests/images/report.h"

#define PAGE	  4096
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static char *volatile page;
static sigjmp_buf back;

static void mend(int signal, siginfo_t *information, void *context)
{
	(void)context;
	told = *information;
	if (information->si_addr == page + 8)
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	else
		siglongjmp(back, 1);
	note(signal);
}

static void skip(int signal, siginfo_t *information, void *context)
{
	ucontext_t *state = context;

	(void)information;
	state->uc_mcontext.gregs[REG_RIP] += 2;
	state->uc_mcontext.gregs[REG_RBX] = 99;
	note(signal);
}

static void leave(int signal)
{
	note(signal);
	siglongjmp(back, 1);
}

static void check_faults(struct report *report)
{
	char *volatile nowhere = (char *)16;
	volatile int zero = 0, number = 8;
	long rbx;

	page = mmap(NULL, PAGE, PROT_READ, ANONYMOUS, -1, 0);
	handle_information(SIGSEGV, mend, 0);
	page[8] = 5;
	report_value(report, "a page is mended, and written", page[8], 5);
	report_true(report, "the handler knew where", told.si_addr == page + 8);
	if (sigsetjmp(back, 1) == 0)
		*nowhere = 1;
	report_true(report, "another fault is left by a jump", told.si_addr == nowhere);
	report_true(report, "which unblocks it", !is_blocked(SIGSEGV));
	handle(SIGFPE, leave, 0);
	if (sigsetjmp(back, 1) == 0)
		number /= zero;
	report_value(report, "a division", last, SIGFPE);
	handle_information(SIGILL, skip, 0);
	__asm__ volatile("xor %%ebx, %%ebx\n\tud2" : "=b"(rbx)::"cc");
	report_value(report, "an instruction that is skipped", last, SIGILL);
	report_value(report, "a register that the handler sets", rbx, 99);
	handle(SIGSEGV, SIG_DFL, 0);
	handle(SIGFPE, SIG_DFL, 0);
	handle(SIGILL, SIG_DFL, 0);
}

static int faults_ignored(void)
{
	char *volatile nowhere = (char *)16;

	handle(SIGSEGV, SIG_IGN, 0);
	*nowhere = 1;
	return 0;
}

static int faults_blocked(void)
{
	char *volatile nowhere = (char *)16;

	handle(SIGSEGV, note, 0);
	mask(SIG_BLOCK, SIGSEGV);
	*nowhere = 1;
	return 0;
}

static int faults_in_handler(void)
{
	handle(SIGUSR1, note, 0);
	__asm__ volatile("mov $8, %%rsp\n\tsyscall" ::"a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
	return 0;
}

/* The frame that a handler comes back to, spoilt in one place. */
static int spoil;

static void spoil_frame(int signal, siginfo_t *information, void *context)
{
	mcontext_t *state = &((ucontext_t *)context)->uc_mcontext;
	char *vectors = (char *)state->fpregs;

	note(signal);
	(void)information;
	if (spoil == 0)
		state->gregs[REG_RIP] = (greg_t)0xffffffff80000000;
	else if (spoil == 1)
		state->gregs[REG_RIP] = 0x4000000000000000;
	else if (spoil == 2)
		state->gregs[REG_RSP] = (greg_t)0xffffffff80000000;
	else if (spoil == 3)
		state->fpregs = (void *)8;
	else if (spoil == 4)
		state->fpregs = (void *)0xffffffff80000000;
	else
		memset(vectors + 512, 0xff, 64);
}

static int returns_badly(void)
{
	handle_information(SIGUSR1, spoil_frame, 0);
	raise(SIGUSR1);
	/* Where the stack pointer alone is bad, what uses it next ends it. */
	return 0;
}

static void check_killed(struct report *report)
{
	static const char *const what[] = {
		"a return into the kernel",
		"a return to no address",
		"a return with the kernel's stack",
		"a return to vector registers at 8",
		"a return to vector registers in the kernel",
	};
	long end;

	report_value(report, "a fault that is ignored", child_result(faults_ignored),
		     KILLED_BY(SIGSEGV));
	report_value(report, "a fault that is blocked", child_result(faults_blocked),
		     KILLED_BY(SIGSEGV));
	report_value(report, "a handler without a stack", child_result(faults_in_handler),
		     KILLED_BY(SIGSEGV));
	for (spoil = 0; spoil < 5; spoil++)
		report_value(report, what[spoil], child_result(returns_badly), KILLED_BY(SIGSEGV));
	/* Not each processor looks at what this spoils. */
	end = child_result(returns_badly);
	report_true(report, "a return to vector registers that are none",
		    end == 0 || end == KILLED_BY(SIGSEGV));
}

static volatile bool was_on_stack;
static volatile int change_error;

static void look_at_stack(int signal)
{
	stack_t now;

	sigaltstack(NULL, &now);
	was_on_stack = now.ss_flags & SS_ONSTACK && (char *)&now > (char *)now.ss_sp &&
		       (char *)&now < (char *)now.ss_sp + now.ss_size;
	now.ss_flags = 0;
	change_error = sigaltstack(&now, NULL) ? errno : 0;
	note(signal);
}

static int recurse(volatile char *above)
{
	volatile char here[16 * PAGE];

	here[0] = above[0];
	/* It is never 0, but no compiler knows. */
	return here[0] ? recurse(here) + here[0] : 0;
}

static int overflows(void)
{
	volatile char first = 1;

	handle(SIGSEGV, leave, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		return recurse(&first) ? 1 : 2;
	return last == SIGSEGV ? 44 : 3;
}

static void check_stack(struct report *report)
{
	static char stack[65536];
	stack_t now, other = {.ss_sp = stack, .ss_size = sizeof(stack)};

	report_call(report, "none at first", sigaltstack(NULL, &now), 0);
	report_value(report, "which it says", now.ss_flags, SS_DISABLE);
	other.ss_size = 1024;
	report_call(report, "one that is too small", sigaltstack(&other, NULL), ENOMEM);
	other.ss_size = sizeof(stack);
	other.ss_flags = 64;
	report_call(report, "with a flag that is none", sigaltstack(&other, NULL), EINVAL);
	other.ss_flags = 0;
	report_call(report, "one of its own", sigaltstack(&other, NULL), 0);
	handle(SIGUSR1, look_at_stack, SA_ONSTACK);
	raise(SIGUSR1);
	report_true(report, "the handler is on it", was_on_stack);
	report_value(report, "and cannot have another meanwhile", change_error, EPERM);
	handle(SIGUSR1, look_at_stack, 0);
	raise(SIGUSR1);
	report_true(report, "one that has not asked is not", !was_on_stack && caught);
	report_value(report, "a child has it too, for when the other one ends",
		     child_result(overflows), 44);
	other.ss_flags = SS_DISABLE;
	sigaltstack(&other, &now);
	report_true(report, "it was this one", now.ss_sp == stack && now.ss_flags == 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"faults", check_faults},
		{"killed", check_killed},
		{"stack", check_stack},
		{NULL, NULL},
	};
	struct args args = args_start("signal_faults", argv);

	(void)argc;
	return report_main(&args, sections);
}
