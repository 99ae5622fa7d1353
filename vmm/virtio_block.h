/* SPDX-License-Identifier: MIT */
/*
 * A block device (virtio 1.2, 5.2) over the file of --disk: reads, writes, flushes, and tells its
 * name. What the host's file answers with an error, what is outside of the disk or of guest RAM,
 * and what would be longer than VIRTIO_BLOCK_REQUEST_MAX is a request that failed (IOERR); no
 * request at all, without header or without room for its status, breaks the device.
 *
 * That limit and that of the queue keep a notification to 64 MiB at most, so that the vCPU that
 * waits for it can be ended in time.
 */
#ifndef VMM_VIRTIO_BLOCK_H
#define VMM_VIRTIO_BLOCK_H

#include <stdint.h>

#include "vmm/disk.h"
#include "vmm/virtio_mmio.h"

#define VIRTIO_BLOCK_DEVICE 2

/* Features. */
#define VIRTIO_BLOCK_SIZE_MAX	(UINT64_C(1) << 1)
#define VIRTIO_BLOCK_SEG_MAX	(UINT64_C(1) << 2)
#define VIRTIO_BLOCK_RO		(UINT64_C(1) << 5)
#define VIRTIO_BLOCK_BLOCK_SIZE (UINT64_C(1) << 6)
#define VIRTIO_BLOCK_FLUSH	(UINT64_C(1) << 9)

/* Types of requests. */
#define VIRTIO_BLOCK_IN	     0
#define VIRTIO_BLOCK_OUT     1
#define VIRTIO_BLOCK_FLUSHES 4
#define VIRTIO_BLOCK_GET_ID  8

/* What a request's last byte says. */
#define VIRTIO_BLOCK_OK		 0
#define VIRTIO_BLOCK_IOERR	 1
#define VIRTIO_BLOCK_UNSUPPORTED 2

#define VIRTIO_BLOCK_ID_SIZE	 20
#define VIRTIO_BLOCK_REQUEST_MAX (UINT64_C(1) << 20)  /* bytes of data */
#define VIRTIO_BLOCK_PIECE	 (UINT64_C(64) << 10) /* that are copied at a time */

struct virtio_block_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector; /* of 512 bytes */
};

/* The device's own registers, as far as it has them. */
struct __attribute__((packed)) virtio_block_config {
	uint64_t capacity; /* sectors of 512 bytes */
	uint32_t size_max;
	uint32_t seg_max;
	uint32_t geometry;
	uint32_t block_size;
};

struct virtio_block_counts {
	uint64_t reads; /* requests that succeeded, as the next two */
	uint64_t writes;
	uint64_t flushes;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t failed; /* requests that were answered with IOERR */
	uint64_t unsupported;
};

struct virtio_block {
	struct virtio_mmio mmio; /* its lock guards all below */
	const struct disk *disk;
	struct virtio_block_config config;
	struct virtio_block_counts counts;
	uint8_t piece[VIRTIO_BLOCK_PIECE];
};

/* The disk outlives the device, and the device does not move. */
void virtio_block_init(struct virtio_block *block, gpa_t base, const struct virtio_memory *memory,
		       const struct disk *disk);

void virtio_block_destroy(struct virtio_block *block);

/* What it has done so far, consistently. */
void virtio_block_read_counts(struct virtio_block *block, struct virtio_block_counts *counts);

#endif
