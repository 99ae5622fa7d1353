/* SPDX-License-Identifier: MIT */
/* Requests by the book, requests that fail, and chains that are none. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "virtio_driver.h"

#define SECTORS 64

static void setup(void)
{
	driver_create(SECTORS, false);
	driver_start(8, VIRTIO_BLOCK_FLUSH);
}

TestSuite(virtio_block, .init = setup, .fini = driver_destroy);

/* System calls that fail with an errno; 0: they do not. `short_io`: a byte at a time. */
static int read_error, write_error, sync_error;
static bool short_io;

ssize_t __real_pread(int fd, void *target, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *source, size_t size, off_t offset);
int __real_fdatasync(int fd);
ssize_t __wrap_pread(int fd, void *target, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *source, size_t size, off_t offset);
int __wrap_fdatasync(int fd);

/* An interruption happens once, all else again and again. */
static bool fails(int *error)
{
	if (!*error)
		return false;
	errno = *error;
	if (*error == EINTR)
		*error = 0;
	return true;
}

ssize_t __wrap_pread(int fd, void *target, size_t size, off_t offset)
{
	if (fails(&read_error))
		return -1;
	return __real_pread(fd, target, short_io ? 1 : size, offset);
}

ssize_t __wrap_pwrite(int fd, const void *source, size_t size, off_t offset)
{
	if (fails(&write_error))
		return -1;
	return __real_pwrite(fd, source, short_io ? 1 : size, offset);
}

int __wrap_fdatasync(int fd)
{
	return fails(&sync_error) ? -1 : __real_fdatasync(fd);
}

static uint8_t byte_of_file(uint64_t offset)
{
	uint8_t byte = 0;

	cr_assert_eq(__real_pread(driver.disk.fd, &byte, 1, (off_t)offset), 1);
	return byte;
}

static uint32_t status(void)
{
	return driver_read(VIRTIO_MMIO_STATUS);
}

/* The device is broken, for this reason, serves nothing more, and a reset mends it. */
static void expect_broken(const char *why)
{
	cr_expect_eq(driver_used(NULL), 0);
	cr_expect(status() & VIRTIO_NEEDS_RESET, "%s", why);
	cr_expect(driver.block.mmio.broken && strstr(driver.block.mmio.broken, why),
		  "found \"%s\", wanted \"%s\"", driver.block.mmio.broken, why);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL), NO_STATUS);
	driver.block.mmio.broken = NULL;
	driver_start(8, VIRTIO_BLOCK_FLUSH);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL), VIRTIO_BLOCK_OK);
}

Test(virtio_block, reads_and_writes_sectors)
{
	uint32_t written = 0;

	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 5, 1024, &written), VIRTIO_BLOCK_OK);
	cr_expect_eq(written, 1025);
	cr_expect_eq(driver.ram[DRIVER_DATA], 6);
	cr_expect_eq(driver.ram[DRIVER_DATA + 512], 7);
	cr_expect_eq(driver.ram[DRIVER_DATA + 1024], 0, "and not a byte more");
	memset(driver.ram + DRIVER_DATA, 0xab, 4096);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 8, 4096, &written), VIRTIO_BLOCK_OK);
	cr_expect_eq(written, 1, "the status");
	cr_expect_eq(byte_of_file(8 * 512), 0xab);
	cr_expect_eq(byte_of_file(16 * 512 - 1), 0xab);
	cr_expect_eq(byte_of_file(8 * 512 - 1), 8);
	cr_expect_eq(byte_of_file(16 * 512), 17);
	cr_expect_eq(driver.block.counts.reads, 1);
	cr_expect_eq(driver.block.counts.bytes_read, 1024);
	cr_expect_eq(driver.block.counts.writes, 1);
	cr_expect_eq(driver.block.counts.bytes_written, 4096);
}

Test(virtio_block, the_first_and_the_last_sector_are_there_and_no_other)
{
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, SECTORS * 512, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, SECTORS - 1, 512, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.ram[DRIVER_DATA], SECTORS);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, SECTORS, 512, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, SECTORS - 1, 1024, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, UINT64_MAX, 512, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, UINT64_MAX / 512 + 1, 512, NULL),
		     VIRTIO_BLOCK_IOERR, "no offset that wraps");
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, SECTORS, 512, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, UINT64_MAX, 512, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver.block.counts.failed, 6);
	cr_expect_eq(lseek(driver.disk.fd, 0, SEEK_END), SECTORS * 512, "the file has not grown");
}

