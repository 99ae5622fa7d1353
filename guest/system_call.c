/* SPDX-License-Identifier: MIT */
/*
 * The table of system calls, and those that are only a few lines. Those of memory are in memory.c,
 * of files in file_calls.c, signals in signal.c, time in clock.c, waiting for words in futex.c.
 */
#include "guest/system_call.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest/clock.h"
#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/file_calls.h"
#include "guest/files.h"
#include "guest/futex.h"
#include "guest/layout.h"
#include "guest/memory.h"
#include "guest/process.h"
#include "guest/publish.h"
#include "guest/random.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/signal_frame.h"
#include "guest/user.h"

#define CLONE_OF_VFORK	 0x4100 /* CLONE_VM, CLONE_VFORK */
#define ARCH_SET_FS	 0x1002
#define ARCH_GET_FS	 0x1003
#define NAME_SET	 15 /* of prctl() */
#define NAME_GET	 16
#define LIMIT_STACK	 3
#define LIMIT_FILES	 7
#define LIMITS		 16
#define RANDOM_WORDS	 32
#define RANDOM_FLAGS	 7
#define RANDOM_CONFLICT	 6 /* GRND_RANDOM with GRND_INSECURE */
#define ROBUST_HEAD_SIZE 24

typedef int64_t (*handler)(struct trap_frame *frame);

static int64_t sys_mmap(struct trap_frame *f)
{
	return memory_map(f->rdi, f->rsi, f->rdx, f->r10, (int32_t)f->r8, f->r9);
}

static int64_t sys_mprotect(struct trap_frame *f)
{
	return memory_protect(f->rdi, f->rsi, f->rdx);
}

static int64_t sys_munmap(struct trap_frame *f)
{
	return memory_unmap(f->rdi, f->rsi);
}

static int64_t sys_brk(struct trap_frame *f)
{
	return memory_break(f->rdi);
}

static int64_t sys_mremap(struct trap_frame *f)
{
	return memory_remap(f->rdi, f->rsi, f->rdx, f->r10);
}

static int64_t sys_madvise(struct trap_frame *f)
{
	return memory_advise(f->rdi, f->rsi, f->rdx);
}

static int64_t sys_getpid(struct trap_frame *f)
{
	(void)f;
	return current_process()->number;
}

static int64_t sys_gettid(struct trap_frame *f)
{
	(void)f;
	return current_task()->number;
}

static int64_t sys_getppid(struct trap_frame *f)
{
	const struct process *parent = current_process()->parent;

	(void)f;
	return parent ? parent->number : 0;
}

static int64_t sys_set_tid_address(struct trap_frame *f)
{
	current_task()->clear_child = f->rdi;
	return current_task()->number;
}

static int64_t sys_sched_yield(struct trap_frame *f)
{
	(void)f;
	schedule_yield();
	return 0;
}

static int64_t sys_clone(struct trap_frame *f)
{
	const struct clone clone = {.flags = f->rdi,
				    .stack = f->rsi,
				    .parent_word = f->rdx,
				    .child_word = f->r10,
				    .fs_base = f->r8};

	return process_clone(f, &clone);
}

static int64_t sys_fork(struct trap_frame *f)
{
	const struct clone clone = {.flags = SIGNAL_CHILD};

	return process_clone(f, &clone);
}

static int64_t sys_vfork(struct trap_frame *f)
{
	const struct clone clone = {.flags = CLONE_OF_VFORK | SIGNAL_CHILD};

	return process_clone(f, &clone);
}

