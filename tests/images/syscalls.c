/* SPDX-License-Identifier: MIT */
/*
 * The system calls beside those of memory (memory.c), and what else an ordinary program takes for
 * granted: registers, floating point, thread-local data, a deep stack. Standard input must be at
 * its end, and standard output not /dev/null (which never looks at the bytes it is given).
 *
 * Instead of sections it takes one of the options that end otherwise than by returning:
 *   --abort      abort()
 *   --spin       never ends, writes nothing
 *   --flood      never ends, writes lines to stdout
 *   --eat SIZE   touches that much memory page by page, progress on stderr
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tests/images/report.h"

#define PAGE	       4096
#define MIB	       (1 << 20)
#define NO_FILE	       99
#define KERNEL_ADDRESS 0xffffffff80000000
#define NON_CANONICAL  0x4000000000000000

static void check_files(struct report *report)
{
	static const char text[] = "written by write\n";
	struct iovec parts[] = {
		{.iov_base = (void *)"written in ", .iov_len = 11},
		{.iov_base = NULL, .iov_len = 0},
		{.iov_base = (void *)"parts by writev\n", .iov_len = 16},
	};
	char byte = 'x';

	report_value(report, "write gives the length", write(1, text, sizeof(text) - 1),
		     sizeof(text) - 1);
	report_value(report, "write of nothing", write(1, text, 0), 0);
	report_value(report, "writev gives the length of all parts", writev(1, parts, 3), 27);
	report_value(report, "writev of no parts", writev(1, parts, 0), 0);
	report_call(report, "writev of -1 parts", syscall(SYS_writev, 1, parts, -1L), EINVAL);
	report_call(report, "write to a file that is not open", write(NO_FILE, text, 1), EBADF);
	report_call(report, "writev to a file that is not open", writev(NO_FILE, parts, 3), EBADF);
	report_call(report, "write to file -1", write(-1, text, 1), EBADF);
	report_value(report, "read at the end of input", read(0, &byte, 1), 0);
	report_true(report, "read at the end leaves the buffer alone", byte == 'x');
	report_value(report, "read of nothing", read(0, &byte, 0), 0);
	report_call(report, "read from a file that is not open", read(NO_FILE, &byte, 1), EBADF);
	report_call(report, "close of a file that is not open", close(NO_FILE), EBADF);
	report_call(report, "open of a missing file", open("/no/such/file", O_RDONLY), ENOENT);
	report_call(report, "an unknown ioctl", ioctl(1, 0x12345678, &byte), ENOTTY);
	report_call(report, "ioctl on a file that is not open", ioctl(NO_FILE, TIOCGWINSZ, &byte),
		    EBADF);
	report_true(report, "isatty gives 0 or 1", (isatty(1) & ~1) == 0);
}

/* A bad pointer is an error of the call, and never the end of the program or of the kernel. */
static void check_pointers(struct report *report)
{
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *readonly = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	report_call(report, "write from 0", syscall(SYS_write, 1, 0, 1), EFAULT);
	report_call(report, "write from 1", syscall(SYS_write, 1, 1, 1), EFAULT);
	report_call(report, "write from a page without permissions", syscall(SYS_write, 1, none, 1),
		    EFAULT);
	report_call(report, "write from the kernel", syscall(SYS_write, 1, KERNEL_ADDRESS, 1),
		    EFAULT);
	report_call(report, "write from a non-canonical address",
		    syscall(SYS_write, 1, NON_CANONICAL, 1), EFAULT);
	report_call(report, "write from the last byte of all", syscall(SYS_write, 1, -1L, 1),
		    EFAULT);
	report_call(report, "writev with its parts at 1", syscall(SYS_writev, 1, 1, 1), EFAULT);
	report_call(report, "open with its name at 1", syscall(SYS_open, 1, O_RDONLY), EFAULT);
	report_call(report, "getrandom into a read-only page",
		    syscall(SYS_getrandom, readonly, 1, 0), EFAULT);
	report_call(report, "getrandom into the kernel",
		    syscall(SYS_getrandom, KERNEL_ADDRESS, 1, 0), EFAULT);
	report_call(report, "clock_gettime into a read-only page",
		    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, readonly), EFAULT);
	report_call(report, "clock_gettime into the kernel",
		    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, KERNEL_ADDRESS), EFAULT);
	report_call(report, "nanosleep from 1", syscall(SYS_nanosleep, 1, NULL), EFAULT);
	report_call(report, "uname into 0", syscall(SYS_uname, 0), EFAULT);
	/* A page that was never touched is a good pointer. */
	munmap(none, PAGE);
	none = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	report_value(report, "getrandom into a page never touched", getrandom(none, PAGE, 0), PAGE);
}