Test(virtio_block, parts_of_sectors_fail)
{
	for (uint32_t size = 1; size < 512; size += 51)
		cr_expect_eq(driver_request(size % 2 ? VIRTIO_BLOCK_IN : VIRTIO_BLOCK_OUT, 0, size,
					    NULL),
			     VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 0, NULL), VIRTIO_BLOCK_OK, "no data");
}

Test(virtio_block, names_itself_and_knows_no_other_requests)
{
	uint32_t written = 0;

	memset(driver.ram + DRIVER_DATA, 0xff, 64);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_GET_ID, 0, 20, &written), VIRTIO_BLOCK_OK);
	cr_expect_str_eq((char *)driver.ram + DRIVER_DATA, "twostage disk");
	cr_expect_eq(written, 21);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_GET_ID, 0, 3, NULL), VIRTIO_BLOCK_OK, "a part");
	cr_expect_eq(driver_request(VIRTIO_BLOCK_GET_ID, 0, 64, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.ram[DRIVER_DATA + 20], 0xff);
	for (uint32_t type = 2; type < 16; type++) {
		if (type == VIRTIO_BLOCK_FLUSHES || type == VIRTIO_BLOCK_GET_ID)
			continue;
		cr_expect_eq(driver_request(type, 0, 512, NULL), VIRTIO_BLOCK_UNSUPPORTED);
	}
	cr_expect_eq(driver_request(UINT32_MAX, 0, 512, NULL), VIRTIO_BLOCK_UNSUPPORTED);
}

Test(virtio_block, a_disk_that_can_only_be_read_is_not_written)
{
	driver_destroy();
	driver_create(SECTORS, true);
	cr_expect(driver.block.mmio.backend.features & VIRTIO_BLOCK_RO);
	driver_start(8, VIRTIO_BLOCK_RO);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(byte_of_file(0), 1);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL), VIRTIO_BLOCK_OK);
}

Test(virtio_block, errors_of_the_host_are_errors_of_the_request)
{
	read_error = EIO;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL), VIRTIO_BLOCK_IOERR);
	read_error = EINTR;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 1, 512, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.ram[DRIVER_DATA], 2);
	write_error = ENOSPC;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_IOERR);
	write_error = EINTR;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(byte_of_file(511), 2);
	sync_error = EIO;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_FLUSHES, 0, 0, NULL), VIRTIO_BLOCK_IOERR);
	sync_error = 0;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_FLUSHES, 0, 0, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.block.counts.failed, 3);
	cr_expect_eq(driver.block.counts.flushes, 1);
	cr_expect_eq(status(), 15, "the device goes on");
}

Test(virtio_block, a_file_that_became_shorter_is_an_error)
{
	cr_assert_eq(truncate(driver.path, 512), 0);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 1024, NULL), VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL), VIRTIO_BLOCK_OK);
}

Test(virtio_block, short_reads_and_writes_go_on)
{
	short_io = true;
	memset(driver.ram + DRIVER_DATA, 0x77, 1024);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 4, 1024, NULL), VIRTIO_BLOCK_OK);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 3, 2048, NULL), VIRTIO_BLOCK_OK);
	short_io = false;
	cr_expect_eq(driver.ram[DRIVER_DATA + 511], 4);
	cr_expect_eq(driver.ram[DRIVER_DATA + 512], 0x77);
	cr_expect_eq(driver.ram[DRIVER_DATA + 1535], 0x77);
	cr_expect_eq(driver.ram[DRIVER_DATA + 1536], 7);
}

Test(virtio_block, writes_are_on_the_device_where_the_driver_cannot_flush)
{
	sync_error = EIO;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_OK);
	driver_start(8, 0);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_IOERR);
	sync_error = 0;
	cr_expect_eq(driver_request(VIRTIO_BLOCK_OUT, 0, 512, NULL), VIRTIO_BLOCK_OK);
}

