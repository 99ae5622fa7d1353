/* SPDX-License-Identifier: MIT */
/* The registers: what a driver finds, and every step of the set-up done wrong. */
#include <criterion/criterion.h>
#include <string.h>

#include "virtio_driver.h"

static void setup(void)
{
	driver_create(64, false);
}

TestSuite(virtio_mmio, .init = setup, .fini = driver_destroy);

static uint32_t status(void)
{
	return driver_read(VIRTIO_MMIO_STATUS);
}

Test(virtio_mmio, a_driver_finds_a_modern_block_device)
{
	cr_expect_eq(driver_read(VIRTIO_MMIO_MAGIC), 0x74726976);
	cr_expect_eq(driver_read(VIRTIO_MMIO_VERSION), 2);
	cr_expect_eq(driver_read(VIRTIO_MMIO_DEVICE), 2);
	cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_MAX), VIRTIO_QUEUE_MAX);
	driver_write(VIRTIO_MMIO_QUEUE, 1);
	cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_MAX), 0, "there is one queue");
	driver_write(VIRTIO_MMIO_FEATURES_HALF, 1);
	cr_expect_eq(driver_read(VIRTIO_MMIO_FEATURES), 1, "version 1, and nothing else above 32");
	driver_write(VIRTIO_MMIO_FEATURES_HALF, 2);
	cr_expect_eq(driver_read(VIRTIO_MMIO_FEATURES), 0);
	cr_expect_eq(driver_read(VIRTIO_MMIO_SHARED_SIZE), UINT32_MAX, "no shared memory");
	cr_expect_eq(driver_read(VIRTIO_MMIO_CONFIG), 64, "sectors");
	cr_expect_eq(driver_read(VIRTIO_MMIO_CONFIG + 4), 0);
	cr_expect_eq(driver_read(VIRTIO_MMIO_CONFIG + 20), 512, "bytes of a block");
	cr_expect_eq(driver_read(VIRTIO_MMIO_CONFIG + 24), 0, "behind what it has");
	cr_expect_eq(driver_read(VIRTIO_MMIO_SIZE - 4), 0);
	cr_expect_eq(driver.block.mmio.ignored, 0);
}

Test(virtio_mmio, its_own_registers_are_read_at_every_width)
{
	uint64_t capacity;
	uint8_t byte;

	virtio_mmio_read(&driver.block.mmio, DEVICE_BASE + VIRTIO_MMIO_CONFIG, 8, &capacity);
	cr_expect_eq(capacity, 64);
	virtio_mmio_read(&driver.block.mmio, DEVICE_BASE + VIRTIO_MMIO_CONFIG + 21, 1, &byte);
	cr_expect_eq(byte, 2, "512, second byte");
	virtio_mmio_read(&driver.block.mmio, DEVICE_BASE + VIRTIO_MMIO_SIZE - 1, 8, &capacity);
	cr_expect_eq(capacity, 0, "the last byte and what would be behind");
	cr_expect_eq(driver.block.mmio.ignored, 0);
}

Test(virtio_mmio, other_accesses_are_counted_and_ignored)
{
	uint64_t wide = UINT64_MAX;
	uint64_t count = 0;

	for (unsigned int size = 1; size <= 8; size++) {
		for (uint32_t offset = 0; offset < 8; offset++) {
			if (size == 4 && offset % 4 == 0)
				continue;
			virtio_mmio_read(&driver.block.mmio, DEVICE_BASE + offset, size, &wide);
			virtio_mmio_write(&driver.block.mmio,
					  DEVICE_BASE + VIRTIO_MMIO_STATUS + offset, size, &wide);
			count += 2;
		}
	}
	cr_expect_eq(driver.block.mmio.ignored, count);
	cr_expect_eq(status(), 0);
	driver_write(VIRTIO_MMIO_CONFIG, 1); /* read-only, as the next */
	driver_write(VIRTIO_MMIO_MAGIC, 1);
	driver_read(VIRTIO_MMIO_NOTIFY); /* write-only */
	driver_read(0x0f0);		 /* nothing */
	cr_expect_eq(driver.block.mmio.ignored, count + 4);
}

Test(virtio_mmio, features_that_were_not_offered_are_not_ok)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool offered = driver.block.mmio.backend.features >> bit & 1;

		driver_negotiate(UINT64_C(1) << bit);
		cr_expect_eq(!!(status() & VIRTIO_FEATURES_OK), offered, "feature %u", bit);
	}
	cr_expect_eq(driver.block.mmio.backend.features & VIRTIO_BLOCK_RO, 0);
}

Test(virtio_mmio, version_1_is_needed)
{
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	cr_expect_eq(status(), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
	cr_expect_eq(status(), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER, "nor is there a driver then");
}

Test(virtio_mmio, features_stay_after_they_were_agreed_on)
{
	driver_negotiate(VIRTIO_BLOCK_FLUSH);
	driver_write(VIRTIO_MMIO_ACCEPTED_HALF, 0);
	driver_write(VIRTIO_MMIO_ACCEPTED, 0xffffffff);
	cr_expect_eq(driver.block.mmio.accepted, VIRTIO_BLOCK_FLUSH | VIRTIO_VERSION_1);
	cr_expect_eq(driver.block.mmio.ignored, 1);
}

Test(virtio_mmio, status_bits_are_only_added_until_a_reset)
{
	driver_start(8, 0);
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE);
	cr_expect_eq(status(), 15);
	driver_write(VIRTIO_MMIO_STATUS, 15 | VIRTIO_NEEDS_RESET | 0xffffff00);
	cr_expect_eq(status(), 15, "what is the device's to say, and what is no bit");
	cr_expect_eq(driver.block.mmio.ignored, 2);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	cr_expect_eq(status(), 0);
	cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
	driver_start(8, 0);
	cr_expect_eq(driver_request(VIRTIO_BLOCK_IN, 3, 512, NULL), VIRTIO_BLOCK_OK);
}

