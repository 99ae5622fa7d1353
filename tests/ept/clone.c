/* SPDX-License-Identifier: MIT */
/* Clones: both have what was there, and neither sees what the other does from then on. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ept/clone.h"
#include "ept/origin.h"
#include "ept/part.h"
#include "ept/save.h"
#include "tests/ept/guest.h"

enum { PAGES = 1536 };

static struct ept ept, twin, second;
static const struct ept_clone_config nowhere = {.cpu_count = 0};

static struct ept_config config_of(enum hpt_organisation organisation)
{
	struct ept_config config = guest_config(organisation, PAGES * PAGE);

	config.clones = true;
	return config;
}

static void make_clone(struct ept *of, struct ept *to)
{
	const char *what = "";

	cr_assert_eq(ept_clone(to, of, &nowhere, &what), 0, "%s", what);
}

static gpa_t word_of(uint64_t page)
{
	return page * PAGE + page % 500 * 8;
}

static void fill(struct ept *guest, uint64_t step, uint64_t value)
{
	for (uint64_t page = 0; page < PAGES; page += step)
		guest_store(guest, word_of(page), value + page);
}

/* Each page of a step has its value, the others have another's or none. */
static void check(struct ept *guest, uint64_t step, uint64_t value, uint64_t other)
{
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t wanted = page % step ? (other ? other + page : 0) : value + page;

		cr_assert_eq(guest_load(guest, word_of(page)), wanted, "page %lu: %lu, not %lu",
			     (unsigned long)page, (unsigned long)guest_load(guest, word_of(page)),
			     (unsigned long)wanted);
	}
}

static void check_tables(void)
{
	cr_assert_null(hpt_check(&ept.table));
	cr_assert_null(hpt_check(&twin.table));
	(void)guest_counts(&ept);
	(void)guest_counts(&twin);
}

/* Frames of the family that somebody has. */
static uint64_t live(const struct ept *guest)
{
	uint64_t frames = 0;

	for (unsigned int i = 0; i < EPT_LAYERS; i++)
		frames += guest->family->live[i];
	return frames;
}

EACH_ORGANISATION(a_clone_reads_the_same_frames_and_copies_nothing)
{
	struct ept_config config = config_of(*organisation);
	struct ept_counts counts;

	guest_create(&ept, &config);
	fill(&ept, 1, 7);
	make_clone(&ept, &twin);
	check(&ept, 1, 7, 0);
	check(&twin, 1, 7, 0);
	counts = guest_counts(&twin);
	cr_assert_eq(counts.cloned, PAGES);
	cr_assert_eq(counts.touches, 0);
	if (!ept.window.protects_late) {
		cr_assert_eq(counts.parted, 0);
		cr_assert_eq(live(&ept), PAGES, "one frame for both");
	}
	check_tables();
	ept_destroy(&twin);
	ept_destroy(&ept);
}

EACH_ORGANISATION(neither_sees_what_the_other_writes)
{
	struct ept_config config = config_of(*organisation);

	guest_create(&ept, &config);
	fill(&ept, 1, 100);
	make_clone(&ept, &twin);
	fill(&twin, 3, 100000);
	check(&ept, 1, 100, 0);
	fill(&ept, 2, 200000);
	check(&twin, 3, 100000, 100);
	check(&ept, 2, 200000, 100);
	cr_assert_leq(live(&ept), 2 * PAGES);
	check_tables();
	ept_destroy(&ept);
	check(&twin, 3, 100000, 100);
	fill(&twin, 1, 5);
	check(&twin, 1, 5, 0);
	cr_assert_eq(live(&twin), PAGES, "frames that nobody has are given back");
	ept_destroy(&twin);
}

