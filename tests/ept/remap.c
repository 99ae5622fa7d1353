/* SPDX-License-Identifier: MIT */
/* The table alone decides: entries that somebody put there before the guest's first touch. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/ept/guest.h"

static struct ept ept;

static void map(uint64_t gfn, uint64_t frame)
{
	pthread_mutex_lock(&ept.lock);
	cr_assert_eq(hpt_map(&ept.table, hpt_key(0, gfn, HPT_4K),
			     hpt_entry(frame, HPT_PRESENT | HPT_WRITE)),
		     0);
	pthread_mutex_unlock(&ept.lock);
}

static void unmap(uint64_t gfn)
{
	pthread_mutex_lock(&ept.lock);
	cr_assert_eq(hpt_unmap(&ept.table, hpt_key(0, gfn, HPT_4K), NULL), 0);
	pthread_mutex_unlock(&ept.lock);
}

EACH_ORGANISATION(an_entry_with_a_frame_of_its_own_is_followed)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);
	struct ept_snapshot snapshot;

	guest_create(&ept, &config);
	guest_store(&ept, 0, 11);
	for (uint64_t gfn = 600; gfn < 610; gfn++)
		map(gfn, guest_frame(&ept, 0));
	for (uint64_t gfn = 600; gfn < 610; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 11);
	guest_store(&ept, 605 * PAGE, 12);
	cr_assert_eq(guest_load(&ept, 0), 12);
	cr_assert_eq(guest_load(&ept, 609 * PAGE), 12);

	/* Their neighbours have the frames of the block. */
	guest_store(&ept, 599 * PAGE, 1);
	guest_store(&ept, 610 * PAGE, 2);
	cr_assert_eq(frame_word(&ept, 599 * PAGE), 1);
	cr_assert_eq(frame_word(&ept, 610 * PAGE), 2);
	ept_read(&ept, &snapshot);
	cr_assert_eq(snapshot.counts.loaded, 10);
	cr_assert_eq(snapshot.counts.remaps, 10);
	cr_assert_eq(snapshot.counts.touches, 3);
	cr_assert_eq(snapshot.counts.misses, 13);
	ept_destroy(&ept);
}

EACH_ORGANISATION(an_entry_whose_frame_was_never_written_reads_as_zeros)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);
	uint64_t linear, other;

	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	guest_store(&ept, 2 * MIB, 1);
	linear = guest_frame(&ept, 0) + 5;
	other = guest_frame(&ept, 2 * MIB) + 9;
	map(5, linear);
	map(6, other);
	cr_assert_eq(guest_load(&ept, 5 * PAGE), 0);
	cr_assert_eq(guest_load(&ept, 6 * PAGE), 0);
	guest_store(&ept, 6 * PAGE, 66);
	cr_assert_eq(frame_word(&ept, 6 * PAGE), 66);
	ept_destroy(&ept);
}

EACH_ORGANISATION(the_gateway_follows_the_same_entry)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);
	uint64_t value = 21;

	guest_create(&ept, &config);
	guest_store(&ept, 0, 11);
	map(700, guest_frame(&ept, 0));
	cr_assert_eq(ept_copy_in(&ept, 700 * PAGE, &value, sizeof(value)), 0);
	cr_assert_eq(guest_load(&ept, 0), 21);
	cr_assert_eq(guest_load(&ept, 700 * PAGE), 21);
	ept_destroy(&ept);
}

static atomic_uint failures;
static _Atomic gpa_t failed_gpa;

static void failed(void *context, const char *reason, gpa_t gpa)
{
	cr_assert_eq(context, &ept);
	cr_assert_not_null(reason);
	failed_gpa = gpa;
	failures++;
}

EACH_ORGANISATION(an_entry_beyond_the_pool_is_refused)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);
	uint64_t value = 1;
	gpa_t gpa;

	config.failed = failed;
	config.context = &ept;
	guest_create(&ept, &config);
	map(700, ept_pool_size(&ept.pool));
	cr_assert_eq(ept_copy_in(&ept, 700 * PAGE, &value, sizeof(value)), -EIO);
	cr_assert(guest_store_fails(&ept, 700 * PAGE));
	cr_assert_eq(failures, 1);
	cr_assert_eq(failed_gpa, 700 * PAGE);
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "does not have"));
	cr_assert_eq(gpa, 700 * PAGE);
	ept_destroy(&ept);
}

EACH_ORGANISATION(single_mappings_stop_at_their_budget)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);
	gpa_t gpa;

	guest_create(&ept, &config);
	ept.window.mappings_limit = ept.window.mappings + 2 * 20;
	guest_store(&ept, 0, 11);
	for (uint64_t gfn = 600; gfn < 621; gfn++)
		map(gfn, guest_frame(&ept, 0));
	for (uint64_t gfn = 600; gfn < 620; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 11);
	cr_assert(guest_store_fails(&ept, 620 * PAGE));
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "no mapping left"));
	cr_assert_eq(gpa, 620 * PAGE);
	cr_assert_eq(guest_load(&ept, 0), 11);
	ept_destroy(&ept);
}

EACH_ORGANISATION(an_entry_taken_away_before_the_touch_leaves_nothing_behind)
{
	struct ept_config config = guest_config(*organisation, 8 * MIB);

	guest_create(&ept, &config);
	guest_store(&ept, 0, 11);
	map(700, guest_frame(&ept, 0));
	unmap(700);
	cr_assert_eq(guest_load(&ept, 700 * PAGE), 0);
	cr_assert_neq(guest_frame(&ept, 700 * PAGE), guest_frame(&ept, 0));
	cr_assert_eq(guest_counts(&ept).remaps, 0);
	ept_destroy(&ept);
}
