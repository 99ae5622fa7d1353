/* SPDX-License-Identifier: MIT */
/*
 * See disk.h. The request is always the same chain of three descriptors, and the available ring
 * names nothing else: ring 0 may be an instruction emulator, so a request is a handful of stores
 * and one exit, after which a VMM that serves it at once has the answer in the used ring.
 */
#include "guest/disk.h"

#include <errno.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/frames.h"

/* Registers. */
#define REGISTER_MAGIC	       0x000
#define REGISTER_VERSION       0x004
#define REGISTER_DEVICE	       0x008
#define REGISTER_FEATURES      0x010
#define REGISTER_FEATURES_HALF 0x014
#define REGISTER_ACCEPTED      0x020
#define REGISTER_ACCEPTED_HALF 0x024
#define REGISTER_QUEUE	       0x030
#define REGISTER_QUEUE_MAX     0x034
#define REGISTER_QUEUE_SIZE    0x038
#define REGISTER_QUEUE_READY   0x044
#define REGISTER_NOTIFY	       0x050
#define REGISTER_STATUS	       0x070
#define REGISTER_DESCRIPTORS   0x080
#define REGISTER_AVAILABLE     0x090
#define REGISTER_USED	       0x0a0
#define REGISTER_CAPACITY      0x100 /* the device's own: sectors, 64 bits */

#define MAGIC	     0x74726976
#define VERSION	     2
#define DEVICE_BLOCK 2

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64

/* Features, low and high half. What is swapped out need not outlive the guest, so no flushes. */
#define FEATURE_READ_ONLY (1u << 5)
#define FEATURE_FLUSH	  (1u << 9)
#define FEATURE_VERSION_1 (1u << 0)

#define REQUEST_READ  0
#define REQUEST_WRITE 1
#define REQUEST_OK    0

#define FLAG_NEXT	  1
#define FLAG_WRITE	  2 /* by the device */
#define FLAG_NO_INTERRUPT 1

#define SECTORS_PER_PAGE 8
#define QUEUE_SIZE	 4