EACH_ORGANISATION(pages_touched_after_the_clone_are_each_ones_own)
{
	struct ept_config config = config_of(*organisation);

	guest_create(&ept, &config);
	fill(&ept, 4, 1);
	make_clone(&ept, &twin);
	for (uint64_t page = 1; page < PAGES; page += 2) {
		guest_store(&twin, word_of(page), 1000 + page);
		guest_store(&ept, word_of(page), 9000 + page);
	}
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t both = page % 4 ? 0 : 1 + page;

		cr_assert_eq(guest_load(&ept, word_of(page)), page % 2 ? 9000 + page : both);
		cr_assert_eq(guest_load(&twin, word_of(page)), page % 2 ? 1000 + page : both);
	}
	check_tables();
	ept_destroy(&twin);
	ept_destroy(&ept);
}

EACH_ORGANISATION(the_gateway_parts_pages_as_the_guest_does)
{
	struct ept_config config = config_of(*organisation);
	uint64_t value;

	guest_create(&ept, &config);
	fill(&ept, 1, 3);
	make_clone(&ept, &twin);
	check(&twin, 1, 3, 0); /* its window shows the common frames */
	for (uint64_t page = 0; page < PAGES; page += 5) {
		value = 50 + page;
		cr_assert_eq(ept_copy_in(page % 2 ? &ept : &twin, word_of(page), &value, 8), 0);
	}
	for (uint64_t page = 0; page < PAGES; page++) {
		for (int i = 0; i < 2; i++) {
			struct ept *guest = i ? &ept : &twin;
			uint64_t wanted =
				page % 5 || page % 2 != (uint64_t)i ? 3 + page : 50 + page;

			cr_assert_eq(ept_copy_out(guest, word_of(page), &value, 8), 0);
			cr_assert_eq(value, wanted);
			cr_assert_eq(ept_peek(guest, word_of(page), &value, 8), 0);
			cr_assert_eq(value, wanted);
			cr_assert_eq(guest_load(guest, word_of(page)), wanted);
		}
	}
	check_tables();
	ept_destroy(&ept);
	ept_destroy(&twin);
}

/* Half of the pages have frames: those of both go to the one swap file, and come back. */
EACH_ORGANISATION(pages_that_are_swapped_out_are_both_ones)
{
	struct ept_config config = config_of(*organisation);
	struct ept_counts counts;

	config.host_mem = PAGES / 4 * PAGE;
	config.no_swap = false;
	guest_create(&ept, &config);
	fill(&ept, 1, 11);
	make_clone(&ept, &twin);
	fill(&twin, 2, 70000);
	check(&ept, 1, 11, 0);
	fill(&ept, 3, 80000);
	check(&twin, 2, 70000, 11);
	check(&ept, 3, 80000, 11);
	ept_read(&twin, &(struct ept_snapshot){0});
	cr_assert_null(hpt_check(&ept.table));
	cr_assert_null(hpt_check(&twin.table));
	cr_assert_leq(ept.pool.frames, PAGES / 4);
	cr_assert_leq(twin.pool.frames, PAGES / 4);
	ept_destroy(&ept);
	check(&twin, 2, 70000, 11);
	{
		static struct ept_snapshot now;

		ept_read(&twin, &now);
		counts = now.counts;
	}
	cr_assert_geq(counts.slots, PAGES / 2, "what the clone has stays");
	cr_assert_leq(counts.slots, PAGES);
	ept_destroy(&twin);
}

Test(clone, whole_blocks_are_shared_whole_and_split_by_the_first_write)
{
	struct ept_config config = config_of(HPT_CLUSTERED);

	config.host_pages = EPT_2M;
	guest_create(&ept, &config);
	fill(&ept, 1, 21);
	cr_assert_eq(ept.table.counts.entries, 3);
	make_clone(&ept, &twin);
	check(&twin, 1, 21, 0);
	if (!ept.window.protects_late)
		cr_assert_eq(twin.table.counts.entries, 3);
	guest_store(&twin, word_of(600), 5);
	cr_assert_eq(guest_load(&ept, word_of(600)), 621);
	fill(&ept, 2, 40000);
	check(&ept, 2, 40000, 21);
	for (uint64_t page = 0; page < PAGES; page++)
		cr_assert_eq(guest_load(&twin, word_of(page)), page == 600 ? 5 : 21 + page);
	check_tables();
	ept_destroy(&ept);
	fill(&twin, 1, 6);
	check(&twin, 1, 6, 0);
	ept_destroy(&twin);
}

