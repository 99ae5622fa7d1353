/* SPDX-License-Identifier: MIT */
/* Misses: what the guest's touches do to table, frames and counts. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/ept/guest.h"

static struct ept ept;

EACH_ORGANISATION(a_first_touch_is_one_miss)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	struct ept_counts counts;

	guest_create(&ept, &config);
	for (gpa_t gpa = 0; gpa < 4 * MIB; gpa += PAGE) {
		cr_assert_eq(guest_load(&ept, gpa), 0);
		guest_store(&ept, gpa + 8, gpa);
		counts = guest_counts(&ept);
		cr_assert_eq(counts.touches, gpa / PAGE + 1);
		cr_assert_eq(counts.misses, gpa / PAGE + 1);
	}
	cr_assert_eq(counts.repeats, 0);
	cr_assert_eq(counts.blocks, 2);
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}

EACH_ORGANISATION(what_the_guest_stores_is_in_the_frame_that_the_table_names)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);

	guest_create(&ept, &config);
	for (gpa_t gpa = 0; gpa < 8 * MIB; gpa += 5 * PAGE) {
		guest_store(&ept, gpa, gpa + 1);
		cr_assert_eq(frame_word(&ept, gpa), gpa + 1);
	}
	ept_destroy(&ept);
}

EACH_ORGANISATION(what_stands_in_the_frame_is_what_the_guest_loads)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);

	guest_create(&ept, &config);
	for (gpa_t gpa = 0; gpa < 8 * MIB; gpa += 5 * PAGE) {
		uint64_t value = gpa + 1;

		cr_assert_eq(guest_load(&ept, gpa), 0);
		memcpy(ept_pool_frame(&ept.pool, guest_frame(&ept, gpa)), &value, sizeof(value));
		cr_assert_eq(guest_load(&ept, gpa), value);
	}
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_page_has_no_entry_before_its_touch)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	uint64_t hfn;

	guest_create(&ept, &config);
	guest_store(&ept, PAGE, 1);
	cr_assert_eq(ept_translate(&ept, 0, &hfn), -ENOENT);
	cr_assert_eq(ept_translate(&ept, 2 * PAGE, &hfn), -ENOENT);
	cr_assert_eq(ept_translate(&ept, 4 * MIB, &hfn), -ENOENT);
	cr_assert_eq(ept_translate(&ept, UINT64_MAX, &hfn), -ENOENT);
	cr_assert_eq(ept_translate(&ept, 2 * PAGE - 1, &hfn), 0);
	cr_assert_eq(guest_counts(&ept).misses, 1);
	ept_destroy(&ept);
}

EACH_ORGANISATION(no_two_pages_share_a_frame)
{
	struct ept_config config = guest_config(*organisation, 64 * MIB);
	uint64_t pages = 64 * MIB / PAGE;
	bool *taken = calloc(pages, sizeof(*taken));

	guest_create(&ept, &config);
	for (uint64_t i = 0; i < pages; i += 3) {
		uint64_t frame;

		guest_store(&ept, i * PAGE, i);
		frame = guest_frame(&ept, i * PAGE);
		cr_assert_not(taken[frame]);
		taken[frame] = true;
	}
	free(taken);
	ept_destroy(&ept);
}

/* The kernel does so when it reclaims memory: the page is there, the page-table entry is not. */
EACH_ORGANISATION(a_page_that_the_window_lost_is_a_repeat_and_keeps_its_content)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	uint64_t frame;

	guest_create(&ept, &config);
	guest_store(&ept, 3 * PAGE, 77);
	frame = guest_frame(&ept, 3 * PAGE);
	cr_assert_eq(madvise(ept_window_address(&ept, 0), 2 * MIB, MADV_DONTNEED), 0);
	cr_assert_eq(guest_load(&ept, 3 * PAGE), 77);
	cr_assert_eq(guest_frame(&ept, 3 * PAGE), frame);
	cr_assert_eq(guest_counts(&ept).repeats, 1);
	cr_assert_eq(guest_counts(&ept).touches, 1);
	ept_destroy(&ept);
}

