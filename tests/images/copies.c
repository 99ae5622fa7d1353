/* SPDX-License-Identifier: MIT */
/*
 * What a fork copies, each page when it is first written: parent and child have their own of
 * everything, wherever it stands and whatever was done to it before and after. And what it does not
 * copy: mappings that are shared.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "tests/images/children.h"
#include "tests/images/report.h"

#define PAGE	  4096
#define PAGES	  16
#define FORKS	  10
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define COMMON	  (MAP_SHARED | MAP_ANONYMOUS)
#define WRITABLE  (PROT_READ | PROT_WRITE)
#define SPARSE	  (UINT64_C(16) << 30)

static int set_beforehand = 1;
static int zero_beforehand;
static volatile char *page;

static volatile char *map(int flags)
{
	return mmap(NULL, PAGES * PAGE, WRITABLE, flags, -1, 0);
}

/* The number in a page, or in whatever is as long as an int. */
static volatile int *number(int which)
{
	return (volatile int *)(page + which * PAGE);
}

static void remap(void)
{
	if (page)
		munmap((void *)page, PAGES * PAGE);
	page = map(ANONYMOUS);
	for (int i = 0; i < PAGES; i++)
		*number(i) = i;
}

/*
 * Runs a child that does something to its memory and gives how many of its checks held, while the
 * parent waits; or, with `both`, while the parent changes page 0.
 */
static long child_while(int (*run)(void), bool both)
{
	pid_t child = child_start(run);

	if (both) {
		*number(0) = 500;
		children_reach(1);
	}
	return child_end(child);
}

static volatile int *heap_number, *stack_number;

static int changes_everything(void)
{
	int held = 0;

	held += set_beforehand == 1 && zero_beforehand == 0 && *heap_number == 3 &&
		*stack_number == 4 && *number(5) == 5;
	set_beforehand = zero_beforehand = *heap_number = *stack_number = *number(5) = 9;
	held += set_beforehand + zero_beforehand + *heap_number + *stack_number + *number(5) == 45;
	return held;
}

static int sees_no_later_write(void)
{
	children_await(1);
	return *number(0) == 0 ? 1 : 0;
}

static int writes_untouched(void)
{
	*number(0) = 7;
	return *number(0) + *number(1);
}

/* The system's writes are writes, too. */
static int lets_system_write(void)
{
	return getrandom((void *)page, 4 * PAGE, 0) == 4 * PAGE;
}

static int begets_another(void)
{
	*number(1) = 11;
	*number(2) = 12;
	if (child_result(changes_everything) != 2)
		return 1;
	return *number(1) == 11 && *number(5) == 5 ? 2 : 3;
}

static void check_private(struct report *report)
{
	int on_stack = 4;
	bool same = true;

	heap_number = malloc(sizeof(int));
	stack_number = &on_stack;
	*heap_number = 3;
	remap();
	report_value(report, "a child sees all and changes all", child_result(changes_everything),
		     2);
	report_true(report, "data, zero data", set_beforehand == 1 && zero_beforehand == 0);
	report_true(report, "heap, stack, mapping",
		    *heap_number == 3 && on_stack == 4 && *number(5) == 5);
	report_value(report, "what the parent writes is its own",
		     child_while(sees_no_later_write, true), 1);
	report_value(report, "a child of a child", child_result(begets_another), 2);
	report_true(report, "all that is no matter of the first",
		    *number(1) == 1 && *number(2) == 2 && *number(5) == 5);
	report_value(report, "pages that the system writes", child_result(lets_system_write), 1);
	for (int i = 1; i < PAGES; i++)
		same &= *number(i) == i;
	report_true(report, "in the child alone", same);
	munmap((void *)page, PAGES * PAGE);
	page = map(ANONYMOUS);
	report_value(report, "a page that nobody had touched", child_result(writes_untouched), 7);
	report_value(report, "is the parent's zero page still", *number(0), 0);
}

static int sees_generation(void)
{
	for (int i = 0; i < PAGES; i++) {
		if (*number(i) != (i <= words->value[0] ? 100 + i : i))
			return 0;
	}
	*number(0) = 0;
	return 1;
}

