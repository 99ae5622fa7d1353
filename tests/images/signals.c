/* SPDX-License-Identifier: MIT */
/*
 * Signals that are sent: handlers and what they find, masks, what is pending, interrupted calls,
 * default actions, children. Those that faults cause are in signal_faults.c.
 */
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "tests/images/children.h"
#include "tests/images/handlers.h"
#include "tests/images/report.h"

#define MS 1000000L

static volatile sig_atomic_t depth, deepest;

static void check_handlers(struct report *report)
{
	struct sigaction action;
	double value = 1.25;

	handle(SIGUSR1, note, 0);
	for (int i = 0; i < 5; i++) {
		value *= 2;
		raise(SIGUSR1);
	}
	report_value(report, "each is caught", caught, 5);
	report_value(report, "the number it is given", last, SIGUSR1);
	report_true(report, "floating point goes on as it was", value == 40);
	handle_information(SIGUSR2, note_information, 0);
	kill(getpid(), SIGUSR2);
	report_value(report, "the number in the information", told.si_signo, SIGUSR2);
	handle(SIGUSR1, note, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &action);
	report_true(report, "a handler for one time", caught && action.sa_handler == SIG_DFL);
	handle(SIGUSR1, note, SA_RESTART);
	sigaction(SIGUSR1, NULL, &action);
	report_true(report, "the action is given back",
		    action.sa_handler == note && action.sa_flags & SA_RESTART);
	report_call(report, "an action for SIGKILL", sigaction(SIGKILL, &action, NULL), EINVAL);
	report_call(report, "signal 65", kill(getpid(), 65), EINVAL);
	report_call(report, "signal -1", kill(getpid(), -1), EINVAL);
	report_call(report, "a process that is not there", kill(INT_MAX, SIGUSR1), ESRCH);
	report_call(report, "a thread that is not there",
		    syscall(SYS_tgkill, getpid(), INT_MAX, SIGUSR1), ESRCH);
	report_call(report, "thread 0", syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}

static void nest(int signal)
{
	depth++;
	caught++;
	if (depth > deepest)
		deepest = depth;
	if (caught < 4)
		raise(signal);
	depth--;
}

static void nest_other(int signal)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (signal == SIGUSR1)
		raise(SIGUSR2);
	last = signal;
	depth--;
}

