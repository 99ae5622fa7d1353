/* SPDX-License-Identifier: MIT */
#include "vmm/virtio_block.h"

#include <errno.h>

#define STATUS_SIZE 1
#define SEGMENT_MAX (UINT32_C(16) << 10) /* what is told; longer ones are served as well */

static const char id[VIRTIO_BLOCK_ID_SIZE] = "twostage disk";

/* One request, taken apart. */
struct request {
	const struct virtio_chain *chain;
	struct virtio_block_header header;
	uint64_t size;	  /* of its data */
	uint64_t written; /* bytes of data that the chain has got */
	bool sync;	  /* what is written is to be on the device when the request is done */
};

/* Bytes of the disk that a request names: where they begin, or UINT64_MAX if they are not there. */
static uint64_t offset_of(const struct virtio_block *block, const struct request *request)
{
	uint64_t sectors = request->size / DISK_SECTOR_SIZE;
	uint64_t sector = request->header.sector;

	if (request->size % DISK_SECTOR_SIZE || request->size > VIRTIO_BLOCK_REQUEST_MAX ||
	    sector > block->disk->sectors || sectors > block->disk->sectors - sector)
		return UINT64_MAX;
	return sector * DISK_SECTOR_SIZE;
}

static uint64_t next_piece(uint64_t left)
{
	return left < VIRTIO_BLOCK_PIECE ? left : VIRTIO_BLOCK_PIECE;
}

static int read_sectors(struct virtio_block *block, struct request *request)
{
	uint64_t offset = offset_of(block, request);
	int error = offset == UINT64_MAX ? -EINVAL : 0;

	while (!error && request->written < request->size) {
		uint64_t size = next_piece(request->size - request->written);

		error = disk_read(block->disk, offset + request->written, block->piece, size);
		if (!error)
			error = virtio_chain_write(request->chain, request->written, block->piece,
						   size);
		if (!error)
			request->written += size;
	}
	if (error)
		return VIRTIO_BLOCK_IOERR;
	block->counts.reads++;
	block->counts.bytes_read += request->size;
	return VIRTIO_BLOCK_OK;
}

static int write_sectors(struct virtio_block *block, struct request *request)
{
	uint64_t offset = offset_of(block, request);
	int error = offset == UINT64_MAX || block->disk->read_only ? -EINVAL : 0;
	uint64_t done = 0;

	while (!error && done < request->size) {
		uint64_t size = next_piece(request->size - done);

		error = virtio_chain_read(request->chain, sizeof(request->header) + done,
					  block->piece, size);
		if (!error)
			error = disk_write(block->disk, offset + done, block->piece, size);
		done += size;
	}
	if (!error && request->sync)
		error = disk_flush(block->disk);
	if (error)
		return VIRTIO_BLOCK_IOERR;
	block->counts.writes++;
	block->counts.bytes_written += request->size;
	return VIRTIO_BLOCK_OK;
}

static int flush(struct virtio_block *block)
{
	if (disk_flush(block->disk))
		return VIRTIO_BLOCK_IOERR;
	block->counts.flushes++;
	return VIRTIO_BLOCK_OK;
}

static int tell_id(struct request *request)
{
	uint64_t size = request->size < sizeof(id) ? request->size : sizeof(id);

	if (virtio_chain_write(request->chain, 0, id, size))
		return VIRTIO_BLOCK_IOERR;
	request->written = size;
	return VIRTIO_BLOCK_OK;
}

/* What is to be written has its data behind the header, all others have them before the status. */
static int serve_type(struct virtio_block *block, struct request *request)
{
	const struct virtio_chain *chain = request->chain;

	request->size = chain->writable_size - STATUS_SIZE;
	switch (request->header.type) {
	case VIRTIO_BLOCK_IN:
		return read_sectors(block, request);
	case VIRTIO_BLOCK_OUT:
		request->size = chain->readable_size - sizeof(request->header);
		return write_sectors(block, request);
	case VIRTIO_BLOCK_FLUSHES:
		return flush(block);
	case VIRTIO_BLOCK_GET_ID:
		return tell_id(request);
	default:
		return VIRTIO_BLOCK_UNSUPPORTED;
	}
}

static int64_t serve(void *context, const struct virtio_chain *chain, uint64_t features,
		     const char **why)
{
	struct virtio_block *block = context;
	struct request request = {.chain = chain, .sync = !(features & VIRTIO_BLOCK_FLUSH)};
	uint64_t last;
	uint8_t status;

	if (!chain->writable_size || chain->readable_size < sizeof(request.header)) {
		*why = "a request has no header or no byte for its status";
		return -EPROTO;
	}
	if (virtio_chain_read(chain, 0, &request.header, sizeof(request.header))) {
		*why = "the header of a request cannot be read";
		return -EPROTO;
	}
	last = chain->writable_size - STATUS_SIZE;
	status = (uint8_t)serve_type(block, &request);
	block->counts.failed += status == VIRTIO_BLOCK_IOERR;
	block->counts.unsupported += status == VIRTIO_BLOCK_UNSUPPORTED;
	if (virtio_chain_write(chain, last, &status, sizeof(status))) {
		*why = "the status of a request cannot be written";
		return -EPROTO;
	}
	/* Counted from the first byte on: the status counts where nothing before it is left out. */
	return (int64_t)(request.written + (request.written == last ? STATUS_SIZE : 0));
}

void virtio_block_init(struct virtio_block *block, gpa_t base, const struct virtio_memory *memory,
		       const struct disk *disk)
{
	struct virtio_backend backend = {
		.device = VIRTIO_BLOCK_DEVICE,
		.features = VIRTIO_BLOCK_SIZE_MAX | VIRTIO_BLOCK_SEG_MAX | VIRTIO_BLOCK_BLOCK_SIZE |
			    VIRTIO_BLOCK_FLUSH | (disk->read_only ? VIRTIO_BLOCK_RO : 0),
		.config = &block->config,
		.config_size = sizeof(block->config),
		.serve = serve,
		.context = block,
	};

	block->disk = disk;
	block->config = (struct virtio_block_config){
		.capacity = disk->sectors,
		.size_max = SEGMENT_MAX,
		.seg_max = VIRTIO_QUEUE_MAX - 2,
		.block_size = DISK_SECTOR_SIZE,
	};
	block->counts = (struct virtio_block_counts){0};
	virtio_mmio_init(&block->mmio, base, memory, &backend);
}

void virtio_block_destroy(struct virtio_block *block)
{
	virtio_mmio_destroy(&block->mmio);
}

void virtio_block_read_counts(struct virtio_block *block, struct virtio_block_counts *counts)
{
	pthread_mutex_lock(&block->mmio.lock);
	*counts = block->counts;
	pthread_mutex_unlock(&block->mmio.lock);
}
