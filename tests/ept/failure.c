/* SPDX-License-Identifier: MIT */
/* Misses that cannot be resolved: told once, and the access fails instead of hanging. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/ept/guest.h"

static struct ept ept;
static atomic_uint failures;
static _Atomic gpa_t failed_gpa;

static void failed(void *context, const char *reason, gpa_t gpa)
{
	cr_assert_eq(context, &failures);
	cr_assert_not_null(reason);
	failed_gpa = gpa;
	failures++;
}

static struct ept_config config_of_frames(enum hpt_organisation organisation, uint64_t frames)
{
	struct ept_config config = guest_config(organisation, 64 * MIB);

	config.host_mem = frames * PAGE;
	config.failed = failed;
	config.context = &failures;
	return config;
}

EACH_ORGANISATION(a_guest_without_host_memory_is_told_once_and_released)
{
	struct ept_config config = config_of_frames(*organisation, 8);
	gpa_t gpa = 0;

	guest_create(&ept, &config);
	for (uint64_t i = 0; i < 8; i++)
		guest_store(&ept, i * PAGE, i);
	cr_assert_eq(failures, 0);
	cr_assert_null(ept_failure(&ept, &gpa));

	cr_assert(guest_store_fails(&ept, 10 * MIB + 3 * PAGE));
	cr_assert_eq(failures, 1);
	cr_assert_eq(failed_gpa, 10 * MIB + 3 * PAGE);
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "--host-mem"));
	cr_assert_eq(gpa, 10 * MIB + 3 * PAGE);

	cr_assert(guest_store_fails(&ept, 20 * MIB));
	cr_assert(guest_store_fails(&ept, 20 * MIB));
	cr_assert_eq(failures, 1);
	cr_assert_eq(guest_counts(&ept).frames, 8);
	cr_assert_eq(guest_counts(&ept).misses, 8);
	cr_assert_eq(ept_copy_in(&ept, 30 * MIB, &gpa, 8), -ENOMEM);
	cr_assert_eq(ept_copy_in(&ept, 7 * PAGE, &gpa, 8), 0);

	/* What the guest had stays in other blocks. */
	cr_assert_eq(guest_load(&ept, 5 * PAGE), 5);
	ept_destroy(&ept);
}

EACH_ORGANISATION(without_anyone_to_tell_the_access_is_released_all_the_same)
{
	struct ept_config config = config_of_frames(*organisation, 1);
	gpa_t gpa;

	config.failed = NULL;
	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	cr_assert(guest_store_fails(&ept, PAGE));
	cr_assert_not_null(ept_failure(&ept, &gpa));
	cr_assert_eq(gpa, PAGE);
	ept_destroy(&ept);
}

static pthread_barrier_t barrier;

static void *store_beyond(void *argument)
{
	gpa_t gpa = (uintptr_t)argument;

	pthread_barrier_wait(&barrier);
	return guest_store_fails(&ept, gpa) ? argument : NULL;
}

EACH_ORGANISATION(all_threads_that_wait_are_released)
{
	enum { THREADS = 8 };
	struct ept_config config = config_of_frames(*organisation, 1);
	pthread_t threads[THREADS];
	void *result;

	guest_create(&ept, &config);
	guest_store(&ept, 60 * MIB, 1);
	pthread_barrier_init(&barrier, NULL, THREADS);
	/* Two on each page, two pages in each block. */
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, store_beyond,
			       (void *)(i / 4 * 8 * MIB + (i / 2 % 2 + 1) * PAGE));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		cr_assert_not_null(result);
	}
	cr_assert_eq(failures, 1);
	cr_assert_eq(guest_counts(&ept).frames, 1);
	cr_assert_eq(guest_load(&ept, 60 * MIB), 1);
	pthread_barrier_destroy(&barrier);
	ept_destroy(&ept);
}

EACH_ORGANISATION(all_of_host_memory_can_be_used)
{
	struct ept_config config = config_of_frames(*organisation, 700);

	guest_create(&ept, &config);
	for (uint64_t i = 0; i < 700; i++)
		guest_store(&ept, i * 5 * PAGE, i);
	for (uint64_t i = 0; i < 700; i++)
		cr_assert_eq(guest_load(&ept, i * 5 * PAGE), i);
	cr_assert_eq(failures, 0);
	cr_assert_eq(guest_counts(&ept).frames, 700);
	ept_destroy(&ept);
}
