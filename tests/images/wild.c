/* SPDX-License-Identifier: MIT */
/*
 * System calls with wild arguments: addresses in the kernel, where nothing is, where something is
 * but not for this, at the end of all; lengths that wrap; numbers of nothing.
 *
 *     wild [CALL ...]                  one line a call: how many, and a checksum of all answers
 *     wild --list CALL                 each answer
 *     wild --random N [--seed N=1]     calls of any number with anything
 *
 * What Linux says to the first is the same each time. The last is for the guest: natively nothing
 * is called, since Linux might do what it is asked for. There, a child calls, and what it does to
 * itself ends it; the parent must be as it was.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "hpt/mix.h"
#include "images/common/args.h"
#include "tests/images/children.h"

#define PAGE 4096L

/* Kinds of arguments. */
enum kind {
	NONE,	 /* 0 */
	POINTER, /* to what the call reads or writes */
	PLACE,	 /* of a mapping */
	LENGTH,
	NUMBER,	  /* an int: of a signal, a flag, an operation */
	OPEN,	  /* 1: standard output */
	SELF,	  /* this process */
	ONE,	  /* 1, as it is */
	EIGHT,	  /* 8, as it is: the size of a set of signals */
	ANONYMOUS /* MAP_PRIVATE | MAP_ANONYMOUS, as it is */
};

#define ARGUMENTS 5

struct call {
	const char *name;
	long number;
	enum kind kinds[ARGUMENTS];
};

static const struct call calls[] = {
	{"read", SYS_read, {NONE, POINTER, ONE}},
	{"write", SYS_write, {OPEN, PLACE, LENGTH}},
	{"writev", SYS_writev, {OPEN, POINTER, ONE}},
	{"open", SYS_open, {POINTER}},
	{"close", SYS_close, {LENGTH}},
	{"mmap", SYS_mmap, {PLACE, LENGTH, ONE, NUMBER}},
	{"mprotect", SYS_mprotect, {PLACE, LENGTH, NUMBER}},
	{"munmap", SYS_munmap, {PLACE, LENGTH}},
	{"mremap", SYS_mremap, {PLACE, LENGTH, ONE, ONE}},
	{"madvise", SYS_madvise, {PLACE, LENGTH, NUMBER}},
	{"brk", SYS_brk, {PLACE}},
	{"rt_sigaction", SYS_rt_sigaction, {NUMBER, NONE, POINTER, EIGHT}},
	{"rt_sigprocmask", SYS_rt_sigprocmask, {NUMBER, POINTER, NONE, EIGHT}},
	{"rt_sigpending", SYS_rt_sigpending, {POINTER, LENGTH}},
	{"rt_sigsuspend", SYS_rt_sigsuspend, {POINTER, ONE}},
	{"sigaltstack", SYS_sigaltstack, {POINTER, POINTER}},
	{"nanosleep", SYS_nanosleep, {POINTER, POINTER}},
	{"clock_gettime", SYS_clock_gettime, {ONE, POINTER}},
	{"clock_getres", SYS_clock_getres, {ONE, POINTER}},
	{"clock_nanosleep", SYS_clock_nanosleep, {ONE, NONE, POINTER, NONE}},
	{"gettimeofday", SYS_gettimeofday, {POINTER, POINTER}},
	{"wait4", SYS_wait4, {NUMBER, POINTER, NUMBER, POINTER}},
	{"kill", SYS_kill, {SELF, LENGTH}},
	{"tkill", SYS_tkill, {SELF, LENGTH}},
	{"tgkill", SYS_tgkill, {SELF, SELF, LENGTH}},
	{"uname", SYS_uname, {POINTER}},
	{"getrlimit", SYS_getrlimit, {NUMBER, POINTER}},
	{"prlimit64", SYS_prlimit64, {NONE, NUMBER, NONE, POINTER}},
	{"futex", SYS_futex, {POINTER, ONE, NUMBER}},
	{"futex_wait", SYS_futex, {POINTER, NONE, NUMBER, POINTER}},
	{"set_robust_list", SYS_set_robust_list, {POINTER, LENGTH}},
	{"getrandom", SYS_getrandom, {POINTER, EIGHT, NUMBER}},
	{"getcpu", SYS_getcpu, {POINTER, POINTER}},
	{"sched_getaffinity", SYS_sched_getaffinity, {NONE, LENGTH, POINTER}},
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* Pages of which nothing is, one cannot be used, one only be read, and then there is nothing. */
static char *unusable, *readonly, *edge;

struct values {
	unsigned int count;
	uint64_t value[16];
};

static void add(struct values *values, uint64_t value)
{
	values->value[values->count++] = value;
}

static const uint64_t bad_pointers[] = {1,
					4095,
					0x0000100000000000, /* nobody has anything there */
					0x00007fffffffffff,
					0x0000800000000000,
					0x4000000000000000,
					0xffff800000000000,
					0xffff888000000000,
					0xffffffff80000000,
					0xfffffffffffff000,
					0xffffffffffffffff};
static const uint64_t bad_places[] = {0x0000100000000000, 0x0000100000000001, 0x0000800000000000,
				      0x4000000000000000, 0xffff888000000000, 0xffffffff80000000,
				      0xfffffffffffff000, 0xffffffffffffffff};
static const uint64_t bad_lengths[] = {0x00007fffffff0000, 0x0000800000000000, 0x4000000000000000,
				       0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000,
				       0xfffffffffffff000, 0xffffffffffffffff};
static const uint64_t bad_numbers[] = {0x100,	   0x1234,     0x7fffff00,
				       0x80000000, 0xffffff00, 0xffffffffffffff00};

#define ADD_ALL(values, from)                                             \
	do {                                                              \
		for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) \
			add(values, from[i]);                             \
	} while (0)

