/* SPDX-License-Identifier: MIT */
/*
 * The frame pool: host-physical memory, one memfd.
 *
 * A frame (HFN) is the 4 KiB at offset HFN * 4096 of the memfd; a block is 512 aligned frames. All
 * of it is mapped linearly in the VMM, and that mapping is how the VMM reads and writes frames. The
 * memfd is sparse: only frames that were taken cost memory, and only they count against the limit.
 *
 * Callers serialise all functions but ept_pool_populate(), ept_pool_drop() and
 * ept_pool_frame().
 */
#ifndef EPT_POOL_H
#define EPT_POOL_H

#include <stdint.h>

#define EPT_BLOCK_SHIFT 21
#define EPT_BLOCK_SIZE	(UINT64_C(1) << EPT_BLOCK_SHIFT)
#define EPT_BLOCK_PAGES 512

struct ept_pool {
	int fd;
	char *base;	     /* the linear mapping of all blocks */
	uint32_t *order;     /* the blocks, as they are handed out; NULL when all are */
	uint32_t blocks;     /* how many there are, to be handed out */
	uint32_t behind;     /* blocks behind these, whose frames are nobody's by their place */
	uint32_t handed_out; /* how many of them have an owner */
	uint64_t frames;     /* frames in use */
	uint64_t limit;	     /* frames that may be in use */
	unsigned int layers; /* of so many blocks each, where a guest may be cloned; else 1 */
};

/*
 * Makes a pool of `blocks` blocks, and `behind` more that are not handed out, of which `limit`
 * frames may be in use at a time; `seed` chooses the order in which blocks are handed out. With
 * more than one layer (family.h) each has so many, those of the first are handed out, and all in
 * their order, so that a window is few mappings: each clone has one. On
 * failure a negative errno, *what (static text) says which part of the host failed and the fix, and
 * nothing is left.
 */
int ept_pool_create(struct ept_pool *pool, uint32_t blocks, uint32_t behind, unsigned int layers,
		    uint64_t limit, uint64_t seed, const char **what);
void ept_pool_destroy(struct ept_pool *pool);

/* Hands out a block that nobody has: 0, or -ENOSPC when all have owners. */
int ept_pool_block(struct ept_pool *pool, uint32_t *block);

/*
 * Hands out `count` blocks that follow each other, from *first on, at a place that the seed
 * chooses. Only while no block has an owner: -ENOSPC else, and where there are not so many.
 */
int ept_pool_run(struct ept_pool *pool, uint32_t count, uint32_t *first);

/*
 * Counts more frames as in use: 0, or -EDQUOT if the limit is reached. The caller takes a frame
 * once: the pool does not remember which are in use, the table does. ept_pool_give_back() undoes
 * it.
 */
int ept_pool_take(struct ept_pool *pool, unsigned int frames);
void ept_pool_give_back(struct ept_pool *pool, unsigned int frames);

/*
 * Makes `count` frames in a row present in the memfd; those that were not read as zeros, what one
 * holds stays. -ENOMEM if the host has no memory left.
 */
int ept_pool_populate(const struct ept_pool *pool, uint64_t frame, unsigned int count);

/*
 * Gives the host the memory of `count` frames in a row, and with it what they hold: nobody may have
 * them mapped but the pool. They stay counted.
 */
void ept_pool_drop(const struct ept_pool *pool, uint64_t frame, unsigned int count);

static inline uint64_t ept_pool_size(const struct ept_pool *pool)
{
	return ((uint64_t)pool->blocks * pool->layers + pool->behind) * EPT_BLOCK_PAGES;
}

/*
 * Where the VMM reaches a frame, which must be below ept_pool_size(). Reaching one that is not
 * present makes it so, and is a SIGBUS if the host has no memory left.
 */
static inline void *ept_pool_frame(const struct ept_pool *pool, uint64_t frame)
{
	return pool->base + (frame << 12);
}

#endif
