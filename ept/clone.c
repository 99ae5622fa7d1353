/* SPDX-License-Identifier: MIT */
/* Clones (see clone.h). */
#include "ept/clone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ept/fault.h"
#include "ept/origin.h"
#include "ept/pinned.h"

/* Of a window that is taken down: so much at a time, as others wait for the address space. */
#define TAKE_DOWN_SIZE (UINT64_C(2) << 20)

/* --- the old window */

static void *take_down(void *argument)
{
	struct ept_old_window *old = argument;

	for (uint64_t at = 0; at < old->size; at += TAKE_DOWN_SIZE) {
		uint64_t left = old->size - at;

		munmap((char *)old->place + at, left < TAKE_DOWN_SIZE ? left : TAKE_DOWN_SIZE);
	}
	return NULL;
}

static void wait_for_old_window(struct ept *ept)
{
	if (ept->old_window.has_thread)
		pthread_join(ept->old_window.thread, NULL);
	ept->old_window.has_thread = false;
}

/* The window is where `moved` is; what it showed before goes. */
static void move_window(struct ept *ept, const struct ept_window *moved)
{
	struct ept_old_window *old = &ept->old_window;

	wait_for_old_window(ept);
	old->place = ept->window.reserved;
	old->size = ept->window.reserved_size;
	ept->window.reserved = moved->reserved;
	ept->window.base = moved->base;
	old->has_thread = !pthread_create(&old->thread, NULL, take_down, old);
	if (!old->has_thread)
		(void)take_down(old);
}

/* --- windows */

static int map_ranges(const struct ept *ept, struct ept_window *window, const char **what)
{
	int ret = 0;

	for (unsigned int i = 0; i < ept->config.range_count && ret == 0; i++) {
		const struct ept_range *range = &ept->config.ranges[i];

		ret = ept_window_map_like(window, ept->pool.fd, range->start, range->size, what);
		if (ret == 0)
			ret = ept_window_arm(window, range->start, range->size, what);
	}
	return ret;
}

/* Pinned pages are in the window from the start (pinned.h). */
static int show_pinned(const struct ept *ept, struct ept_window *window, const char **what)
{
	const struct ept_range *pinned = &ept->config.pinned;
	int ret = 0;

	*what = "pinned guest memory: the kernel did not install it in the window";
	for (uint64_t at = 0; at < pinned->size && ret == 0 && !ept->config.track;
	     at += EPT_BLOCK_SIZE)
		ret = ept_window_install(window, pinned->start + at, EPT_BLOCK_PAGES, false);
	return ret;
}

static int fill_window(const struct ept *ept, struct ept_window *window, const char **what)
{
	int ret = map_ranges(ept, window, what);

	return ret < 0 ? ret : show_pinned(ept, window, what);
}

/* Another place for the window of who is cloned. */
static int make_moved(const struct ept *ept, struct ept_window *moved, const char **what)
{
	int ret = ept_window_elsewhere(moved, &ept->window, what);

	if (ret < 0)
		return ret;
	ret = fill_window(ept, moved, what);
	if (ret < 0)
		munmap(moved->reserved, moved->reserved_size);
	return ret;
}

/* --- the pinned range */

static uint64_t pinned_frame(const struct ept *ept)
{
	return ept_window_frame(&ept->window, ept->config.pinned.start);
}

/* Frames for the clone's, in a layer where nobody has them: all are in one, for each member. */
static void claim_pinned(struct ept *clone)
{
	gpa_t start = clone->config.pinned.start;
	uint64_t pages = ept_pinned_pages(clone);
	struct ept_family *family = clone->family;
	unsigned int layer = 0;

	if (!pages)
		return;
	pthread_mutex_lock(&family->lock);
	do
		memset(ept_window_layer(&clone->window, start), (int)layer++, pages);
	while (family->users[pinned_frame(clone)]);
	memset(family->users + pinned_frame(clone), 1, pages);
	family->live[layer - 1] += pages;
	pthread_mutex_unlock(&family->lock);
	clone->pinned_block = (uint32_t)(pinned_frame(clone) / EPT_BLOCK_PAGES);
}

static int copy_pinned(const struct ept *clone, const struct ept *ept, const char **what)
{
	uint64_t from = ept->config.pinned.size ? pinned_frame(ept) : 0;
	uint64_t to = ept->config.pinned.size ? pinned_frame(clone) : 0;

	*what = "pinned guest memory: the host has not so many frames left";
	for (uint64_t at = 0; at < ept_pinned_pages(ept); at += EPT_BLOCK_PAGES) {
		if (ept_pool_populate(&ept->pool, to + at, EPT_BLOCK_PAGES) < 0)
			return -ENOMEM;
		memcpy(ept_pool_frame(&ept->pool, to + at), ept_pool_frame(&ept->pool, from + at),
		       EPT_BLOCK_SIZE);
	}
	return 0;
}

