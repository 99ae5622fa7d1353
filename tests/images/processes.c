/* SPDX-License-Identifier: MIT */
/*
 * Processes: fork and its relatives, waiting, orphans, what a fork copies and when, registers of
 * processes that take turns, mappings that forks share.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/images/children.h"
#include "tests/images/report.h"

#define PAGE	       4096
#define DEEP	       12 /* generations: more than a page is looked for in */
#define KERNEL_ADDRESS 0xffffffff80000000
#define ANONYMOUS      (MAP_PRIVATE | MAP_ANONYMOUS)
#define MS	       1000000L

static pid_t parent_number;

static char *pages(int count, int flags)
{
	return mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static int is_other(void)
{
	return getpid() != parent_number && getppid() == parent_number &&
	       syscall(SYS_gettid) == getpid();
}

static int end_7(void)
{
	return 7;
}

static int end_256(void)
{
	_exit(256);
}

static int end_by_fault(void)
{
	/* Hidden, or the compiler would refuse it. */
	char *volatile nowhere = (char *)1;

	*nowhere = 1;
	return 0;
}

static int end_by_signal(void)
{
	kill(getpid(), SIGTERM);
	return 0;
}

static int end_by_abort(void)
{
	abort();
}

/* Each generation changes the page before it begets the next, and must find it so afterwards. */
static long deep(volatile int *page, int left)
{
	long below = 0;
	pid_t number;

	page[0] = left;
	page[left] = left;
	if (left) {
		number = fork();
		if (number == 0)
			_exit((int)deep(page, left - 1));
		below = child_end(number);
	}
	for (int i = left; i <= DEEP; i++) {
		if (page[i] != (i ? i : left))
			return 100;
	}
	return page[0] == left ? below + 1 : 101;
}

static void check_fork(struct report *report)
{
	int *page = (int *)pages(1, ANONYMOUS);

	parent_number = getpid();
	report_value(report, "a child has another number, and this parent", child_result(is_other),
		     1);
	report_value(report, "its status", child_result(end_7), 7);
	report_value(report, "only the lower byte of it", child_result(end_256), 0);
	report_value(report, "one that faults", child_result(end_by_fault), KILLED_BY(SIGSEGV));
	report_value(report, "one that is killed", child_result(end_by_signal), KILLED_BY(SIGTERM));
	report_value(report, "one that aborts", child_result(end_by_abort), KILLED_BY(SIGABRT));
	report_value(report, "each generation has a page of its own", deep(page, DEEP), DEEP + 1);
	munmap(page, PAGE);
}

static int wait_for_step(void)
{
	children_await(1);
	return 3;
}

static void check_errors(struct report *report)
{
	int status;

	report_call(report, "nobody to wait for", wait4(-1, &status, 0, NULL), ECHILD);
	report_call(report, "nor in this group", wait4(0, &status, 0, NULL), ECHILD);
	report_call(report, "nor with WNOHANG", wait4(-1, &status, WNOHANG, NULL), ECHILD);
	report_call(report, "an option that is none", wait4(-1, &status, 0x100, NULL), EINVAL);
	report_call(report, "oneself", wait4(getpid(), &status, 0, NULL), ECHILD);
	report_call(report, "the lowest number there is",
		    syscall(SYS_wait4, 0x80000000, &status, 0, NULL), ESRCH);
}

static void check_wait(struct report *report)
{
	struct rusage usage;
	pid_t first, second;
	int status = 1;

	check_errors(report);
	first = child_start(wait_for_step);
	report_call(report, "one that is none's child", wait4(first + 100000, &status, 0, NULL),
		    ECHILD);
	report_value(report, "WNOHANG while it runs", wait4(first, &status, WNOHANG, NULL), 0);
	report_call(report, "a signal 0 to it", kill(first, 0), 0);
	children_reach(1);
	while (wait4(-1, &status, WNOHANG, &usage) == 0)
		doze(MS);
	report_value(report, "WNOHANG when it has ended", WEXITSTATUS(status), 3);
	report_call(report, "then it is gone", wait4(first, &status, 0, NULL), ECHILD);
	report_call(report, "for signals, too", kill(first, 0), ESRCH);
	first = child_start(end_7);
	second = child_start(end_256);
	report_value(report, "the second before the first", child_end(second), 0);
	report_call(report, "one that has ended, but not for its parent", kill(first, 0), 0);
	report_true(report, "any one", wait4(-1, &status, 0, NULL) == first);
	first = child_start(end_7);
	report_call(report, "the status into the kernel",
		    syscall(SYS_wait4, first, KERNEL_ADDRESS, 0, NULL), EFAULT);
	report_call(report, "which costs the child", wait4(first, &status, 0, NULL), ECHILD);
	first = child_start(end_7);
	report_true(report, "without a status", wait4(0, NULL, __WALL, NULL) == first);
}

static int grandchild(void)
{
	while (getppid() == words->value[0])
		doze(MS);
	children_reach(2);
	return 0;
}

static int leaves_an_orphan(void)
{
	words->value[0] = getpid();
	return child_start(grandchild) > 0 ? 5 : 6;
}

static void check_orphans(struct report *report)
{
	int status;

	report_value(report, "a child ends before its child", child_result(leaves_an_orphan), 5);
	children_await(2);
	report_true(report, "which goes on", true);
	/* Where the probe is itself the one who inherits orphans, it may wait for this one. */
	while (wait4(-1, &status, 0, NULL) > 0)
		continue;
	report_true(report, "and is not its grandparent's", errno == ECHILD);
}

static int *cloned_word;

static int cloned(void *argument)
{
	*cloned_word = *(int *)argument;
	return getpid() == parent_number ? 1 : 9;
}

static void check_clone(struct report *report)
{
	static int word, argument = 77;
	char *stack = pages(16, ANONYMOUS) + 16 * PAGE;
	volatile int local = 1;
	int status;
	pid_t number;

	parent_number = getpid();
	cloned_word = &word;
	number = vfork();
	if (number == 0) {
		local = 2;
		_exit(4);
	}
	report_value(report, "what a child of vfork writes", local, 2);
	report_value(report, "how it ends", child_end(number), 4);
	number = clone(cloned, stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &argument);
	report_value(report, "what a child in the same memory writes", word, 77);
	report_value(report, "its status", child_end(number), 9);
	word = 0;
	number = clone(cloned, stack, CLONE_VM | SIGCHLD, &argument);
	report_value(report, "one for which nobody waits", child_end(number), 9);
	report_value(report, "it has written", word, 77);
	word = 0;
	number = clone(cloned, stack, SIGCHLD, &argument);
	report_value(report, "one with a stack elsewhere, and a copy", child_end(number), 9);
	report_value(report, "it has written to its own", word, 0);
	report_call(report, "a thread with memory of its own",
		    syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, stack, NULL, NULL, 0), EINVAL);
	report_call(report, "a thread with handlers of its own",
		    syscall(SYS_clone, CLONE_THREAD | CLONE_VM, stack, NULL, NULL, 0), EINVAL);
	report_call(report, "common handlers in memory of its own",
		    syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, stack, NULL, NULL, 0), EINVAL);
	number = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 0,
				&words->value[0], &words->value[1], 0);
	if (number == 0)
		_exit((int)words->value[1] == syscall(SYS_getpid) ? 8 : 0);
	report_value(report, "a child finds its number", child_end(number), 8);
	report_true(report, "and so does its parent", (int)words->value[0] == number);
	report_call(report, "nobody is left", wait4(-1, &status, 0, NULL), ECHILD);
}

