/* SPDX-License-Identifier: MIT */
/*
 * Threads: those of the C library, words they wait for, signals to one of them, and how a process
 * of several ends. Processes that wait for one another's words are here as well.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "tests/images/children.h"
#include "tests/images/handlers.h"
#include "tests/images/report.h"
#include "tests/images/shared_words.h"

#define THREADS 8
#define ROUNDS	1000
#define MS	1000000L
#define MANY	10
#define TURNS	5

#define FUTEX_WAIT	      0
#define FUTEX_WAKE	      1
#define FUTEX_REQUEUE	      3
#define FUTEX_COMPARE_REQUEUE 4
#define FUTEX_WAIT_BITSET     9
#define FUTEX_WAKE_BITSET     10
#define EVERY_BIT	      0xffffffff

static pthread_t threads[THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static volatile long plain, turns;
static long atomic_count;
static __thread long own = 5;

static void start(void *(*run)(void *), int count)
{
	for (long i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, run, (void *)i)) {
			perror("threads: pthread_create");
			exit(1);
		}
	}
}

/* The sum of what they return. */
static long join(int count)
{
	long sum = 0;
	void *result;

	for (int i = 0; i < count; i++) {
		if (pthread_join(threads[i], &result))
			return -1;
		sum += (long)result;
	}
	return sum;
}

static void *count_up(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_fetch_add(&atomic_count, 1, __ATOMIC_RELAXED);
		own++;
		if (i % 20 == 0) {
			pthread_mutex_lock(&mutex);
			plain++;
			pthread_mutex_unlock(&mutex);
		}
	}
	return (void *)(own + (long)argument);
}

static void *number_of(void *argument)
{
	(void)argument;
	return (void *)(long)(syscall(SYS_gettid) != getpid());
}

static void *leave_at_once(void *argument)
{
	pthread_exit(argument);
}

static void *touch_stack(void *argument)
{
	volatile char much[48 * 1024];

	for (unsigned int i = 0; i < sizeof(much); i += PAGE)
		much[i] = (char)i;
	return (void *)(long)(much[PAGE] == 0 && argument != &much);
}

static void check_threads(struct report *report)
{
	pthread_attr_t attributes;

	start(count_up, THREADS);
	report_value(report, "each has data of its own", join(THREADS),
		     THREADS * (5 + ROUNDS) + THREADS * (THREADS - 1) / 2);
	report_value(report, "what they all count", atomic_count, THREADS * ROUNDS);
	report_value(report, "what a mutex protects", plain, THREADS * ROUNDS / 20);
	report_value(report, "the data of the first", own, 5);
	start(number_of, THREADS);
	report_value(report, "each has a number of its own", join(THREADS), THREADS);
	start(leave_at_once, 3);
	report_value(report, "what pthread_exit() gives", join(3), 3);
	start(touch_stack, THREADS);
	report_value(report, "each has a stack", join(THREADS), THREADS);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	atomic_count = 0;
	for (int i = 0; i < MANY; i++) {
		while (pthread_create(&threads[0], &attributes, count_up, NULL))
			doze(MS);
	}
	while (__atomic_load_n(&atomic_count, __ATOMIC_RELAXED) < MANY * ROUNDS)
		doze(MS);
	report_value(report, "many that nobody waits for", atomic_count, MANY * ROUNDS);
}

