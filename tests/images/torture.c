/* SPDX-License-Identifier: MIT */
/*
 * Changes an address space at random and holds every page of it against a model: what it contains,
 * and whether it can be read and written.
 *
 *     torture [--seed N=1] [--operations N=3000] [--forks N=0]
 *
 * With --forks, about so many times in between, a child goes on with its copy of pages and model
 * for a while, and so does the parent, who asks for it later; children beget children, to some
 * depth.
 *
 * Prints a checksum of all results and contents, which depends on the seed alone; status 0 if the
 * model agreed all the way.
 *
 * mremap() wants pages of one mapping, and which neighbours Linux takes as one is its own affair.
 * So each piece that is surely one on any system has a number of its own, and is remapped alone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "images/common/args.h"
#include "tests/images/torture_model.h"

#define ARENA	    384 /* pages */
#define HEAP	    96	/* pages that the break may go up to */
#define RUN	    48	/* pages of one operation, at most */
#define CHILDREN    3	/* that live at once, of each process */
#define DEPTH	    10	/* generations */
#define GOOD_STATUS 128
#define PRIVATE	    (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static struct page arena[ARENA + 1]; /* the last is never unmapped: nothing grows past it */
static struct page heap[HEAP];
static char *arena_start, *heap_start;
static unsigned long heap_bytes;
static unsigned int pieces;

/* The C library's would round the arguments first. */
static long protect(char *at, long size, int protection)
{
	return RETURNED(syscall(SYS_mprotect, at, size, (long)protection));
}

/* A run of pages of the arena. */
struct run {
	unsigned int first, count;
	char *at;
	size_t size;
};

static struct run pick_run(void)
{
	struct run run = {.first = below(ARENA)};

	run.count = 1 + below(below(4) ? 6 : RUN);
	if (run.count > ARENA - run.first)
		run.count = ARENA - run.first;
	run.at = arena_start + run.first * PAGE;
	run.size = run.count * (size_t)PAGE;
	/* Sizes are rounded up. */
	if (!below(3))
		run.size -= below(PAGE);
	return run;
}

static int pick_protection(void)
{
	static const int protections[] = {
		PROT_NONE,
		PROT_READ,
		PROT_WRITE,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};

	return protections[below(sizeof(protections) / sizeof(protections[0]))];
}

/* Cuts the pieces at both ends of the run. Those within it stay apart, even if they become alike.
 */
static void cut(const struct run *run)
{
	unsigned int end = run->first + run->count;
	unsigned int before = arena[run->first].piece;

	pieces++;
	for (unsigned int i = run->first; i < ARENA; i++) {
		unsigned int piece = arena[i].piece;

		if (i >= end && piece != before)
			break;
		pieces += i == end || piece != before;
		before = piece;
		arena[i].piece = pieces;
	}
}

static void forget(const struct run *run)
{
	cut(run);
	for (unsigned int i = run->first; i < run->first + run->count; i++)
		arena[i] = (struct page){0};
}

static void do_map(void)
{
	struct run run = pick_run();
	int protection = pick_protection();
	int fixed = below(4) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	bool is_free = true;
	unsigned int piece;
	char *got = mmap(run.at, run.size, protection, PRIVATE | fixed, -1, 0);

	for (unsigned int i = run.first; i < run.first + run.count; i++)
		is_free &= !arena[i].mapped;
	if (fixed == MAP_FIXED_NOREPLACE && !is_free) {
		wanted_result(-EEXIST, RETURNED(got));
		return;
	}
	wanted_result(0, got == MAP_FAILED ? -errno : got - run.at);
	cut(&run);
	piece = ++pieces;
	for (unsigned int i = run.first; i < run.first + run.count; i++) {
		arena[i].mapped = true;
		arena[i].protection = protection;
		arena[i].stamp = 0;
		arena[i].piece = piece;
	}
}

static void do_unmap(void)
{
	struct run run = pick_run();

	wanted_result(0, RETURNED(munmap(run.at, run.size)));
	forget(&run);
}