static bool has_avx(void)
{
	unsigned int a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (c >> 27 & 3) == 3;
}

/* The upper halves, which only XSAVE knows. */
static bool keeps_wide(double value)
{
	double wide[4] = {value, value + 1, value + 2, value + 3}, found[4];

	__asm__ volatile("vmovupd (%1), %%ymm11\n\t"
			 "mov $100000, %%ecx\n\t"
			 "1: dec %%ecx\n\tjnz 1b\n\t"
			 "vmovupd %%ymm11, (%2)\n\tvzeroupper"
			 : "=m"(found)
			 : "r"(wide), "r"(found), "m"(wide)
			 : "xmm11", "ecx", "cc", "memory");
	return memcmp(wide, found, sizeof(wide)) == 0;
}

/* Two processes on one processor or two, each with its own in every register that it can see. */
static bool keeps_registers(double seed, unsigned int control, long ns)
{
	struct timespec start, now;
	double value = seed, expected;
	unsigned int found, before;
	bool kept = true, has_wide = has_avx();

	__asm__ volatile("stmxcsr %0" : "=m"(before));
	__asm__ volatile("ldmxcsr %0" ::"m"(control));
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		unsigned long integer = (unsigned long)(seed * 1000);
		double low, high;

		__asm__ volatile("movsd %3, %%xmm3\n\tmovsd %3, %%xmm15\n\tfldl %3\n\t"
				 "mov $100000, %%ecx\n\t"
				 "1: dec %%ecx\n\tjnz 1b\n\t"
				 "movsd %%xmm3, %0\n\tmovsd %%xmm15, %1\n\tfstpl %2"
				 : "=m"(low), "=m"(high), "=m"(expected)
				 : "m"(value)
				 : "xmm3", "xmm15", "ecx", "cc");
		if (has_wide)
			kept &= keeps_wide(value);
		kept &= low == value && high == value && expected == value &&
			integer == (unsigned long)(seed * 1000);
		__asm__ volatile("stmxcsr %0" : "=m"(found));
		kept &= (found & 0xffc0) == (control & 0xffc0);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 * MS + now.tv_nsec - start.tv_nsec < ns);
	__asm__ volatile("ldmxcsr %0" ::"m"(before));
	return kept;
}

