/* SPDX-License-Identifier: MIT */
/* Pages that come back with others: as they were, in fewer misses, and at no other page's cost. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ept/origin.h"
#include "ept/save.h"
#include "tests/ept/guest.h"

enum { PAGES = 1024, AROUND = 16 };

static struct ept ept;
static struct ept_origin origin;
static char path[64];

static struct ept_config config_of(enum hpt_organisation organisation)
{
	struct ept_config config = guest_config(organisation, PAGES * PAGE);

	config.around = AROUND;
	return config;
}

static void fill(void)
{
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		guest_store(&ept, gfn * PAGE + 8, gfn * 3 + 1);
}

static void check_all(void)
{
	for (uint64_t gfn = 0; gfn < PAGES; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 8), gfn * 3 + 1);
}

static void restore(const struct ept_config *config)
{
	struct ept_save writer;
	const char *what;

	snprintf(path, sizeof(path), "/tmp/twostage-ahead-%d", (int)getpid());
	guest_create(&ept, config);
	fill();
	cr_assert_eq(ept_save_open(&writer, path, &what), 0, "%s", what);
	cr_assert_eq(ept_save_write(&writer, &ept, NULL, 0, &what), 0, "%s", what);
	ept_save_close(&writer);
	ept_destroy(&ept);
	cr_assert_eq(ept_origin_open(&origin, path, &what), 0, "%s", what);
	guest_create(&ept, config);
	cr_assert_eq(ept_restore(&ept, &origin, &what), 0, "%s", what);
}

static void finish(void)
{
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
	ept_origin_close(&origin);
	unlink(path);
}

EACH_ORGANISATION(a_sequence_of_restored_pages_comes_in_runs)
{
	struct ept_config config = config_of(*organisation);
	struct ept_counts counts;

	restore(&config);
	check_all();
	counts = guest_counts(&ept);
	cr_assert_eq(counts.restored, PAGES);
	cr_assert_eq(counts.restored, counts.swapped + counts.ahead);
	cr_assert_lt(counts.misses, 2 * PAGES / AROUND);
	finish();
}

EACH_ORGANISATION(pages_touched_at_random_come_alone)
{
	struct ept_config config = config_of(*organisation);

	restore(&config);
	for (uint64_t i = 0; i < PAGES; i += 2)
		cr_assert_eq(guest_load(&ept, (i * 389 % PAGES) * PAGE + 8),
			     (i * 389 % PAGES) * 3 + 1);
	cr_assert_eq(guest_counts(&ept).ahead, 0);
	finish();
}

EACH_ORGANISATION(a_sequence_of_swapped_pages_comes_in_runs_and_within_the_limit)
{
	struct ept_config config = config_of(*organisation);
	struct ept_counts counts;

	config.host_mem = PAGES / 2 * PAGE;
	config.no_swap = false;
	guest_create(&ept, &config);
	fill();
	for (int round = 0; round < 3; round++)
		check_all();
	counts = guest_counts(&ept);
	cr_assert_gt(counts.ahead, PAGES);
	cr_assert_null(hpt_check(&ept.table));
	ept_destroy(&ept);
}

Test(ahead, a_damaged_page_costs_the_pages_before_it_nothing, .timeout = 30)
{
	struct ept_config config = config_of(HPT_CLUSTERED);
	uint8_t byte;
	gpa_t gpa;
	int fd;

	restore(&config);
	fd = open(path, O_RDWR);
	cr_assert_eq(pread(fd, &byte, 1, (off_t)(origin.pages_at + 200 * PAGE)), 1);
	byte ^= 1;
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(origin.pages_at + 200 * PAGE)), 1);
	close(fd);
	for (uint64_t gfn = 0; gfn < 200; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 8), gfn * 3 + 1);
	cr_assert(guest_store_fails(&ept, 200 * PAGE));
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "the snapshot is damaged"));
	cr_assert_eq(gpa, 200 * PAGE);
	finish();
}
