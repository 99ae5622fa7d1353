/* SPDX-License-Identifier: MIT */
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <string.h>

#define VERSION 2
#define VENDOR	0x32657774 /* "twe2" */
/* Of the status. */
#define KNOWN_BITS                                                                    \
	(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | \
	 VIRTIO_NEEDS_RESET | VIRTIO_FAILED)

void virtio_mmio_init(struct virtio_mmio *device, gpa_t base, const struct virtio_memory *memory,
		      const struct virtio_backend *backend)
{
	*device = (struct virtio_mmio){.base = base, .memory = *memory, .backend = *backend};
	device->backend.features |= VIRTIO_VERSION_1;
	pthread_mutex_init(&device->lock, NULL);
}

void virtio_mmio_destroy(struct virtio_mmio *device)
{
	pthread_mutex_destroy(&device->lock);
}

bool virtio_mmio_has(const struct virtio_mmio *device, gpa_t gpa)
{
	return gpa >= device->base && gpa - device->base < VIRTIO_MMIO_SIZE;
}

static void ignore(struct virtio_mmio *device)
{
	device->ignored++;
}

/* Everything is as at the beginning but what is counted. */
static void reset(struct virtio_mmio *device)
{
	device->status = 0;
	device->features_half = 0;
	device->accepted_half = 0;
	device->accepted = 0;
	device->selected = 0;
	device->interrupt = 0;
	device->ready = false;
	device->queue = (struct virtio_queue){0};
}

static void break_down(struct virtio_mmio *device, const char *why)
{
	if (!device->broken)
		device->broken = why;
	device->status |= VIRTIO_NEEDS_RESET;
	if (device->status & VIRTIO_DRIVER_OK)
		device->interrupt |= VIRTIO_INTERRUPT_CONFIG;
}

/* Which half of a 64-bit value a selector means; what is beyond 64 bits is 0. */
static uint32_t half_of(uint64_t value, uint32_t half)
{
	return half == 0 ? (uint32_t)value : half == 1 ? (uint32_t)(value >> 32) : 0;
}

static void set_half(uint64_t *value, uint32_t half, uint32_t bits)
{
	unsigned int shift = 32 * half;

	*value = (*value & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)bits << shift;
}

static uint32_t read_register(struct virtio_mmio *device, uint32_t offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC:
		return VIRTIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE:
		return device->backend.device;
	case VIRTIO_MMIO_VENDOR:
		return VENDOR;
	case VIRTIO_MMIO_FEATURES:
		return half_of(device->backend.features, device->features_half);
	case VIRTIO_MMIO_QUEUE_MAX:
		return device->selected ? 0 : VIRTIO_QUEUE_MAX;
	case VIRTIO_MMIO_QUEUE_READY:
		return device->selected ? 0 : device->ready;
	case VIRTIO_MMIO_INTERRUPT:
		return device->interrupt;
	case VIRTIO_MMIO_STATUS:
		return device->status;
	case VIRTIO_MMIO_GENERATION:
		return 0;
	default:
		/* There is no shared memory: its length is that of none. */
		if (offset >= VIRTIO_MMIO_SHARED_SIZE && offset < VIRTIO_MMIO_SHARED_SIZE_END)
			return UINT32_MAX;
		ignore(device);
		return 0;
	}
}

static void accept_features(struct virtio_mmio *device, uint32_t bits)
{
	/* After FEATURES_OK they stay. */
	if (device->accepted_half < 2 && !(device->status & VIRTIO_FEATURES_OK))
		set_half(&device->accepted, device->accepted_half, bits);
	else if (bits)
		ignore(device);
}

/*
 * Bits are added one after the other; 0 is a reset. FEATURES_OK stays only if the device can do
 * with what the driver has accepted, and DRIVER_OK only behind it.
 */
static void write_status(struct virtio_mmio *device, uint32_t value)
{
	uint64_t accepted = device->accepted;

	if (!value) {
		reset(device);
		return;
	}
	if (accepted & ~device->backend.features || !(accepted & VIRTIO_VERSION_1))
		value &= ~(uint32_t)(device->status & VIRTIO_FEATURES_OK ? 0 : VIRTIO_FEATURES_OK);
	if (!(value & VIRTIO_FEATURES_OK))
		value &= ~(uint32_t)VIRTIO_DRIVER_OK;
	if (value & ~(uint32_t)KNOWN_BITS || device->status & ~value)
		ignore(device);
	/* That the device needs a reset is its own word. */
	device->status |= value & KNOWN_BITS & ~(uint32_t)VIRTIO_NEEDS_RESET;
}

static void set_ready(struct virtio_mmio *device, uint32_t value)
{
	const char *wrong = virtio_queue_check(&device->queue);

	if (device->selected || value > 1) {
		ignore(device);
	} else if (!value) {
		device->ready = false;
	} else if (!(device->status & VIRTIO_FEATURES_OK) || device->ready) {
		ignore(device);
	} else if (wrong) {
		break_down(device, wrong);
	} else {
		device->queue.next_available = 0;
		device->queue.next_used = 0;
		device->ready = true;
	}
}

