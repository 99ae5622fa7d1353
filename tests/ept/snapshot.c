/* SPDX-License-Identifier: MIT */
/* Snapshots: what is written is what is read, and what is damaged is found. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ept/origin.h"
#include "ept/save.h"
#include "ept/snapshot_format.h"
#include "tests/ept/guest.h"

enum { PAGES = 600 };

static struct ept ept;
static struct ept_origin origin;
static char path[64];
static const char owner[] = "what the owner wants to know again";

static void name_file(void)
{
	snprintf(path, sizeof(path), "/tmp/twostage-snapshot-%d", (int)getpid());
}

static bool has_temporary(void)
{
	char name[80];

	snprintf(name, sizeof(name), "%s.tmp", path);
	return access(name, F_OK) == 0;
}

/* What a page has: nothing in every third, so that there are runs and holes. */
static uint64_t value_of(uint64_t gfn)
{
	return gfn % 3 == 2 ? 0 : gfn * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void save(struct ept *from)
{
	struct ept_save writer;
	const char *what;

	cr_assert_eq(ept_save_open(&writer, path, &what), 0, "%s", what);
	cr_assert_eq(ept_save_write(&writer, from, owner, sizeof(owner), &what), 0, "%s", what);
	ept_save_close(&writer);
	cr_assert_not(has_temporary());
}

/* A guest that has touched its pages, saved and gone. Two ranges, and a hole. */
static struct ept_config make_snapshot(enum hpt_organisation organisation)
{
	struct ept_config config = guest_config(organisation, 512 * PAGE);

	config.ranges[1] = (struct ept_range){.start = 16 * MIB, .size = 512 * PAGE};
	config.range_count = 2;
	config.host_mem = 1024 * PAGE;
	name_file();
	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < PAGES / 2; gfn++) {
		guest_store(&ept, gfn * PAGE + 24, value_of(gfn));
		guest_store(&ept, 16 * MIB + gfn * PAGE + 4088, value_of(gfn));
	}
	save(&ept);
	ept_destroy(&ept);
	return config;
}

static void open_snapshot(void)
{
	const char *what;

	cr_assert_eq(ept_origin_open(&origin, path, &what), 0, "%s", what);
	cr_assert_eq(origin.owner_size, sizeof(owner));
	cr_assert_str_eq(origin.owner, owner);
}

static void restore(const struct ept_config *config)
{
	const char *what;

	open_snapshot();
	guest_create(&ept, config);
	cr_assert_eq(ept_restore(&ept, &origin, &what), 0, "%s", what);
	cr_assert_null(hpt_check(&ept.table));
}

static void finish(void)
{
	ept_destroy(&ept);
	ept_origin_close(&origin);
	unlink(path);
}

static void check_pages(void)
{
	for (uint64_t gfn = 0; gfn < PAGES / 2; gfn++) {
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 24), value_of(gfn));
		cr_assert_eq(guest_load(&ept, 16 * MIB + gfn * PAGE + 4088), value_of(gfn));
		cr_assert_eq(guest_load(&ept, gfn * PAGE), 0);
	}
}

EACH_ORGANISATION(a_restored_guest_has_every_page_as_it_was)
{
	struct ept_config config = make_snapshot(*organisation);
	struct ept_counts counts;

	restore(&config);
	cr_assert_eq(guest_counts(&ept).frames, 0);
	check_pages();
	counts = guest_counts(&ept);
	cr_assert_eq(counts.restored, PAGES * 2 / 3);
	cr_assert_eq(counts.touches, PAGES / 3, "pages of zeros are not in the file");
	finish();
}

EACH_ORGANISATION(a_restored_guest_with_few_frames_has_every_page_as_it_was)
{
	struct ept_config config = make_snapshot(*organisation);

	config.host_mem = 80 * PAGE;
	config.no_swap = false;
	restore(&config);
	for (int round = 0; round < 3; round++)
		check_pages();
	cr_assert_eq(guest_counts(&ept).restored, PAGES * 2 / 3, "each comes from there once");
	cr_assert_gt(guest_counts(&ept).swaps_in, 0);
	finish();
}

EACH_ORGANISATION(what_the_gateway_reads_and_writes_is_the_snapshots)
{
	struct ept_config config = make_snapshot(*organisation);
	uint64_t value;

	restore(&config);
	for (uint64_t gfn = 0; gfn < PAGES / 2; gfn++) {
		cr_assert_eq(ept_peek(&ept, gfn * PAGE + 24, &value, sizeof(value)), 0);
		cr_assert_eq(value, value_of(gfn));
	}
	cr_assert_eq(guest_counts(&ept).frames, 0, "looking touches nothing");
	value = 7;
	cr_assert_eq(ept_copy_in(&ept, 32, &value, sizeof(value)), 0);
	cr_assert_eq(guest_load(&ept, 24), value_of(0));
	cr_assert_eq(guest_load(&ept, 32), 7);
	finish();
}

