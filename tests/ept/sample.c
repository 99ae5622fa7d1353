/* SPDX-License-Identifier: MIT */
/* Samples: which pages the guest touched and wrote since the last one. */
#include "tests/ept/guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define TOGETHER 1500 /* pages that are read and written at once */
#define ROUNDS	 4

static struct ept ept;

static void create(enum hpt_organisation organisation, enum ept_pages pages, uint64_t size)
{
	struct ept_config config = guest_config(organisation, size);

	config.track = true;
	config.host_pages = pages;
	guest_create(&ept, &config);
}

static void expect(uint64_t resident, uint64_t accessed, uint64_t dirty)
{
	struct ept_sample sample;

	cr_assert_eq(ept_take_sample(&ept, &sample), 0);
	cr_expect_eq(sample.resident, resident, "resident %lu", (unsigned long)sample.resident);
	cr_expect_eq(sample.accessed, accessed, "accessed %lu", (unsigned long)sample.accessed);
	cr_expect_eq(sample.dirty, dirty, "dirty %lu", (unsigned long)sample.dirty);
	cr_assert_null(hpt_check(&ept.table));
}

EACH_ORGANISATION(what_was_read_is_accessed_and_what_was_written_is_dirty)
{
	uint64_t value = 1;

	create(*organisation, EPT_4K, 8 * MIB);
	expect(0, 0, 0);
	for (uint64_t gfn = 0; gfn < 300; gfn++)
		guest_store(&ept, gfn * PAGE, gfn);
	for (uint64_t gfn = 300; gfn < 500; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 0);
	expect(500, 500, 300);
	expect(500, 0, 0);
	for (uint64_t gfn = 0; gfn < 500; gfn += 5)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn < 300 ? gfn : 0);
	expect(500, 100, 0);
	/* The VMM's own touches are no use that the guest makes. */
	cr_assert_eq(ept_copy_in(&ept, 600 * PAGE, &value, sizeof(value)), 0);
	expect(501, 0, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_page_that_is_read_first_and_written_later_is_dirty)
{
	create(*organisation, EPT_4K, 8 * MIB);
	for (int round = 0; round < 3; round++) {
		for (uint64_t gfn = 0; gfn < 100; gfn++)
			cr_assert_eq(guest_load(&ept, gfn * PAGE), round ? gfn + 1 : 0);
		for (uint64_t gfn = 0; gfn < 100; gfn++)
			guest_store(&ept, gfn * PAGE, gfn + 1);
		for (uint64_t gfn = 0; gfn < 100; gfn++)
			guest_store(&ept, gfn * PAGE + 8, gfn);
		cr_expect_eq(guest_counts(&ept).dirtied, 100 * ((uint64_t)round + 1));
		expect(100, 100, 100);
	}
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_whole_block_counts_as_all_of_its_pages)
{
	create(*organisation, EPT_2M, 8 * MIB);
	guest_store(&ept, 2 * MIB, 1);
	cr_assert_eq(guest_load(&ept, 4 * MIB), 0);
	expect(1024, 1024, 512);
	cr_assert_eq(guest_load(&ept, 2 * MIB), 1);
	expect(1024, 512, 0);
	ept_destroy(&ept);
}

/*
 * Reads one page after the other, while another thread waits for each to appear in the page tables
 * and writes it at once, when it may not be protected yet.
 */
static void *read_pages(void *context)
{
	(void)context;
	for (uint64_t i = 0; i < TOGETHER; i++)
		(void)guest_load(&ept, i * PAGE);
	return NULL;
}

static bool is_present(int pagemap, gpa_t gpa)
{
	uintptr_t page = (uintptr_t)ept_window_address(&ept, gpa) / PAGE;
	uint64_t word;

	cr_assert_eq(pread(pagemap, &word, sizeof(word), (off_t)(page * sizeof(word))),
		     sizeof(word));
	return word >> 63;
}

static void write_behind(int pagemap)
{
	pthread_t reader;

	cr_assert_eq(pthread_create(&reader, NULL, read_pages, NULL), 0);
	for (uint64_t i = 0; i < TOGETHER; i++) {
		while (!is_present(pagemap, i * PAGE))
			continue;
		guest_store(&ept, i * PAGE, i + 1);
	}
	cr_assert_eq(pthread_join(reader, NULL), 0);
}

Test(ept, no_write_right_behind_a_read_is_missed, .timeout = 60)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 8 * MIB);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(pagemap, 0);
	config.track = true;
	config.handlers = 2;
	guest_create(&ept, &config);
	(void)guest_load(&ept, 7 * MIB);
	if (ept.window.protects_late)
		cr_skip_test("this kernel protects a page only after it has installed it");
	for (int round = 0; round < ROUNDS; round++) {
		write_behind(pagemap);
		expect(TOGETHER + 1, TOGETHER + !round, TOGETHER);
	}
	ept_destroy(&ept);
	close(pagemap);
}

Test(ept, a_page_that_is_written_stays_so_when_it_comes_back, .timeout = 30)
{
	create(HPT_CLUSTERED, EPT_4K, 8 * MIB);
	guest_store(&ept, 0, 1);
	/* As the kernel may do. */
	cr_assert_eq(ept_window_take_out(&ept.window, 0, PAGE), 0);
	cr_assert_eq(guest_load(&ept, 0), 1);
	guest_store(&ept, 0, 2);
	cr_expect_eq(guest_counts(&ept).dirtied, 0);
	cr_expect_eq(guest_counts(&ept).misses, 2, "it was not protected again");
	expect(1, 1, 1);
	ept_destroy(&ept);
}
