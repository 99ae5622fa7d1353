/* SPDX-License-Identifier: MIT */
/*
 * The registers of a virtio device in memory (virtio 1.2, 4.2; version 2, not legacy), with one
 * queue. What the device does is the backend's (virtio_block.h).
 *
 * A request is served while the driver waits for its write to QueueNotify to complete: it is in the
 * used ring then. InterruptStatus is kept, but no line leads to an interrupt controller: a driver
 * looks at the ring.
 *
 * Whatever the driver writes is checked. Accesses that make no sense are counted and ignored; a
 * queue that makes none breaks the device: DEVICE_NEEDS_RESET is set, why is kept, and nothing is
 * served until a reset.
 *
 * Any thread may call the functions below: the device has a lock.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio_queue.h"

#define VIRTIO_MMIO_SIZE 0x1000 /* bytes that the device takes */

#define VIRTIO_MMIO_MAGIC	    0x000
#define VIRTIO_MMIO_VERSION	    0x004
#define VIRTIO_MMIO_DEVICE	    0x008
#define VIRTIO_MMIO_VENDOR	    0x00c
#define VIRTIO_MMIO_FEATURES	    0x010
#define VIRTIO_MMIO_FEATURES_HALF   0x014
#define VIRTIO_MMIO_ACCEPTED	    0x020
#define VIRTIO_MMIO_ACCEPTED_HALF   0x024
#define VIRTIO_MMIO_QUEUE	    0x030
#define VIRTIO_MMIO_QUEUE_MAX	    0x034
#define VIRTIO_MMIO_QUEUE_SIZE	    0x038
#define VIRTIO_MMIO_QUEUE_READY	    0x044
#define VIRTIO_MMIO_NOTIFY	    0x050
#define VIRTIO_MMIO_INTERRUPT	    0x060
#define VIRTIO_MMIO_ACKNOWLEDGE	    0x064
#define VIRTIO_MMIO_STATUS	    0x070
#define VIRTIO_MMIO_DESCRIPTORS	    0x080 /* low half; high half 4 behind, as the next two */
#define VIRTIO_MMIO_AVAILABLE	    0x090
#define VIRTIO_MMIO_USED	    0x0a0
#define VIRTIO_MMIO_SHARED_SIZE	    0x0b0
#define VIRTIO_MMIO_SHARED_SIZE_END 0x0c0
#define VIRTIO_MMIO_GENERATION	    0x0fc
#define VIRTIO_MMIO_CONFIG	    0x100

#define VIRTIO_MAGIC 0x74726976 /* "virt" */

#define VIRTIO_ACKNOWLEDGE 1
#define VIRTIO_DRIVER	   2
#define VIRTIO_DRIVER_OK   4
#define VIRTIO_FEATURES_OK 8
#define VIRTIO_NEEDS_RESET 64
#define VIRTIO_FAILED	   128

#define VIRTIO_VERSION_1 (UINT64_C(1) << 32) /* the feature without which nothing works */

/* InterruptStatus */
#define VIRTIO_INTERRUPT_USED	1
#define VIRTIO_INTERRUPT_CONFIG 2

struct virtio_backend {
	uint32_t device;    /* its number: 2 is a block device */
	uint64_t features;  /* that are offered, beside VIRTIO_VERSION_1 */
	const void *config; /* the device's own registers, little-endian; they do not change */
	uint32_t config_size;
	/*
	 * Serves one request, of a driver that has accepted `features`: how many bytes of the
	 * chain's writable part are new, or -EPROTO and why it is none.
	 */
	int64_t (*serve)(void *context, const struct virtio_chain *chain, uint64_t features,
			 const char **why);
	void *context;
};

struct virtio_mmio {
	pthread_mutex_t lock;
	gpa_t base;
	struct virtio_memory memory;
	struct virtio_backend backend;
	uint32_t status;
	uint32_t features_half, accepted_half; /* which 32 of the 64 */
	uint64_t accepted;
	uint32_t selected; /* queue: there is one, number 0 */
	uint32_t interrupt;
	bool ready;
	struct virtio_queue queue;
	const char *broken; /* the first thing that broke the device, ever; static; NULL: none */
	uint64_t ignored;   /* accesses and values that made no sense */
	uint64_t notified;  /* writes to QueueNotify that were served */
};

/* `base` is a multiple of VIRTIO_MMIO_SIZE, and where no RAM is. Memory and backend are copied. */
void virtio_mmio_init(struct virtio_mmio *device, gpa_t base, const struct virtio_memory *memory,
		      const struct virtio_backend *backend);

void virtio_mmio_destroy(struct virtio_mmio *device);

/* Whether an access at `gpa` is one to this device. */
bool virtio_mmio_has(const struct virtio_mmio *device, gpa_t gpa);

/* One access of `size` bytes (1 to 8), at a gPA that it has. `data` as in vmm/devices.h. */
void virtio_mmio_read(struct virtio_mmio *device, gpa_t gpa, unsigned int size, void *data);
void virtio_mmio_write(struct virtio_mmio *device, gpa_t gpa, unsigned int size, const void *data);

#endif
