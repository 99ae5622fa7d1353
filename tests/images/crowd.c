/* SPDX-License-Identifier: MIT */
/*
 * Threads that change one address space at once: each its own part of an arena, which it maps,
 * unmaps, protects, forgets and writes at random, with contents and rights checked; all read pages
 * that nobody writes, and count in pages that everybody does. Now and then one forks, and the child
 * finds that thread's part as it was, whatever the others do meanwhile.
 *
 *     crowd [--threads N=4] [--operations N=400] [--forks N=2] [--seed N=1]
 *
 * Operations and forks are each thread's. Prints a checksum, which depends on the arguments alone.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "images/common/args.h"
#include "tests/images/torture_model.h"

#define THREADS_MAX 16
#define PART	    64 /* pages of the arena that a thread has */
#define RUN	    12 /* pages of one operation, at most */
#define COMMON	    64 /* pages of either kind that all use */
#define PRIVATE	    (MAP_PRIVATE | MAP_ANONYMOUS)

struct part {
	pthread_t thread;
	char *at;
	uint64_t state, checksum;
	uint64_t operation;
	struct page pages[PART];
	unsigned int number;
};

static struct part parts[THREADS_MAX];
static pthread_barrier_t all_there;
static const volatile char *quiet; /* zero, and only read */
static uint64_t *busy;		   /* a counter in each page */
static uint64_t thread_count = 4, operations = 400, forks = 2, seed = 1;

static unsigned int pick(struct part *part, unsigned int limit)
{
	return (unsigned int)(mix64_next(&part->state) % limit);
}

static void expect(struct part *part, const char *what, unsigned int page, uint64_t want,
		   uint64_t found)
{
	part->checksum = (part->checksum ^ found) * UINT64_C(0x100000001b3);
	if (want == found)
		return;
	printf("crowd: thread %u, operation %" PRIu64 ": %s of page %u: found %" PRIx64
	       ", wanted %" PRIx64 "\n",
	       part->number, part->operation, what, page, found, want);
	exit(1);
}

static void check(struct part *part, unsigned int i)
{
	const struct page *page = &part->pages[i];
	char *at = part->at + i * PAGE;
	const volatile uint64_t *words = (const uint64_t *)(uintptr_t)at;

	expect(part, "reading", i, (uint64_t)(readable(page) ? -EINVAL : -EFAULT),
	       (uint64_t)try_read(at));
	if (readable(page)) {
		expect(part, "first word", i, page->stamp, words[0]);
		expect(part, "word before last", i, page->stamp, words[LAST_WORD - 1]);
	}
	if (!writable(page))
		expect(part, "writing", i, (uint64_t)-EFAULT,
		       (uint64_t)try_write(at + LAST_WORD * 8));
}

static void write_page(struct part *part, unsigned int i)
{
	volatile uint64_t *words = (uint64_t *)(uintptr_t)(part->at + i * PAGE);
	struct page *page = &part->pages[i];

	if (!writable(page))
		return;
	page->stamp = mix64_next(&part->state);
	words[0] = words[LAST_WORD - 1] = page->stamp;
}

static int pick_protection(struct part *part)
{
	static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
					  PROT_READ | PROT_WRITE};

	return protections[pick(part, 4)];
}

/* What one operation does to a run of pages; the model follows. */
static void change(struct part *part)
{
	unsigned int first = pick(part, PART), count = 1 + pick(part, RUN);
	int protection = pick_protection(part);
	unsigned int what = pick(part, 8);
	char *at = part->at + first * PAGE;
	bool mapped = true;
	size_t size;

	if (count > PART - first)
		count = PART - first;
	size = count * (size_t)PAGE;
	for (unsigned int i = first; i < first + count; i++)
		mapped &= part->pages[i].mapped;
	if (what == 0)
		expect(part, "munmap", first, 0, (uint64_t)RETURNED(munmap(at, size)));
	else if (what == 1)
		expect(part, "mmap", first, 1,
		       mmap(at, size, protection, PRIVATE | MAP_FIXED, -1, 0) == at);
	else if (what == 2 && mapped)
		expect(part, "madvise", first, 0,
		       (uint64_t)RETURNED(madvise(at, size, MADV_DONTNEED)));
	else if (what == 3 && mapped)
		expect(part, "mprotect", first, 0,
		       (uint64_t)RETURNED(mprotect(at, size, protection)));
	for (unsigned int i = first; i < first + count; i++) {
		struct page *page = &part->pages[i];

		if (what <= 1)
			*page = (struct page){.mapped = what, .protection = protection};
		else if (what == 2 && mapped)
			page->stamp = 0;
		else if (what == 3 && mapped)
			page->protection = protection;
		else if (what < 6)
			write_page(part, i);
		else
			check(part, i);
	}
}