/* Each child is a copy of another state; the parent outlives them all, and has many ancestors. */
static void check_generations(struct report *report)
{
	pid_t children[FORKS];
	long held = 0;

	remap();
	for (int i = 0; i < FORKS; i++) {
		*number(i) = 100 + i;
		words->value[0] = i;
		held += child_result(sees_generation);
	}
	report_value(report, "each sees what was written until then", held, FORKS);
	held = 0;
	for (int i = 0; i < FORKS; i++) {
		*number(i) = i;
		children[i] = child_start(sees_no_later_write);
		*number(i) = 100 + i;
	}
	*number(0) = 77;
	children_reach(1);
	for (int i = 0; i < FORKS; i++)
		held += child_end(children[i]);
	report_value(report, "so do those that live at once", held, 1);
	report_true(report, "and the parent", *number(0) == 77 && *number(9) == 109);
}

static int makes_writable(void)
{
	if (mprotect((void *)page, 2 * PAGE, WRITABLE))
		return 1;
	*number(0) = 50;
	*number(1) = 51;
	return *number(0) + *number(1) == 101 ? 2 : 3;
}

static int writes_page_1(void)
{
	*number(1) = 50;
	return 4;
}

static int makes_readonly(void)
{
	mprotect((void *)page, 4 * PAGE, PROT_READ);
	mprotect((void *)(page + 2 * PAGE), PAGE, WRITABLE);
	*number(2) = 52;
	*number(3) = 53;
	return 5;
}

static void check_rights(struct report *report)
{
	remap();
	mprotect((void *)page, PAGE, PROT_READ);
	mprotect((void *)(page + PAGE), PAGE, PROT_NONE);
	report_value(report, "a child has them, too", child_result(writes_page_1),
		     KILLED_BY(SIGSEGV));
	report_value(report, "and may change its own", child_result(makes_writable), 2);
	mprotect((void *)(page + PAGE), PAGE, PROT_READ);
	report_true(report, "nothing comes of it here", *number(0) == 0 && *number(1) == 1);
	report_value(report, "they are as they were", child_result(writes_page_1),
		     KILLED_BY(SIGSEGV));
	report_value(report, "a child takes some away", child_result(makes_readonly),
		     KILLED_BY(SIGSEGV));
	*number(2) = 62;
	*number(3) = 63;
	report_true(report, "the parent has them still", *number(2) == 62 && *number(3) == 63);
	mprotect((void *)page, PAGES * PAGE, WRITABLE);
	report_value(report, "given before a fork", child_result(writes_page_1), 4);
	report_value(report, "again nothing comes of it", *number(1), 1);
}