/* Cuts of header, data and status anywhere: framing means nothing (2.7.4). */
Test(virtio_block, descriptors_may_end_anywhere)
{
	driver_header(VIRTIO_BLOCK_IN, 2);
	driver_descriptor(4, DRIVER_HEADER, 1, NEXT, 1);
	driver_descriptor(1, DRIVER_HEADER + 1, 15, NEXT, 6);
	driver_descriptor(6, DRIVER_DATA, 100, NEXT | WRITABLE, 5);
	driver_descriptor(5, 0, 0, NEXT | WRITABLE, 2); /* empty */
	driver_descriptor(2, DRIVER_DATA + 200, 924, NEXT | WRITABLE, 3);
	driver_descriptor(3, DRIVER_STATUS, 1, WRITABLE, 0);
	driver_offer(4);
	cr_expect_eq(driver_used(NULL), 1);
	cr_expect_eq(driver.ram[DRIVER_STATUS], VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.ram[DRIVER_DATA + 99], 3);
	cr_expect_eq(driver.ram[DRIVER_DATA + 100], 0);
	cr_expect_eq(driver.ram[DRIVER_DATA + 200 + 411], 3);
	cr_expect_eq(driver.ram[DRIVER_DATA + 200 + 412], 4);
	/* Data and status in one. */
	driver_header(VIRTIO_BLOCK_IN, 9);
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
	driver_descriptor(1, DRIVER_DATA, 513, WRITABLE, 0);
	driver_offer(0);
	cr_expect_eq(driver_used(NULL), 1);
	cr_expect_eq(driver.ram[DRIVER_DATA + 511], 10);
	cr_expect_eq(driver.ram[DRIVER_DATA + 512], VIRTIO_BLOCK_OK);
}

Test(virtio_block, several_requests_are_served_by_one_notification)
{
	driver_header(VIRTIO_BLOCK_IN, 20);
	for (uint16_t i = 0; i < 4; i++) {
		uint16_t head = (uint16_t)(2 * i);

		driver_descriptor(head, DRIVER_HEADER, 16, NEXT, (uint16_t)(head + 1));
		driver_descriptor((uint16_t)(head + 1), DRIVER_DATA + i * 1024, 513, WRITABLE, 0);
		memcpy(driver.ram + DRIVER_AVAILABLE + 4 + 2 * i, &head, 2);
	}
	driver.available = 3;
	driver_offer(6);
	cr_expect_eq(driver_used(NULL), 4);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(driver.ram[DRIVER_DATA + i * 1024 + 511], 21);
}

Test(virtio_block, rings_go_round)
{
	for (unsigned int i = 0; i < 70000; i++)
		cr_assert_eq(driver_request(VIRTIO_BLOCK_IN, i % SECTORS, 512, NULL),
			     VIRTIO_BLOCK_OK);
	cr_expect_eq(driver.block.counts.reads, 70000);
}

Test(virtio_block, data_outside_of_ram_fail_the_request)
{
	static const gpa_t addresses[] = {DRIVER_RAM - 511, DRIVER_RAM, UINT64_MAX - 511,
					  UINT64_MAX, DEVICE_BASE};

	for (unsigned int i = 0; i < 10; i++) {
		bool is_write = i % 2;

		driver_header(is_write ? VIRTIO_BLOCK_OUT : VIRTIO_BLOCK_IN, 0);
		driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
		driver_descriptor(1, addresses[i / 2], 512, NEXT | (is_write ? 0 : WRITABLE), 2);
		driver_descriptor(2, DRIVER_STATUS, 1, WRITABLE, 0);
		driver_offer(0);
		cr_expect_eq(driver_used(NULL), 1);
		cr_expect_eq(driver.ram[DRIVER_STATUS], VIRTIO_BLOCK_IOERR, "%u", i);
	}
	cr_expect_eq(byte_of_file(0), 1, "nothing was written");
	cr_expect_eq(status(), 15);
}

Test(virtio_block, requests_that_are_too_long_fail_and_touch_nothing)
{
	driver_header(VIRTIO_BLOCK_IN, 0);
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
	for (uint16_t i = 1; i < 7; i++)
		driver_descriptor(i, DRIVER_DATA, UINT32_MAX, NEXT | WRITABLE, (uint16_t)(i + 1));
	driver_descriptor(7, DRIVER_STATUS, 1, WRITABLE, 0);
	driver_offer(0);
	cr_expect_eq(driver_used(NULL), 1);
	cr_expect_eq(driver.ram[DRIVER_STATUS], VIRTIO_BLOCK_IOERR);
	cr_expect_eq(driver.ram[DRIVER_DATA], 0);
}

