/* SPDX-License-Identifier: MIT */
/* A driver over an array that is guest RAM: to do things right, and each of them wrong. */
#ifndef TESTS_VMM_VIRTIO_DRIVER_H
#define TESTS_VMM_VIRTIO_DRIVER_H

#include "vmm/virtio_block.h"

#define DRIVER_RAM	   UINT64_C(0x80000)
#define DRIVER_DESCRIPTORS UINT64_C(0x1000)
#define DRIVER_AVAILABLE   UINT64_C(0x2000)
#define DRIVER_USED	   UINT64_C(0x3000)
#define DRIVER_HEADER	   UINT64_C(0x4000)
#define DRIVER_STATUS	   UINT64_C(0x4800)
#define DRIVER_DATA	   UINT64_C(0x10000)

#define DEVICE_BASE UINT64_C(0xd0000000)

#define NEXT	 1
#define WRITABLE 2
#define INDIRECT 4

/* No byte of a status. */
#define NO_STATUS 0x55

struct driver_descriptor {
	uint64_t gpa;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

struct driver {
	uint8_t ram[DRIVER_RAM];
	struct virtio_block block;
	struct disk disk;
	char path[64];
	uint16_t queue_size;
	uint16_t available, used; /* indices */
	/* The gateway fails from this access on; 0: never. It counts down. */
	unsigned int memory_fails;
};

extern struct driver driver;

/* A disk of so many sectors, whose sector n has the bytes n + 1; a device, not yet set up. */
void driver_create(uint64_t sectors, bool read_only);
void driver_destroy(void);

uint32_t driver_read(uint32_t offset);
void driver_write(uint32_t offset, uint32_t value);

/* From reset to DRIVER_OK, by the book; `features` beside VIRTIO_VERSION_1. */
void driver_start(uint16_t queue_size, uint64_t features);

/* The same as far as FEATURES_OK, and what describes the queue. */
void driver_negotiate(uint64_t features);
void driver_place(uint32_t queue_size, gpa_t descriptors, gpa_t available, gpa_t used);

void driver_descriptor(uint16_t index, gpa_t gpa, uint32_t size, uint16_t flags, uint16_t next);
void driver_header(uint32_t type, uint64_t sector);

/* Makes a chain available and notifies. */
void driver_offer(uint16_t head);

/* How many chains came back since the last time, and `size` of the last used element. */
unsigned int driver_used(uint32_t *written);

/*
 * A request by the book: header, `size` bytes at DRIVER_DATA (none if 0), status. Returns the
 * status, NO_STATUS if it did not come back.
 */
uint8_t driver_request(uint32_t type, uint64_t sector, uint32_t size, uint32_t *written);

#endif
