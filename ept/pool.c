/* SPDX-License-Identifier: MIT */
/* The frame pool (see pool.h). Mechanism only: which frame a page has is decided in fault.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ept/pool.h"
#include "hpt/entry.h"
#include "hpt/mix.h"

/* Fisher and Yates. The bias of the range reduction is below 2^-32. */
static uint32_t *make_order(uint32_t count, bool shuffle, uint64_t seed)
{
	uint32_t *order = malloc(count * sizeof(*order));

	if (!order)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = i;

		if (shuffle)
			j = (uint32_t)((mix64_next(&seed) >> 32) * (i + UINT64_C(1)) >> 32);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

int ept_pool_create(struct ept_pool *pool, uint32_t blocks, uint32_t behind, unsigned int layers,
		    uint64_t limit, uint64_t seed, const char **what)
{
	uint64_t size = ((uint64_t)blocks * layers + behind) * EPT_BLOCK_SIZE;
	int ret;

	*pool = (struct ept_pool){
		.fd = -1, .blocks = blocks, .behind = behind, .layers = layers, .limit = limit};
	pool->order = make_order(blocks, layers == 1, seed);
	if (!pool->order) {
		*what = "frame pool: no memory for the order of its blocks";
		return -ENOMEM;
	}

	pool->fd = memfd_create("twostage-pool", MFD_CLOEXEC);
	if (pool->fd < 0) {
		*what = errno == ENOSYS ? "frame pool: this kernel has no memfd_create"
					: "frame pool: memfd_create failed; raise RLIMIT_NOFILE";
		goto fail;
	}
	*what = "frame pool: the memfd cannot be made as large as guest memory; raise "
		"RLIMIT_FSIZE, or use less guest memory";
	if (ftruncate(pool->fd, (off_t)size) < 0)
		goto fail;
	*what = "frame pool: no address space to map it; raise RLIMIT_AS, or use less guest memory";
	pool->base =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pool->fd, 0);
	if (pool->base == MAP_FAILED)
		goto fail;
	/* A frame shall cost a frame. What refuses it (a kernel without huge pages) has none. */
	(void)madvise(pool->base, size, MADV_NOHUGEPAGE);
	return 0;

fail:
	ret = -errno;
	if (pool->fd >= 0)
		close(pool->fd);
	free(pool->order);
	return ret;
}

void ept_pool_destroy(struct ept_pool *pool)
{
	munmap(pool->base, ept_pool_size(pool) << HPT_PAGE_SHIFT);
	close(pool->fd);
	free(pool->order);
}

int ept_pool_block(struct ept_pool *pool, uint32_t *block)
{
	if (pool->handed_out == pool->blocks)
		return -ENOSPC;
	*block = pool->order[pool->handed_out++];
	if (pool->handed_out == pool->blocks) { /* nobody asks for the order any more */
		free(pool->order);
		pool->order = NULL;
	}
	return 0;
}

/*
 * fallocate() and not a write through the mapping: it reports a lack of memory where the write
 * would be a SIGBUS, and it is quicker, as no page-table entry of the VMM is made. The kernel
 * zeroes such a page when it is first mapped or read.
 */
int ept_pool_populate(const struct ept_pool *pool, uint64_t frame, unsigned int count)
{
	while (fallocate(pool->fd, 0, (off_t)(frame << HPT_PAGE_SHIFT),
			 (off_t)(count * HPT_PAGE_SIZE)) < 0) {
		if (errno != EINTR)
			return -ENOMEM;
	}
	return 0;
}

/* What cannot be given back costs the host memory and does no harm: it is zeros then. */
void ept_pool_drop(const struct ept_pool *pool, uint64_t frame, unsigned int count)
{
	while (fallocate(pool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)(frame << HPT_PAGE_SHIFT), (off_t)(count * HPT_PAGE_SIZE)) < 0) {
		if (errno == EINTR)
			continue;
		memset(ept_pool_frame(pool, frame), 0, count * HPT_PAGE_SIZE);
		return;
	}
}

/*
 * The blocks of the run are brought to the front of the order, as they follow each other; those in
 * whose places they come go where they were.
 */
int ept_pool_run(struct ept_pool *pool, uint32_t count, uint32_t *first)
{
	if (pool->handed_out || !count || count > pool->blocks)
		return -ENOSPC;
	*first = pool->order[0] % (pool->blocks - count + 1);
	for (uint32_t i = 0, at = 0; i < pool->blocks; i++) {
		uint32_t block = pool->order[i];

		if (block - *first >= count)
			continue;
		pool->order[i] = pool->order[at];
		pool->order[at++] = block;
	}
	pool->handed_out = count;
	return 0;
}

int ept_pool_take(struct ept_pool *pool, unsigned int frames)
{
	if (pool->frames + frames > pool->limit)
		return -EDQUOT;
	pool->frames += frames;
	return 0;
}

void ept_pool_give_back(struct ept_pool *pool, unsigned int frames)
{
	pool->frames -= frames;
}