struct descriptor {
	uint64_t gpa;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

enum { DESCRIPTOR_HEADER, DESCRIPTOR_PAGE, DESCRIPTOR_STATUS };

/* All that the device reaches, but for the page itself. */
static struct queue {
	struct descriptor descriptors[QUEUE_SIZE];
	struct {
		uint16_t flags;
		uint16_t index;
		uint16_t heads[QUEUE_SIZE]; /* 0, DESCRIPTOR_HEADER, for ever */
	} available;
	struct {
		uint32_t type;
		uint32_t reserved;
		uint64_t sector;
	} header;
	struct {
		uint16_t flags;
		volatile uint16_t index;
		struct {
			uint32_t head;
			uint32_t size;
		} elements[QUEUE_SIZE];
	} used;
	volatile uint8_t status;
} queue __attribute__((aligned(4096)));

uint64_t disk_pages;

/* What stands before it is in memory before what stands behind it. */
static void barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static uint32_t read_register(uint32_t offset)
{
	return *(const volatile uint32_t *)direct(boot.disk + offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)direct(boot.disk + offset) = value;
}

static void write_address(uint32_t offset, const volatile void *object)
{
	write_register(offset, (uint32_t)kernel_gpa(object));
	write_register(offset + 4, (uint32_t)(kernel_gpa(object) >> 32));
}

static void add_status(uint32_t bits)
{
	write_register(REGISTER_STATUS, read_register(REGISTER_STATUS) | bits);
}

static void check_device(void)
{
	uint32_t magic = read_register(REGISTER_MAGIC);
	uint32_t version = read_register(REGISTER_VERSION);
	uint32_t device = read_register(REGISTER_DEVICE);

	if (magic != MAGIC || version != VERSION || device != DEVICE_BLOCK)
		refuse("disk: found magic %x, version %u, device %u at %lx; wanted %x, %u, %u",
		       magic, version, device, boot.disk, MAGIC, VERSION, DEVICE_BLOCK);
}

static uint32_t offered(uint32_t half)
{
	write_register(REGISTER_FEATURES_HALF, half);
	return read_register(REGISTER_FEATURES);
}

static void accept(uint32_t half, uint32_t features)
{
	write_register(REGISTER_ACCEPTED_HALF, half);
	write_register(REGISTER_ACCEPTED, features);
}

static void negotiate(void)
{
	uint32_t low = offered(0);

	if (low & FEATURE_READ_ONLY)
		refuse("disk: found one that can only be read, wanted one to swap to");
	accept(0, low & FEATURE_FLUSH);
	accept(1, FEATURE_VERSION_1);
	add_status(STATUS_FEATURES_OK);
	if (!(read_register(REGISTER_STATUS) & STATUS_FEATURES_OK))
		refuse("disk: found a device that does not work without more features");
}

static void make_queue(void)
{
	struct descriptor *all = queue.descriptors;

	all[DESCRIPTOR_HEADER] = (struct descriptor){
		kernel_gpa(&queue.header), sizeof(queue.header), FLAG_NEXT, DESCRIPTOR_PAGE};
	all[DESCRIPTOR_PAGE] = (struct descriptor){0, HPT_PAGE_SIZE, FLAG_NEXT, DESCRIPTOR_STATUS};
	all[DESCRIPTOR_STATUS] =
		(struct descriptor){kernel_gpa(&queue.status), sizeof(queue.status), FLAG_WRITE, 0};
	queue.available.flags = FLAG_NO_INTERRUPT;
	write_register(REGISTER_QUEUE, 0);
	if (read_register(REGISTER_QUEUE_MAX) < QUEUE_SIZE)
		refuse("disk: found a queue of %u, wanted at least %u",
		       read_register(REGISTER_QUEUE_MAX), QUEUE_SIZE);
	write_register(REGISTER_QUEUE_SIZE, QUEUE_SIZE);
	write_address(REGISTER_DESCRIPTORS, queue.descriptors);
	write_address(REGISTER_AVAILABLE, &queue.available);
	write_address(REGISTER_USED, &queue.used);
	write_register(REGISTER_QUEUE_READY, 1);
}

static uint64_t read_capacity(void)
{
	return read_register(REGISTER_CAPACITY) | (uint64_t)read_register(REGISTER_CAPACITY + 4)
							  << 32;
}

void disk_start(void)
{
	if (!boot.disk)
		return;
	check_device();
	write_register(REGISTER_STATUS, 0);
	add_status(STATUS_ACKNOWLEDGE);
	add_status(STATUS_DRIVER);
	negotiate();
	make_queue();
	add_status(STATUS_DRIVER_OK);
	disk_pages = read_capacity() / SECTORS_PER_PAGE;
	if (!disk_pages)
		refuse("disk: found less than a page, wanted some to swap to");
}

/* Only a device that serves requests beside the CPU is waited for. */
static bool is_done(uint16_t index)
{
	while (queue.used.index != index) {
		if (read_register(REGISTER_STATUS) & STATUS_NEEDS_RESET)
			return false;
	}
	return true;
}

static int request(uint32_t type, uint16_t flags, uint64_t page, uint64_t gpa)
{
	uint16_t index = (uint16_t)(queue.available.index + 1);

	queue.header.type = type;
	queue.header.sector = page * SECTORS_PER_PAGE;
	queue.descriptors[DESCRIPTOR_PAGE].gpa = gpa;
	queue.descriptors[DESCRIPTOR_PAGE].flags = flags;
	queue.status = (uint8_t)~REQUEST_OK;
	/* The device sees the index last, and we see what it has written; x86 keeps the order. */
	barrier();
	queue.available.index = index;
	barrier();
	write_register(REGISTER_NOTIFY, 0);
	if (!is_done(index))
		return -EIO;
	barrier();
	return queue.status == REQUEST_OK ? 0 : -EIO;
}

int disk_read(uint64_t page, uint64_t gpa)
{
	return request(REQUEST_READ, FLAG_NEXT | FLAG_WRITE, page, gpa);
}

int disk_write(uint64_t page, uint64_t gpa)
{
	return request(REQUEST_WRITE, FLAG_NEXT, page, gpa);
}
