/* SPDX-License-Identifier: MIT */
/* The pinned range: there from the beginning, in one run of host memory, and never away. */
#include <stdlib.h>

#include "ept/pinned.h"
#include "tests/ept/guest.h"

static struct ept ept;

#define BLOCK (2 * MIB)

static struct ept_config config_of(enum hpt_organisation organisation, enum ept_pages pages,
				   uint64_t size, struct ept_range pinned)
{
	struct ept_config config = guest_config(organisation, size);

	config.host_pages = pages;
	config.pinned = pinned;
	return config;
}

/* Each page of the pinned range is in the table, at its place in the run. */
static void check_run(const struct ept_range *pinned)
{
	uint64_t first = guest_frame(&ept, pinned->start);
	uint64_t entry;

	for (uint64_t at = 0; at < pinned->size; at += PAGE) {
		cr_assert_eq(ept_entry(&ept, pinned->start + at, &entry), 0);
		cr_assert(hpt_resident(entry));
		cr_assert_eq(!!(entry & HPT_LARGE), ept.config.host_pages != EPT_4K);
		cr_assert_eq(hpt_frame(entry), first + at / PAGE);
	}
	cr_assert_eq((void *)(pinned->start + ept_pinned_offset(&ept)),
		     ept_pool_frame(&ept.pool, first));
	cr_assert_null(hpt_check(&ept.table));
}

EACH_ORGANISATION(pinned_pages_are_there_from_the_beginning_in_one_run)
{
	const struct ept_range pinned = {3 * BLOCK, 4 * BLOCK};

	for (enum ept_pages pages = EPT_4K; pages <= EPT_MIXED; pages++) {
		struct ept_config config = config_of(*organisation, pages, 16 * BLOCK, pinned);
		struct ept_counts counts;

		guest_create(&ept, &config);
		check_run(&pinned);
		counts = guest_counts(&ept);
		cr_assert_eq(counts.pinned, 4 * 512);
		cr_assert_eq(counts.frames, 4 * 512);
		for (uint64_t at = 0; at < pinned.size; at += PAGE) {
			cr_assert_eq(guest_load(&ept, pinned.start + at), 0);
			guest_store(&ept, pinned.start + at, at + 1);
			cr_assert_eq(*(uint64_t *)(pinned.start + at + ept_pinned_offset(&ept)),
				     at + 1);
		}
		counts = guest_counts(&ept);
		/* Linux may take a page out of the page tables at any time. */
		cr_assert_eq(counts.misses, counts.repeats);
		cr_assert_eq(counts.copies, 0);
		ept_destroy(&ept);
	}
}

Test(ept, pinned_blocks_follow_each_other_whatever_the_seed_and_are_no_one_elses, .timeout = 60)
{
	const struct ept_range pinned = {5 * BLOCK, 6 * BLOCK};
	bool moves = false;
	uint64_t first = 0;

	for (uint64_t seed = 0; seed < 32; seed++) {
		struct ept_config config = config_of(HPT_CLUSTERED, EPT_4K, 16 * BLOCK, pinned);
		bool taken[16] = {false};

		config.seed = seed;
		guest_create(&ept, &config);
		check_run(&pinned);
		for (gpa_t gpa = 0; gpa < 16 * BLOCK; gpa += BLOCK) {
			uint64_t block;

			guest_store(&ept, gpa, gpa);
			block = guest_frame(&ept, gpa) / EPT_BLOCK_PAGES;
			cr_assert_not(taken[block]);
			taken[block] = true;
		}
		for (gpa_t gpa = 0; gpa < 16 * BLOCK; gpa += BLOCK)
			cr_assert_eq(frame_word(&ept, gpa), gpa);
		moves |= seed && guest_frame(&ept, pinned.start) != first;
		first = guest_frame(&ept, pinned.start);
		ept_destroy(&ept);
	}
	cr_assert(moves, "the seed chooses where the run is");
}

EACH_ORGANISATION(pinned_pages_stay_where_all_others_go)
{
	const struct ept_range pinned = {BLOCK, BLOCK};

	for (enum ept_pages pages = EPT_4K; pages <= EPT_MIXED; pages++) {
		struct ept_config config = config_of(*organisation, pages, 4 * BLOCK, pinned);
		struct ept_counts counts;
		uint64_t misses = 0;

		/* Of the other pages hardly any have room, which is less than the lead wanted. */
		config.host_mem = BLOCK + 60 * PAGE;
		config.no_swap = false;
		guest_create(&ept, &config);
		for (int round = 0; round < 2; round++) {
			for (uint64_t page = 0; page < 4 * 512; page++) {
				cr_assert_eq(guest_load(&ept, page * PAGE), round ? page + 1 : 0);
				guest_store(&ept, page * PAGE, page + 1);
			}
			check_run(&pinned);
			cr_assert_leq(guest_counts(&ept).frames, 512 + 60);
		}
		counts = guest_counts(&ept);
		cr_assert_eq(counts.touches, 3 * 512);
		cr_assert_geq(counts.swaps_out, 2 * 3 * 512 - 60);
		misses = counts.misses - counts.repeats;
		for (uint64_t page = 512; page < 1024; page++)
			cr_assert_eq(guest_load(&ept, page * PAGE), page + 1);
		counts = guest_counts(&ept);
		cr_assert_eq(counts.misses - counts.repeats, misses, "no pinned page was away");
		ept_destroy(&ept);
	}
}