static struct values values_of(enum kind kind)
{
	struct values values = {0};

	switch (kind) {
	case POINTER:
		ADD_ALL(&values, bad_pointers);
		add(&values, (uint64_t)unusable);
		add(&values, (uint64_t)edge - 1);
		break;
	case PLACE:
		ADD_ALL(&values, bad_places);
		break;
	case LENGTH:
		ADD_ALL(&values, bad_lengths);
		break;
	case NUMBER:
		ADD_ALL(&values, bad_numbers);
		break;
	case SELF:
		add(&values, (uint64_t)getpid());
		break;
	case EIGHT:
		add(&values, 8);
		break;
	case ANONYMOUS:
		add(&values, MAP_PRIVATE | MAP_ANONYMOUS);
		break;
	case OPEN:
	case ONE:
		add(&values, 1);
		break;
	default:
		add(&values, 0);
	}
	return values;
}

static bool start(void)
{
	char *pages = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || !children_start())
		return false;
	unusable = pages;
	readonly = pages + PAGE;
	edge = pages + 2 * PAGE;
	return mprotect(unusable, PAGE, PROT_NONE) == 0 && munmap(edge, 2 * PAGE) == 0;
}

/* Where its own pages are differs from run to run. */
static void list(const struct call *call, const struct values *values, const unsigned int *at,
		 long answer)
{
	printf("%s", call->name);
	for (int i = 0; i < ARGUMENTS; i++) {
		uint64_t value = values[i].value[at[i]];
		bool is_own = value - (uint64_t)unusable <= 2 * PAGE;

		printf("%s%s%" PRIx64, i ? ", " : "(", is_own ? "page + " : "",
		       is_own ? value - (uint64_t)unusable : value);
	}
	printf("): %ld\n", answer);
}

