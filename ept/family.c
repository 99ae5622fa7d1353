/* SPDX-License-Identifier: MIT */
/* Families (see family.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/ept.h"
#include "ept/family.h"

static uint64_t count_frames(const struct ept_family *family)
{
	return family->layer_frames * EPT_LAYERS;
}

int ept_family_create(struct ept *ept, bool clones)
{
	struct ept_family *family = calloc(1, sizeof(*family));
	void *users;

	ept->family = family;
	if (!family)
		return -ENOMEM;
	pthread_mutex_init(&family->lock, NULL);
	ept_swap_none(&family->swap);
	ept->swap = &family->swap;
	family->members = 1;
	if (!clones)
		return 0;
	family->layer_frames = (uint64_t)ept->pool.blocks * EPT_BLOCK_PAGES;
	family->mappings_limit = EPT_WINDOW_MAPPINGS;
	family->is_taken[0] = true; /* from where the first member takes its frames */
	users = mmap(NULL, count_frames(family), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (users != MAP_FAILED) {
		family->users = users;
		return 0;
	}
	pthread_mutex_destroy(&family->lock);
	free(family);
	return -ENOMEM;
}

int ept_family_join(struct ept_family *family)
{
	int ret = -ENOSPC;

	pthread_mutex_lock(&family->lock);
	if (family->members < EPT_MEMBERS_MAX) {
		family->members++;
		ret = 0;
	}
	pthread_mutex_unlock(&family->lock);
	return ret;
}

void ept_family_quit(struct ept_family *family)
{
	pthread_mutex_lock(&family->lock);
	family->members--;
	pthread_mutex_unlock(&family->lock);
}

void ept_family_leave(struct ept *ept)
{
	struct ept_family *family = ept->family;
	bool is_last;

	pthread_mutex_lock(&family->lock);
	is_last = !--family->members;
	if (family->users)
		family->is_taken[ept->layer] = false;
	family->mappings -= family->users ? ept->window.mappings : 0;
	pthread_mutex_unlock(&family->lock);
	if (!is_last)
		return;
	ept_swap_close(&family->swap);
	ept_pool_destroy(&ept->pool);
	if (family->users)
		munmap(family->users, count_frames(family));
	pthread_mutex_destroy(&family->lock);
	free(family);
}

unsigned int ept_family_layer(struct ept_family *family)
{
	unsigned int best = EPT_LAYERS;

	pthread_mutex_lock(&family->lock);
	for (unsigned int i = 0; i < EPT_LAYERS; i++) {
		if (!family->is_taken[i] &&
		    (best == EPT_LAYERS || family->live[i] < family->live[best]))
			best = i;
	}
	family->is_taken[best] = true; /* there are more than members */
	pthread_mutex_unlock(&family->lock);
	return best;
}

unsigned int ept_frames_claim(struct ept *ept, uint64_t gfn, unsigned int pages)
{
	struct ept_family *family = ept->family;
	uint64_t frame = ept_window_frame(&ept->window, gfn << HPT_PAGE_SHIFT);
	unsigned int count = 0;

	if (!family->users)
		return pages;
	pthread_mutex_lock(&family->lock);
	for (; count < pages && !family->users[frame + count]; count++) {
		if (ept_window_frame(&ept->window, (gfn + count) << HPT_PAGE_SHIFT) !=
		    frame + count)
			break;
		__atomic_store_n(&family->users[frame + count], 1, __ATOMIC_RELAXED);
	}
	family->live[frame / family->layer_frames] += count;
	pthread_mutex_unlock(&family->lock);
	return count;
}

/* The kernel is called under the lock: a frame that is free may be claimed at once. */
void ept_frames_drop(struct ept *ept, uint64_t frame, unsigned int count)
{
	struct ept_family *family = ept->family;
	uint64_t from = frame, end = frame + count;

	if (!family->users) {
		ept_pool_drop(&ept->pool, frame, count);
		return;
	}
	pthread_mutex_lock(&family->lock);
	for (; frame < end; frame++) {
		uint8_t users = family->users[frame] - 1;

		__atomic_store_n(&family->users[frame], users, __ATOMIC_RELAXED);
		if (!users) {
			family->live[frame / family->layer_frames]--;
			continue;
		}
		if (frame > from)
			ept_pool_drop(&ept->pool, from, (unsigned int)(frame - from));
		from = frame + 1;
	}
	if (frame > from)
		ept_pool_drop(&ept->pool, from, (unsigned int)(frame - from));
	pthread_mutex_unlock(&family->lock);
}

bool ept_block_is_common(const struct ept_family *family, uint64_t frame)
{
	bool is_common = false;

	for (unsigned int i = 0; family->users && i < EPT_BLOCK_PAGES && !is_common; i++)
		is_common = ept_frame_is_common(family, frame + i);
	return is_common;
}

static bool map(struct ept *ept, int more, bool always)
{
	struct ept_family *family = ept->family;
	unsigned int left;
	bool fits;

	pthread_mutex_lock(&family->lock);
	left = family->mappings < family->mappings_limit ? family->mappings_limit - family->mappings
							 : 0;
	fits = always || more <= 0 || (unsigned int)more <= left;
	if (fits) {
		family->mappings += (unsigned int)more;
		ept->window.mappings += (unsigned int)more;
	}
	pthread_mutex_unlock(&family->lock);
	return fits;
}

bool ept_family_map(struct ept *ept, int more)
{
	return map(ept, more, false);
}

void ept_family_map_back(struct ept *ept, int more)
{
	(void)map(ept, more, true);
}
