/* SPDX-License-Identifier: MIT */
/*
 * Children of probes. They report nothing themselves: a child ends with a status, which its parent
 * checks. What parent and child tell each other meanwhile stands in memory that they share.
 */
#ifndef TESTS_IMAGES_CHILDREN_H
#define TESTS_IMAGES_CHILDREN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLED_BY(signal) (1000 + (signal))

/* Both are there from children_start() on. */
struct children_words {
	volatile unsigned int step; /* how far they are: see children_reach() */
	volatile long value[8];
};

static struct children_words *words;

/* False where there is no memory that could be shared. */
static inline bool children_start(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	words = at == MAP_FAILED ? NULL : at;
	return words;
}

static inline void doze(long ns)
{
	struct timespec time = {.tv_nsec = ns};

	nanosleep(&time, NULL);
}

/* Tells the others that this step is reached; waits until another has told. */
static inline void children_reach(unsigned int step)
{
	__atomic_store_n(&words->step, step, __ATOMIC_SEQ_CST);
}

static inline void children_await(unsigned int step)
{
	while (__atomic_load_n(&words->step, __ATOMIC_SEQ_CST) < step)
		doze(1000000);
}

/* A child that ends with what @run returns. Its number, or -1. */
static inline pid_t child_start(int (*run)(void))
{
	pid_t number;

	if (words)
		words->step = 0;
	number = fork();
	if (number == 0)
		_exit(run());
	return number;
}

/* What a child ended with, or KILLED_BY(its signal); -1 where there is none. */
static inline long child_end(pid_t number)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(number, &status, 0);
	while (ended == -1 && errno == EINTR);
	if (ended != number || number == -1)
		return -1;
	return WIFSIGNALED(status) ? KILLED_BY(WTERMSIG(status)) : WEXITSTATUS(status);
}

static inline long child_result(int (*run)(void))
{
	return child_end(child_start(run));
}

#endif