static int unmaps_and_moves(void)
{
	volatile char *moved;
	int held = 0;

	munmap((void *)page, 2 * PAGE);
	moved = mremap((void *)(page + 4 * PAGE), 4 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED)
		return 100;
	for (int i = 0; i < 4; i++)
		held += *(volatile int *)(moved + i * PAGE) == 4 + i;
	*(volatile int *)moved = 99;
	held += *(volatile int *)(moved + 299 * PAGE) == 0;
	madvise((void *)(page + 8 * PAGE), 2 * PAGE, MADV_DONTNEED);
	held += *number(8) == 0 && *number(9) == 0;
	if (mmap((void *)(page + 10 * PAGE), PAGE, WRITABLE, ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return 101;
	held += *number(10) == 0 && *number(11) == 11;
	return held;
}

static int sees_all(void)
{
	children_await(1);
	for (int i = 0; i < PAGES; i++) {
		if (*number(i) != i)
			return i + 1;
	}
	return 0;
}

static int moves_break(void)
{
	char *end = (char *)syscall(SYS_brk, 0L);

	end[-1] = 5;
	syscall(SYS_brk, end - 2 * PAGE);
	syscall(SYS_brk, end);
	return end[-1] == 0 && end[-2 * PAGE - 1] == 1 ? 6 : 7;
}

static void check_places(struct report *report)
{
	char *end = (char *)((syscall(SYS_brk, 0L) + PAGE - 1) & -PAGE);
	bool same = true;
	pid_t child;

	remap();
	report_value(report, "a child unmaps, moves, forgets, maps anew",
		     child_result(unmaps_and_moves), 7);
	for (int i = 0; i < PAGES; i++)
		same &= *number(i) == i;
	report_true(report, "its parent has all as it was", same);
	child = child_start(sees_all);
	unmaps_and_moves();
	children_reach(1);
	report_value(report, "the other way round", child_end(child), 0);
	page = NULL;
	syscall(SYS_brk, end + 4 * PAGE);
	memset(end, 1, 4 * PAGE);
	report_value(report, "the break", child_result(moves_break), 6);
	report_true(report, "is each one's own",
		    syscall(SYS_brk, 0L) == (long)(end + 4 * PAGE) && end[4 * PAGE - 1] == 1);
}

static volatile char *sparse;

static int sees_sparse(void)
{
	int held = 0;

	for (uint64_t at = 0; at < SPARSE; at += SPARSE / 8) {
		held += sparse[at] == (char)(at / (SPARSE / 8) + 1);
		sparse[at] = 0;
	}
	munmap((void *)sparse, SPARSE / 2);
	return held;
}

static void check_sparse(struct report *report)
{
	int held = 0;

	sparse = mmap(NULL, SPARSE, WRITABLE, ANONYMOUS | MAP_NORESERVE, -1, 0);
	report_true(report, "16 GiB are mapped", sparse != MAP_FAILED);
	for (uint64_t at = 0; at < SPARSE; at += SPARSE / 8)
		sparse[at] = (char)(at / (SPARSE / 8) + 1);
	report_value(report, "a child has its eight pages", child_result(sees_sparse), 8);
	for (uint64_t at = 0; at < SPARSE; at += SPARSE / 8)
		held += sparse[at] == (char)(at / (SPARSE / 8) + 1);
	report_value(report, "its parent, too", held, 8);
	report_call(report, "and unmaps them", munmap((void *)sparse, SPARSE), 0);
}

static int counts_together(void)
{
	for (int i = 0; i < 1000; i++)
		__atomic_fetch_add(number(0), 1, __ATOMIC_SEQ_CST);
	*number(3) = 33;
	return 0;
}

static int has_rights_of_its_own(void)
{
	mprotect((void *)page, PAGE, PROT_READ);
	*number(0) = 1;
	return 0;
}

static int unmaps_some(void)
{
	int status = 0;

	munmap((void *)(page + 2 * PAGE), 2 * PAGE);
	*number(1) = 201;
	*number(4) = 204;
	/* Its own in that place. */
	if (mmap((void *)(page + 2 * PAGE), PAGE, WRITABLE, ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return 1;
	*number(2) = 999;
	if (fork() == 0) {
		*number(5) = 205;
		*number(2) = 998;
		_exit(*number(1) == 201 ? 3 : 4);
	}
	wait(&status);
	return WEXITSTATUS(status) + (*number(2) == 999 ? 10 : 0);
}

static int forgets(void)
{
	return madvise((void *)page, PAGES * PAGE, MADV_DONTNEED) == 0 && *number(1) == 201;
}

static int maps_later(void)
{
	volatile char *own = map(COMMON);

	own[0] = 5;
	return own[0];
}

static void check_shared(struct report *report)
{
	pid_t children[4];

	page = map(COMMON);
	report_value(report, "is zero at first", *number(15), 0);
	*number(0) = 5;
	for (int i = 0; i < 4; i++)
		children[i] = child_start(counts_together);
	for (int i = 0; i < 4; i++)
		child_end(children[i]);
	report_value(report, "what four count together", *number(0), 4005);
	report_value(report, "a page that a child touched first", *number(3), 33);
	report_value(report, "a child has rights of its own", child_result(has_rights_of_its_own),
		     KILLED_BY(SIGSEGV));
	*number(0) = 6;
	report_value(report, "which are not its parent's", *number(0), 6);
	*number(2) = 202;
	report_value(report, "a child unmaps some and begets another", child_result(unmaps_some),
		     13);
	report_true(report, "what they wrote", *number(1) == 201 && *number(4) == 204);
	report_value(report, "what the child's child wrote", *number(5), 205);
	report_value(report, "what was unmapped stays", *number(2), 202);
	report_value(report, "MADV_DONTNEED forgets nothing", child_result(forgets), 1);
	report_value(report, "what a child maps itself", child_result(maps_later), 5);
	munmap((void *)(page + PAGE), PAGE);
	report_value(report, "a part is gone", child_result(writes_page_1), KILLED_BY(SIGSEGV));
	report_true(report, "the rest is not", *number(0) == 6 && *number(2) == 202);
	report_call(report, "all goes", munmap((void *)page, PAGES * PAGE), 0);
	page = NULL;
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"private", check_private},
		{"generations", check_generations},
		{"rights", check_rights},
		{"places", check_places},
		{"sparse", check_sparse},
		{"shared", check_shared},
		{NULL, NULL},
	};
	struct args args = args_start("copies", argv);

	(void)argc;
	if (!children_start()) {
		perror("copies: mmap");
		return 1;
	}
	return report_main(&args, sections);
}
