/* SPDX-License-Identifier: MIT */
/* A guest that touches more than --host-mem: every page comes back as it was. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/ept/guest.h"

static struct ept ept;

static struct ept_config config_of(enum hpt_organisation organisation, uint64_t pages,
				   uint64_t frames)
{
	struct ept_config config = guest_config(organisation, pages * PAGE);

	config.host_mem = frames * PAGE;
	config.no_swap = false;
	return config;
}

static void check_frames(uint64_t pages)
{
	uint64_t resident = 0;

	for (uint64_t gfn = 0; gfn < pages; gfn++) {
		uint64_t entry;

		if (!ept_entry(&ept, gfn * PAGE, &entry) && hpt_resident(entry))
			resident++;
	}
	cr_assert_eq(resident, guest_counts(&ept).frames);
	cr_assert_null(hpt_check(&ept.table));
}

EACH_ORGANISATION(pages_that_went_come_back_as_they_were)
{
	enum { PAGES = 1024, FRAMES = 128 };
	struct ept_config config = config_of(*organisation, PAGES, FRAMES);
	struct ept_counts counts;

	guest_create(&ept, &config);
	for (int round = 0; round < 3; round++) {
		for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
			cr_assert_eq(guest_load(&ept, gfn * PAGE + 8), round ? gfn + 1 : 0);
			guest_store(&ept, gfn * PAGE + 8, gfn + 1);
		}
		check_frames(PAGES);
	}
	counts = guest_counts(&ept);
	cr_assert_eq(counts.touches, PAGES);
	cr_assert_eq(counts.swapped, 2 * PAGES, "%lu", (unsigned long)counts.swapped);
	cr_assert_eq(counts.zeros_out, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(pages_of_zeros_take_no_slot)
{
	enum { PAGES = 1024, FRAMES = 128 };
	struct ept_config config = config_of(*organisation, PAGES, FRAMES);
	struct ept_counts counts;

	guest_create(&ept, &config);
	for (int round = 0; round < 2; round++) {
		for (uint64_t gfn = 0; gfn < PAGES; gfn++)
			cr_assert_eq(guest_load(&ept, gfn * PAGE + 4088), 0);
	}
	counts = guest_counts(&ept);
	cr_assert_eq(counts.swaps_out, 0);
	cr_assert_eq(counts.slots, 0);
	cr_assert_gt(counts.zeros_in, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(pages_in_use_stay)
{
	enum { PAGES = 4096, FRAMES = 1024, HOT = 64 };
	struct ept_config config = config_of(*organisation, PAGES, FRAMES);
	struct ept_counts counts;

	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		guest_store(&ept, gfn * PAGE, gfn + 1);
		for (uint64_t hot = 0; hot < HOT; hot++)
			cr_assert_eq(guest_load(&ept, hot * PAGE), hot <= gfn ? hot + 1 : 0);
	}
	counts = guest_counts(&ept);
	cr_assert_eq(counts.swapped, 0, "%lu of pages that were used all the time had gone",
		     (unsigned long)counts.swapped);
	cr_assert_gt(counts.rescues, 0);
	cr_assert_gt(counts.swaps_out, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(the_gateway_reaches_pages_that_went)
{
	enum { PAGES = 512, FRAMES = 70 };
	struct ept_config config = config_of(*organisation, PAGES, FRAMES);
	uint64_t value;

	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < PAGES; gfn += 2)
		guest_store(&ept, gfn * PAGE, gfn + 1);
	for (uint64_t gfn = 1; gfn < PAGES; gfn += 2) {
		value = gfn + 1;
		cr_assert_eq(ept_copy_in(&ept, gfn * PAGE, &value, sizeof(value)), 0);
	}
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		cr_assert_eq(ept_copy_out(&ept, gfn * PAGE, &value, sizeof(value)), 0);
		cr_assert_eq(value, gfn + 1);
	}
	for (uint64_t gfn = PAGES; gfn-- > 0;)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn + 1);
	check_frames(PAGES);
	ept_destroy(&ept);
}

EACH_ORGANISATION(random_touches_of_two_ranges_agree_with_a_model)
{
	enum { PAGES = 700, FRAMES = 100 };
	static uint64_t model[2 * PAGES];
	struct ept_config config = config_of(*organisation, PAGES, FRAMES);
	uint64_t random = 7;

	config.ranges[1] = (struct ept_range){8 * MIB + 3 * PAGE, PAGES * PAGE};
	config.range_count = 2;
	config.handlers = 2;
	config.around = 8;
	config.host_pages = EPT_MIXED;
	memset(model, 0, sizeof(model));
	guest_create(&ept, &config);
	for (int i = 0; i < 20000; i++) {
		uint64_t page = next_random(&random) % (2 * PAGES);
		gpa_t gpa = config.ranges[page / PAGES].start + page % PAGES * PAGE;
		uint64_t value = next_random(&random);

		switch (next_random(&random) % 4) {
		case 0:
			cr_assert_eq(ept_copy_out(&ept, gpa + 16, &value, sizeof(value)), 0);
			cr_assert_eq(value, model[page]);
			break;
		case 1:
			value |= 1;
			cr_assert_eq(ept_copy_in(&ept, gpa + 16, &value, sizeof(value)), 0);
			model[page] = value;
			break;
		case 2:
			value = value % 4 ? value : 0; /* pages of zeros, too */
			guest_store(&ept, gpa + 16, value);
			model[page] = value;
			break;
		default:
			cr_assert_eq(guest_load(&ept, gpa + 16), model[page]);
		}
	}
	cr_assert_gt(guest_counts(&ept).swaps_in, 1000);
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}

Test(ept, a_sequence_gets_its_pages_in_runs)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 8 * MIB);
	struct ept_counts counts;

	config.around = 16;
	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < 2048; gfn++) {
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 0);
		guest_store(&ept, gfn * PAGE, gfn);
	}
	counts = guest_counts(&ept);
	/* 1 + 2 + 4 + 8, then 16 at a time, cut at the ends of blocks. */
	cr_assert_eq(counts.touches + counts.around, 2048);
	cr_assert_leq(counts.touches, 4 + 2048 / 16 + 4 * 5);
	cr_assert_eq(counts.repeats, 0);
	for (uint64_t gfn = 0; gfn < 2048; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn);
	ept_destroy(&ept);
}

Test(ept, touches_that_are_no_sequence_get_a_page_each)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 64 * MIB);
	struct ept_counts counts;

	config.around = 16;
	guest_create(&ept, &config);
	for (uint64_t i = 0; i < 1000; i++)
		guest_store(&ept, i * 7919 % 16384 * PAGE, i);
	counts = guest_counts(&ept);
	cr_assert_eq(counts.touches, 1000);
	cr_assert_eq(counts.around, 0);
	ept_destroy(&ept);
}

Test(ept, neighbours_take_no_frame_of_another_page)
{
	enum { PAGES = 256, FRAMES = 64 };
	struct ept_config config = config_of(HPT_CLUSTERED, PAGES, FRAMES);

	config.around = 64;
	config.no_swap = true;
	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
		guest_store(&ept, gfn * PAGE, gfn);
	cr_assert_eq(guest_counts(&ept).frames, FRAMES);
	cr_assert(guest_store_fails(&ept, FRAMES * PAGE));
	ept_destroy(&ept);
}
