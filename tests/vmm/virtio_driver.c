/* SPDX-License-Identifier: MIT */
#include "virtio_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct driver driver;

static int reach(gpa_t gpa, uint64_t size)
{
	if (driver.memory_fails && !--driver.memory_fails) {
		driver.memory_fails = 1;
		return -ENOMEM;
	}
	return gpa > DRIVER_RAM || size > DRIVER_RAM - gpa ? -EFAULT : 0;
}

static int read_ram(void *context, gpa_t gpa, void *target, uint64_t size)
{
	int error = reach(gpa, size);

	cr_assert_eq(context, &driver);
	if (!error)
		memcpy(target, driver.ram + gpa, size);
	return error;
}

static int write_ram(void *context, gpa_t gpa, const void *source, uint64_t size)
{
	int error = reach(gpa, size);

	cr_assert_eq(context, &driver);
	if (!error)
		memcpy(driver.ram + gpa, source, size);
	return error;
}

void driver_create(uint64_t sectors, bool read_only)
{
	const struct virtio_memory memory = {read_ram, write_ram, &driver};
	struct message message;
	uint8_t sector[512];
	int fd;

	memset(&driver, 0, sizeof(driver));
	strcpy(driver.path, "/tmp/twostage-disk-XXXXXX");
	fd = mkstemp(driver.path);
	cr_assert_geq(fd, 0);
	for (uint64_t i = 0; i < sectors; i++) {
		memset(sector, (int)(i + 1), sizeof(sector));
		cr_assert_eq(write(fd, sector, sizeof(sector)), (ssize_t)sizeof(sector));
	}
	close(fd);
	cr_assert_eq(disk_open(&driver.disk, "--disk", driver.path, &message), 0, "%s",
		     message.text);
	driver.disk.read_only = read_only;
	virtio_block_init(&driver.block, DEVICE_BASE, &memory, &driver.disk);
}

void driver_destroy(void)
{
	virtio_block_destroy(&driver.block);
	disk_close(&driver.disk);
	unlink(driver.path);
}

uint32_t driver_read(uint32_t offset)
{
	uint32_t value;

	virtio_mmio_read(&driver.block.mmio, DEVICE_BASE + offset, sizeof(value), &value);
	return value;
}

void driver_write(uint32_t offset, uint32_t value)
{
	virtio_mmio_write(&driver.block.mmio, DEVICE_BASE + offset, sizeof(value), &value);
}

static void write_address(uint32_t offset, gpa_t gpa)
{
	driver_write(offset, (uint32_t)gpa);
	driver_write(offset + 4, (uint32_t)(gpa >> 32));
}

void driver_negotiate(uint64_t features)
{
	driver_write(VIRTIO_MMIO_STATUS, 0);
	driver.available = driver.used = 0;
	memset(driver.ram + DRIVER_AVAILABLE, 0, 0x2000);
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE);
	driver_write(VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	features |= VIRTIO_VERSION_1;
	driver_write(VIRTIO_MMIO_ACCEPTED_HALF, 0);
	driver_write(VIRTIO_MMIO_ACCEPTED, (uint32_t)features);
	driver_write(VIRTIO_MMIO_ACCEPTED_HALF, 1);
	driver_write(VIRTIO_MMIO_ACCEPTED, (uint32_t)(features >> 32));
	driver_write(VIRTIO_MMIO_STATUS, driver_read(VIRTIO_MMIO_STATUS) | VIRTIO_FEATURES_OK);
}

void driver_place(uint32_t queue_size, gpa_t descriptors, gpa_t available, gpa_t used)
{
	driver_write(VIRTIO_MMIO_QUEUE, 0);
	driver_write(VIRTIO_MMIO_QUEUE_SIZE, queue_size);
	write_address(VIRTIO_MMIO_DESCRIPTORS, descriptors);
	write_address(VIRTIO_MMIO_AVAILABLE, available);
	write_address(VIRTIO_MMIO_USED, used);
	driver_write(VIRTIO_MMIO_QUEUE_READY, 1);
}

void driver_start(uint16_t queue_size, uint64_t features)
{
	driver_negotiate(features);
	cr_assert(driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_FEATURES_OK);
	driver.queue_size = queue_size;
	driver_place(queue_size, DRIVER_DESCRIPTORS, DRIVER_AVAILABLE, DRIVER_USED);
	cr_assert_eq(driver_read(VIRTIO_MMIO_QUEUE_READY), 1);
	driver_write(VIRTIO_MMIO_STATUS, driver_read(VIRTIO_MMIO_STATUS) | VIRTIO_DRIVER_OK);
}

void driver_descriptor(uint16_t index, gpa_t gpa, uint32_t size, uint16_t flags, uint16_t next)
{
	const struct driver_descriptor descriptor = {gpa, size, flags, next};

	memcpy(driver.ram + DRIVER_DESCRIPTORS + index * sizeof(descriptor), &descriptor,
	       sizeof(descriptor));
}

void driver_header(uint32_t type, uint64_t sector)
{
	const struct virtio_block_header header = {.type = type, .sector = sector};

	memcpy(driver.ram + DRIVER_HEADER, &header, sizeof(header));
	driver.ram[DRIVER_STATUS] = NO_STATUS;
}

void driver_offer(uint16_t head)
{
	uint16_t place = driver.available % driver.queue_size;

	memcpy(driver.ram + DRIVER_AVAILABLE + 4 + 2 * place, &head, 2);
	driver.available++;
	memcpy(driver.ram + DRIVER_AVAILABLE + 2, &driver.available, 2);
	driver_write(VIRTIO_MMIO_NOTIFY, 0);
}

unsigned int driver_used(uint32_t *written)
{
	uint16_t index, count, place;

	memcpy(&index, driver.ram + DRIVER_USED + 2, 2);
	count = (uint16_t)(index - driver.used);
	driver.used = index;
	place = (uint16_t)(index - 1) % driver.queue_size;
	if (written)
		memcpy(written, driver.ram + DRIVER_USED + 4 + 8 * place + 4, 4);
	return count;
}

uint8_t driver_request(uint32_t type, uint64_t sector, uint32_t size, uint32_t *written)
{
	bool is_write = type == VIRTIO_BLOCK_OUT;

	driver_header(type, sector);
	driver_descriptor(0, DRIVER_HEADER, 16, NEXT, size ? 1 : 2);
	driver_descriptor(1, DRIVER_DATA, size, NEXT | (is_write ? 0 : WRITABLE), 2);
	driver_descriptor(2, DRIVER_STATUS, 1, WRITABLE, 0);
	driver_offer(0);
	return driver_used(written) == 1 ? driver.ram[DRIVER_STATUS] : NO_STATUS;
}