/* --- both tables */

struct share {
	struct ept *ept;
	int64_t offset; /* from a pinned frame to the clone's */
};

/* One more has the page: where it has a frame, that is in no window any more. */
static uint64_t share_page(void *context, struct hpt_key key, uint64_t entry)
{
	struct share *share = context;
	struct ept *ept = share->ept;
	uint64_t frame = hpt_frame(entry);

	if (entry & HPT_SWAPPED && !ept_in_origin(hpt_swap_location(entry)))
		ept_swap_share(ept->swap, hpt_swap_location(entry));
	if (!hpt_resident(entry) || ept_is_pinned(ept, key.vpn))
		return entry;
	for (uint64_t i = 0; i < hpt_pages_in((enum hpt_size)key.size); i++)
		__atomic_store_n(&ept->family->users[frame + i], ept->family->users[frame + i] + 1,
				 __ATOMIC_RELAXED);
	return entry & ~HPT_ACCESSED;
}

static uint64_t move_pinned(void *context, struct hpt_key key, uint64_t entry)
{
	struct share *share = context;

	(void)key;
	return entry + ((uint64_t)share->offset << HPT_FRAME_SHIFT);
}

/* The tables name the same frames. */
static int share_pages(struct ept *clone, struct ept *ept, const struct hpt_memory *memory)
{
	struct share share = {.ept = ept};
	struct hpt_key pinned = hpt_key(0, ept->config.pinned.start >> HPT_PAGE_SHIFT, HPT_4K);
	uint64_t pages = ept_pinned_pages(ept);
	int ret;

	pthread_mutex_lock(&ept->family->lock);
	ret = hpt_visit(&ept->table, share_page, &share);
	pthread_mutex_unlock(&ept->family->lock);
	if (ret < 0)
		return ret; /* cannot be: runs stay runs, and that needs no memory */
	ept_memory_copy(&clone->memory, &ept->memory);
	ret = hpt_adopt(&clone->table, &ept->table, memory);
	if (ret < 0 || !pages)
		return ret;
	share.offset = (int64_t)(pinned_frame(clone) - pinned_frame(ept));
	ret = hpt_visit_range(&clone->table, pinned, pages, move_pinned, &share);
	pinned.size = HPT_2M;
	return ret < 0 ? ret
		       : hpt_visit_range(&clone->table, pinned, pages / HPT_LARGE_PAGES,
					 move_pinned, &share);
}

/* --- making one */

static int check(struct ept *ept, const char **what)
{
	unsigned int pieces = ept->window.mappings;

	*what = "clone: the configuration does not say `clones`";
	if (!ept->config.clones)
		return -EINVAL;
	*what = "clone: the guest cannot go on, a miss could not be resolved";
	if (ept->failure)
		return -EINVAL;
	*what = "clone: no mapping left for another window of this guest memory";
	if (!ept_family_map(ept, (int)pieces))
		return -ENOSPC;
	ept_family_map_back(ept, -(int)pieces);
	*what = "clone: a guest and its clones may be 8";
	return ept_family_join(ept->family);
}

/* What the clone takes over as it is. */
static void inherit(struct ept *clone, const struct ept *ept, const struct ept_clone_config *config)
{
	clone->config = ept->config;
	clone->config.cpu_count = config->cpu_count;
	memcpy(clone->config.cpus, config->cpus, sizeof(config->cpus));
	clone->config.failed = config->failed;
	clone->config.context = config->context;
	clone->pool = ept->pool;
	clone->family = ept->family;
	clone->swap = ept->swap;
	clone->origin = ept->origin;
	clone->front = ept->front;
	clone->back = ept->back;
	clone->lead = ept->lead;
	clone->pinned_block = ept->pinned_block;
	clone->counts.pinned = ept->counts.pinned;
	clone->counts.cloned = ept->pool.frames - ept->counts.pinned;
}

static int make_blocks(struct ept *clone, const struct ept *ept, const char **what)
{
	uint64_t count = ept->window.size >> EPT_BLOCK_SHIFT;

	*what = "stage 2: no memory for its blocks";
	clone->blocks = malloc(count * sizeof(*clone->blocks));
	if (!clone->blocks)
		return -ENOMEM;
	memcpy(clone->blocks, ept->blocks, count * sizeof(*clone->blocks));
	return 0;
}

static int make_window(struct ept *clone, const struct ept *ept, const char **what)
{
	uint64_t features;
	int uffd = ept_userfaultfd(true, &features, what);
	int ret;

	if (uffd < 0)
		return uffd;
	ret = ept_window_like(&clone->window, &ept->window, what);
	if (ret < 0) {
		close(uffd);
		return ret;
	}
	clone->window.uffd = uffd;
	claim_pinned(clone);
	ret = copy_pinned(clone, ept, what);
	if (ret == 0)
		ret = fill_window(clone, &clone->window, what);
	if (ret == 0)
		return 0;
	if (ept_pinned_pages(clone))
		ept_frames_drop(clone, pinned_frame(clone), (unsigned int)ept_pinned_pages(clone));
	ept_window_close(&clone->window);
	return ret;
}