static int64_t sys_wait4(struct trap_frame *f)
{
	return process_wait((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx, f->r10);
}

static int64_t sys_sched_getaffinity(struct trap_frame *f)
{
	uint64_t mask = (UINT64_C(1) << cpu_count) - 1;

	uint32_t size = (uint32_t)f->rsi;

	/* In bits it may wrap, as on Linux. */
	if (size * CHAR_BIT < cpu_count || size % sizeof(mask))
		return -EINVAL;
	if (f->rdi && !task_find((uint32_t)f->rdi))
		return -ESRCH;
	return user_write(f->rdx, &mask, sizeof(mask)) ? -EFAULT : (int64_t)sizeof(mask);
}

static int64_t sys_getcpu(struct trap_frame *f)
{
	const uint32_t number = cpu.number, node = 0;

	if ((f->rdi && user_write(f->rdi, &number, sizeof(number))) ||
	    (f->rsi && user_write(f->rsi, &node, sizeof(node))))
		return -EFAULT;
	return 0;
}

/* Identities, and what has no effect with one thread: succeeds with 0. */
static int64_t sys_zero(struct trap_frame *f)
{
	(void)f;
	return 0;
}

static int64_t sys_rt_sigaction(struct trap_frame *f)
{
	return signal_action((int32_t)f->rdi, f->rsi, f->rdx, f->r10);
}

static int64_t sys_rt_sigprocmask(struct trap_frame *f)
{
	return signal_mask((int32_t)f->rdi, f->rsi, f->rdx, f->r10);
}

static int64_t sys_rt_sigreturn(struct trap_frame *f)
{
	return signal_return(f);
}

static int64_t sys_rt_sigsuspend(struct trap_frame *f)
{
	return signal_suspend(f->rdi, f->rsi);
}

static int64_t sys_rt_sigpending(struct trap_frame *f)
{
	return signal_get_pending(f->rdi, f->rsi);
}

static int64_t sys_pause(struct trap_frame *f)
{
	(void)f;
	return signal_pause();
}

static int64_t sys_sigaltstack(struct trap_frame *f)
{
	return signal_set_stack(f, f->rdi, f->rsi);
}

static int64_t sys_kill(struct trap_frame *f)
{
	return signal_kill((int32_t)f->rdi, (int32_t)f->rsi);
}

static int64_t sys_tkill(struct trap_frame *f)
{
	return signal_kill_task(0, (int32_t)f->rdi, (int32_t)f->rsi);
}

static int64_t sys_tgkill(struct trap_frame *f)
{
	if ((int32_t)f->rdi <= 0)
		return -EINVAL;
	return signal_kill_task((int32_t)f->rdi, (int32_t)f->rsi, (int32_t)f->rdx);
}

/* What wait4() says of a process that ended by itself. */
static uint32_t exit_status(const struct trap_frame *f)
{
	return (uint32_t)(f->rdi & 0xff) << 8;
}

static int64_t sys_exit(struct trap_frame *f)
{
	task_end(exit_status(f));
	return 0;
}

static int64_t sys_exit_group(struct trap_frame *f)
{
	process_end(current_process(), exit_status(f));
	return 0;
}

static int64_t sys_uname(struct trap_frame *f)
{
	static const char names[6][65] = {"Linux",    "twostage", "6.1.0",
					  "twostage", "x86_64",	  "(none)"};

	return user_write(f->rdi, names, sizeof(names));
}

static int64_t sys_arch_prctl(struct trap_frame *f)
{
	struct task *task = current_task();

	if (f->rdi == ARCH_GET_FS)
		return user_write(f->rsi, &task->fs_base, sizeof(task->fs_base));
	if (f->rdi != ARCH_SET_FS)
		return -EINVAL;
	if (f->rsi >= USER_END)
		return -EPERM;
	task->fs_base = f->rsi;
	wrmsr(MSR_FS_BASE, task->fs_base);
	return 0;
}

static int64_t sys_clock_gettime(struct trap_frame *f)
{
	return clock_get((uint32_t)f->rdi, f->rsi);
}

static int64_t sys_clock_getres(struct trap_frame *f)
{
	return clock_resolution((uint32_t)f->rdi, f->rsi);
}

static int64_t sys_gettimeofday(struct trap_frame *f)
{
	return clock_time_of_day(f->rdi, f->rsi);
}

static int64_t sys_nanosleep(struct trap_frame *f)
{
	return clock_sleep(CLOCK_MONOTONIC, 0, f->rdi, f->rsi);
}

static int64_t sys_clock_nanosleep(struct trap_frame *f)
{
	return clock_sleep((uint32_t)f->rdi, (uint32_t)f->rsi, f->rdx, f->r10);
}

static int64_t sys_getrandom(struct trap_frame *f)
{
	uint32_t flags = (uint32_t)f->rdx;
	uint64_t words[RANDOM_WORDS];

	if (flags & ~RANDOM_FLAGS || (flags & RANDOM_CONFLICT) == RANDOM_CONFLICT)
		return -EINVAL;
	for (uint64_t at = 0; at < f->rsi; at += sizeof(words)) {
		uint64_t rest = f->rsi - at;

		/* The way to a page costs more than a word. */
		for (unsigned int i = 0; i < RANDOM_WORDS && i * sizeof(words[0]) < rest; i++)
			words[i] = random_next();
		if (user_write(f->rdi + at, words, rest < sizeof(words) ? rest : sizeof(words)))
			return at ? (int64_t)at : -EFAULT;
	}
	return (int64_t)f->rsi;
}

static int64_t give_limit(uint64_t which, uint64_t gva)
{
	uint64_t limit[2] = {UINT64_MAX, UINT64_MAX};

	if ((uint32_t)which >= LIMITS)
		return -EINVAL;
	if ((uint32_t)which == LIMIT_STACK)
		limit[0] = UINT64_C(8) << 20;
	if ((uint32_t)which == LIMIT_FILES)
		limit[0] = limit[1] = FILES_MAX;
	return user_write(gva, limit, sizeof(limit));
}

static int64_t sys_getrlimit(struct trap_frame *f)
{
	return give_limit(f->rdi, f->rsi);
}

static int64_t sys_prlimit(struct trap_frame *f)
{
	uint64_t limit[2];

	if (f->rdx && user_read(limit, f->rdx, sizeof(limit)))
		return -EFAULT;
	if ((int32_t)f->rdi && !process_find((uint32_t)f->rdi))
		return -ESRCH;
	if ((uint32_t)f->rsi >= LIMITS)
		return -EINVAL;
	if (f->rdx)
		return -EPERM;
	return f->r10 ? give_limit(f->rsi, f->r10) : 0;
}

/* Only the process's name. */
static int64_t sys_prctl(struct trap_frame *f)
{
	struct process *process = current_process();
	char name[sizeof(process->name)] = {0};

	if ((uint32_t)f->rdi == NAME_GET)
		return user_write(f->rsi, process->name, sizeof(process->name));
	if ((uint32_t)f->rdi != NAME_SET)
		return -EINVAL;
	for (unsigned int i = 0; i < sizeof(name) - 1; i++) {
		if (user_read(&name[i], f->rsi + i, 1))
			return -EFAULT;
		if (!name[i])
			break;
	}
	memcpy(process->name, name, sizeof(name));
	return 0;
}

static int64_t sys_set_robust_list(struct trap_frame *f)
{
	return f->rsi == ROBUST_HEAD_SIZE ? 0 : -EINVAL;
}

static int64_t sys_futex(struct trap_frame *f)
{
	return futex(f->rdi, (uint32_t)f->rsi, (uint32_t)f->rdx, f->r10, f->r8, (uint32_t)f->r9);
}

static const handler handlers[] = {
	[0] = sys_read,
	[1] = sys_write,
	[2] = sys_open,
	[3] = sys_close,
	[4] = sys_stat,
	[5] = sys_fstat,
	[6] = sys_lstat,
	[7] = sys_poll,
	[8] = sys_lseek,
	[9] = sys_mmap,
	[10] = sys_mprotect,
	[11] = sys_munmap,
	[12] = sys_brk,
	[13] = sys_rt_sigaction,
	[14] = sys_rt_sigprocmask,
	[15] = sys_rt_sigreturn,
	[16] = sys_ioctl,
	[17] = sys_pread64,
	[18] = sys_pwrite64,
	[19] = sys_readv,
	[20] = sys_writev,
	[21] = sys_access,
	[22] = sys_pipe,
	[24] = sys_sched_yield,
	[25] = sys_mremap,
	[28] = sys_madvise,
	[32] = sys_dup,
	[33] = sys_dup2,
	[34] = sys_pause,
	[35] = sys_nanosleep,
	[39] = sys_getpid,
	[56] = sys_clone,
	[57] = sys_fork,
	[58] = sys_vfork,
	[59] = sys_execve,
	[60] = sys_exit,
	[61] = sys_wait4,
	[62] = sys_kill,
	[63] = sys_uname,
	[72] = sys_fcntl,
	[79] = sys_getcwd,
	[80] = sys_chdir,
	[81] = sys_fchdir,
	[89] = sys_readlink,
	[95] = sys_umask,
	[96] = sys_gettimeofday,
	[97] = sys_getrlimit,
	[102] = sys_zero, /* getuid */
	[104] = sys_zero, /* getgid */
	[107] = sys_zero, /* geteuid */
	[108] = sys_zero, /* getegid */
	[110] = sys_getppid,
	[127] = sys_rt_sigpending,
	[130] = sys_rt_sigsuspend,
	[131] = sys_sigaltstack,
	[157] = sys_prctl,
	[158] = sys_arch_prctl,
	[186] = sys_gettid,
	[200] = sys_tkill,
	[202] = sys_futex,
	[204] = sys_sched_getaffinity,
	[217] = sys_getdents64,
	[218] = sys_set_tid_address,
	[228] = sys_clock_gettime,
	[229] = sys_clock_getres,
	[230] = sys_clock_nanosleep,
	[231] = sys_exit_group,
	[234] = sys_tgkill,
	[257] = sys_openat,
	[262] = sys_newfstatat,
	[267] = sys_readlinkat,
	[269] = sys_faccessat,
	[271] = sys_ppoll,
	[273] = sys_set_robust_list,
	[292] = sys_dup3,
	[293] = sys_pipe2,
	[302] = sys_prlimit,
	[309] = sys_getcpu,
	[318] = sys_getrandom,
	[332] = sys_statx,
	[439] = sys_faccessat2,
};

void system_call(struct trap_frame *frame)
{
	uint64_t number = frame->rax;
	int64_t result = -ENOSYS;

	published.system_calls++;
	if (number < sizeof(handlers) / sizeof(handlers[0]) && handlers[number]) {
		result = handlers[number](frame);
	} else {
		published.unknown_calls++;
		published.unknown_last = number;
	}
	/* Who has ended has no registers any more. */
	if (!cpu.task || result == WAIT_AGAIN)
		return;
	cpu.task->progress = cpu.task->until = 0;
	if (result != WAIT_DONE)
		frame->rax = (uint64_t)result;
}