/* What lies before the first hole is changed, whatever follows. */
static void do_protect(void)
{
	struct run run = pick_run();
	int protection = pick_protection();
	unsigned int end = run.first + run.count;
	long want = 0;

	cut(&run);
	for (unsigned int i = run.first; i < end && !want; i++) {
		if (arena[i].mapped)
			arena[i].protection = protection;
		else
			want = -ENOMEM;
	}
	/* Where a hole ended it, and where the rest begins again, is a cut as well. */
	for (unsigned int i = run.first; want && i < end; i++)
		arena[i].piece = ++pieces;
	wanted_result(want, protect(run.at, (long)run.size, protection));
}

static void do_discard(void)
{
	struct run run = pick_run();
	long want = 0;

	for (unsigned int i = run.first; i < run.first + run.count; i++) {
		arena[i].stamp = 0;
		if (!arena[i].mapped)
			want = -ENOMEM;
	}
	wanted_result(want, RETURNED(madvise(run.at, run.size, MADV_DONTNEED)));
}

/* A run within one piece; false where there is none at a random place. */
static bool pick_piece(struct run *run)
{
	unsigned int end;

	*run = pick_run();
	if (!arena[run->first].mapped)
		return false;
	for (end = run->first; end < run->first + run->count; end++) {
		if (!arena[end].mapped || arena[end].piece != arena[run->first].piece)
			break;
	}
	run->count = end - run->first;
	run->size = run->count * (size_t)PAGE;
	return true;
}

static void do_shrink(void)
{
	struct run run, tail;
	unsigned int keep;

	if (!pick_piece(&run))
		return;
	keep = 1 + below(run.count);
	tail = (struct run){.first = run.first + keep, .count = run.count - keep};
	wanted_result(0, (char *)mremap(run.at, run.size, keep * (size_t)PAGE, 0) - run.at);
	if (tail.count)
		forget(&tail);
}

static void do_grow(void)
{
	struct run run;
	unsigned int more = 1 + below(8);
	bool is_free = true;
	char *got;

	if (!pick_piece(&run))
		return;
	for (unsigned int i = run.first + run.count; i < run.first + run.count + more; i++)
		is_free &= i < ARENA && !arena[i].mapped;
	got = mremap(run.at, run.size, run.size + more * (size_t)PAGE, 0);
	if (!is_free) {
		wanted_result(-ENOMEM, RETURNED(got));
		return;
	}
	wanted_result(0, got == MAP_FAILED ? -errno : got - run.at);
	for (unsigned int i = run.first + run.count; i < run.first + run.count + more; i++) {
		arena[i] = arena[run.first];
		arena[i].stamp = 0;
	}
}

/* To another place, which is checked and given back. */
static void do_move(void)
{
	unsigned int more = below(8);
	unsigned int pages;
	struct run run;
	char *got;

	/* What can grow where it is may stay there; the piece before a mapped page cannot. */
	if (!pick_piece(&run) || !arena[run.first + run.count].mapped || !more)
		return;
	pages = run.count + more;
	got = mremap(run.at, run.size, pages * (size_t)PAGE, MREMAP_MAYMOVE);
	wanted_result(0, got == MAP_FAILED ? -errno : got == run.at);
	for (unsigned int i = 0; i < pages; i++) {
		struct page page = arena[run.first + (i < run.count ? i : 0)];

		if (i >= run.count)
			page.stamp = 0;
		check_page(&page, got + i * PAGE, i);
	}
	wanted_result(0, RETURNED(munmap(got, pages * (size_t)PAGE)));
	forget(&run);
}

static void do_write(void)
{
	struct run run = pick_run();

	for (unsigned int i = run.first; i < run.first + run.count; i++) {
		if (writable(&arena[i]))
			stamp(&arena[i], arena_start + i * PAGE);
	}
}