static void check_nesting(struct report *report)
{
	struct sigaction action = {.sa_handler = nest_other};

	handle(SIGUSR1, nest, 0);
	deepest = 0;
	raise(SIGUSR1);
	report_value(report, "blocked in its own handler, one after the other", caught, 4);
	report_value(report, "none within another", deepest, 1);
	handle(SIGUSR1, nest, SA_NODEFER);
	deepest = 0;
	raise(SIGUSR1);
	report_value(report, "where it is not blocked", deepest, 4);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	deepest = 0;
	raise(SIGUSR1);
	report_value(report, "another one within a handler", deepest, 2);
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	deepest = 0;
	raise(SIGUSR1);
	report_value(report, "which the handler's mask keeps out", deepest, 1);
	report_value(report, "until it is over", last, SIGUSR2);
	report_true(report, "nothing stays blocked", !is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}

static int sees_mask(void)
{
	return is_blocked(SIGUSR1) + 2 * is_pending(SIGUSR1);
}

static void stay(int signal)
{
	note(signal);
	children_reach(1);
	for (int i = 0; i < 100; i++)
		doze(20 * MS);
}

static int waits_in_handler(void)
{
	struct sigaction action = {.sa_handler = stay};

	sigfillset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return 2;
}

static void check_masks(struct report *report)
{
	sigset_t none, all;
	pid_t child;

	sigemptyset(&none);
	handle(SIGUSR1, note, 0);
	mask(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	report_true(report, "one that is blocked is pending", !caught && is_pending(SIGUSR1));
	report_value(report, "a child has the mask, and nothing pending", child_result(sees_mask),
		     1);
	sigsuspend(&none);
	report_value(report, "sigsuspend lets it in, once", caught, 1);
	report_true(report, "and blocks it again", is_blocked(SIGUSR1) && !is_pending(SIGUSR1));
	raise(SIGUSR1);
	mask(SIG_UNBLOCK, SIGUSR1);
	report_value(report, "so does unblocking", caught, 2);
	mask(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	handle(SIGUSR1, SIG_IGN, 0);
	report_true(report, "ignoring forgets what is pending", !is_pending(SIGUSR1));
	raise(SIGUSR1);
	report_true(report, "but one that is blocked may yet be wanted", is_pending(SIGUSR1));
	handle(SIGUSR1, note, 0);
	mask(SIG_UNBLOCK, SIGUSR1);
	report_value(report, "as it is", caught, 1);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	report_true(report, "SIGKILL and SIGSTOP are never blocked",
		    !is_blocked(SIGKILL) && !is_blocked(SIGSTOP));
	sigprocmask(SIG_SETMASK, &none, NULL);
	child = child_start(waits_in_handler);
	children_await(1);
	kill(child, SIGKILL);
	report_value(report, "nor by a handler's mask", child_end(child), KILLED_BY(SIGKILL));
	report_call(report, "a set of another size",
		    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
	handle(SIGUSR1, SIG_DFL, 0);
}

static int sends_later(void)
{
	pid_t to = (pid_t)words->value[0];

	/* Each wait of the parent is interrupted once; it says when the next one begins. */
	for (unsigned int i = 1; i <= 5; i++) {
		children_await(i);
		doze(20 * MS);
		kill(to, SIGUSR1);
	}
	return 21;
}

static void check_interrupted(struct report *report)
{
	struct timespec second = {.tv_sec = 20}, rest = {0};
	uint32_t word = 7;
	sigset_t none;
	pid_t child;
	int status;

	sigemptyset(&none);
	words->value[0] = getpid();
	handle(SIGUSR1, note, 0);
	child = child_start(sends_later);
	children_reach(1);
	report_call(report, "a sleep", nanosleep(&second, &rest), EINTR);
	report_true(report, "knows how much is left", rest.tv_sec == 19 && caught == 1);
	children_reach(2);
	report_call(report, "a pause", pause(), EINTR);
	children_reach(3);
	report_call(report, "a wait for a word", syscall(SYS_futex, &word, 0, 7, &second, NULL, 0),
		    EINTR);
	children_reach(4);
	report_call(report, "a wait for a child", waitpid(child, &status, 0), EINTR);
	handle(SIGUSR1, note, SA_RESTART);
	children_reach(5);
	report_true(report, "one that begins anew", waitpid(child, &status, 0) == child);
	report_value(report, "its handler was called", caught, 1);
	report_value(report, "the status", WEXITSTATUS(status), 21);
	handle(SIGUSR1, SIG_DFL, 0);
}

static int interrupts_parent(void)
{
	kill(getppid(), SIGUSR1);
	doze(20 * MS);
	words->value[1] = caught;
	return 6;
}

/* The parent of a vfork() stays where it is, whatever comes. */
static void check_vfork(struct report *report)
{
	volatile int child_done = 0;
	pid_t child;

	handle(SIGUSR1, note, 0);
	child = vfork();
	if (child == 0) {
		interrupts_parent();
		child_done = 1;
		_exit(6);
	}
	report_true(report, "goes on only when the child has ended", child_done);
	report_true(report, "the number is the child's", child > 0 && child_end(child) == 6);
	report_value(report, "no handler meanwhile", words->value[1], 0);
	report_value(report, "but then", caught, 1);
	handle(SIGUSR1, SIG_DFL, 0);
}

static int pauses(void)
{
	children_reach(1);
	while (words)
		pause();
	return 0;
}

static int counts(void)
{
	children_reach(1);
	while (words)
		words->value[2]++;
	return 0;
}

static void check_default(struct report *report)
{
	static const int ends[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGKILL,	SIGUSR1,
				   SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT};
	static const int ignored[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
	char what[32];
	pid_t child;

	for (unsigned int i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		child = child_start(i % 2 ? pauses : counts);
		children_await(1);
		kill(child, ends[i]);
		snprintf(what, sizeof(what), "signal %d ends it", ends[i]);
		report_value(report, what, child_end(child), KILLED_BY(ends[i]));
	}
	child = child_start(pauses);
	children_await(1);
	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		kill(child, ignored[i]);
	kill(child, SIGTERM);
	report_value(report, "these do not", child_end(child), KILLED_BY(SIGTERM));
}

static int ends_soon(void)
{
	return 5;
}

static void check_children(struct report *report)
{
	sigset_t none;
	pid_t child;
	int status;

	sigemptyset(&none);
	handle_information(SIGCHLD, note_information, 0);
	mask(SIG_BLOCK, SIGCHLD);
	child = child_start(ends_soon);
	sigsuspend(&none);
	report_value(report, "the end of a child is told", last, SIGCHLD);
	report_value(report, "and it is to be waited for", child_end(child), 5);
	mask(SIG_UNBLOCK, SIGCHLD);
	handle(SIGCHLD, SIG_IGN, 0);
	child_start(ends_soon);
	child_start(ends_soon);
	report_call(report, "ignored, none stays", waitpid(-1, &status, 0), ECHILD);
	handle(SIGCHLD, note, SA_NOCLDWAIT | SA_RESTART);
	child = child_start(ends_soon);
	report_call(report, "with SA_NOCLDWAIT neither", waitpid(child, &status, 0), ECHILD);
	handle(SIGCHLD, SIG_DFL, 0);
}

static int sends_many(void)
{
	pid_t to = (pid_t)words->value[0];

	for (int i = 0; i < 30; i++) {
		kill(to, SIGUSR1);
		doze(MS);
	}
	words->value[1] = 1;
	return 0;
}

/* Signals at any time: between each two instructions all is as it was. */
static void check_registers(struct report *report)
{
	unsigned long general = 0;
	bool vectors = true;
	pid_t child;

	words->value[0] = getpid();
	words->value[1] = 0;
	handle(SIGUSR1, note, SA_RESTART);
	child = child_start(sends_many);
	while (!words->value[1]) {
		double one = 1.5, other = 2.5;

		__asm__ volatile("mov $0x1234567, %%r12\n\tmovsd %1, %%xmm5\n\tfldl %1\n\t"
				 "mov $20000, %%ecx\n\t"
				 "1: sub $1, %%r12\n\tadd $1, %%r12\n\tdec %%ecx\n\tjnz 1b\n\t"
				 "movsd %%xmm5, %2\n\tfstpl %3\n\t"
				 "xor $0x1234567, %%r12\n\tor %%r12, %0"
				 : "+r"(general)
				 : "m"(one), "m"(other), "m"(one)
				 : "r12", "rcx", "xmm5", "cc", "memory");
		vectors &= one == 1.5 && other == 1.5;
	}
	child_end(child);
	report_true(report, "some were caught", caught > 0);
	report_true(report, "general ones", general == 0);
	report_true(report, "vector ones, and x87", vectors);
	handle(SIGUSR1, SIG_DFL, 0);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"handlers", check_handlers},
		{"nesting", check_nesting},
		{"masks", check_masks},
		{"interrupted", check_interrupted},
		{"vfork", check_vfork},
		{"default", check_default},
		{"children", check_children},
		{"registers", check_registers},
		{NULL, NULL},
	};
	struct args args = args_start("signals", argv);

	(void)argc;
	if (!children_start()) {
		perror("signals: mmap");
		return 1;
	}
	return report_main(&args, sections);
}
