/* SPDX-License-Identifier: MIT */
#include "vmm/virtio_queue.h"

#include <errno.h>
#include <stddef.h>

#define DESCRIPTOR_NEXT	    1
#define DESCRIPTOR_WRITE    2
#define DESCRIPTOR_INDIRECT 4

#define NO_INTERRUPT 1

struct descriptor {
	uint64_t gpa;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

/* Both rings begin alike; a ring of heads, or of used elements, follows. */
struct ring {
	uint16_t flags;
	uint16_t index;
};

struct used_element {
	uint32_t head;
	uint32_t written;
};

static int broken(const char **why, const char *text)
{
	*why = text;
	return -EPROTO;
}

static bool is_misplaced(gpa_t gpa, uint64_t alignment, uint64_t size)
{
	return gpa % alignment || gpa > UINT64_MAX - size;
}

const char *virtio_queue_check(const struct virtio_queue *queue)
{
	uint64_t size = queue->size;

	if (!size || size > VIRTIO_QUEUE_MAX || size & (size - 1))
		return "the queue's size is no power of two up to 64";
	if (is_misplaced(queue->descriptors, 16, size * sizeof(struct descriptor)))
		return "the descriptors are not at a multiple of 16";
	if (is_misplaced(queue->available, 2, sizeof(struct ring) + size * sizeof(uint16_t)))
		return "the available ring is not at a multiple of 2";
	if (is_misplaced(queue->used, 4, sizeof(struct ring) + size * sizeof(struct used_element)))
		return "the used ring is not at a multiple of 4";
	return NULL;
}

static int read_available(const struct virtio_queue *queue, const struct virtio_memory *memory,
			  struct ring *ring)
{
	int error = memory->read(memory->context, queue->available, ring, sizeof(*ring));

	/* What the driver wrote before it moved the index is read after it. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return error;
}

int virtio_queue_pending(const struct virtio_queue *queue, const struct virtio_memory *memory,
			 const char **why)
{
	uint16_t pending;
	struct ring ring;

	if (read_available(queue, memory, &ring))
		return broken(why, "the available ring cannot be read");
	pending = (uint16_t)(ring.index - queue->next_available);
	if (pending > queue->size)
		return broken(why, "the available index is further than the queue's size");
	return pending;
}

static int read_descriptor(const struct virtio_queue *queue, const struct virtio_memory *memory,
			   uint16_t index, struct descriptor *descriptor, const char **why)
{
	if (index >= queue->size)
		return broken(why, "a descriptor's number is beyond the queue's size");
	if (memory->read(memory->context, queue->descriptors + index * sizeof(*descriptor),
			 descriptor, sizeof(*descriptor)))
		return broken(why, "a descriptor cannot be read");
	if (descriptor->flags & DESCRIPTOR_INDIRECT)
		return broken(why, "a descriptor is indirect, which was not offered");
	return 0;
}

static int add(struct virtio_chain *chain, const struct descriptor *descriptor, const char **why)
{
	chain->segments[chain->count++] = (struct virtio_segment){
		.gpa = descriptor->gpa,
		.size = descriptor->size,
	};
	if (descriptor->flags & DESCRIPTOR_WRITE) {
		chain->writable_size += descriptor->size;
	} else if (chain->readable == chain->count - 1) {
		chain->readable++;
		chain->readable_size += descriptor->size;
	} else {
		return broken(why, "a descriptor to be read is behind one to be written");
	}
	return 0;
}

int virtio_queue_take(struct virtio_queue *queue, const struct virtio_memory *memory,
		      struct virtio_chain *chain, const char **why)
{
	uint16_t place = queue->next_available % queue->size;
	struct descriptor descriptor;
	int error;

	*chain = (struct virtio_chain){.memory = memory};
	if (memory->read(memory->context,
			 queue->available + sizeof(struct ring) + place * sizeof(chain->head),
			 &chain->head, sizeof(chain->head)))
		return broken(why, "the available ring cannot be read");
	queue->next_available++;
	descriptor.next = chain->head;
	do {
		if (chain->count == queue->size)
			return broken(why, "a chain has more descriptors than the queue: a loop");
		error = read_descriptor(queue, memory, descriptor.next, &descriptor, why);
		if (!error)
			error = add(chain, &descriptor, why);
	} while (!error && descriptor.flags & DESCRIPTOR_NEXT);
	return error;
}

int virtio_queue_give(struct virtio_queue *queue, const struct virtio_chain *chain,
		      uint32_t written, const char **why)
{
	const struct virtio_memory *memory = chain->memory;
	struct used_element element = {.head = chain->head, .written = written};
	uint64_t place = queue->next_used % queue->size;
	uint16_t next = (uint16_t)(queue->next_used + 1);

	if (memory->write(memory->context,
			  queue->used + sizeof(struct ring) + place * sizeof(element), &element,
			  sizeof(element)))
		return broken(why, "the used ring cannot be written");
	/* The driver sees the index after all that it stands for. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (memory->write(memory->context, queue->used + offsetof(struct ring, index), &next,
			  sizeof(next)))
		return broken(why, "the used ring cannot be written");
	queue->next_used = next;
	return 0;
}

bool virtio_queue_wants_interrupt(const struct virtio_queue *queue,
				  const struct virtio_memory *memory)
{
	struct ring ring;

	return !read_available(queue, memory, &ring) && !(ring.flags & NO_INTERRUPT);
}

/* One run of bytes within a segment. */
struct piece {
	gpa_t gpa;
	uint64_t size;
};

/*
 * Where byte `offset` of the part [first, end) of the segments is, and how many of `size` bytes
 * follow it there. -EFAULT where the part is shorter, or the address wraps.
 */
static int find_piece(const struct virtio_chain *chain, unsigned int first, unsigned int end,
		      uint64_t offset, uint64_t size, struct piece *piece)
{
	for (unsigned int i = first; i < end; i++) {
		const struct virtio_segment *segment = &chain->segments[i];

		if (offset >= segment->size) {
			offset -= segment->size;
			continue;
		}
		piece->size = segment->size - offset;
		if (piece->size > size)
			piece->size = size;
		return __builtin_add_overflow(segment->gpa, offset, &piece->gpa) ? -EFAULT : 0;
	}
	return -EFAULT;
}

int virtio_chain_read(const struct virtio_chain *chain, uint64_t offset, void *target,
		      uint64_t size)
{
	const struct virtio_memory *memory = chain->memory;
	uint8_t *to = target;
	struct piece piece;
	int error;

	for (; size; size -= piece.size, offset += piece.size, to += piece.size) {
		error = find_piece(chain, 0, chain->readable, offset, size, &piece);
		if (!error)
			error = memory->read(memory->context, piece.gpa, to, piece.size);
		if (error)
			return error;
	}
	return 0;
}

int virtio_chain_write(const struct virtio_chain *chain, uint64_t offset, const void *source,
		       uint64_t size)
{
	const struct virtio_memory *memory = chain->memory;
	const uint8_t *from = source;
	struct piece piece;
	int error;

	for (; size; size -= piece.size, offset += piece.size, from += piece.size) {
		error = find_piece(chain, chain->readable, chain->count, offset, size, &piece);
		if (!error)
			error = memory->write(memory->context, piece.gpa, from, piece.size);
		if (error)
			return error;
	}
	return 0;
}