Test(clone, the_pinned_range_is_copied_and_stays_in_a_row)
{
	struct ept_config config = config_of(HPT_CLUSTERED);

	config.pinned = (struct ept_range){2 * MIB, 2 * MIB};
	for (int pages = EPT_4K; pages <= EPT_MIXED; pages++) {
		config.host_pages = (enum ept_pages)pages;
		guest_create(&ept, &config);
		fill(&ept, 1, 31);
		make_clone(&ept, &twin);
		make_clone(&twin, &second);
		fill(&ept, 1, 300000);
		check(&twin, 1, 31, 0);
		fill(&second, 2, 900000);
		check(&twin, 1, 31, 0);
		for (uint64_t page = 513; page < 1024; page++)
			cr_assert_eq(guest_frame(&twin, page * PAGE),
				     guest_frame(&twin, 2 * MIB) + page - 512);
		check_tables();
		ept_destroy(&twin);
		check(&second, 2, 900000, 31);
		check(&ept, 1, 300000, 0);
		ept_destroy(&ept);
		ept_destroy(&second);
	}
}

/* Mappings for a handful of pages: then blocks move as wholes. */
EACH_ORGANISATION(where_mappings_are_spent_blocks_move_and_nobody_notices)
{
	struct ept_config config = config_of(*organisation);

	guest_create(&ept, &config);
	fill(&ept, 2, 41);
	make_clone(&ept, &twin);
	ept.family->mappings_limit = ept.family->mappings + 20;
	fill(&twin, 7, 110000);
	fill(&ept, 3, 220000);
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t both = page % 2 ? 0 : 41 + page;

		cr_assert_eq(guest_load(&twin, word_of(page)), page % 7 ? both : 110000 + page);
		cr_assert_eq(guest_load(&ept, word_of(page)), page % 3 ? both : 220000 + page);
	}
	cr_assert_leq(ept.family->mappings, ept.family->mappings_limit);
	check_tables();
	ept_destroy(&ept);
	ept_destroy(&twin);
}

Test(clone, blocks_that_move_bring_back_what_is_swapped_out)
{
	struct ept_config config = config_of(HPT_ADAPTIVE);

	config.host_mem = 700 * PAGE;
	config.no_swap = false;
	guest_create(&ept, &config);
	fill(&ept, 1, 51);
	make_clone(&ept, &twin);
	ept.family->mappings_limit = ept.family->mappings + 6;
	for (uint64_t page = 0; page < PAGES; page += 31) {
		guest_store(&twin, word_of(page), 1);
		guest_store(&ept, word_of(page), 2);
	}
	for (uint64_t page = 0; page < PAGES; page++) {
		cr_assert_eq(guest_load(&twin, word_of(page)), page % 31 ? 51 + page : 1);
		cr_assert_eq(guest_load(&ept, word_of(page)), page % 31 ? 51 + page : 2);
	}
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&twin);
	ept_destroy(&ept);
}

Test(clone, generations_of_clones_leave_no_frames_behind)
{
	struct ept_config config = config_of(HPT_CLUSTERED);

	guest_create(&ept, &config);
	fill(&ept, 1, 1);
	for (uint64_t round = 1; round < 40; round++) {
		make_clone(&ept, &twin);
		make_clone(&twin, &second);
		fill(&twin, 2 + round % 5, 100 * round);
		fill(&second, 3, 7);
		check(&twin, 2 + round % 5, 100 * round, round);
		fill(&ept, 1 + round % 3, round + 1);
		if (round % 2)
			ept_destroy(&twin);
		check(&second, 3, 7, round);
		ept_destroy(&second);
		if (round % 2 == 0)
			ept_destroy(&twin);
		fill(&ept, 1, round + 1);
		cr_assert_eq(live(&ept), PAGES);
	}
	(void)guest_counts(&ept);
	ept_destroy(&ept);
}

