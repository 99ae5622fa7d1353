/* SPDX-License-Identifier: MIT */
/* Whole blocks: one entry of 2 MiB for 512 pages, and back. */
#include "tests/ept/guest.h"

static struct ept ept;

#define BLOCK (2 * MIB)

static struct ept_config config_of(enum hpt_organisation organisation, enum ept_pages pages,
				   uint64_t size)
{
	struct ept_config config = guest_config(organisation, size);

	config.host_pages = pages;
	return config;
}

static uint64_t entries(void)
{
	static struct ept_snapshot snapshot;

	ept_read(&ept, &snapshot);
	return snapshot.table.entries;
}

EACH_ORGANISATION(with_2m_a_first_touch_makes_the_block_whole)
{
	struct ept_config config = config_of(*organisation, EPT_2M, 4 * BLOCK);
	struct ept_counts counts;
	uint64_t entry;

	guest_create(&ept, &config);
	guest_store(&ept, BLOCK + 7 * PAGE, 1);
	for (uint64_t page = 0; page < 512; page++) {
		cr_assert_eq(guest_load(&ept, BLOCK + page * PAGE), page == 7);
		guest_store(&ept, BLOCK + page * PAGE, page);
	}
	counts = guest_counts(&ept);
	cr_assert_eq(counts.misses, 1);
	cr_assert_eq(counts.touches, 1);
	cr_assert_eq(counts.around, 511);
	cr_assert_eq(counts.frames, 512);
	cr_assert_eq(entries(), 1);
	for (uint64_t page = 0; page < 512; page++) {
		cr_assert_eq(ept_entry(&ept, BLOCK + page * PAGE, &entry), 0);
		cr_assert(entry & HPT_LARGE);
		cr_assert_eq(frame_word(&ept, BLOCK + page * PAGE), page);
	}
	cr_assert_eq(ept_entry(&ept, 0, &entry), -ENOENT);
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}

EACH_ORGANISATION(with_mixed_the_last_page_makes_the_block_whole)
{
	struct ept_config config = config_of(*organisation, EPT_MIXED, 4 * BLOCK);
	uint64_t value;

	guest_create(&ept, &config);
	/* Odd ones by the VMM, even ones by the guest. */
	for (uint64_t page = 1; page < 512; page += 2)
		cr_assert_eq(ept_copy_in(&ept, BLOCK + page * PAGE, &page, sizeof(page)), 0);
	for (uint64_t page = 0; page < 510; page += 2)
		guest_store(&ept, BLOCK + page * PAGE, page);
	cr_assert_eq(entries(), 511);
	cr_assert_eq(guest_counts(&ept).merges, 0);
	guest_store(&ept, BLOCK + 510 * PAGE, 510);
	cr_assert_eq(entries(), 1);
	cr_assert_eq(guest_counts(&ept).merges, 1);
	for (uint64_t page = 0; page < 512; page++) {
		cr_assert_eq(guest_load(&ept, BLOCK + page * PAGE), page);
		cr_assert_eq(ept_copy_out(&ept, BLOCK + page * PAGE, &value, sizeof(value)), 0);
		cr_assert_eq(value, page);
	}
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_block_that_is_not_all_ram_is_never_whole)
{
	for (enum ept_pages pages = EPT_2M; pages <= EPT_MIXED; pages++) {
		struct ept_config config = config_of(*organisation, pages, 511 * PAGE);

		guest_create(&ept, &config);
		for (uint64_t page = 0; page < 511; page++)
			guest_store(&ept, page * PAGE, page);
		cr_assert_eq(entries(), 511);
		cr_assert_eq(guest_counts(&ept).touches, 511);
		ept_destroy(&ept);
	}
}

EACH_ORGANISATION(without_frames_for_a_block_its_pages_come_one_by_one)
{
	struct ept_config config = config_of(*organisation, EPT_2M, 2 * BLOCK);

	config.host_mem = BLOCK + 100 * PAGE;
	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	for (uint64_t page = 0; page < 100; page++)
		guest_store(&ept, BLOCK + page * PAGE, page);
	cr_assert_eq(entries(), 101);
	cr_assert_eq(guest_counts(&ept).frames, 612);
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_block_of_which_pages_go_is_split_and_becomes_whole_again)
{
	for (enum ept_pages pages = EPT_2M; pages <= EPT_MIXED; pages++) {
		struct ept_config config = config_of(*organisation, pages, 3 * BLOCK);
		struct ept_counts counts;

		config.host_mem = 2 * BLOCK;
		config.no_swap = false;
		guest_create(&ept, &config);
		for (int round = 0; round < 3; round++) {
			for (uint64_t page = 0; page < 3 * 512; page++) {
				cr_assert_eq(guest_load(&ept, page * PAGE), round ? page + 1 : 0);
				guest_store(&ept, page * PAGE, page + 1);
			}
		}
		/* What is used alone stays and becomes whole. */
		for (int round = 0; round < 3; round++) {
			for (uint64_t page = 0; page < 512; page++)
				cr_assert_eq(guest_load(&ept, page * PAGE), page + 1);
		}
		counts = guest_counts(&ept);
		cr_assert_gt(counts.splits, 0);
		cr_assert_gt(counts.merges, 0);
		cr_assert_null(hpt_check(&ept.table));
		ept_destroy(&ept);
	}
}
