/* SPDX-License-Identifier: MIT */
/* Processes that wait for one another in memory that they share (threads.c). */
#ifndef TESTS_IMAGES_SHARED_WORDS_H
#define TESTS_IMAGES_SHARED_WORDS_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "tests/images/children.h"
#include "tests/images/report.h"

#define PAGE 4096

/* In memory that forks share, at whatever address: what the C library makes of words there. */
struct common {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	sem_t semaphore;
	pthread_barrier_t barrier;
	long count;
};

static struct common *common;

static int counts_with_others(void)
{
	pthread_barrier_wait(&common->barrier);
	for (int i = 0; i < 200; i++) {
		long before;

		pthread_mutex_lock(&common->mutex);
		before = common->count;
		if (i % 50 == 0)
			sched_yield();
		common->count = before + 1;
		pthread_mutex_unlock(&common->mutex);
	}
	sem_post(&common->semaphore);
	return 0;
}

static void make_common(void)
{
	pthread_mutexattr_t mutex_shared;
	pthread_barrierattr_t barrier_shared;

	/* Not at the start of its pages, and not alone among the mappings of its kind. */
	common = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	common = (struct common *)((char *)common + 2 * PAGE + 512);
	pthread_mutexattr_init(&mutex_shared);
	pthread_mutexattr_setpshared(&mutex_shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&common->mutex, &mutex_shared);
	pthread_barrierattr_init(&barrier_shared);
	pthread_barrierattr_setpshared(&barrier_shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&common->barrier, &barrier_shared, 3);
	sem_init(&common->semaphore, 1, 0);
}

static void check_shared(struct report *report)
{
	pid_t children[3];
	long ended = 0;

	make_common();
	for (int i = 0; i < 3; i++)
		children[i] = child_start(counts_with_others);
	for (int i = 0; i < 3; i++)
		sem_wait(&common->semaphore);
	for (int i = 0; i < 3; i++)
		ended += child_end(children[i]);
	report_value(report, "processes wait for one another", ended, 0);
	report_value(report, "and one at a time counts", common->count, 3 * 200);
}

#endif
