/* SPDX-License-Identifier: MIT */
/*
 * forks [PAGES [CHILDREN [SEED]]]: a process fills memory and forks, children and grandchildren
 * write some of their copies, and protect, empty and replace others; each of them knows what every
 * page must have, looks at all of them now and then, and says at its end what it has seen: a
 * checksum of what it has, in the order of the forks. A mapping that all share is beside it. Status
 * 0, or 1 and a line for each page that was wrong. What is printed depends on the arguments alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hpt/mix.h"

#define PAGE   4096
#define WORDS  (PAGE / sizeof(uint64_t))
#define SHARED 16 /* pages that all have */
#define STEPS  4  /* of work, with a look behind each */
#define DEPTH  2  /* of forks below the first process */

static uint64_t pages = 512, children = 3, seed = 1;
static uint64_t *memory;
static uint64_t *shared;
static uint32_t *version; /* of each page: what is written in it; 0: zeros */
static uint64_t random_state;

static uint64_t next_random(void)
{
	return mix64_next(&random_state);
}

static uint64_t *page_at(uint64_t page)
{
	return memory + page * WORDS;
}

/* First, last and one word between say which page it is and what was written last. */
static uint64_t word_of(uint64_t page, uint32_t written, unsigned int word)
{
	return written ? mix64(page << 32 ^ written) + word : 0;
}

static const unsigned int looked_at[] = {0, 200, WORDS - 1};

static void write_page(uint64_t page, uint32_t written)
{
	version[page] = written;
	for (unsigned int i = 0; i < 3; i++)
		page_at(page)[looked_at[i]] = word_of(page, written, looked_at[i]);
}

static int wrong;

static void failed(const char *call)
{
	printf("%s failed: %s\n", call, strerror(errno));
	wrong = 1;
}

static uint64_t look(void)
{
	uint64_t sum = 0;

	for (uint64_t page = 0; page < pages; page++) {
		for (unsigned int i = 0; i < 3; i++) {
			uint64_t found = page_at(page)[looked_at[i]];
			uint64_t wanted = word_of(page, version[page], looked_at[i]);

			sum = sum * 31 + found;
			if (found == wanted)
				continue;
			printf("page %" PRIu64 ", word %u: found %" PRIx64 ", wanted %" PRIx64 "\n",
			       page, looked_at[i], found, wanted);
			wrong = 1;
		}
	}
	return sum;
}

/* Pages are given back and are zeros then. */
static void forget(uint64_t page)
{
	if (madvise(page_at(page), PAGE, MADV_DONTNEED))
		failed("madvise");
	version[page] = 0;
}

/* For reading only and back: what was written stays. */
static void protect(uint64_t page)
{
	if (mprotect(page_at(page), PAGE, PROT_READ) ||
	    mprotect(page_at(page), PAGE, PROT_READ | PROT_WRITE))
		failed("mprotect");
}

/* Another mapping in the place of the page. */
static void replace(uint64_t page)
{
	if (mmap(page_at(page), PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page_at(page))
		failed("mmap");
	version[page] = 0;
}

static void work(void)
{
	for (uint64_t i = 0; i < pages / 4; i++) {
		uint64_t page = next_random() % pages;
		uint64_t what = next_random() % 32;

		if (what == 0)
			forget(page);
		else if (what == 1)
			protect(page);
		else if (what == 2)
			replace(page);
		else
			write_page(page, (uint32_t)next_random() | 1);
	}
}

static void live(unsigned int depth);

/* One child after the other, so that what they say is in order. */
static void fork_children(unsigned int depth)
{
	for (uint64_t i = 0; i < children; i++) {
		pid_t child;
		int status = 0;

		fflush(stdout);
		child = fork();
		if (child == 0) {
			random_state = mix64(random_state + i + 1);
			__atomic_add_fetch(&shared[depth * WORDS], i + 1, __ATOMIC_SEQ_CST);
			live(depth + 1);
			fflush(stdout);
			_exit(wrong);
		}
		/* The parent works while the child does. */
		work();
		if (child < 0 || waitpid(child, &status, 0) != child || status) {
			printf("a child was not well: status %x\n", (unsigned int)status);
			wrong = 1;
		}
		look();
	}
}

static void live(unsigned int depth)
{
	for (unsigned int step = 0; step < STEPS; step++) {
		work();
		look();
		if (depth < DEPTH && step == STEPS / 2)
			fork_children(depth);
	}
	printf("depth %u: %016" PRIx64 "\n", depth, look());
}

static void *map(uint64_t bytes, int flags)
{
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (address != MAP_FAILED)
		return address;
	perror("forks: mmap");
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		pages = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		children = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		seed = strtoull(argv[3], NULL, 10);
	memory = map(pages * PAGE, MAP_PRIVATE);
	version = map(pages * sizeof(*version), MAP_PRIVATE);
	shared = map(SHARED * PAGE, MAP_SHARED);
	random_state = mix64(seed);
	for (uint64_t page = 0; page < pages; page++)
		write_page(page, (uint32_t)next_random() | 1);
	live(0);
	for (unsigned int depth = 0; depth < DEPTH; depth++)
		printf("shared %u: %" PRIu64 "\n", depth, shared[depth * WORDS]);
	return wrong;
}