#define TURNS (60 * MS)

static int first_busy(void)
{
	return keeps_registers(1.25, 0x1f80, TURNS) ? 1 : 0;
}

static int second_busy(void)
{
	return keeps_registers(77.5, 0x3f80, TURNS) ? 1 : 0;
}

/* A fork by hand, so that nothing is between the registers and the system call. */
static void check_vectors_forked(struct report *report)
{
	static const uint64_t seed[4] = {0x1111, 0x2222, 0x3333, 0x4444};
	uint64_t found[4] = {0};
	long number;

	/* Where there is no AVX, two words of four are compared. */
	size_t size = has_avx() ? 32 : 16;

	if (has_avx())
		__asm__ volatile("vmovdqu (%2), %%ymm9\n\tsyscall\n\tvmovdqu %%ymm9, (%3)"
				 : "=a"(number)
				 : "a"(SYS_fork), "r"(seed), "r"(found)
				 : "rcx", "r11", "xmm9", "memory");
	else
		__asm__ volatile("movdqu (%2), %%xmm9\n\tsyscall\n\tmovdqu %%xmm9, (%3)"
				 : "=a"(number)
				 : "a"(SYS_fork), "r"(seed), "r"(found)
				 : "rcx", "r11", "xmm9", "memory");
	if (number == 0)
		_exit(memcmp(found, seed, size) ? 1 : 6);
	report_value(report, "vector registers of a child", child_end((pid_t)number), 6);
	report_true(report, "vector registers of its parent", memcmp(found, seed, size) == 0);
}

static void check_registers(struct report *report)
{
	unsigned int towards_zero = 0x7f80, control = 0x1f80;
	pid_t first, second;

	check_vectors_forked(report);
	__asm__ volatile("ldmxcsr %0" ::"m"(towards_zero));
	first = fork();
	if (first == 0) {
		__asm__ volatile("stmxcsr %0" : "=m"(control));
		_exit((control & 0xffc0) == towards_zero ? 6 : 1);
	}
	__asm__ volatile("ldmxcsr %0" ::"m"(control));
	report_value(report, "how a child rounds", child_end(first), 6);
	first = child_start(first_busy);
	second = child_start(second_busy);
	report_true(report, "of a parent while two children are busy",
		    keeps_registers(3.5, 0x5f80, TURNS));
	report_value(report, "of the first", child_end(first), 1);
	report_value(report, "of the second", child_end(second), 1);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"fork", check_fork},	{"wait", check_wait},		{"orphans", check_orphans},
		{"clone", check_clone}, {"registers", check_registers}, {NULL, NULL},
	};
	struct args args = args_start("processes", argv);

	(void)argc;
	if (!children_start()) {
		perror("processes: mmap");
		return 1;
	}
	return report_main(&args, sections);
}