EACH_ORGANISATION(a_snapshot_of_a_restored_guest_is_that_of_both)
{
	struct ept_config config = make_snapshot(*organisation);
	struct ept_origin first;

	restore(&config);
	first = origin;
	ept.origin = &first;
	guest_store(&ept, 24, 42); /* a page of the snapshot */
	guest_store(&ept, 510 * PAGE, 43);
	save(&ept); /* in the place of the file that it goes on from */
	ept_destroy(&ept);
	ept_origin_close(&first);
	restore(&config);
	cr_assert_eq(guest_load(&ept, 24), 42);
	cr_assert_eq(guest_load(&ept, 510 * PAGE), 43);
	for (uint64_t gfn = 1; gfn < PAGES / 2; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 24), value_of(gfn));
	finish();
}

Test(snapshot, whole_blocks_are_saved_and_pages_of_one_can_be_restored)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);

	config.host_pages = EPT_2M;
	name_file();
	guest_create(&ept, &config);
	for (uint64_t gfn = 3; gfn < 1024; gfn++)
		guest_store(&ept, gfn * PAGE, gfn);
	save(&ept);
	ept_destroy(&ept);
	config.host_pages = EPT_MIXED;
	restore(&config);
	for (uint64_t gfn = 0; gfn < 1024; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn < 3 ? 0 : gfn);
	cr_assert_eq(guest_counts(&ept).restored, 1021);
	cr_assert_eq(guest_counts(&ept).merges, 2, "a block that is complete again is one");
	finish();
}

Test(snapshot, pages_that_are_swapped_out_are_in_it)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 512 * PAGE);

	config.host_mem = 70 * PAGE;
	config.no_swap = false;
	name_file();
	guest_create(&ept, &config);
	for (uint64_t gfn = 0; gfn < 512; gfn++)
		guest_store(&ept, gfn * PAGE, gfn);
	save(&ept);
	for (uint64_t gfn = 0; gfn < 512; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn, "the guest goes on");
	ept_destroy(&ept);
	restore(&config);
	for (uint64_t gfn = 512; gfn-- > 0;)
		cr_assert_eq(guest_load(&ept, gfn * PAGE), gfn);
	finish();
}

Test(snapshot, one_of_other_memory_is_refused)
{
	struct ept_config config = make_snapshot(HPT_CLUSTERED);
	const char *what;

	config.ranges[1].start += PAGE;
	open_snapshot();
	guest_create(&ept, &config);
	cr_assert_eq(ept_restore(&ept, &origin, &what), -EINVAL);
	finish();
}

/* --- damage */

static int try_open(const char **what)
{
	int ret = ept_origin_open(&origin, path, what);

	if (ret == 0)
		ept_origin_close(&origin);
	return ret;
}