/* Layers where both put what they copy: none of them that where the frames are which they share. */
static void choose_layers(struct ept *clone, struct ept *ept)
{
	struct ept_family *family = ept->family;
	unsigned int before = ept->layer;

	clone->layer = ept_family_layer(family);
	ept->layer = ept_family_layer(family);
	pthread_mutex_lock(&family->lock);
	family->is_taken[before] = false;
	pthread_mutex_unlock(&family->lock);
}

/* What may fail and leaves who is cloned as it is. */
static int prepare(struct ept *clone, const struct ept *ept, struct ept_window *moved,
		   struct hpt_memory *memory, const char **what)
{
	int ret = make_blocks(clone, ept, what);

	if (ret < 0)
		return ret;
	*what = "stage-2 table: no address space; raise RLIMIT_AS";
	ret = ept_memory_reserve(&clone->memory, ept->memory.reserved, memory);
	if (ret < 0)
		goto no_memory;
	ret = make_window(clone, ept, what);
	if (ret < 0)
		goto no_window;
	ret = make_moved(ept, moved, what);
	if (ret == 0)
		return 0;

	if (ept_pinned_pages(clone))
		ept_frames_drop(clone, pinned_frame(clone), (unsigned int)ept_pinned_pages(clone));
	ept_window_close(&clone->window);
no_window:
	ept_memory_destroy(&clone->memory);
no_memory:
	free(clone->blocks);
	return ret;
}

static void count_mappings(struct ept *clone, struct ept *ept, const struct ept_window *moved)
{
	unsigned int pieces = clone->window.mappings;

	clone->window.mappings = 0;
	ept_family_map_back(clone, (int)pieces);
	ept_family_map_back(ept, (int)moved->mappings - (int)ept->window.mappings);
}

/* With the lock of who is cloned, and nothing of it in transit. */
static int make_clone(struct ept *clone, struct ept *ept, const struct ept_clone_config *config,
		      const char **what)
{
	struct ept_window moved;
	struct hpt_memory memory;
	int ret = check(ept, what);

	if (ret < 0)
		return ret;
	inherit(clone, ept, config);
	ret = prepare(clone, ept, &moved, &memory, what);
	if (ret < 0) {
		ept_family_quit(ept->family);
		return ret;
	}
	count_mappings(clone, ept, &moved);
	choose_layers(clone, ept);
	*what = EPT_NO_TABLE_MEMORY;
	ret = share_pages(clone, ept, &memory);
	move_window(ept, &moved); /* no page is in the window, as the table says */
	return ret;
}

int ept_clone(struct ept *clone, struct ept *ept, const struct ept_clone_config *config,
	      const char **what)
{
	int ret;

	memset(clone, 0, sizeof(*clone));
	pthread_mutex_lock(&ept->lock);
	while (ept->transit.count)
		ept_transit_wait(&ept->transit, &ept->lock);
	ret = make_clone(clone, ept, config, what);
	pthread_mutex_unlock(&ept->lock);
	if (ret < 0)
		return ret;
	pthread_mutex_init(&clone->lock, NULL);
	ept_transit_init(&clone->transit);
	ret = ept_handlers_start(clone, what);
	if (ret < 0)
		ept_end(clone);
	return ret;
}

/* --- ending one */

struct let_go {
	struct ept *ept;
	uint64_t frame; /* a run of frames */
	uint64_t count;
};

static void let_run_go(struct let_go *run)
{
	if (run->count)
		ept_frames_drop(run->ept, run->frame, (unsigned int)run->count);
	run->count = 0;
}

static uint64_t let_page_go(void *context, struct hpt_key key, uint64_t entry)
{
	struct let_go *run = context;

	if (entry & HPT_SWAPPED && !ept_in_origin(hpt_swap_location(entry)))
		ept_swap_free(run->ept->swap, hpt_swap_location(entry));
	if (!hpt_resident(entry))
		return entry;
	if (hpt_frame(entry) != run->frame + run->count || run->count > UINT32_MAX / 2) {
		let_run_go(run);
		run->frame = hpt_frame(entry);
	}
	run->count += hpt_pages_in((enum hpt_size)key.size);
	return entry;
}

void ept_clone_let_go(struct ept *ept)
{
	struct ept_family *family = ept->family;
	struct let_go run = {.ept = ept};
	bool is_last;

	wait_for_old_window(ept);
	pthread_mutex_lock(&family->lock);
	is_last = family->members == 1;
	pthread_mutex_unlock(&family->lock);
	if (!family->users || is_last)
		return;
	(void)hpt_visit(&ept->table, let_page_go, &run); /* it changes nothing */
	let_run_go(&run);
}