struct place {
	uint32_t size;
	gpa_t descriptors, available, used;
};

Test(virtio_mmio, queues_that_cannot_be_break_the_device)
{
	static const struct place places[] = {
		{0, 0x1000, 0x2000, 0x3000},
		{3, 0x1000, 0x2000, 0x3000},
		{VIRTIO_QUEUE_MAX * 2, 0x1000, 0x2000, 0x3000},
		{UINT32_MAX, 0x1000, 0x2000, 0x3000},
		{UINT32_C(1) << 31, 0x1000, 0x2000, 0x3000},
		{8, 0x1008, 0x2000, 0x3000},
		{8, 0x1000, 0x2001, 0x3000},
		{8, 0x1000, 0x2000, 0x3002},
		{8, UINT64_MAX - 15, 0x2000, 0x3000},
		{8, 0x1000, UINT64_MAX - 1, 0x3000},
		{8, 0x1000, 0x2000, UINT64_MAX - 3},
	};

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		driver_negotiate(0);
		driver_place(places[i].size, places[i].descriptors, places[i].available,
			     places[i].used);
		cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_READY), 0, "%u", i);
		cr_expect(status() & VIRTIO_NEEDS_RESET, "%u", i);
		cr_expect(driver.block.mmio.broken);
	}
	driver_start(VIRTIO_QUEUE_MAX, 0);
	cr_expect_not(status() & VIRTIO_NEEDS_RESET, "a reset mends it");
}

Test(virtio_mmio, a_queue_needs_features_and_does_not_move_while_it_is_used)
{
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	driver_place(8, DRIVER_DESCRIPTORS, DRIVER_AVAILABLE, DRIVER_USED);
	cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
	driver_start(8, 0);
	driver_write(VIRTIO_MMIO_QUEUE_SIZE, 4);
	driver_write(VIRTIO_MMIO_USED, 0x7000);
	cr_expect_eq(driver.block.mmio.queue.size, 8);
	cr_expect_eq(driver.block.mmio.queue.used, DRIVER_USED);
	driver_write(VIRTIO_MMIO_QUEUE, 1);
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	driver_write(VIRTIO_MMIO_QUEUE, 0);
	cr_expect_eq(driver_read(VIRTIO_MMIO_QUEUE_READY), 1, "another queue is not this one");
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	driver_header(VIRTIO_BLOCK_IN, 0);
	driver_offer(0);
	cr_expect_eq(driver_used(NULL), 0, "it is not ready");
}

Test(virtio_mmio, notifications_before_their_time_are_ignored)
{
	driver_write(VIRTIO_MMIO_NOTIFY, 0);
	driver_negotiate(0);
	driver_write(VIRTIO_MMIO_NOTIFY, 0);
	driver_place(8, DRIVER_DESCRIPTORS, DRIVER_AVAILABLE, DRIVER_USED);
	driver_write(VIRTIO_MMIO_NOTIFY, 0); /* no DRIVER_OK */
	driver_start(8, 0);
	driver_write(VIRTIO_MMIO_NOTIFY, 1);
	driver_write(VIRTIO_MMIO_NOTIFY, UINT32_MAX);
	cr_expect_eq(driver.block.mmio.ignored, 5);
	cr_expect_eq(driver.block.mmio.notified, 0);
	driver_write(VIRTIO_MMIO_NOTIFY, 0);
	cr_expect_eq(driver.block.mmio.notified, 1, "an empty ring is no fault");
	cr_expect_eq(status(), 15);
}

Test(virtio_mmio, interrupts_are_noted_until_they_are_acknowledged)
{
	uint16_t no_interrupt = 1;

	driver_start(8, 0);
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), 0);
	driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL);
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), VIRTIO_INTERRUPT_USED);
	driver_write(VIRTIO_MMIO_ACKNOWLEDGE, VIRTIO_INTERRUPT_CONFIG);
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), VIRTIO_INTERRUPT_USED);
	driver_write(VIRTIO_MMIO_ACKNOWLEDGE, VIRTIO_INTERRUPT_USED);
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), 0);
	memcpy(driver.ram + DRIVER_AVAILABLE, &no_interrupt, 2);
	driver_request(VIRTIO_BLOCK_IN, 0, 512, NULL);
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), 0, "the driver wants none");
	driver_offer(100); /* breaks it */
	cr_expect_eq(driver_read(VIRTIO_MMIO_INTERRUPT), VIRTIO_INTERRUPT_CONFIG);
}

Test(virtio_mmio, it_has_its_page_and_nothing_beside)
{
	const struct virtio_mmio *device = &driver.block.mmio;

	cr_expect_not(virtio_mmio_has(device, DEVICE_BASE - 1));
	cr_expect(virtio_mmio_has(device, DEVICE_BASE));
	cr_expect(virtio_mmio_has(device, DEVICE_BASE + VIRTIO_MMIO_SIZE - 1));
	cr_expect_not(virtio_mmio_has(device, DEVICE_BASE + VIRTIO_MMIO_SIZE));
	cr_expect_not(virtio_mmio_has(device, 0));
	cr_expect_not(virtio_mmio_has(device, UINT64_MAX));
}