static void run(const struct call *call, bool is_listed)
{
	struct values values[ARGUMENTS];
	unsigned int at[ARGUMENTS] = {0};
	uint64_t checksum = 0;
	unsigned int count = 0, i = 0;
	long heap_end = syscall(SYS_brk, 0L);

	for (int k = 0; k < ARGUMENTS; k++)
		values[k] = values_of(call->kinds[k]);
	while (i < ARGUMENTS) {
		long result = syscall(call->number, values[0].value[at[0]], values[1].value[at[1]],
				      values[2].value[at[2]], values[3].value[at[3]],
				      values[4].value[at[4]]);
		/* How far the break may go is each system's own affair. */
		long answer = result == -1 ? -errno : call->number == SYS_brk ? 1 : result;

		if (call->number == SYS_brk)
			syscall(SYS_brk, heap_end);
		if (is_listed)
			list(call, values, at, answer);
		checksum = (checksum ^ (uint64_t)answer) * UINT64_C(0x100000001b3);
		checksum ^= checksum >> 29;
		count++;
		for (i = 0; i < ARGUMENTS && ++at[i] == values[i].count; i++)
			at[i] = 0;
	}
	printf("%s: %u calls, answers %016" PRIx64 "\n", call->name, count, checksum);
}

static const struct call *find(const char *name)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	}
	return NULL;
}

static uint64_t state;
static uint64_t wanted_calls;

static uint64_t anything(void)
{
	static const enum kind kinds[] = {POINTER, PLACE, LENGTH, NUMBER};
	struct values values = values_of(kinds[mix64_next(&state) % 4]);

	switch (mix64_next(&state) % 6) {
	case 0:
		return mix64_next(&state) % 16;
	case 1:
		return mix64_next(&state);
	case 2:
		return (uint64_t)readonly + mix64_next(&state) % (2 * PAGE);
	case 3:
		return UINT64_C(1) << mix64_next(&state) % 64;
	default:
		return values.value[mix64_next(&state) % values.count];
	}
}

/* Not those that would reach others: the parent is to be as it was. */
static bool reaches_others(uint64_t number)
{
	return number == SYS_kill || number == SYS_tkill || number == SYS_tgkill;
}

static int calls_anything(void)
{
	pid_t self = getpid();

	close(1);
	close(2);
	while ((uint64_t)words->value[0] < wanted_calls) {
		uint64_t number = mix64_next(&state) % 8 ? mix64_next(&state) % 340 : anything();

		words->value[0]++;
		words->value[1] = (long)number;
		if (!reaches_others(number))
			syscall((long)number, anything(), anything(), anything(), anything(),
				anything(), anything());
		/* Children of its own are not to go on with it. */
		if (getpid() != self)
			_exit(0);
	}
	return 0;
}

static int run_random(void)
{
	struct utsname name;
	int status;

	uname(&name);
	while (!strcmp(name.nodename, "twostage") && (uint64_t)words->value[0] < wanted_calls) {
		pid_t child = child_start(calls_anything);
		long before = -1;

		/* One that waits for ever is ended. */
		while (waitpid(child, &status, WNOHANG) == 0) {
			if (words->value[0] == before)
				kill(child, SIGKILL);
			before = words->value[0];
			doze(30000000);
		}
		mix64_next(&state);
		state ^= (uint64_t)words->value[0];
	}
	while (waitpid(-1, &status, WNOHANG) > 0)
		continue;
	printf("random: %" PRIu64 " calls\n", wanted_calls);
	return 0;
}

int main(int argc, char **argv)
{
	struct args args = args_start("wild", argv);
	bool is_listed = argc > 2 && !strcmp(argv[1], "--list");
	const char *argument;
	int error = 0;

	state = 1;
	if (!start()) {
		perror("wild: mmap");
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "--random")) {
		args_next(&args);
		error = args_number(&args, "--random", args_next(&args), 0, UINT64_MAX,
				    &wanted_calls);
		argument = args_next(&args);
		if (!error && argument && !strcmp(argument, "--seed"))
			error = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					    &state);
		else if (!error && argument)
			error = args_unknown(&args, argument, "--seed");
		return error ? error : run_random();
	}
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (is_listed)
		args_next(&args);
	for (size_t i = 0; argc < 2 && i < CALLS; i++)
		run(&calls[i], false);
	while ((argument = args_next(&args))) {
		if (!find(argument))
			return args_unknown(&args, argument, "a system call of the list");
		run(find(argument), is_listed);
	}
	return 0;
}