static void use_common(struct part *part)
{
	unsigned int i = pick(part, COMMON);

	expect(part, "quiet byte", i, 0, (uint64_t)quiet[i * PAGE + pick(part, PAGE)]);
	__atomic_fetch_add(&busy[i * WORDS], 1, __ATOMIC_RELAXED);
}

/* The child has this thread alone, and all memory as it is now. */
static void fork_and_check(struct part *part)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		for (unsigned int i = 0; i < PART; i++) {
			check(part, i);
			write_page(part, i);
			check(part, i);
		}
		_exit(77);
	}
	/* What the child writes is not seen here, and what is written here not there. */
	for (unsigned int i = 0; i < PART; i++)
		write_page(part, i);
	expect(part, "child", 0, 1, child > 0 && waitpid(child, &status, 0) == child);
	expect(part, "child's status", 0, 77, (uint64_t)WEXITSTATUS(status));
}

static void *live(void *argument)
{
	struct part *part = argument;

	/* Or the next one's stack would be where this one has just unmapped something. */
	pthread_barrier_wait(&all_there);
	for (; part->operation < operations; part->operation++) {
		change(part);
		use_common(part);
		if (forks && !pick(part, (unsigned int)(operations / forks + 1)))
			fork_and_check(part);
	}
	for (unsigned int i = 0; i < PART; i++)
		check(part, i);
	return NULL;
}

static bool start(void)
{
	size_t size = thread_count * PART * PAGE;
	char *arena = mmap(NULL, size, PROT_NONE, PRIVATE, -1, 0);
	void *common[2];

	for (int i = 0; i < 2; i++)
		common[i] = mmap(NULL, COMMON * PAGE, PROT_READ | PROT_WRITE, PRIVATE, -1, 0);
	quiet = common[0];
	busy = common[1];
	if (arena == MAP_FAILED || quiet == MAP_FAILED || busy == MAP_FAILED)
		return false;
	for (unsigned int i = 0; i < thread_count; i++) {
		parts[i] = (struct part){
			.number = i, .at = arena + i * PART * PAGE, .state = seed + i};
		for (unsigned int k = 0; k < PART; k++)
			parts[i].pages[k] = (struct page){.mapped = true, .protection = PROT_NONE};
	}
	return true;
}

static int read_arguments(struct args *args)
{
	const char *argument;
	int error = 0;

	while (!error && (argument = args_next(args))) {
		uint64_t max = UINT32_MAX, min = 0, *to = NULL;

		if (!strcmp(argument, "--threads")) {
			to = &thread_count;
			min = 1;
			max = THREADS_MAX;
		} else if (!strcmp(argument, "--operations")) {
			to = &operations;
		} else if (!strcmp(argument, "--forks")) {
			to = &forks;
		} else if (!strcmp(argument, "--seed")) {
			to = &seed;
		}
		error = to ? args_number(args, argument, args_next(args), min, max, to)
			   : args_unknown(args, argument,
					  "--threads, --operations, --forks or --seed");
	}
	return error;
}

int main(int argc, char **argv)
{
	struct args args = args_start("crowd", argv);
	int error = read_arguments(&args);
	uint64_t checksum = 0, counted = 0;

	(void)argc;
	if (error)
		return error;
	if (!start()) {
		perror("crowd: mmap");
		return 1;
	}
	pthread_barrier_init(&all_there, NULL, (unsigned int)thread_count);
	for (unsigned int i = 0; i < thread_count; i++) {
		if (pthread_create(&parts[i].thread, NULL, live, &parts[i])) {
			perror("crowd: pthread_create");
			return 1;
		}
	}
	for (unsigned int i = 0; i < thread_count; i++) {
		pthread_join(parts[i].thread, NULL);
		checksum = checksum * 31 + parts[i].checksum;
	}
	for (unsigned int i = 0; i < COMMON; i++)
		counted += busy[i * WORDS];
	printf("crowd: %" PRIu64 " threads, %" PRIu64 " of %" PRIu64
	       " counted, checksum %016" PRIx64 "\n",
	       thread_count, counted, thread_count * operations, checksum);
	return counted == thread_count * operations ? 0 : 1;
}