static void do_check(void)
{
	struct run run = pick_run();

	for (unsigned int i = run.first; i < run.first + run.count; i++)
		check_page(&arena[i], arena_start + i * PAGE, i);
}

/* A whole page, downwards, as memmove() does it: faults come while the direction flag is set. */
static void do_copy(void)
{
	struct page *from = &arena[below(ARENA)];
	struct page *to = &arena[below(ARENA)];
	char *source = arena_start + (from - arena + 1) * PAGE - 8;
	char *target = arena_start + (to - arena + 1) * PAGE - 8;
	unsigned long words = WORDS;

	if (!readable(from) || !writable(to))
		return;
	__asm__ volatile("std\n\trep movsq\n\tcld"
			 : "+S"(source), "+D"(target), "+c"(words)::"memory");
	to->stamp = from->stamp;
}

/* Eight bytes across two pages want the rights of both. */
static void do_straddle(void)
{
	unsigned int first = below(ARENA - 1);
	char *at = arena_start + (first + 1) * PAGE - 4;
	bool can = readable(&arena[first]) && readable(&arena[first + 1]);

	wanted_result(can ? -EINVAL : -EFAULT, try_read(at));
	if (!writable(&arena[first]) || !writable(&arena[first + 1]))
		wanted_result(-EFAULT, try_write(at));
}

/* The break goes somewhere, to any byte; pages that come back are zero. */
static void do_break(void)
{
	unsigned long before = (heap_bytes + PAGE - 1) / PAGE;
	unsigned long after;

	heap_bytes = below(HEAP * (unsigned int)PAGE + 1);
	after = (heap_bytes + PAGE - 1) / PAGE;
	wanted_result((long)heap_bytes,
		      syscall(SYS_brk, heap_start + heap_bytes) - (long)heap_start);
	for (unsigned long i = after; i < before; i++)
		heap[i] = (struct page){0};
	for (unsigned long i = before; i < after; i++)
		heap[i] = (struct page){.mapped = true, .protection = PROT_READ | PROT_WRITE};
}

static void do_heap(void)
{
	unsigned int i = below(HEAP);

	check_page(&heap[i], heap_start + i * PAGE, i);
	if (heap[i].mapped)
		stamp(&heap[i], heap_start + i * PAGE);
}

/* What is refused, whatever is there. */
static void do_wrong(void)
{
	char *at = arena_start + below(ARENA) * PAGE;
	char *odd = at + 1 + below(PAGE - 1);

	wanted_result(-EINVAL, RETURNED(munmap(odd, PAGE)));
	wanted_result(-EINVAL, RETURNED(syscall(SYS_munmap, at, 0L)));
	wanted_result(-EINVAL, protect(odd, PAGE, PROT_READ));
	wanted_result(0, protect(at, 0, PROT_NONE));
	wanted_result(-EINVAL, RETURNED(madvise(odd, PAGE, MADV_DONTNEED)));
	wanted_result(-EINVAL, RETURNED(mmap(odd, PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0)));
	wanted_result(-EINVAL, RETURNED(mmap(at, PAGE, PROT_NONE, MAP_ANONYMOUS, -1, 0)));
	wanted_result(-EINVAL, RETURNED(mremap(at, PAGE, 0, 0)));
	wanted_result(-EINVAL, RETURNED(mremap(odd, PAGE, PAGE, 0)));
}

static const struct {
	const char *name;
	void (*run)(void);
	unsigned int weight;
} choices[] = {
	{"mmap", do_map, 12},
	{"munmap", do_unmap, 6},
	{"mprotect", do_protect, 10},
	{"madvise", do_discard, 3},
	{"mremap to less", do_shrink, 3},
	{"mremap to more", do_grow, 5},
	{"mremap elsewhere", do_move, 5},
	{"write", do_write, 20},
	{"check", do_check, 10},
	{"copy downwards", do_copy, 10},
	{"access across pages", do_straddle, 5},
	{"brk", do_break, 3},
	{"heap", do_heap, 10},
	{"wrong arguments", do_wrong, 1},
};

