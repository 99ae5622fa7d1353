/* SPDX-License-Identifier: MIT */
/*
 * System calls at the edges of what they take: waits that nobody ends, every clock, transfers that
 * are wrong somewhere, numbers with an upper half, and the flags that a call leaves alone. Standard
 * input must be at its end, standard output a pipe or a file.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/images/report.h"

#define PAGE	       4096
#define SECOND	       1000000000L
#define MOMENT	       2000000L /* 2 ms */
#define UPPER_HALF     0x100000000L
#define KERNEL_ADDRESS 0xffffffff80000000
#define NEVER_MAPPED   0x100000000000 /* no program of ours has anything at 16 TiB */

#define FUTEX_WAIT	  0
#define FUTEX_WAKE	  1
#define FUTEX_REQUEUE	  3
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE	  128
#define FUTEX_REALTIME	  256
#define EVERY_BIT	  0xffffffff

static uint32_t words[2] = {7, 7};

static long now_by(clockid_t clock)
{
	struct timespec now;

	/* By number, so that it is the system call even where there is a vDSO. */
	if (syscall(SYS_clock_gettime, clock, &now))
		return -1;
	return now.tv_sec * SECOND + now.tv_nsec;
}

static struct timespec moment_after(long ns)
{
	return (struct timespec){.tv_sec = (ns + MOMENT) / SECOND,
				 .tv_nsec = (ns + MOMENT) % SECOND};
}

static long futex(void *word, long operation, uint32_t value, const void *timeout)
{
	return syscall(SYS_futex, word, operation, value, timeout, &words[1], EVERY_BIT);
}

/* A wait that its timeout ends: it says so, and not before. */
static void check_wait(struct report *report, const char *what, long operation, clockid_t clock)
{
	long before = now_by(clock);
	bool relative = (operation & ~FUTEX_PRIVATE) == FUTEX_WAIT;
	struct timespec timeout = moment_after(relative ? 0 : before);

	report_call(report, what, futex(words, operation, 7, &timeout), ETIMEDOUT);
	report_true(report, "it waited that long", now_by(clock) - before >= MOMENT);
}

static void check_timeouts(struct report *report)
{
	struct timespec past = {.tv_nsec = 1};

	check_wait(report, "a wait for a length", FUTEX_WAIT, CLOCK_MONOTONIC);
	check_wait(report, "a private one", FUTEX_WAIT | FUTEX_PRIVATE, CLOCK_MONOTONIC);
	check_wait(report, "a wait for a time", FUTEX_WAIT_BITSET, CLOCK_MONOTONIC);
	check_wait(report, "a private one", FUTEX_WAIT_BITSET | FUTEX_PRIVATE, CLOCK_MONOTONIC);
	check_wait(report, "a wait for a time of day", FUTEX_WAIT_BITSET | FUTEX_REALTIME,
		   CLOCK_REALTIME);
	report_call(report, "a wait for a time that is past",
		    futex(words, FUTEX_WAIT_BITSET, 7, &past), ETIMEDOUT);
	report_call(report, "only the operation's lower half counts",
		    futex(words, UPPER_HALF | FUTEX_WAIT_BITSET, 7, &past), ETIMEDOUT);
}

