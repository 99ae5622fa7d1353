/* SPDX-License-Identifier: MIT */
/* The swap file: what it refuses, and what it finds damaged. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ept/guest.h"

static char path[] = "/tmp/twostage-swap-XXXXXX";
static struct ept ept;

static struct ept_config config_of(const char *file, uint64_t pages, uint64_t frames)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, pages * PAGE);

	config.host_mem = frames * PAGE;
	config.no_swap = false;
	config.swap = file;
	return config;
}

static void fill_file(const char *text)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text) + 1), (ssize_t)strlen(text) + 1);
	close(fd);
}

static int try_create(const struct ept_config *config, const char **what)
{
	int ret = ept_create(&ept, config, what);

	if (ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP)
		cr_skip_test("%s", *what);
	return ret;
}

Test(swap, a_file_with_other_data_is_refused_and_kept)
{
	const char text[] = "a letter to nobody";
	struct ept_config config = config_of(path, 64, 8);
	char found[sizeof(text)];
	const char *what;
	int fd;

	fill_file(text);
	cr_assert_eq(try_create(&config, &what), -EEXIST);
	cr_assert_not_null(strstr(what, "holds other data"), "%s", what);
	fd = open(path, O_RDONLY);
	cr_assert_eq(read(fd, found, sizeof(found)), (ssize_t)sizeof(found));
	cr_assert_str_eq(found, text);
	close(fd);
	unlink(path);
}

Test(swap, what_a_killed_process_left_is_taken_and_not_looked_at)
{
	struct ept_config config = config_of(path, 64, 8);
	const char *what;
	struct stat status;

	fill_file("twostage swap file\n");
	cr_assert_eq(try_create(&config, &what), 0, "%s", what);
	for (uint64_t gfn = 0; gfn < 64; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 0);
	for (uint64_t gfn = 0; gfn < 64; gfn++)
		guest_store(&ept, gfn * PAGE, gfn + 1);
	for (uint64_t gfn = 0; gfn < 64; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn + 1);
	cr_assert_gt(guest_counts(&ept).swaps_out, 0);
	ept_destroy(&ept);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_size, 0);
	unlink(path);
}

Test(swap, a_file_that_was_made_is_gone_afterwards)
{
	struct ept_config config = config_of(path, 64, 8);
	const char *what;

	close(mkstemp(path));
	unlink(path);
	cr_assert_eq(try_create(&config, &what), 0, "%s", what);
	cr_assert_eq(access(path, F_OK), 0);
	ept_destroy(&ept);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(swap, a_file_in_use_is_refused)
{
	struct ept_config config = config_of(path, 64, 8);
	const char *what;
	int fd = mkstemp(path);

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_assert_eq(try_create(&config, &what), -EBUSY);
	cr_assert_not_null(strstr(what, "another process"), "%s", what);
	close(fd);
	unlink(path);
}

Test(swap, a_damaged_block_is_found_and_never_given_to_the_guest)
{
	struct ept_config config = config_of(path, 64, 8);
	const char *what;
	uint64_t wrong = 0, entry;
	int fd = mkstemp(path);
	gpa_t gpa;

	cr_assert_eq(try_create(&config, &what), 0, "%s", what);
	for (uint64_t gfn = 0; gfn < 64; gfn++)
		guest_store(&ept, gfn * PAGE, gfn + 1);
	/* The first word of each block that holds a page. */
	for (uint64_t gfn = 0; gfn < 64; gfn++) {
		cr_assert_eq(ept_entry(&ept, gfn * PAGE, &entry), 0);
		if (entry & HPT_SWAPPED)
			cr_assert_eq(pwrite(fd, &wrong, 4,
					    (off_t)(hpt_swap_location(entry) + 1) * (off_t)PAGE),
				     4);
	}
	fsync(fd);
	cr_assert(guest_store_fails(&ept, 0));
	cr_assert_str_eq(ept_failure(&ept, &gpa),
			 "the swap file has lost a page: its checksum is wrong");
	cr_assert_eq(gpa, 0);
	close(fd);
	ept_destroy(&ept);
	unlink(path);
}

Test(swap, a_full_device_ends_in_a_clear_failure_and_no_page_is_lost)
{
	struct ept_config config = config_of(path, 512, 64);
	struct rlimit limit = {100 * PAGE, 100 * PAGE};
	uint64_t stored = 0, found = 0, value;
	const char *what;
	gpa_t gpa;

	close(mkstemp(path));
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(try_create(&config, &what), 0, "%s", what);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (stored < 512 && !guest_store_fails(&ept, stored * PAGE))
		stored++;
	cr_assert_lt(stored, 512);
	cr_assert_geq(stored, 64);
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "device is full"));
	cr_assert_eq(gpa, stored * PAGE);
	/* What has a frame is there; what has none could come back if one were free. */
	for (uint64_t gfn = 0; gfn < stored; gfn++) {
		uint64_t entry;

		cr_assert_eq(ept_entry(&ept, gfn * PAGE, &entry), 0);
		if (!hpt_resident(entry))
			continue;
		cr_assert_eq(ept_copy_out(&ept, gfn * PAGE, &value, sizeof(value)), 0);
		cr_assert_eq(value, 1);
		found++;
	}
	cr_assert_eq(found, 64);
	ept_destroy(&ept);
	unlink(path);
}