Test(virtio_block, chains_that_are_none_break_the_device)
{
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 0);
	driver_offer(0);
	expect_broken("a loop");
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
	driver_descriptor(1, DRIVER_DATA, 512, NEXT | WRITABLE, 0);
	driver_offer(0);
	expect_broken("a descriptor to be read is behind one to be written");
	driver_descriptor(1, DRIVER_DATA, 512, NEXT | WRITABLE, 1);
	driver_offer(0);
	expect_broken("a loop");
	driver_descriptor(1, DRIVER_DATA, 512, NEXT | WRITABLE, 8);
	driver_offer(0);
	expect_broken("beyond the queue's size");
	driver_descriptor(1, DRIVER_DATA, 512, NEXT | WRITABLE, UINT16_MAX);
	driver_offer(0);
	expect_broken("beyond the queue's size");
	driver_descriptor(1, DRIVER_DATA, 512, INDIRECT, 0);
	driver_offer(0);
	expect_broken("indirect");
	driver_offer(8);
	expect_broken("beyond the queue's size");
	driver_offer(UINT16_MAX);
	expect_broken("beyond the queue's size");
}

Test(virtio_block, requests_without_header_or_status_break_the_device)
{
	driver_header(VIRTIO_BLOCK_IN, 0);
	driver_descriptor(0, DRIVER_HEADER, 15, NEXT, 1);
	driver_descriptor(1, DRIVER_DATA, 513, WRITABLE, 0);
	driver_offer(0);
	expect_broken("no header");
	driver_descriptor(0, DRIVER_HEADER, 16, 0, 0);
	driver_offer(0);
	expect_broken("no byte for its status");
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
	driver_descriptor(1, DRIVER_DATA, 0, WRITABLE, 0);
	driver_offer(0);
	expect_broken("no byte for its status");
	driver_descriptor(0, DRIVER_DATA, 513, WRITABLE, 0);
	driver_offer(0);
	expect_broken("no header");
	driver_descriptor(0, DRIVER_RAM - 8, 16, NEXT, 1);
	driver_descriptor(1, DRIVER_DATA, 513, WRITABLE, 0);
	driver_offer(0);
	expect_broken("header of a request cannot be read");
	driver_header(VIRTIO_BLOCK_IN, 0);
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
	driver_descriptor(1, DRIVER_RAM - 512, 513, WRITABLE, 0);
	driver_offer(0);
	expect_broken("status of a request cannot be written");
}

Test(virtio_block, indices_that_jump_break_the_device)
{
	driver.available = 8;
	driver_offer(0);
	expect_broken("further than the queue's size");
	driver.available = (uint16_t)-3;
	driver_offer(0);
	expect_broken("further than the queue's size");
}

Test(virtio_block, queues_outside_of_ram_break_the_device)
{
	static const gpa_t far = DRIVER_RAM;

	driver_header(VIRTIO_BLOCK_IN, 0);
	for (unsigned int i = 0; i < 3; i++) {
		driver_negotiate(0);
		driver_place(8, i == 0 ? far : DRIVER_DESCRIPTORS, i == 1 ? far : DRIVER_AVAILABLE,
			     i == 2 ? far : DRIVER_USED);
		driver_write(VIRTIO_MMIO_STATUS, 15);
		driver_descriptor(0, DRIVER_HEADER, 16, NEXT, 1);
		driver_descriptor(1, DRIVER_DATA, 513, WRITABLE, 0);
		driver_offer(0);
		expect_broken(i == 0   ? "a descriptor cannot be read"
			      : i == 1 ? "the available ring cannot be read"
				       : "the used ring cannot be written");
	}
}

/* Host memory may run out at any access: the request fails or the device breaks, and no more. */
Test(virtio_block, memory_that_fails_at_any_access_is_survived)
{
	for (unsigned int at = 1; at < 16; at++) {
		driver_start(8, 0);
		driver.memory_fails = at;
		driver_request(at % 2 ? VIRTIO_BLOCK_IN : VIRTIO_BLOCK_OUT, 0, 1024, NULL);
		driver.memory_fails = 0;
		driver_start(8, 0);
		cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 1, 512, NULL), VIRTIO_BLOCK_OK);
	}
}

static void *notify(void *unused)
{
	for (unsigned int i = 0; i < 2000; i++)
		driver_write(VIRTIO_MMIO_NOTIFY, 0);
	return unused;
}

/* Each chain is served once, whichever vCPU tells of it. */
Test(virtio_block, several_vcpus_may_notify_at_once, .timeout = 60)
{
	pthread_t threads[4];

	for (unsigned int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, notify, NULL), 0);
	for (unsigned int i = 0; i < 500; i++)
		while (driver_request(VIRTIO_BLOCK_IN, 7, 512, NULL) == NO_STATUS)
			cr_assert_fail("the notification was the driver's own");
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(driver.block.counts.reads, 500);
	cr_expect_eq(driver.block.mmio.notified, 8500);
}