#define CHOICES (sizeof(choices) / sizeof(choices[0]))

static void step(void)
{
	unsigned int total = 0, at = 0, chosen;

	for (unsigned int i = 0; i < CHOICES; i++)
		total += choices[i].weight;
	for (chosen = below(total); chosen >= choices[at].weight; at++)
		chosen -= choices[at].weight;
	model_operation = choices[at].name;
	choices[at].run();
}

static void check_all(void)
{
	model_operation = "end";
	for (unsigned int i = 0; i < ARENA; i++)
		check_page(&arena[i], arena_start + i * PAGE, i);
	for (unsigned int i = 0; i < HEAP; i++)
		check_page(&heap[i], heap_start + i * PAGE, i);
}

/* Children that were not waited for yet, in order. */
static pid_t children[CHILDREN];
static unsigned int child_count, depth;

/* What the child ended with is a checksum of all that it has found. */
static void wait_for_child(void)
{
	int status = 0;
	pid_t child = children[0];

	model_operation = "wait";
	wanted("child", (uint64_t)child, (uint64_t)child, (uint64_t)waitpid(child, &status, 0));
	wanted("end of child", (uint64_t)child, 1,
	       WIFEXITED(status) && WEXITSTATUS(status) >= GOOD_STATUS);
	note((uint64_t)status);
	child_count--;
	memmove(children, children + 1, child_count * sizeof(children[0]));
}

static void do_fork(void)
{
	unsigned int operations = 10 + below(40);
	pid_t child;

	if (depth == DEPTH)
		return;
	if (child_count == CHILDREN)
		wait_for_child();
	model_operation = "fork";
	child = fork();
	if (child < 0) {
		perror("torture: fork");
		exit(1);
	}
	if (child) {
		children[child_count++] = child;
		return;
	}
	depth++;
	child_count = 0;
	model_state += depth;
	for (; operations; operations--) {
		step();
		if (!below(24))
			do_fork();
	}
	while (child_count)
		wait_for_child();
	check_all();
	_exit((int)(GOOD_STATUS + model_checksum % GOOD_STATUS));
}

static void start(void)
{
	arena_start = mmap(NULL, (ARENA + 1) * PAGE, PROT_NONE, PRIVATE, -1, 0);
	if (arena_start == MAP_FAILED) {
		perror("torture: mmap");
		exit(1);
	}
	for (unsigned int i = 0; i <= ARENA; i++)
		arena[i] = (struct page){.mapped = true};
	arena[ARENA].piece = ++pieces;
	/* The heap that is used begins at a page. */
	heap_start = (char *)((syscall(SYS_brk, 0L) + PAGE - 1) & -PAGE);
	wanted_result(0, syscall(SYS_brk, heap_start) - (long)heap_start);
}

int main(int argc, char **argv)
{
	struct args args = args_start("torture", argv);
	uint64_t count = 3000, seed = 1, forks = 0;
	const char *argument;
	int status = 0;

	(void)argc;
	while (!status && (argument = args_next(&args))) {
		if (!strcmp(argument, "--seed"))
			status = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					     &seed);
		else if (!strcmp(argument, "--operations"))
			status = args_number(&args, argument, args_next(&args), 0, UINT64_MAX,
					     &count);
		else if (!strcmp(argument, "--forks"))
			status = args_number(&args, argument, args_next(&args), 0, UINT32_MAX,
					     &forks);
		else
			status = args_unknown(&args, argument, "--seed, --operations or --forks");
	}
	if (status)
		return status;
	model_state = seed;
	start();
	while (model_operations < count) {
		step();
		model_operations++;
		if (forks && !below((unsigned int)(count / forks + 1)))
			do_fork();
	}
	while (child_count)
		wait_for_child();
	check_all();
	printf("torture: seed %" PRIu64 ", %" PRIu64 " operations, checksum %016" PRIx64 "\n", seed,
	       count, model_checksum);
	return 0;
}
