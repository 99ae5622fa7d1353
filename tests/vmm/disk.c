/* SPDX-License-Identifier: MIT */
/* Which files are disks. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/disk.h"
#include "vmm/status.h"

static char folder[] = "/tmp/twostage-disks-XXXXXX";
static char path[128];
static struct message message;
static struct disk disk;

static void setup(void)
{
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void cleanup(void)
{
	unlink(path);
	rmdir(folder);
}

TestSuite(disk, .init = setup, .fini = cleanup);

static void make(off_t size)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	cr_assert_eq(ftruncate(fd, size), 0);
	close(fd);
}

static void expect_refused(const char *name, const char *text)
{
	cr_expect_neq(disk_open(&disk, "--disk", name, &message), 0);
	cr_expect_eq(message.status, STATUS_NOINPUT);
	cr_expect_eq(strncmp(message.text, "--disk: ", 8), 0);
	cr_expect(strstr(message.text, text), "%s", message.text);
	cr_expect_eq(disk.fd, -1);
}

Test(disk, a_file_of_whole_sectors_is_one)
{
	make(3 * 512);
	cr_assert_eq(disk_open(&disk, "--disk", path, &message), 0, "%s", message.text);
	cr_expect_eq(disk.sectors, 3);
	cr_expect_not(disk.read_only);
	cr_expect(fcntl(disk.fd, F_GETFD) & FD_CLOEXEC);
	disk_close(&disk);
	disk_close(&disk);
}

Test(disk, other_sizes_are_refused)
{
	make(0);
	expect_refused(path, "size: found 0 bytes, wanted a multiple of 512 above 0");
	make(511);
	expect_refused(path, "size: found 511 bytes");
	make(1000000);
	expect_refused(path, "size: found 1000000 bytes");
}

Test(disk, what_is_no_file_or_block_device_is_refused, .timeout = 10)
{
	expect_refused(path, "No such file or directory");
	expect_refused(folder, "Is a directory");
	expect_refused("/dev/zero", "found a special file, wanted");
	expect_refused("", "No such file");
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_refused(path, "found a special file, wanted");
}

Test(disk, two_guests_do_not_share_one)
{
	struct disk first;

	make(4096);
	cr_assert_eq(disk_open(&first, "--disk", path, &message), 0);
	expect_refused(path, "found it locked by another process");
	disk_close(&first);
	cr_expect_eq(disk_open(&disk, "--disk", path, &message), 0);
	disk_close(&disk);
}

Test(disk, a_file_that_may_only_be_read_is_read_only)
{
	struct disk second;

	make(4096);
	cr_assert_eq(chmod(path, 0400), 0);
	if (geteuid() == 0 && seteuid(65534) != 0)
		cr_skip_test("there is no other user here");
	/* The folder is root's. */
	if (disk_open(&disk, "--disk", path, &message)) {
		(void)!seteuid(0);
		cr_assert_eq(chmod(folder, 0755), 0);
		cr_assert_eq(chmod(path, 0444), 0);
		cr_assert_eq(seteuid(65534), 0);
		cr_assert_eq(disk_open(&disk, "--disk", path, &message), 0, "%s", message.text);
	}
	cr_expect(disk.read_only);
	cr_expect_eq(disk_open(&second, "--disk", path, &message), 0, "readers share it: %s",
		     message.text);
	cr_expect_neq(disk_write(&disk, 0, "x", 1), 0);
	disk_close(&disk);
	disk_close(&second);
	(void)!seteuid(0);
}