static void check_identity(struct report *report)
{
	struct utsname name;

	report_true(report, "getpid is more than 0", getpid() > 0);
	report_true(report, "the only thread has the number of the process",
		    syscall(SYS_gettid) == getpid());
	report_call(report, "uname", uname(&name), 0);
	report_true(report, "uname says Linux", strcmp(name.sysname, "Linux") == 0);
	report_true(report, "uname says x86_64", strcmp(name.machine, "x86_64") == 0);
	report_value(report, "the page size of the auxiliary vector", (long)getauxval(AT_PAGESZ),
		     PAGE);
	report_true(report, "the auxiliary vector has random bytes", getauxval(AT_RANDOM) != 0);
	report_call(report, "an unknown system call", syscall(9999), ENOSYS);
	report_call(report, "system call -1", syscall(-1), ENOSYS);
}

static long nanoseconds(void)
{
	struct timespec now;

	/* By number, so that it is the system call even where there is a vDSO. */
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now))
		return -1;
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void check_time(struct report *report)
{
	struct timespec moment = {.tv_nsec = 2000000};
	struct timespec wrong = {.tv_nsec = 1000000000};
	long before = nanoseconds();
	bool forward = before >= 0;

	for (int i = 0; i < 100; i++) {
		long now = nanoseconds();

		forward &= now >= before;
		before = now;
	}
	report_true(report, "the monotonic clock does not go back", forward);
	report_call(report, "nanosleep of two milliseconds", nanosleep(&moment, NULL), 0);
	report_true(report, "it slept that long", nanoseconds() - before >= 2000000);
	report_call(report, "nanosleep of a bad length", nanosleep(&wrong, NULL), EINVAL);
	report_call(report, "the real-time clock", clock_gettime(CLOCK_REALTIME, &moment), 0);
	report_true(report, "nanoseconds are less than a second",
		    moment.tv_nsec >= 0 && moment.tv_nsec < 1000000000);
	report_call(report, "a clock that is not there", syscall(SYS_clock_gettime, 9999, &moment),
		    EINVAL);
}

static void check_random(struct report *report)
{
	static const char zero[64];
	char one[64] = {0};
	char other[64] = {0};

	report_value(report, "getrandom gives the length", getrandom(one, sizeof(one), 0),
		     sizeof(one));
	getrandom(other, sizeof(other), 0);
	report_true(report, "it fills the buffer", memcmp(one, zero, sizeof(one)) != 0);
	report_true(report, "it fills it anew each time", memcmp(one, other, sizeof(one)) != 0);
}