/* One request; false: the device is broken. */
static bool serve_one(struct virtio_mmio *device)
{
	struct virtio_backend *backend = &device->backend;
	struct virtio_chain chain;
	const char *why = "";
	int64_t written;
	int error;

	error = virtio_queue_take(&device->queue, &device->memory, &chain, &why);
	written = error;
	if (!error)
		written = backend->serve(backend->context, &chain, device->accepted, &why);
	if (written >= 0)
		error = virtio_queue_give(&device->queue, &chain, (uint32_t)written, &why);
	if (written < 0 || error) {
		break_down(device, why);
		return false;
	}
	if (virtio_queue_wants_interrupt(&device->queue, &device->memory))
		device->interrupt |= VIRTIO_INTERRUPT_USED;
	return true;
}

/*
 * What is pending now: what comes later is told by a notification of its own. So a vCPU is not kept
 * here for longer than one queue takes.
 */
static void notify(struct virtio_mmio *device, uint32_t queue)
{
	const char *why = "";
	int pending;

	if (queue || !device->ready || !(device->status & VIRTIO_DRIVER_OK) ||
	    device->status & VIRTIO_NEEDS_RESET) {
		ignore(device);
		return;
	}
	device->notified++;
	pending = virtio_queue_pending(&device->queue, &device->memory, &why);
	if (pending < 0)
		break_down(device, why);
	while (pending-- > 0 && serve_one(device))
		continue;
}

/* What describes the queue; false: the register is another one. */
static bool write_queue(struct virtio_mmio *device, uint32_t offset, uint32_t value)
{
	struct virtio_queue *queue = &device->queue;
	uint64_t *address = NULL;

	switch (offset & ~4u) {
	case VIRTIO_MMIO_DESCRIPTORS:
		address = &queue->descriptors;
		break;
	case VIRTIO_MMIO_AVAILABLE:
		address = &queue->available;
		break;
	case VIRTIO_MMIO_USED:
		address = &queue->used;
		break;
	default:
		if (offset != VIRTIO_MMIO_QUEUE_SIZE)
			return false;
	}
	if (device->selected || device->ready)
		ignore(device);
	else if (address)
		set_half(address, offset / 4 % 2, value);
	else
		queue->size = value;
	return true;
}

static void write_register(struct virtio_mmio *device, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_FEATURES_HALF:
		device->features_half = value;
		return;
	case VIRTIO_MMIO_ACCEPTED:
		accept_features(device, value);
		return;
	case VIRTIO_MMIO_ACCEPTED_HALF:
		device->accepted_half = value;
		return;
	case VIRTIO_MMIO_QUEUE:
		device->selected = value;
		return;
	case VIRTIO_MMIO_QUEUE_READY:
		set_ready(device, value);
		return;
	case VIRTIO_MMIO_NOTIFY:
		notify(device, value);
		return;
	case VIRTIO_MMIO_ACKNOWLEDGE:
		device->interrupt &= ~value;
		return;
	case VIRTIO_MMIO_STATUS:
		write_status(device, value);
		return;
	default:
		if (!write_queue(device, offset, value))
			ignore(device);
	}
}

/* The device's own registers may be read at any width; what is behind them is 0. */
static void read_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size,
			uint8_t *bytes)
{
	const uint8_t *config = device->backend.config;

	for (unsigned int i = 0; i < size; i++)
		bytes[i] = offset + i < device->backend.config_size ? config[offset + i] : 0;
}

void virtio_mmio_read(struct virtio_mmio *device, gpa_t gpa, unsigned int size, void *data)
{
	uint32_t offset = (uint32_t)(gpa - device->base);
	uint32_t value;

	memset(data, 0, size);
	pthread_mutex_lock(&device->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		read_config(device, offset - VIRTIO_MMIO_CONFIG, size, data);
	} else if (size == sizeof(value) && offset % sizeof(value) == 0) {
		value = read_register(device, offset);
		memcpy(data, &value, sizeof(value));
	} else {
		ignore(device);
	}
	pthread_mutex_unlock(&device->lock);
}

void virtio_mmio_write(struct virtio_mmio *device, gpa_t gpa, unsigned int size, const void *data)
{
	uint32_t offset = (uint32_t)(gpa - device->base);
	uint32_t value;

	pthread_mutex_lock(&device->lock);
	/* No register of the device's own can be written. */
	if (offset < VIRTIO_MMIO_CONFIG && size == sizeof(value) && offset % sizeof(value) == 0) {
		memcpy(&value, data, sizeof(value));
		write_register(device, offset, value);
	} else {
		ignore(device);
	}
	pthread_mutex_unlock(&device->lock);
}