static void check_futex(struct report *report)
{
	char *odd = (char *)words + 1;
	struct timespec moment = {.tv_nsec = MOMENT};
	struct timespec wrong = {.tv_nsec = SECOND};

	check_timeouts(report);
	report_call(report, "a wait for another value", futex(words, FUTEX_WAIT, 8, &moment),
		    EAGAIN);
	report_call(report, "the same without a timeout", futex(words, FUTEX_WAIT_BITSET, 8, NULL),
		    EAGAIN);
	report_call(report, "a bad length", futex(words, FUTEX_WAIT, 8, &wrong), EINVAL);
	report_call(report, "a length at 1", futex(words, FUTEX_WAIT, 8, (void *)1), EFAULT);
	report_call(report, "a wait at an odd address", futex(odd, FUTEX_WAIT, 7, &moment), EINVAL);
	report_call(report, "a wait at 0", futex(NULL, FUTEX_WAIT_BITSET, 7, &moment), EFAULT);
	report_call(report, "a wait in the kernel",
		    futex((void *)KERNEL_ADDRESS, FUTEX_WAIT, 7, &moment), EFAULT);
	report_call(report, "a wait for no bits",
		    syscall(SYS_futex, words, FUTEX_WAIT_BITSET, 7, &moment, NULL, 0), EINVAL);
	report_call(report, "a wait for a length of the day",
		    futex(words, FUTEX_WAIT | FUTEX_REALTIME, 7, &moment), ENOSYS);
	report_value(report, "nobody to wake", futex(words, FUTEX_WAKE, 1, NULL), 0);
	report_value(report, "nobody to wake by bits", futex(words, FUTEX_WAKE_BITSET, 1, NULL), 0);
	report_value(report, "nobody to requeue", futex(words, FUTEX_REQUEUE, 1, NULL), 0);
	report_call(report, "to wake at an odd address", futex(odd, FUTEX_WAKE, 1, NULL), EINVAL);
	report_call(report, "to wake where nothing is",
		    futex((void *)NEVER_MAPPED, FUTEX_WAKE, 1, NULL), EFAULT);
	report_value(report, "to wake there privately",
		     futex((void *)NEVER_MAPPED, FUTEX_WAKE | FUTEX_PRIVATE, 1, NULL), 0);
	report_call(report, "an operation that is not there", futex(words, 99, 1, NULL), ENOSYS);
}

/* What each clock says to reading and to sleeping. 8 and 9 need a chip that not each PC has. */
static void check_clocks(struct report *report)
{
	static const int sleeping[] = {0,	   0, 0, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP,
				       EOPNOTSUPP, 0, 0, 0,	     EINVAL,	 0};
	/* By CPU time nobody wakes up later than at once. */
	struct timespec none = {0};
	struct timespec time = {0};
	char what[64];

	for (int clock = 0; clock < 14; clock++) {
		if (clock == 8 || clock == 9)
			continue;
		snprintf(what, sizeof(what), "clock %d", clock);
		report_call(report, what, syscall(SYS_clock_gettime, clock, &time),
			    clock == 10 || clock > 11 ? EINVAL : 0);
		snprintf(what, sizeof(what), "resolution of clock %d", clock);
		report_call(report, what, syscall(SYS_clock_getres, clock, &time),
			    clock == 10 || clock > 11 ? EINVAL : 0);
		snprintf(what, sizeof(what), "sleep by clock %d", clock);
		report_call(report, what, syscall(SYS_clock_nanosleep, clock, 0, &none, NULL),
			    clock > 11 ? EINVAL : sleeping[clock]);
	}
	report_call(report, "only a clock's lower half counts",
		    syscall(SYS_clock_gettime, UPPER_HALF | CLOCK_MONOTONIC, &time), 0);
	report_call(report, "clock -1", syscall(SYS_clock_gettime, -1L, &time), EINVAL);
	report_true(report, "the time of day by two clocks",
		    (now_by(CLOCK_TAI) - now_by(CLOCK_REALTIME)) / SECOND < 3600);
	time = moment_after(now_by(CLOCK_REALTIME));
	report_call(report, "sleep to a time of day",
		    syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL), 0);
	report_true(report, "it is that time",
		    now_by(CLOCK_REALTIME) >= time.tv_sec * SECOND + time.tv_nsec);
	report_call(report, "gettimeofday with its zone at 1", syscall(SYS_gettimeofday, NULL, 1),
		    EFAULT);
}

