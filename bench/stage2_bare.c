/* SPDX-License-Identifier: MIT */
/* See stage2_bare.h. */
#include "bench/stage2_bare.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ept/evict.h"

#define STRIDE	 64 /* evict.c's numbers */
#define LEAD_MIN 64

#define FLAGS (HPT_PRESENT | HPT_WRITE | HPT_ACCESSED)

static gpa_t gpa_of(uint64_t gfn)
{
	return gfn << HPT_PAGE_SHIFT;
}

static uint64_t frame_of(const struct bare *bare, uint64_t gfn)
{
	return ept_window_frame(&bare->window, gpa_of(gfn));
}

/* The end of the part where a hand is: of its stride, or the other hand. */
static uint64_t stop_of(uint64_t hand, uint64_t other)
{
	uint64_t stop = (hand / STRIDE + 1) * STRIDE;

	return other > hand && other < stop ? other : stop;
}

static void advance_front(struct bare *bare)
{
	uint64_t stop = stop_of(bare->front, bare->back), passed = 0;

	for (uint64_t gfn = bare->front; gfn < stop; gfn++) {
		if (!hpt_resident(bare->entries[gfn]))
			continue;
		bare->entries[gfn] &= ~HPT_ACCESSED;
		passed++;
	}
	if (passed)
		ept_window_take_out(&bare->window, gpa_of(bare->front), gpa_of(stop - bare->front));
	bare->lead += passed;
	bare->front = stop % bare->pages;
	if (bare->front == bare->back)
		bare->lead = bare->pool.frames;
}

/* A page that got a frame between the hands. */
static void arrive(struct bare *bare, uint64_t gfn)
{
	uint64_t between = (bare->front + bare->pages - bare->back) % bare->pages;

	if (bare->lead && (!between || (gfn + bare->pages - bare->back) % bare->pages < between))
		bare->lead++;
}

struct bare_batch {
	unsigned int room, count;
	uint64_t slots;
	uint64_t gfns[EPT_SWAP_RUN];
	void *pages[EPT_SWAP_RUN];
};

static void advance_back(struct bare *bare, struct bare_batch *batch)
{
	uint64_t stop = stop_of(bare->back, bare->front), passed = 0, gfn = bare->back;

	for (; gfn < stop; gfn++) {
		uint64_t entry = bare->entries[gfn];

		if (!hpt_resident(entry))
			continue;
		if (!(entry & HPT_ACCESSED) && batch->count == batch->room)
			break;
		passed++;
		if (entry & HPT_ACCESSED)
			continue;
		batch->pages[batch->count] = ept_pool_frame(&bare->pool, hpt_frame(entry));
		batch->gfns[batch->count++] = gfn;
	}
	bare->lead = bare->lead > passed ? bare->lead - passed : 0;
	bare->back = gfn % bare->pages;
	if (bare->front == bare->back)
		bare->lead = 0;
}

static void drop_frames(struct bare *bare, const struct bare_batch *batch)
{
	for (unsigned int i = 0, end; i < batch->count; i = end) {
		for (end = i + 1;
		     end < batch->count && batch->gfns[end] == batch->gfns[end - 1] + 1; end++)
			continue;
		ept_pool_drop(&bare->pool, frame_of(bare, batch->gfns[i]), end - i);
	}
}

static uint64_t lead_wanted(const struct bare *bare)
{
	uint64_t lead =
		bare->pool.limit / EPT_LEAD > LEAD_MIN ? bare->pool.limit / EPT_LEAD : LEAD_MIN;

	return lead < bare->pool.frames ? lead : bare->pool.frames;
}

/* Sends a batch away. All pages are written, as the benchmark's have content. */
static int evict(struct bare *bare)
{
	struct bare_batch batch = {.count = 0};
	int ret = ept_swap_take(&bare->swap, EPT_SWAP_RUN, &batch.slots);

	if (ret < 0)
		return ret;
	batch.room = (unsigned int)ret;
	while (!batch.count) {
		if (bare->lead < lead_wanted(bare))
			advance_front(bare);
		else
			advance_back(bare, &batch);
	}
	for (unsigned int i = batch.room; i-- > batch.count;)
		ept_swap_free(&bare->swap, batch.slots + i);
	ret = ept_swap_write(&bare->swap, batch.slots, batch.count, batch.pages, batch.gfns);
	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < batch.count; i++)
		bare->entries[batch.gfns[i]] = hpt_swap_entry(batch.slots + i, FLAGS);
	drop_frames(bare, &batch);
	ept_pool_give_back(&bare->pool, batch.count);
	bare->evicted += batch.count;
	return 0;
}

static int make_room(struct bare *bare)
{
	int ret = 0;

	if (bare->swap.slots &&
	    bare->pool.limit - bare->pool.frames + bare->lead < lead_wanted(bare))
		advance_front(bare);
	while (ret == 0 && bare->pool.frames == bare->pool.limit)
		ret = bare->swap.slots ? evict(bare) : -ENOMEM;
	return ret;
}

