/* SPDX-License-Identifier: MIT */
/* Sharing: pages of equal content have one frame until one of them is written. */
#include "tests/ept/guest.h"

static struct ept ept;

#define PAGES 512

static void create(enum hpt_organisation organisation, uint64_t pages, uint64_t frames)
{
	struct ept_config config = guest_config(organisation, pages * PAGE);

	config.host_mem = frames * PAGE;
	config.no_swap = false;
	config.dedup = true;
	guest_create(&ept, &config);
}

static void fill(uint64_t gfn, uint64_t value)
{
	for (unsigned int word = 0; word < PAGE / 8; word += 64)
		guest_store(&ept, gfn * PAGE + word * 8, value);
}

static void check(uint64_t gfn, uint64_t value)
{
	for (unsigned int word = 0; word < PAGE / 8; word += 64)
		cr_assert_eq(guest_load(&ept, gfn * PAGE + word * 8), value, "page %lu",
			     (unsigned long)gfn);
}

static void look_at_all(uint64_t pages)
{
	cr_assert_eq(ept_dedup_step(&ept, 2 * pages), 0);
	cr_assert_null(hpt_check(&ept.table));
}

EACH_ORGANISATION(equal_pages_have_one_frame)
{
	struct ept_counts counts;
	uint64_t value;

	create(*organisation, PAGES, PAGES);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		fill(gfn, gfn % 4 + 1);
	look_at_all(PAGES);
	counts = guest_counts(&ept);
	cr_assert_eq(counts.frames, 4);
	cr_assert_eq(counts.shared_frames, 4);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		check(gfn, gfn % 4 + 1);
		cr_assert_eq(guest_frame(&ept, gfn * PAGE), guest_frame(&ept, gfn % 4 * PAGE));
		cr_assert_eq(ept_copy_out(&ept, gfn * PAGE, &value, sizeof(value)), 0);
		cr_assert_eq(value, gfn % 4 + 1);
	}
	cr_assert_eq(guest_counts(&ept).misses, counts.misses, "reads are no misses");
	ept_destroy(&ept);
}

EACH_ORGANISATION(who_writes_gets_a_copy_and_the_others_keep_theirs)
{
	uint64_t value = 77;

	create(*organisation, PAGES, PAGES);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		fill(gfn, 5);
	look_at_all(PAGES);
	cr_assert_eq(guest_counts(&ept).frames, 1);
	for (uint64_t gfn = 0; gfn < PAGES; gfn += 3)
		guest_store(&ept, gfn * PAGE + 8, gfn);
	for (uint64_t gfn = 1; gfn < PAGES; gfn += 3)
		cr_assert_eq(ept_copy_in(&ept, gfn * PAGE + 16, &value, sizeof(value)), 0);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		check(gfn, 5);
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 8), gfn % 3 ? 0 : gfn);
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 16), gfn % 3 == 1 ? 77 : 0);
	}
	cr_assert_eq(guest_counts(&ept).written, (PAGES + 2) / 3);
	/* The last who share it give the frame back. */
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		guest_store(&ept, gfn * PAGE, gfn);
	cr_assert_eq(guest_counts(&ept).shared_frames, 0);
	cr_assert_eq(guest_counts(&ept).frames, PAGES);
	ept_destroy(&ept);
}

EACH_ORGANISATION(pages_of_zeros_share_one_frame)
{
	create(*organisation, PAGES, PAGES);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 0);
	look_at_all(PAGES);
	cr_assert_eq(guest_counts(&ept).frames, 1);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		check(gfn, 0);
		guest_store(&ept, gfn * PAGE, gfn + 1);
	}
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn + 1);
	cr_assert_eq(guest_counts(&ept).shared_frames, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(when_mappings_are_spent_sharing_stops_and_nothing_else)
{
	create(*organisation, PAGES, PAGES);
	ept.window.mappings_limit = ept.window.mappings + 2 * 100 + 1;
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		fill(gfn, gfn % 2);
	look_at_all(PAGES);
	look_at_all(PAGES);
	cr_assert_eq(guest_counts(&ept).shared, 100);
	/* Mappings come back with the pages that are written. */
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		guest_store(&ept, gfn * PAGE + 8, gfn % 2);
	look_at_all(PAGES);
	cr_assert_eq(guest_counts(&ept).shared, 200);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		check(gfn, gfn % 2);
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 8), gfn % 2);
	}
	ept_destroy(&ept);
}

EACH_ORGANISATION(sharing_swapping_and_writing_agree_with_a_model)
{
	static uint64_t model[PAGES];
	uint64_t random = 11;

	create(*organisation, PAGES, PAGES / 3);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 20000; i++) {
		uint64_t gfn = next_random(&random) % PAGES;
		uint64_t value = next_random(&random) % 3;
		uint64_t found;

		switch (next_random(&random) % 4) {
		case 0:
			guest_store(&ept, gfn * PAGE + 64, value);
			model[gfn] = value;
			break;
		case 1:
			cr_assert_eq(ept_copy_in(&ept, gfn * PAGE + 64, &value, sizeof(value)), 0);
			model[gfn] = value;
			break;
		case 2:
			cr_assert_eq(ept_copy_out(&ept, gfn * PAGE + 64, &found, sizeof(found)), 0);
			cr_assert_eq(found, model[gfn]);
			break;
		default:
			cr_assert_eq(guest_load(&ept, gfn * PAGE + 64), model[gfn]);
		}
		if (i % 50 == 0)
			cr_assert_eq(ept_dedup_step(&ept, 40), 0);
	}
	cr_assert_gt(guest_counts(&ept).shared, 100);
	cr_assert_gt(guest_counts(&ept).written, 100);
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}
