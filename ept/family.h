/* SPDX-License-Identifier: MIT */
/*
 * A family: a guest's memory and its clones (clone.h), and what they have in common.
 *
 * Their frames are those of one pool, in layers of equal size: a page has a place in each layer,
 * the same in all, so that a window may show any of them there. A frame counts the members whose
 * tables name it; who writes a page whose frame others have takes its place in another layer. There
 * are more layers than members, so one is always free.
 *
 * A guest that is never cloned is the one member of its family; its pool has one layer, and frames
 * are not counted.
 *
 * Locks. The family's is the last that is taken: by who holds an ept->lock, or none, and for a
 * handful of stores, or for one call of the kernel that gives frames back. How many members have a
 * frame grows only while one of those that have it is cloned, which nobody does who has a page in
 * transit; so a member that sees itself alone with a frame, stays alone.
 */
#ifndef EPT_FAMILY_H
#define EPT_FAMILY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ept/swap.h"

struct ept;

#define EPT_MEMBERS_MAX 8
#define EPT_LAYERS	16

struct ept_family {
	pthread_mutex_t lock; /* guards all but the swap file, which has its own */
	unsigned int members;
	struct ept_swap swap;
	/* Where there may be clones; else NULL and 0. */
	uint8_t *users;		     /* of each frame: members whose tables name it */
	uint64_t layer_frames;	     /* in a layer */
	uint64_t live[EPT_LAYERS];   /* frames of each layer that somebody has */
	bool is_taken[EPT_LAYERS];   /* a member puts its copies there */
	unsigned int mappings;	     /* of all windows */
	unsigned int mappings_limit; /* EPT_WINDOW_MAPPINGS */
};

/* A family of one. `clones`: there may be more, and the pool has EPT_LAYERS layers. -ENOMEM. */
int ept_family_create(struct ept *ept, bool clones);

/* One member more; -ENOSPC. One less: the last one ends the family, pool and swap file. */
int ept_family_join(struct ept_family *family);
void ept_family_leave(struct ept *ept);

/* One less, of which there is nothing else. */
void ept_family_quit(struct ept_family *family);

/* A layer for a member's copies: with as few frames of others as there is. */
unsigned int ept_family_layer(struct ept_family *family);

/*
 * Takes the frames of pages that follow each other, at most `pages`, as the window has them, as far
 * as nobody has them and they follow each other: how many. All of them where there are no clones.
 */
unsigned int ept_frames_claim(struct ept *ept, uint64_t gfn, unsigned int pages);

/*
 * One user less of `count` frames in a row: those that have none any more are given back to the
 * host. Nobody has them in a window then.
 */
void ept_frames_drop(struct ept *ept, uint64_t frame, unsigned int count);

/* Whether another member has the frame as well. */
static inline bool ept_frame_is_common(const struct ept_family *family, uint64_t frame)
{
	return family->users && __atomic_load_n(&family->users[frame], __ATOMIC_RELAXED) > 1;
}

/* Whether one of the frames of a whole block is. */
bool ept_block_is_common(const struct ept_family *family, uint64_t frame);

/*
 * So many more mappings, which may be negative: false, and nothing, where there are too many.
 * ept_family_map_back(): of those that there were before.
 */
bool ept_family_map(struct ept *ept, int more);
void ept_family_map_back(struct ept *ept, int more);

#endif