static void flip(int fd, uint64_t offset, uint8_t mask)
{
	uint8_t byte;

	cr_assert_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= mask;
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

Test(snapshot, any_byte_that_is_flipped_outside_of_the_pages_is_refused)
{
	struct snapshot_header header;
	const char *what;
	int fd;

	make_snapshot(HPT_CLUSTERED);
	fd = open(path, O_RDWR);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	for (uint64_t at = 0; at < header.file_size; at++) {
		if (at == snapshot_pages_at(&header))
			at = snapshot_runs_at(&header);
		flip(fd, at, (uint8_t)(1u << at % 8));
		cr_assert_eq(try_open(&what), -EBADMSG, "byte %lu", (unsigned long)at);
		cr_assert_not_null(strstr(what, "found"), "%s", what);
		cr_assert_not_null(strstr(what, "wanted"), "%s", what);
		flip(fd, at, (uint8_t)(1u << at % 8));
	}
	cr_assert_eq(try_open(&what), 0, "%s", what);
	close(fd);
	unlink(path);
}

Test(snapshot, one_that_is_cut_or_longer_is_refused)
{
	struct snapshot_header header;
	const char *what;
	int fd;

	make_snapshot(HPT_CLUSTERED);
	fd = open(path, O_RDWR);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	cr_assert_eq(ftruncate(fd, (off_t)header.file_size + 1), 0);
	cr_assert_eq(try_open(&what), -EBADMSG);
	for (uint64_t size = header.file_size; size-- > 0; size -= size < 5000 ? 0 : 997) {
		cr_assert_eq(ftruncate(fd, (off_t)size), 0);
		cr_assert_eq(try_open(&what), -EBADMSG, "%lu", (unsigned long)size);
		cr_assert_not_null(strstr(what, "size of the file"), "%s", what);
	}
	close(fd);
	unlink(path);
}

Test(snapshot, a_foreign_file_is_refused)
{
	char text[5000];
	const char *what;
	FILE *file;

	name_file();
	memset(text, 'x', sizeof(text));
	file = fopen(path, "w");
	cr_assert_eq(fwrite(text, 1, sizeof(text), file), sizeof(text));
	fclose(file);
	cr_assert_eq(try_open(&what), -EBADMSG);
	cr_assert_not_null(strstr(what, "magic: found \"xxxx"), "%s", what);
	unlink(path);
	cr_assert_eq(try_open(&what), -ENOENT);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(try_open(&what), -EBADMSG);
	unlink(path);
}

/* A header that is right in itself, but says something that cannot be. */
static void check_lie(struct snapshot_header header, const char *wanted)
{
	int fd = open(path, O_RDWR);
	const char *what;

	header.sum = snapshot_header_sum(&header);
	cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	close(fd);
	cr_assert_eq(try_open(&what), -EBADMSG, "%s", wanted);
	cr_assert_not_null(strstr(what, wanted), "%s", what);
}

Test(snapshot, a_header_that_lies_is_refused)
{
	struct snapshot_header header, lie;
	int fd;

	make_snapshot(HPT_CLUSTERED);
	fd = open(path, O_RDONLY);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	close(fd);
	lie = header;
	lie.version++;
	check_lie(lie, "version: found 2, wanted 1");
	lie = header;
	lie.range_count = 5;
	check_lie(lie, "range_count");
	lie = header;
	lie.owner_size = UINT64_MAX;
	check_lie(lie, "owner_size");
	lie = header;
	lie.page_count = UINT64_MAX;
	check_lie(lie, "page_count");
	lie = header;
	lie.run_count = lie.page_count + 1;
	check_lie(lie, "run_count");
	lie = header;
	lie.file_size++;
	check_lie(lie, "file_size");
	lie = header;
	lie.ranges[1].size -= 300 * PAGE; /* the last pages are no RAM then */
	check_lie(lie, "runs[");
	lie = header;
	lie.page_count--; /* nothing is where it was */
	check_lie(lie, "file_size");
	unlink(path);
}

Test(snapshot, a_damaged_page_is_found_when_it_is_read_and_never_given_to_the_guest)
{
	struct ept_config config = make_snapshot(HPT_CLUSTERED);
	int fd = open(path, O_RDWR);
	gpa_t gpa;

	restore(&config);
	/* The fourth page in the file is that of gfn 4. */
	flip(fd, origin.pages_at + 3 * PAGE + 4000, 1);
	for (uint64_t gfn = 0; gfn < 4; gfn++)
		cr_assert_eq(guest_load(&ept, gfn * PAGE + 24), value_of(gfn));
	cr_assert(guest_store_fails(&ept, 4 * PAGE));
	cr_assert_not_null(strstr(ept_failure(&ept, &gpa), "the snapshot is damaged"));
	cr_assert_eq(gpa, 4 * PAGE);
	close(fd);
	finish();
}

Test(snapshot, pages_that_have_changed_places_are_found)
{
	struct ept_config config = make_snapshot(HPT_CLUSTERED);
	int fd = open(path, O_RDWR);
	char page[2][4096];

	restore(&config);
	for (unsigned int i = 0; i < 2; i++)
		cr_assert_eq(pread(fd, page[i], PAGE, (off_t)(origin.pages_at + i * PAGE)), 4096);
	for (unsigned int i = 0; i < 2; i++)
		cr_assert_eq(pwrite(fd, page[1 - i], PAGE, (off_t)(origin.pages_at + i * PAGE)),
			     4096);
	cr_assert(guest_store_fails(&ept, 0));
	close(fd);
	finish();
}

/* --- writing */

Test(snapshot, a_full_disk_leaves_the_file_that_was_there)
{
	struct ept_config config = make_snapshot(HPT_CLUSTERED);
	struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
	struct ept_save writer;
	const char *what;

	signal(SIGXFSZ, SIG_IGN);
	restore(&config);
	cr_assert_eq(ept_save_open(&writer, path, &what), 0, "%s", what);
	cr_assert(has_temporary());
	setrlimit(RLIMIT_FSIZE, &limit);
	cr_assert_eq(ept_save_write(&writer, &ept, owner, sizeof(owner), &what), -EFBIG);
	ept_save_close(&writer);
	cr_assert_not(has_temporary());
	check_pages();
	ept_destroy(&ept);
	ept_origin_close(&origin);
	cr_assert_eq(try_open(&what), 0, "%s", what);
	unlink(path);
}

Test(snapshot, a_second_writer_of_the_name_is_refused)
{
	struct ept_save one, two;
	const char *what;

	name_file();
	cr_assert_eq(ept_save_open(&one, path, &what), 0, "%s", what);
	cr_assert_eq(ept_save_open(&two, path, &what), -EBUSY);
	ept_save_close(&two);
	cr_assert(has_temporary());
	ept_save_close(&one);
	cr_assert_not(has_temporary());
	cr_assert_eq(ept_save_open(&one, "/nowhere/at/all", &what), -ENOENT);
	ept_save_close(&one);
}
