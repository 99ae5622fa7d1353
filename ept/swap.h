/* SPDX-License-Identifier: MIT */
/*
 * The swap file: where the pages are that have no frame.
 *
 * A slot is the place of one page. Each has a checksum in memory, of the page, its slot and its
 * GFN, so that a block that the device lost, mixed up or damaged is found when it is read and is
 * never given to the guest. The file is of this process alone: nothing of an earlier one is read.
 * A page of zeros takes no slot.
 *
 * A file that was named begins with a block that says what it is. One that holds anything else is
 * refused: it would be overwritten. It is locked while it is in use and empty afterwards; one that
 * is left by a process that was killed is taken again, and what it holds is not looked at.
 *
 * All but opening and closing may be done by several threads at a time; a slot is read, written and
 * freed by who has it. A clone's pages are in the slots of who was cloned: such a slot is free when
 * both have freed it.
 */
#ifndef EPT_SWAP_H
#define EPT_SWAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The swap location of a page of zeros. Others are slots. */
#define EPT_SWAP_ZERO ((UINT64_C(1) << 36) - 1)

/* Pages that are written with one call. */
#define EPT_SWAP_RUN 32

struct ept_swap {
	int fd;	      /* -1: there is no file, and no page can go */
	bool named;   /* it has a name, and the block that says what it is */
	bool created; /* it was not there before */
	bool direct;  /* read and written without the host's page cache */
	bool begun;   /* that block is written */
	const char *path;
	uint64_t slots;
	pthread_mutex_t lock; /* guards what is below but the checksums of slots that are taken */
	uint64_t used;
	uint64_t next;	 /* where the search for free slots goes on */
	uint64_t *taken; /* a bit a slot */
	uint32_t *sums;	 /* a checksum a slot */
	uint8_t *others; /* who has it beside the first, a byte a slot */
};

/*
 * Opens a swap file of up to `slots` pages: `path`, which lives as long as *swap, or an unlinked
 * temporary file where it is NULL. Nothing is written yet. On failure a negative errno, *what
 * (static text) says why, and nothing is left: -EEXIST if the file holds other data, -EBUSY if
 * another process swaps there.
 */
int ept_swap_open(struct ept_swap *swap, const char *path, uint64_t slots, const char **what);
void ept_swap_close(struct ept_swap *swap);

/* A swap without a file, closed as any. */
void ept_swap_none(struct ept_swap *swap);

/* Takes up to `wanted` slots in a row: *first and how many, or -ENOSPC if none is free. */
int ept_swap_take(struct ept_swap *swap, unsigned int wanted, uint64_t *first);

/* Who has taken too many frees the last one first: the next search begins there then. */
void ept_swap_free(struct ept_swap *swap, uint64_t slot);

/* One more who has a slot that is taken, and frees it. At most 255. */
void ept_swap_share(struct ept_swap *swap, uint64_t slot);

/*
 * Writes `count` pages to the slots from `first` on, at most EPT_SWAP_RUN: pages[i] is that of
 * gfns[i]. 0, or the negative errno of the device: then none of them is to be relied on.
 */
int ept_swap_write(struct ept_swap *swap, uint64_t first, unsigned int count, void *const *pages,
		   const uint64_t *gfns);

/*
 * Reads `count` pages in a row back, at most EPT_SWAP_RUN, those of guest frames from `gfn` on. The
 * negative errno of the device, or -EBADMSG if one of them is not what was written.
 */
int ept_swap_read(const struct ept_swap *swap, uint64_t slot, uint64_t gfn, unsigned int count,
		  void *pages);

/* Whether a page is all zeros. */
bool ept_swap_is_zero(const void *page);

/* Slots in use. */
uint64_t ept_swap_used(struct ept_swap *swap);

#endif