Test(clone, what_the_clone_of_a_restored_guest_has_not_touched_comes_from_the_snapshot)
{
	struct ept_config config = config_of(HPT_CLUSTERED);
	struct ept_origin origin;
	struct ept_save writer;
	const char *what;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/twostage-clone-%d", (int)getpid());
	guest_create(&ept, &config);
	fill(&ept, 1, 61);
	cr_assert_eq(ept_save_open(&writer, path, &what), 0, "%s", what);
	cr_assert_eq(ept_save_write(&writer, &ept, NULL, 0, &what), 0, "%s", what);
	ept_save_close(&writer);
	ept_destroy(&ept);
	cr_assert_eq(ept_origin_open(&origin, path, &what), 0, "%s", what);
	guest_create(&ept, &config);
	cr_assert_eq(ept_restore(&ept, &origin, &what), 0, "%s", what);
	guest_store(&ept, word_of(3), 64);
	make_clone(&ept, &twin);
	fill(&twin, 5, 3000);
	check(&ept, 1, 61, 0);
	check(&twin, 5, 3000, 61);
	check_tables();
	ept_destroy(&ept);
	ept_destroy(&twin);
	ept_origin_close(&origin);
	unlink(path);
}

Test(clone, what_cannot_be_is_refused)
{
	struct ept_config config = config_of(HPT_CLUSTERED);
	static struct ept others[EPT_MEMBERS_MAX];
	const char *what = "";

	config.dedup = true;
	cr_assert_eq(ept_create(&ept, &config, &what), -EINVAL);
	cr_assert_not_null(strstr(what, "clones: not with dedup"), "%s", what);
	config.dedup = false;
	config.clones = false;
	guest_create(&ept, &config);
	cr_assert_eq(ept_clone(&twin, &ept, &nowhere, &what), -EINVAL);
	cr_assert_not_null(strstr(what, "does not say `clones`"), "%s", what);
	ept_destroy(&ept);
	config.clones = true;
	guest_create(&ept, &config);
	fill(&ept, 1, 1);
	for (int i = 1; i < EPT_MEMBERS_MAX; i++)
		make_clone(&ept, &others[i]);
	cr_assert_eq(ept_clone(&twin, &ept, &nowhere, &what), -ENOSPC);
	cr_assert_not_null(strstr(what, "may be 8"), "%s", what);
	fill(&ept, 1, 2);
	for (int i = 1; i < EPT_MEMBERS_MAX; i++) {
		fill(&others[i], 2, 100 * (uint64_t)i);
		check(&others[i], 2, 100 * (uint64_t)i, 1);
	}
	ept_destroy(&others[1]);
	ept.family->mappings_limit = ept.family->mappings;
	cr_assert_eq(ept_clone(&twin, &ept, &nowhere, &what), -ENOSPC);
	cr_assert_not_null(strstr(what, "no mapping left"), "%s", what);
	check(&ept, 1, 2, 0);
	for (int i = 2; i < EPT_MEMBERS_MAX; i++)
		ept_destroy(&others[i]);
	ept_destroy(&ept);
}

Test(clone, samples_tell_what_each_of_them_writes)
{
	struct ept_config config = config_of(HPT_CLUSTERED);
	struct ept_sample sample;

	config.track = true;
	guest_create(&ept, &config);
	fill(&ept, 1, 1);
	make_clone(&ept, &twin);
	cr_assert_eq(ept_take_sample(&twin, &sample), 0);
	fill(&twin, 4, 2);
	check(&twin, 4, 2, 1);
	cr_assert_eq(ept_take_sample(&twin, &sample), 0);
	cr_assert_eq(sample.accessed, PAGES);
	cr_assert_eq(sample.dirty, !ept.window.protects_late ? PAGES / 4 : PAGES);
	check(&ept, 1, 1, 0);
	ept_destroy(&ept);
	ept_destroy(&twin);
}
