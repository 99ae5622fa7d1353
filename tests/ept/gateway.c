/* SPDX-License-Identifier: MIT */
/* The checked gateway: copies between the VMM and guest memory. */
#include <stdlib.h>

#include "tests/ept/guest.h"

static struct ept ept;
static unsigned char bytes[8 * MIB];
static unsigned char back[8 * MIB];

static void fill_bytes(uint64_t random)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)next_random(&random);
}

EACH_ORGANISATION(the_guest_loads_what_was_copied_in_before_its_touch)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	struct ept_counts counts;

	guest_create(&ept, &config);
	for (uint64_t i = 0; i < 20; i++)
		cr_assert_eq(ept_copy_in(&ept, i * 7 * PAGE, &i, sizeof(i)), 0);
	counts = guest_counts(&ept);
	cr_assert_eq(counts.copies, 20);
	cr_assert_eq(counts.misses, 0);
	for (uint64_t i = 0; i < 20; i++)
		cr_assert_eq(guest_load(&ept, i * 7 * PAGE), i);
	counts = guest_counts(&ept);
	cr_assert_eq(counts.loaded, 20);
	cr_assert_eq(counts.touches, 0);
	cr_assert_eq(counts.frames, 20);
	cr_assert_eq(counts.remaps, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_page_that_is_copied_out_untouched_reads_as_zeros)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	uint64_t value = 1;

	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_out(&ept, PAGE, &value, sizeof(value)), 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(guest_counts(&ept).copies, 1);
	ept_destroy(&ept);
}

EACH_ORGANISATION(copies_cross_pages_and_blocks)
{
	static const struct {
		gpa_t gpa;
		uint64_t size;
	} cases[] = {
		{0, 1},
		{4095, 1},
		{4095, 2},
		{1, 4096},
		{100, 3 * 4096},
		{2 * MIB - 1, 2},
		{2 * MIB - 4097, 8195},
		{4 * MIB - 8, 8},
		{3, 6 * MIB},
		{0, 8 * MIB},
		{8 * MIB - 1, 1},
	};
	struct ept_config config = guest_config(*organisation, 8 * MIB);

	fill_bytes(7);
	guest_create(&ept, &config);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = cases[i].size;

		cr_assert_eq(
			ept_copy_in(&ept, cases[i].gpa, bytes + i, size - (size > 7 * MIB) * i), 0);
		size -= (size > 7 * MIB) * i;
		memset(back, 0, sizeof(back));
		cr_assert_eq(ept_copy_out(&ept, cases[i].gpa, back, size), 0);
		cr_assert_eq(memcmp(back, bytes + i, size), 0, "case %zu", i);
		for (uint64_t at = 0; at < size; at += 997)
			cr_assert_eq(((volatile unsigned char *)ept_window_address(
					     &ept, cases[i].gpa))[at],
				     bytes[i + at]);
	}
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_copy_from_nowhere_is_zeros)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);

	fill_bytes(8);
	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_in(&ept, 0, bytes, 4 * MIB), 0);
	cr_assert_eq(ept_copy_in(&ept, 1000, NULL, 3 * PAGE), 0);
	memset(bytes + 1000, 0, 3 * PAGE);
	cr_assert_eq(ept_copy_out(&ept, 0, back, 4 * MIB), 0);
	cr_assert_eq(memcmp(back, bytes, 4 * MIB), 0);
	ept_destroy(&ept);
}

/* RAM with a hole between 1 and 3 GiB, and two ranges that touch at 3 GiB + 1 MiB. */
static struct ept_config config_with_hole(enum hpt_organisation organisation)
{
	return (struct ept_config){
		.ranges = {{PAGE, GIB - PAGE}, {3 * GIB, MIB}, {3 * GIB + MIB, 4 * MIB}},
		.range_count = 3,
		.host_mem = 2 * GIB,
		.organisation = organisation};
}

EACH_ORGANISATION(a_byte_outside_ram_refuses_the_whole_copy)
{
	static const struct {
		gpa_t gpa;
		uint64_t size;
	} refused[] = {
		{0, 1},
		{PAGE - 1, 2},
		{GIB - 1, 2},
		{GIB - 8, 8 * MIB},
		{GIB, 1},
		{2 * GIB, 1},
		{3 * GIB - 1, 1},
		{3 * GIB - 1, 2},
		{3 * GIB + 5 * MIB - 1, 2},
		{3 * GIB + 5 * MIB, 1},
		{UINT64_MAX, 1},
		{PAGE, UINT64_MAX},
		{PAGE, UINT64_MAX - PAGE + 1},
		{GIB - PAGE, UINT64_MAX - 8},
		{UINT64_MAX - 7, 8},
		{UINT64_MAX - 7, 9},
	};
	struct ept_config config = config_with_hole(*organisation);

	guest_create(&ept, &config);
	memset(back, 0x5a, 16);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		gpa_t gpa = refused[i].gpa;

		cr_assert_eq(ept_copy_in(&ept, gpa, NULL, refused[i].size), -EFAULT, "%zu", i);
		cr_assert_eq(ept_copy_out(&ept, gpa, back, refused[i].size), -EFAULT, "%zu", i);
		cr_assert_eq(back[0], 0x5a);
	}
	cr_assert_eq(guest_counts(&ept).frames, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(copies_reach_the_ends_of_ranges_and_cross_where_ranges_touch)
{
	struct ept_config config = config_with_hole(*organisation);

	fill_bytes(9);
	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_in(&ept, PAGE, bytes, PAGE), 0);
	cr_assert_eq(ept_copy_in(&ept, GIB - 1, bytes, 1), 0);
	cr_assert_eq(ept_copy_in(&ept, 3 * GIB, bytes, 5 * MIB), 0);
	cr_assert_eq(ept_copy_out(&ept, 3 * GIB, back, 5 * MIB), 0);
	cr_assert_eq(memcmp(back, bytes, 5 * MIB), 0);
	for (uint64_t at = 0; at < 5 * MIB; at += PAGE)
		cr_assert_eq(*(volatile unsigned char *)ept_window_address(&ept, 3 * GIB + at),
			     bytes[at]);
	cr_assert_eq(guest_counts(&ept).loaded, 5 * MIB / PAGE);
	cr_assert_eq(guest_counts(&ept).remaps, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(nothing_is_copied_anywhere)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);

	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_in(&ept, 0, NULL, 0), 0);
	cr_assert_eq(ept_copy_out(&ept, UINT64_MAX, back, 0), 0);
	cr_assert_eq(guest_counts(&ept).frames, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_copy_stops_where_host_memory_ends)
{
	struct ept_config config = guest_config(*organisation, 4 * MIB);
	gpa_t gpa;

	config.host_mem = 4 * PAGE;
	fill_bytes(10);
	guest_create(&ept, &config);
	cr_assert_eq(ept_copy_in(&ept, 100, bytes, 6 * PAGE), -ENOMEM);
	cr_assert_eq(guest_counts(&ept).frames, 4);
	cr_assert_eq(ept_copy_out(&ept, 100, back, 4 * PAGE - 100), 0);
	cr_assert_eq(memcmp(back, bytes, 4 * PAGE - 100), 0);
	cr_assert_null(ept_failure(&ept, &gpa));
	ept_destroy(&ept);
}