EACH_ORGANISATION(all_of_a_guest_may_be_pinned)
{
	struct ept_config config =
		config_of(*organisation, EPT_4K, 4 * BLOCK, (struct ept_range){0, 4 * BLOCK});
	uint64_t value = 7;

	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_in(&ept, BLOCK + 8, &value, sizeof(value)), 0);
	cr_assert_eq(guest_load(&ept, BLOCK + 8), 7);
	cr_assert_eq(guest_counts(&ept).frames, 4 * 512);
	cr_assert_eq(guest_counts(&ept).copies, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(where_all_frames_are_pinned_others_get_none)
{
	struct ept_config config =
		config_of(*organisation, EPT_4K, 4 * BLOCK, (struct ept_range){0, BLOCK});
	gpa_t gpa;

	config.host_mem = BLOCK;
	config.no_swap = false;
	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	cr_assert_eq(ept_copy_in(&ept, 2 * BLOCK, NULL, 1), -ENOMEM);
	cr_assert(guest_store_fails(&ept, 2 * BLOCK));
	cr_assert_not_null(ept_failure(&ept, &gpa));
	cr_assert_eq(gpa, 2 * BLOCK);
	ept_destroy(&ept);
}

static void expect_refused(struct ept_range pinned, const char *text)
{
	struct ept_config config = {.ranges = {{0, 4 * BLOCK}, {4 * BLOCK, 2 * BLOCK + PAGE}},
				    .range_count = 2,
				    .pinned = pinned,
				    .host_mem = 3 * BLOCK};
	const char *what = "";

	cr_assert_eq(ept_create(&ept, &config, &what), -EINVAL);
	cr_assert_str_eq(what, text);
}

Test(ept, a_pinned_range_that_cannot_be_is_refused)
{
	expect_refused((struct ept_range){PAGE, BLOCK},
		       "pinned: start 0x1000 and size 0x200000 must be multiples of 2 MiB");
	expect_refused((struct ept_range){0, BLOCK + PAGE},
		       "pinned: start 0x0 and size 0x201000 must be multiples of 2 MiB");
	expect_refused((struct ept_range){3 * BLOCK, 2 * BLOCK},
		       "pinned: start 0x600000, size 0x400000 is not within one range");
	expect_refused((struct ept_range){6 * BLOCK, BLOCK},
		       "pinned: start 0xc00000, size 0x200000 is not within one range");
	expect_refused((struct ept_range){BLOCK, -BLOCK},
		       "pinned: start 0x200000, size 0xffffffffffe00000 is not within one range");
	expect_refused((struct ept_range){0, 4 * BLOCK},
		       "pinned: size 0x800000 is above host_mem, 0x600000");
}

EACH_ORGANISATION(pinned_pages_never_share_a_frame)
{
	struct ept_config config =
		config_of(*organisation, EPT_4K, 4 * BLOCK, (struct ept_range){BLOCK, BLOCK});
	const char *what = "";

	config.dedup = true;
	if (ept_create(&ept, &config, &what) < 0)
		cr_skip_test("%s", what);
	for (uint64_t page = 0; page < 64; page++) {
		guest_store(&ept, page * PAGE, 7);
		guest_store(&ept, BLOCK + page * PAGE, 7);
		(void)guest_load(&ept, 2 * BLOCK + page * PAGE);
	}
	cr_assert_eq(ept_dedup_step(&ept, 2 * 4 * 512), 0);
	check_run(&config.pinned);
	cr_assert_eq(guest_counts(&ept).shared, 128, "all other pages with a frame do");
	for (uint64_t page = 0; page < 512; page++) {
		cr_assert_eq(guest_load(&ept, BLOCK + page * PAGE), page < 64 ? 7 : 0);
		guest_store(&ept, BLOCK + page * PAGE, page);
	}
	cr_assert_eq(guest_counts(&ept).written, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(what_is_touched_and_written_of_pinned_pages_is_tracked)
{
	for (enum ept_pages pages = EPT_4K; pages <= EPT_MIXED; pages++) {
		struct ept_config config = config_of(*organisation, pages, 4 * BLOCK,
						     (struct ept_range){BLOCK, BLOCK});
		struct ept_sample sample;
		const char *what = "";
		uint64_t unit = pages == EPT_4K ? 1 : 512; /* what one entry stands for */

		config.track = true;
		if (ept_create(&ept, &config, &what) < 0)
			cr_skip_test("%s", what);
		for (int round = 0; round < 2; round++) {
			(void)guest_load(&ept, BLOCK);
			guest_store(&ept, BLOCK + 7 * PAGE, 7);
			cr_assert_eq(ept_take_sample(&ept, &sample), 0);
			cr_assert_eq(sample.resident, 512);
			cr_assert_eq(sample.accessed, pages == EPT_4K ? 2 : unit);
			cr_assert_eq(sample.dirty, unit);
			cr_assert_eq(ept_take_sample(&ept, &sample), 0);
			cr_assert_eq(sample.accessed, 0);
			cr_assert_eq(sample.dirty, 0);
		}
		ept_destroy(&ept);
	}
}