/* A page's frame, and those of the pages behind it that a miss gets with it. */
static int new_pages(struct bare *bare, uint64_t gfn, unsigned int *pages)
{
	uint64_t left = bare->pool.limit - bare->pool.frames;
	uint64_t end = (gfn / EPT_BLOCK_PAGES + 1) * EPT_BLOCK_PAGES;

	for (*pages = 0; *pages < bare->around && *pages < left && gfn + *pages < end; ++*pages) {
		if (bare->entries[gfn + *pages])
			break;
		bare->entries[gfn + *pages] = hpt_entry(frame_of(bare, gfn + *pages), FLAGS);
		arrive(bare, gfn + *pages);
	}
	(void)ept_pool_take(&bare->pool, *pages);
	return ept_pool_populate(&bare->pool, frame_of(bare, gfn), *pages);
}

static int bring_back(struct bare *bare, uint64_t gfn)
{
	uint64_t slot = hpt_swap_location(bare->entries[gfn]), frame = frame_of(bare, gfn);
	int ret = ept_pool_populate(&bare->pool, frame, 1);

	if (ret == 0)
		ret = ept_swap_read(&bare->swap, slot, gfn, ept_pool_frame(&bare->pool, frame));
	if (ret < 0)
		return ret;
	(void)ept_pool_take(&bare->pool, 1);
	ept_swap_free(&bare->swap, slot);
	bare->entries[gfn] = hpt_entry(frame, FLAGS);
	arrive(bare, gfn);
	return 0;
}

static int handle_miss(struct bare *bare, gpa_t gpa)
{
	uint64_t gfn = gpa >> HPT_PAGE_SHIFT;
	unsigned int pages = 1;
	int ret = 0;

	if (hpt_resident(bare->entries[gfn])) {
		bare->entries[gfn] |= HPT_ACCESSED;
	} else {
		ret = make_room(bare);
		if (ret == 0)
			ret = bare->entries[gfn] ? bring_back(bare, gfn)
						 : new_pages(bare, gfn, &pages);
	}
	if (ret == 0)
		ret = ept_window_install(&bare->window, gpa, pages, false);
	if (ret == 0)
		ept_window_wake(&bare->window, gpa, pages);
	return ret;
}

static void *handler(void *argument)
{
	struct bare *bare = argument;
	struct pollfd fds[] = {{.fd = bare->window.uffd, .events = POLLIN},
			       {.fd = bare->stop_fd, .events = POLLIN}};
	bool write_access;
	int ret = 0;
	gpa_t gpa;

	while (ret >= 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		ret = ept_window_read(&bare->window, &gpa, &write_access);
		if (ret > 0)
			ret = handle_miss(bare, gpa);
	}
	bare->failure = "the bare mechanism did not resolve a miss";
	ept_window_seal(&bare->window);
	return NULL;
}

static int start_handler(struct bare *bare, const struct ept_config *config)
{
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int ret;

	bare->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (bare->stop_fd < 0)
		return -errno;
	pthread_attr_init(&attributes);
	CPU_ZERO(&cpus);
	CPU_SET(config->cpus[0], &cpus);
	ret = !config->cpu_count ? 0
				 : pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	if (ret == 0)
		ret = pthread_create(&bare->handler, &attributes, handler, bare);
	pthread_attr_destroy(&attributes);
	if (ret)
		close(bare->stop_fd);
	return -ret;
}

static int map_window(struct bare *bare, const char **what)
{
	int ret = 0;

	for (gpa_t gpa = 0; ret == 0 && gpa < gpa_of(bare->pages); gpa += EPT_BLOCK_SIZE) {
		uint32_t block = 0;

		(void)ept_pool_block(&bare->pool, &block); /* there are as many */
		ret = ept_window_map(&bare->window, bare->pool.fd, gpa, EPT_BLOCK_SIZE, block,
				     what);
	}
	return ret < 0 ? ret : ept_window_arm(&bare->window, 0, gpa_of(bare->pages), what);
}

int bare_create(struct bare *bare, const struct ept_config *config, const char **what)
{
	uint64_t size = config->ranges[0].size;
	int ret;

	*bare = (struct bare){.pages = size >> HPT_PAGE_SHIFT,
			      .around = config->around ? config->around : 1};
	*what = "no memory for an array";
	bare->entries = calloc(bare->pages, sizeof(*bare->entries));
	if (!bare->entries)
		return -ENOMEM;
	ret = ept_pool_create(&bare->pool, (uint32_t)(size >> EPT_BLOCK_SHIFT), 0,
			      config->host_mem >> HPT_PAGE_SHIFT, config->seed, what);
	if (ret < 0)
		goto no_pool;
	ret = ept_window_open(&bare->window, 0, size, false, what);
	if (ret < 0)
		goto no_window;
	ret = map_window(bare, what);
	if (ret < 0)
		goto no_swap;
	ept_swap_none(&bare->swap);
	if (config->host_mem < size)
		ret = ept_swap_open(&bare->swap, config->swap, bare->pages, what);
	if (ret < 0)
		goto no_swap;
	*what = "no handler thread";
	ret = start_handler(bare, config);
	if (ret == 0)
		return 0;

	ept_swap_close(&bare->swap);
no_swap:
	ept_window_close(&bare->window);
no_window:
	ept_pool_destroy(&bare->pool);
no_pool:
	free(bare->entries);
	return ret;
}

void bare_destroy(struct bare *bare)
{
	uint64_t one = 1;

	while (write(bare->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(bare->handler, NULL);
	close(bare->stop_fd);
	ept_swap_close(&bare->swap);
	ept_window_close(&bare->window);
	ept_pool_destroy(&bare->pool);
	free(bare->entries);
}
