/* SPDX-License-Identifier: MIT */
/* The gate, with threads that spin in place of vCPUs that run. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "vmm/gate.h"

#define MEMBERS 4
#define STOPS	300

static struct gate gate;
static struct kvm_run runs[MEMBERS];
static uint64_t rounds[MEMBERS]; /* of each by its own thread, read while it is out */

static bool is_asked_to_leave(struct kvm_run *run)
{
	return __atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED);
}

/* As a vCPU's thread: goes on until the signal, and leaves only then. */
static void *play(void *context)
{
	unsigned int member = (unsigned int)(uintptr_t)context;
	struct kvm_run *run = &runs[member];

	gate_join(&gate, member, run);
	while (gate_enter(&gate, member)) {
		do {
			while (!is_asked_to_leave(run))
				rounds[member]++;
			__atomic_store_n(&run->immediate_exit, 0, __ATOMIC_RELAXED);
		} while (gate_is_open(&gate));
		gate_leave(&gate, member);
	}
	gate_part();
	return NULL;
}

static void begin(pthread_t threads[MEMBERS])
{
	struct message message;

	cr_assert_eq(gate_prepare(&message), 0);
	gate_init(&gate, MEMBERS);
	for (unsigned int i = 0; i < MEMBERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, play, (void *)(uintptr_t)i), 0);
}

static void finish(pthread_t threads[MEMBERS])
{
	gate_end(&gate);
	gate_wait(&gate);
	for (unsigned int i = 0; i < MEMBERS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	gate_destroy(&gate);
}

Test(gate, nobody_is_inside_while_it_is_shut, .timeout = 60)
{
	pthread_t threads[MEMBERS];
	uint64_t before[MEMBERS], moved = 0;

	begin(threads);
	for (unsigned int i = 0; i < MEMBERS; i++)
		cr_expect(gate_start(&gate, i));
	for (int stop = 0; stop < STOPS; stop++) {
		gate_close(&gate);
		gate_wait(&gate);
		cr_assert_eq(gate.inside, 0);
		for (unsigned int i = 0; i < MEMBERS; i++)
			before[i] = rounds[i];
		if (stop % 30 == 0)
			usleep(1000);
		for (unsigned int i = 0; i < MEMBERS; i++)
			cr_assert_eq(rounds[i], before[i]);
		gate_open(&gate);
		if (stop % 30 == 0)
			usleep(1000);
	}
	finish(threads);
	for (unsigned int i = 0; i < MEMBERS; i++)
		moved += rounds[i] > 0;
	cr_expect_eq(moved, MEMBERS);
}

Test(gate, a_member_that_was_not_started_never_goes_in, .timeout = 60)
{
	pthread_t threads[MEMBERS];

	begin(threads);
	cr_expect(gate_start(&gate, 2));
	cr_expect_not(gate_start(&gate, 2), "it was started already");
	cr_expect(gate_is_started(&gate, 2));
	cr_expect_not(gate_is_started(&gate, 1));
	while (!__atomic_load_n(&rounds[2], __ATOMIC_RELAXED))
		usleep(1000);
	finish(threads);
	cr_expect_eq(rounds[0] + rounds[1] + rounds[3], 0);
}

Test(gate, it_ends_although_it_is_shut, .timeout = 60)
{
	pthread_t threads[MEMBERS];

	begin(threads);
	for (unsigned int i = 0; i < MEMBERS; i++)
		gate_start(&gate, i);
	gate_close(&gate);
	cr_expect_not(gate_is_open(&gate));
	cr_expect_not(gate_is_ending(&gate));
	finish(threads);
	cr_expect(gate_is_ending(&gate));
}