struct racer {
	pthread_barrier_t *barrier;
	uint64_t pages;
	uint64_t value;
};

static void *race(void *argument)
{
	struct racer *racer = argument;

	for (uint64_t i = 0; i < racer->pages; i++) {
		pthread_barrier_wait(racer->barrier);
		guest_store(&ept, i * PAGE + 8 * racer->value, racer->value);
	}
	return NULL;
}

EACH_ORGANISATION(two_threads_that_miss_on_one_page_get_one_frame)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	pthread_barrier_t barrier;
	struct racer racers[2] = {{&barrier, 1000, 1}, {&barrier, 1000, 2}};
	pthread_t threads[2];

	guest_create(&ept, &config);
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, race, &racers[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t i = 0; i < 1000; i++) {
		cr_assert_eq(guest_load(&ept, i * PAGE + 8), 1);
		cr_assert_eq(guest_load(&ept, i * PAGE + 16), 2);
	}
	cr_assert_eq(guest_counts(&ept).touches, 1000);
	cr_assert_eq(guest_counts(&ept).frames, 1000);
	pthread_barrier_destroy(&barrier);
	ept_destroy(&ept);
}

/* One step of guest or VMM on a random page, and on the model of what it holds. */
static void random_step(uint64_t *model, uint64_t pages, uint64_t *random)
{
	uint64_t page = next_random(random) % pages;
	uint64_t value = next_random(random) + 1;
	uint64_t found = 0;

	switch (next_random(random) % 4) {
	case 0:
		guest_store(&ept, page * PAGE, value);
		model[page] = value;
		break;
	case 1:
		cr_assert_eq(guest_load(&ept, page * PAGE), model[page]);
		break;
	case 2:
		cr_assert_eq(ept_copy_in(&ept, page * PAGE, &value, sizeof(value)), 0);
		model[page] = value;
		break;
	case 3:
		cr_assert_eq(ept_copy_out(&ept, page * PAGE, &found, sizeof(found)), 0);
		cr_assert_eq(found, model[page]);
		break;
	}
}

EACH_ORGANISATION(random_touches_agree_with_a_plain_array)
{
	struct ept_config config = guest_config(*organisation, 512 * MIB);
	uint64_t pages = 512 * MIB / PAGE;
	uint64_t *model = calloc(pages, sizeof(*model));
	uint64_t random = 42;

	guest_create(&ept, &config);
	for (int i = 0; i < 20000; i++)
		random_step(model, pages, &random);
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t hfn;

		if (ept_translate(&ept, page * PAGE, &hfn) == 0)
			cr_assert_eq(frame_word(&ept, page * PAGE), model[page]);
		else
			cr_assert_eq(model[page], 0);
	}
	guest_counts(&ept);
	cr_assert_null(hpt_check(&ept.table));
	free(model);
	ept_destroy(&ept);
}

/* Sparse: what is reserved costs nothing, in the pool as in the table. */
EACH_ORGANISATION(a_large_guest_costs_what_it_touches)
{
	struct ept_config config = guest_config(*organisation, 16 * GIB);
	struct ept_snapshot snapshot;

	guest_create(&ept, &config);
	for (gpa_t gpa = 0; gpa < 16 * GIB; gpa += 256 * MIB)
		guest_store(&ept, gpa, gpa + 1);
	for (gpa_t gpa = 0; gpa < 16 * GIB; gpa += 256 * MIB)
		cr_assert_eq(frame_word(&ept, gpa), gpa + 1);
	ept_read(&ept, &snapshot);
	cr_assert_eq(snapshot.counts.frames, 64);
	cr_assert_eq(snapshot.table.entries, 64);
	cr_assert_lt(snapshot.table.bytes, 4 * MIB);
	ept_destroy(&ept);
}