static void check_signals(struct report *report)
{
	struct sigaction action = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	report_call(report, "sigaction", sigaction(SIGUSR1, &action, NULL), 0);
	report_call(report, "sigprocmask", sigprocmask(SIG_BLOCK, &set, NULL), 0);
	report_call(report, "sigprocmask back", sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static __thread int thread_number = 12345;
static __thread char thread_buffer[100] __attribute__((aligned(64)));

static void check_thread_data(struct report *report)
{
	report_value(report, "data that is set beforehand", thread_number, 12345);
	report_true(report, "data that is zero beforehand", thread_buffer[99] == 0);
	report_true(report, "alignment", (uintptr_t)thread_buffer % 64 == 0);
	thread_number++;
	report_value(report, "what is written stays", thread_number, 12346);
}

static void check_float(struct report *report)
{
	volatile double two = 2, third = 1.0 / 3;
	volatile long double tenth = 0.1L;
	double sum = 0;
	char text[64];

	for (int i = 1; i <= 1000; i++)
		sum += 1.0 / (i * two);
	snprintf(text, sizeof(text), "%.6f %.3e %g", third, sum, two * 1e100);
	report_true(report, text, strcmp(text, "0.333333 3.743e+00 2e+100") == 0);
	snprintf(text, sizeof(text), "%.15Lf", tenth * tenth);
	report_true(report, text, strcmp(text, "0.010000000000000") == 0);
	report_true(report, "strtod", strtod("-12.5e1", NULL) == -125.0);
}

static void check_stack(struct report *report)
{
	volatile char deep[MIB];
	bool kept = true;

	/* From its far end, which is not next to anything that is there. */
	for (int i = 0; i < MIB; i += PAGE)
		deep[i] = (char)(i / PAGE);
	for (int i = 0; i < MIB; i += PAGE)
		kept &= deep[i] == (char)(i / PAGE);
	report_true(report, "an array of 1 MiB keeps what is written", kept);
}

/*
 * The checks of registers: each gets a number of its own; then something happens; then every
 * difference is gathered in rax, by way of rdx where the register is a vector one.
 */
#define SET(reg, number)  "mov $" #number ", %%" #reg "\n\t"
#define DIFF(reg, number) "xor $" #number ", %%" #reg "\n\tor %%" #reg ", %%rax\n\t"
#define GENERAL(DO)    \
	DO(rbx, 0x101) \
	DO(rdx, 0x202) \
	DO(rsi, 0x303) \
	DO(r8, 0x404)  \
	DO(r9, 0x505)  \
	DO(r10, 0x606) \
	DO(r12, 0x707) \
	DO(r13, 0x808) \
	DO(r14, 0x909) \
	DO(r15, 0xa0a)
#define GENERAL_CLOBBERED                                                                       \
	"rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", \
		"memory"

#define SET_VECTOR(reg, number)	 "mov $" #number ", %%edx\n\tmovq %%rdx, %%" #reg "\n\t"
#define DIFF_VECTOR(reg, number) "movq %%" #reg ", %%rdx\n\t" DIFF(rdx, number)
#define VECTOR(DO)     \
	DO(xmm0, 0x11) \
	DO(xmm1, 0x22) \
	DO(xmm2, 0x33) \
	DO(xmm7, 0x44) \
	DO(xmm8, 0x55) \
	DO(xmm15, 0x66)
#define VECTOR_CLOBBERED \
	"rcx", "rdx", "r11", "xmm0", "xmm1", "xmm2", "xmm7", "xmm8", "xmm15", "cc", "memory"

#define SYSTEM_CALL "mov %1, %%eax\n\tsyscall\n\txor %%eax, %%eax\n\t"
#define PAGE_FAULT  "movb $1, (%1)\n\txor %%eax, %%eax\n\t"

static void check_registers(struct report *report)
{
	char *fresh =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long lost;
	unsigned char carry;

	__asm__ volatile(GENERAL(SET) SYSTEM_CALL GENERAL(DIFF)
			 : "=&a"(lost)
			 : "i"(SYS_getpid)
			 : GENERAL_CLOBBERED);
	report_true(report, "general ones survive a system call", lost == 0);
	__asm__ volatile(
		GENERAL(SET) "mov $0xb0b, %%ecx\n\tmov $0xc0c, %%r11\n\t" PAGE_FAULT GENERAL(DIFF)
			DIFF(rcx, 0xb0b) DIFF(r11, 0xc0c)
		: "=&a"(lost)
		: "D"(fresh)
		: GENERAL_CLOBBERED);
	report_true(report, "general ones survive a page fault", lost == 0);
	__asm__ volatile(VECTOR(SET_VECTOR) SYSTEM_CALL VECTOR(DIFF_VECTOR)
			 : "=&a"(lost)
			 : "i"(SYS_getpid)
			 : VECTOR_CLOBBERED);
	report_true(report, "vector ones survive a system call", lost == 0);
	__asm__ volatile(VECTOR(SET_VECTOR) PAGE_FAULT VECTOR(DIFF_VECTOR)
			 : "=&a"(lost)
			 : "D"(fresh + PAGE)
			 : VECTOR_CLOBBERED);
	report_true(report, "vector ones survive a page fault", lost == 0);
	__asm__ volatile("stc\n\tmovb $1, (%1)\n\tsetc %0"
			 : "=q"(carry)
			 : "r"(fresh + 2 * PAGE)
			 : "cc", "memory");
	report_true(report, "the carry flag survives a page fault", carry == 1);
}

static void spin(void)
{
	for (;;)
		__asm__ volatile("");
}

static void flood(void)
{
	for (;;)
		puts("flood: this line comes again and again and will not end by itself");
}

static int eat(const struct args *args, const char *size_text)
{
	uint64_t size = 0;
	char *area;
	int error = args_size(args, "--eat", size_text, PAGE, &size);

	if (error)
		return error;
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (area == MAP_FAILED) {
		perror("syscalls: mmap");
		return 1;
	}
	for (uint64_t at = 0; at < size; at += PAGE) {
		area[at] = 1;
		if ((at + PAGE) % MIB == 0)
			fprintf(stderr, "eaten %" PRIu64 " MiB\n", (at + PAGE) / MIB);
	}
	printf("eaten %" PRIu64 " pages\n", size / PAGE);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"files", check_files},
		{"pointers", check_pointers},
		{"identity", check_identity},
		{"time", check_time},
		{"random", check_random},
		{"signals", check_signals},
		{"thread-data", check_thread_data},
		{"float", check_float},
		{"stack", check_stack},
		{"registers", check_registers},
		{NULL, NULL},
	};
	struct args args = args_start("syscalls", argv);

	if (argc == 2 && strcmp(argv[1], "--abort") == 0)
		abort();
	if (argc == 2 && strcmp(argv[1], "--spin") == 0)
		spin();
	if (argc == 2 && strcmp(argv[1], "--flood") == 0)
		flood();
	if (argc >= 2 && argc <= 3 && strcmp(argv[1], "--eat") == 0)
		return eat(&args, argv[2]);
	return report_main(&args, sections);
}