static void *take_turns(void *argument)
{
	for (int i = 0; i < TURNS; i++) {
		pthread_mutex_lock(&mutex);
		while (turns % THREADS != (long)argument)
			pthread_cond_wait(&changed, &mutex);
		turns++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *meet(void *argument)
{
	long together = 0;

	for (long i = 0; i < TURNS; i++) {
		__atomic_fetch_add(&atomic_count, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&barrier);
		together += __atomic_load_n(&atomic_count, __ATOMIC_SEQ_CST) == THREADS * (i + 1);
		pthread_barrier_wait(&barrier);
	}
	return (void *)(together + 0 * (long)argument);
}

static sem_t semaphore;

static void *post(void *argument)
{
	for (int i = 0; i < 20; i++) {
		sem_post(&semaphore);
		if (i % 4 == (long)argument)
			sched_yield();
	}
	return NULL;
}

static struct timespec soon(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += 2 * MS;
	time.tv_sec += time.tv_nsec / (1000 * MS);
	time.tv_nsec %= 1000 * MS;
	return time;
}

static void check_waits(struct report *report)
{
	struct timespec time;
	int got = 0;

	start(take_turns, THREADS);
	join(THREADS);
	report_value(report, "turns by a condition", turns, THREADS * TURNS);
	atomic_count = 0;
	pthread_barrier_init(&barrier, NULL, THREADS);
	start(meet, THREADS);
	report_value(report, "all meet at a barrier", join(THREADS), THREADS * TURNS);
	sem_init(&semaphore, 0, 0);
	start(post, 4);
	while (got < 80 && sem_wait(&semaphore) == 0)
		got++;
	join(4);
	report_value(report, "a semaphore lets in as many as are posted", got, 80);
	report_call(report, "and no more", sem_trywait(&semaphore), EAGAIN);
	time = soon();
	report_call(report, "not later either", sem_timedwait(&semaphore, &time), ETIMEDOUT);
	pthread_mutex_lock(&mutex);
	time = soon();
	report_value(report, "a condition that never comes",
		     pthread_cond_timedwait(&changed, &mutex, &time), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static uint32_t word[2];
static volatile long waiting;

static long futex(void *at, int operation, uint32_t value, const void *timeout, void *other,
		  uint32_t bits)
{
	return syscall(SYS_futex, at, operation, value, timeout, other, bits);
}

/* Waits for its own bit, and for which of both words it is woken nobody asks. */
static void *wait_for_bit(void *argument)
{
	__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	return (void *)(long)(futex(word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1u << (long)argument) ==
			      0);
}

/* Starts waiters, and goes on when they wait: this is not seen but by waking them. */
static void start_waiters(int count)
{
	waiting = 0;
	start(wait_for_bit, count);
	while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < count)
		doze(MS);
	doze(20 * MS);
}

static void check_futex(struct report *report)
{
	start_waiters(6);
	report_value(report, "none of another word", futex(&word[1], FUTEX_WAKE, 9, 0, 0, 0), 0);
	report_value(report, "none by a bit that none has",
		     futex(word, FUTEX_WAKE_BITSET, 9, 0, 0, 1 << 6), 0);
	report_value(report, "one by its bit", futex(word, FUTEX_WAKE_BITSET, 9, 0, 0, 1 << 4), 1);
	report_value(report, "two of five", futex(word, FUTEX_WAKE, 2, 0, 0, 0), 2);
	report_value(report, "three that are left", futex(word, FUTEX_WAKE, 9, 0, 0, 0), 3);
	report_value(report, "nobody then", futex(word, FUTEX_WAKE, 9, 0, 0, 0), 0);
	report_value(report, "each says that it was woken", join(6), 6);
	start_waiters(6);
	report_call(report, "requeued, had the word another value",
		    futex(word, FUTEX_COMPARE_REQUEUE, 1, (void *)9, &word[1], 77), EAGAIN);
	report_value(report, "one woken, three requeued",
		     futex(word, FUTEX_COMPARE_REQUEUE, 1, (void *)3, &word[1], 0), 4);
	report_value(report, "two are left", futex(word, FUTEX_WAKE, 9, 0, 0, 0), 2);
	report_value(report, "three there", futex(&word[1], FUTEX_WAKE, 9, 0, 0, 0), 3);
	report_value(report, "each was woken", join(6), 6);
	start_waiters(4);
	report_value(report, "all requeued", futex(word, FUTEX_REQUEUE, 0, (void *)9, &word[1], 0),
		     4);
	report_value(report, "all by their bits",
		     futex(&word[1], FUTEX_WAKE_BITSET, 9, 0, 0, EVERY_BIT), 4);
	report_value(report, "and woken", join(4), 4);
}

static void *blocks_signal(void *argument)
{
	sigset_t set = set_of(SIGUSR1);

	pthread_sigmask((long)argument == 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
	pthread_barrier_wait(&barrier);
	while (!turns)
		doze(MS);
	return (void *)own;
}

static void note_thread(int signal)
{
	note(signal);
	own = 100;
}

static void *sleeps(void *argument)
{
	(void)argument;
	for (;;)
		sleep(1000);
	return NULL;
}

static void check_signals(struct report *report)
{
	void *result;

	mask(SIG_BLOCK, SIGUSR1);
	handle(SIGUSR1, note_thread, 0);
	turns = 0;
	pthread_barrier_init(&barrier, NULL, 5);
	start(blocks_signal, 4);
	pthread_barrier_wait(&barrier);
	kill(getpid(), SIGUSR1);
	while (!caught)
		doze(MS);
	turns = 1;
	report_value(report, "the thread that does not block it has it", join(4), 100 + 3 * 5);
	report_value(report, "once", caught, 1);
	turns = 0;
	start(blocks_signal, 4);
	pthread_barrier_wait(&barrier);
	report_value(report, "to one thread", pthread_kill(threads[2], SIGUSR1), 0);
	while (caught < 2)
		doze(MS);
	turns = 1;
	join(4);
	report_true(report, "nobody else", caught == 2 && !is_pending(SIGUSR1));
	mask(SIG_UNBLOCK, SIGUSR1);
	start(sleeps, 1);
	doze(MS);
	report_value(report, "a thread is cancelled", pthread_cancel(threads[0]), 0);
	pthread_join(threads[0], &result);
	report_true(report, "as it says", result == PTHREAD_CANCELED);
	handle(SIGUSR1, SIG_DFL, 0);
}

static void *busy(void *argument)
{
	for (volatile long i = (long)argument; words; i++)
		turns++;
	return NULL;
}

static void *ends_all(void *argument)
{
	(void)argument;
	doze(5 * MS);
	_exit(17);
}

/* One runs, one sleeps, one waits for a word, and one ends them all. */
static int ended_by_one(void)
{
	word[0] = 0;
	start(busy, 1);
	start(sleeps, 1);
	start(wait_for_bit, 1);
	start(ends_all, 1);
	return (int)join(1);
}

static void *faults(void *argument)
{
	char *volatile nowhere = argument;

	doze(5 * MS);
	*nowhere = 1;
	return NULL;
}

static int faulted_by_one(void)
{
	start(busy, 1);
	start(sleeps, 1);
	start(faults, 1);
	return (int)join(1);
}

static int killed_with_threads(void)
{
	start(busy, 2);
	start(sleeps, 2);
	children_reach(1);
	return (int)join(1);
}

static void *outlives(void *argument)
{
	(void)argument;
	doze(10 * MS);
	_exit(23);
}

static int first_leaves(void)
{
	start(outlives, 1);
	pthread_exit(NULL);
}

static void *leaves_last(void *argument)
{
	(void)argument;
	doze(10 * MS);
	syscall(SYS_exit, 4);
	return NULL;
}

/* By the system call: what the C library does would not be the last one's. */
static int all_leave(void)
{
	start(leaves_last, 2);
	return (int)syscall(SYS_exit, 4);
}

static void *forks(void *argument)
{
	/* The child has this thread only, so nobody counts. */
	pid_t child = fork();

	if (child == 0) {
		long before = turns;

		doze(5 * MS);
		_exit(turns == before && syscall(SYS_gettid) == getpid() ? 31 : 1);
	}
	(void)argument;
	return (void *)(long)child;
}

static int forks_beside(void)
{
	void *child;

	start(busy, 1);
	pthread_create(&threads[1], NULL, forks, NULL);
	pthread_join(threads[1], &child);
	/* Another thread than the one that forked waits for it. */
	return (int)child_end((pid_t)(long)child);
}

static void check_ends(struct report *report)
{
	pid_t child;

	report_value(report, "by one of its threads", child_result(ended_by_one), 17);
	report_value(report, "by a fault of one", child_result(faulted_by_one), KILLED_BY(SIGSEGV));
	child = child_start(killed_with_threads);
	children_await(1);
	kill(child, SIGTERM);
	report_value(report, "by a signal", child_end(child), KILLED_BY(SIGTERM));
	report_value(report, "the first thread goes, the process does not",
		     child_result(first_leaves), 23);
	report_value(report, "all threads go", child_result(all_leave), 4);
	report_value(report, "a fork by one, waited for by another", child_result(forks_beside),
		     31);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"threads", check_threads},
		{"waits", check_waits},
		{"futex", check_futex},
		{"signals", check_signals},
		{"ends", check_ends},
		{"shared", check_shared},
		{NULL, NULL},
	};
	struct args args = args_start("threads", argv);

	(void)argc;
	if (!children_start()) {
		perror("threads: mmap");
		return 1;
	}
	return report_main(&args, sections);
}
