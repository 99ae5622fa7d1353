/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue from the device's side (virtio 1.2, 2.7), over guest memory that is reached by
 * two functions. All that is in it is the guest's word: nothing is read or written but through
 * them, a chain has at most as many descriptors as the queue, and what cannot be ends in -EPROTO
 * with a text that says why. Neither indirect descriptors nor event indices.
 */
#ifndef VMM_VIRTIO_QUEUE_H
#define VMM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

#define VIRTIO_QUEUE_MAX 64 /* descriptors */

/* Both copy all or say -EFAULT where a byte is not guest RAM, or another negative errno. */
struct virtio_memory {
	int (*read)(void *context, gpa_t gpa, void *target, uint64_t size);
	int (*write)(void *context, gpa_t gpa, const void *source, uint64_t size);
	void *context;
};

struct virtio_queue {
	uint32_t size; /* a power of two, at most VIRTIO_QUEUE_MAX */
	gpa_t descriptors;
	gpa_t available; /* the driver's ring, */
	gpa_t used;	 /* and the device's */
	uint16_t next_available;
	uint16_t next_used;
};

struct virtio_segment {
	gpa_t gpa;
	uint32_t size;
};

/* The buffers of one request: what the device may read, and behind that what it may write. */
struct virtio_chain {
	const struct virtio_memory *memory;
	uint16_t head;
	unsigned int count;
	unsigned int readable; /* segments, of `count` */
	uint64_t readable_size;
	uint64_t writable_size;
	struct virtio_segment segments[VIRTIO_QUEUE_MAX];
};

/* NULL, or what is wrong with the sizes and addresses that a driver has chosen. */
const char *virtio_queue_check(const struct virtio_queue *queue);

/*
 * How many chains the driver has made available and were not taken yet: at most queue->size, or
 * -EPROTO.
 */
int virtio_queue_pending(const struct virtio_queue *queue, const struct virtio_memory *memory,
			 const char **why);

/* Takes the next one, of those that are pending. 0 or -EPROTO. */
int virtio_queue_take(struct virtio_queue *queue, const struct virtio_memory *memory,
		      struct virtio_chain *chain, const char **why);

/* Gives it back; `written` bytes of it, from the first writable one on, are new. 0 or -EPROTO. */
int virtio_queue_give(struct virtio_queue *queue, const struct virtio_chain *chain,
		      uint32_t written, const char **why);

/* Whether the driver wants to be told of what was given back. */
bool virtio_queue_wants_interrupt(const struct virtio_queue *queue,
				  const struct virtio_memory *memory);

/*
 * Copies out of the readable part, or into the writable one, wherever its segments end. 0; -EFAULT
 * where a segment is not guest RAM, or the part is shorter; or the memory's errno.
 */
int virtio_chain_read(const struct virtio_chain *chain, uint64_t offset, void *target,
		      uint64_t size);
int virtio_chain_write(const struct virtio_chain *chain, uint64_t offset, const void *source,
		       uint64_t size);

#endif