/* The range is checked before the first byte, and so are all parts; what is written would show. */
static void check_transfers(struct report *report)
{
	static char bytes[] = "must not be seen\n";
	struct iovec kernel[] = {{bytes, 16}, {(void *)KERNEL_ADDRESS, 16}};
	struct iovec negative[] = {{bytes, 16}, {bytes, SIZE_MAX}};
	struct iovec many[1025];

	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){bytes, 1};
	report_call(report, "write beyond the end of all", syscall(SYS_write, 1, bytes, -1L),
		    EFAULT);
	report_call(report, "write into the kernel",
		    syscall(SYS_write, 1, bytes, KERNEL_ADDRESS - (uintptr_t)bytes), EFAULT);
	report_call(report, "write of nothing in the kernel",
		    syscall(SYS_write, 1, KERNEL_ADDRESS, 0), EFAULT);
	report_call(report, "writev with a part in the kernel", writev(1, kernel, 2), EFAULT);
	report_call(report, "writev with a negative part", syscall(SYS_writev, 1, negative, 2),
		    EINVAL);
	report_call(report, "writev of -1 parts", syscall(SYS_writev, 1, many, -1L), EINVAL);
	report_call(report, "writev of 1025 parts", syscall(SYS_writev, 1, many, 1025), EINVAL);
	report_value(report, "only the count's lower half counts",
		     syscall(SYS_writev, 1, many, UPPER_HALF), 0);
	report_call(report, "writev with its parts half in the kernel",
		    syscall(SYS_writev, 1, KERNEL_ADDRESS - sizeof(many[0]), 2), EFAULT);
	report_call(report, "read into the kernel", syscall(SYS_read, 0, KERNEL_ADDRESS, 1),
		    EFAULT);
	report_call(report, "read of more than there can be", syscall(SYS_read, 0, bytes, -1L),
		    EFAULT);
	report_call(report, "read from standard output", read(1, bytes, 1), EBADF);
}

static void check_limits(struct report *report)
{
	char bytes[16];
	struct rlimit limit;

	report_call(report, "getrandom with both sources", syscall(SYS_getrandom, bytes, 16, 6),
		    EINVAL);
	report_call(report, "getrandom with a flag that is none",
		    syscall(SYS_getrandom, bytes, 16, 8), EINVAL);
	report_value(report, "getrandom with neither", syscall(SYS_getrandom, bytes, 16, 5), 16);
	report_call(report, "getrlimit", syscall(SYS_getrlimit, RLIMIT_STACK, &limit), 0);
	report_call(report, "getrlimit into 0", syscall(SYS_getrlimit, RLIMIT_STACK, NULL), EFAULT);
	report_call(report, "prlimit into 0", syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, NULL),
		    0);
	report_call(report, "prlimit from 1", syscall(SYS_prlimit64, 0, RLIMIT_STACK, 1, NULL),
		    EFAULT);
	report_call(report, "prlimit of what is not there",
		    syscall(SYS_prlimit64, 0, 99, NULL, NULL), EINVAL);
	report_call(report, "set_robust_list", syscall(SYS_set_robust_list, NULL, 24), 0);
	report_call(report, "set_robust_list of another length",
		    syscall(SYS_set_robust_list, NULL, 1), EINVAL);
}

/* Sets a flag beside those that are set, does something, and gives what is then set. */
#define WITH_FLAG(something, ...)                                                      \
	__asm__ volatile("pushfq\n\tpop %%rbx\n\tor %%rbx, %0\n\tpush %0\n\tpopfq\n\t" \
			 "mov %2, %%eax\n\t" something "\n\t"                          \
			 "pushfq\n\tpop %0\n\tpush %%rbx\n\tpopfq"                     \
			 : "+&r"(flag)                                                 \
			 : __VA_ARGS__, "i"(SYS_getpid)                                \
			 : "rax", "rbx", "rcx", "r11", "cc", "memory")

/* Not among them: the trap flag, which ends the program (fault.c), and NT (README, limits). */
static void check_flags(struct report *report)
{
	static const struct {
		const char *name;
		int bit;
	} flags[] = {{"CF", 0},	 {"PF", 2},  {"AF", 4},	 {"ZF", 6}, {"SF", 7},
		     {"DF", 10}, {"OF", 11}, {"AC", 18}, {"ID", 21}};
	char *fresh =
		mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char what[64];

	for (int i = 0; i < 9; i++) {
		unsigned long flag = 1UL << flags[i].bit;

		WITH_FLAG("syscall", "r"(fresh));
		snprintf(what, sizeof(what), "%s survives a system call", flags[i].name);
		report_true(report, what, flag >> flags[i].bit & 1);
		flag = 1UL << flags[i].bit;
		WITH_FLAG("movb $1, (%1)", "r"(fresh + i * PAGE));
		snprintf(what, sizeof(what), "%s survives a page fault", flags[i].name);
		report_true(report, what, flag >> flags[i].bit & 1);
	}
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"futex", check_futex},	  {"clocks", check_clocks}, {"transfers", check_transfers},
		{"limits", check_limits}, {"flags", check_flags},   {NULL, NULL},
	};
	struct args args = args_start("edges", argv);

	(void)argc;
	return report_main(&args, sections);
}
