/* SPDX-License-Identifier: MIT */
/* Stage 2 as a whole: making and ending it, and the VMM's ways to guest memory (see ept.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ept/clone.h"
#include "ept/ept.h"
#include "ept/fault.h"
#include "ept/pinned.h"

#define BLOCK_DOWN(address) ((address) & ~(EPT_BLOCK_SIZE - 1))
#define BLOCK_UP(address)   BLOCK_DOWN((address) + EPT_BLOCK_SIZE - 1)

__attribute__((format(printf, 3, 4))) static int refuse(struct ept *ept, const char **what,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ept->message, sizeof(ept->message), format, arguments);
	va_end(arguments);
	*what = ept->message;
	return -EINVAL;
}

static gpa_t range_end(const struct ept_range *range)
{
	return range->start + range->size;
}

static int check_range(struct ept *ept, unsigned int index, const char **what)
{
	const struct ept_range *range = &ept->config.ranges[index];
	uint64_t end;

	if ((range->start | range->size) % HPT_PAGE_SIZE)
		return refuse(ept, what,
			      "ranges[%u]: start 0x%" PRIx64 " and size 0x%" PRIx64
			      " must be multiples of 4096",
			      index, range->start, range->size);
	if (range->size == 0 || __builtin_add_overflow(range->start, range->size, &end))
		return refuse(ept, what,
			      "ranges[%u]: start 0x%" PRIx64 ", size 0x%" PRIx64
			      " is empty or ends beyond 2^64",
			      index, range->start, range->size);
	if (index && range->start < range_end(range - 1))
		return refuse(ept, what,
			      "ranges[%u]: start 0x%" PRIx64
			      " is below the end of the range before, 0x%" PRIx64,
			      index, range->start, range_end(range - 1));
	return 0;
}

static int check_ranges(struct ept *ept, const char **what)
{
	const struct ept_range *ranges = ept->config.ranges;
	unsigned int count = ept->config.range_count;
	uint64_t total = 0, span;
	int ret;

	if (count == 0 || count > EPT_RANGES_MAX)
		return refuse(ept, what, "range_count: %u is not in 1 to %u", count,
			      EPT_RANGES_MAX);
	for (unsigned int i = 0; i < count; i++) {
		ret = check_range(ept, i, what);
		if (ret < 0)
			return ret;
		if (ranges[i].size > EPT_MEMORY_MAX || total > EPT_MEMORY_MAX - ranges[i].size)
			return refuse(ept, what,
				      "ranges[%u]: with size 0x%" PRIx64
				      " guest memory exceeds 112 GiB, one mapping for each 2 MiB",
				      i, ranges[i].size);
		total += ranges[i].size;
	}
	span = range_end(&ranges[count - 1]) - ranges[0].start;
	if (span > EPT_SPAN_MAX || range_end(&ranges[count - 1]) > EPT_SPAN_MAX)
		return refuse(ept, what,
			      "ranges[%u]: end 0x%" PRIx64 " is above the limit of 0x%" PRIx64,
			      count - 1, range_end(&ranges[count - 1]), EPT_SPAN_MAX);
	return 0;
}

static int check_pinned(struct ept *ept, const char **what)
{
	const struct ept_range *pinned = &ept->config.pinned;
	bool is_inside = false;

	if (!pinned->size)
		return 0;
	if ((pinned->start | pinned->size) % EPT_BLOCK_SIZE)
		return refuse(ept, what,
			      "pinned: start 0x%" PRIx64 " and size 0x%" PRIx64
			      " must be multiples of 2 MiB",
			      pinned->start, pinned->size);
	for (unsigned int i = 0; i < ept->config.range_count; i++) {
		const struct ept_range *range = &ept->config.ranges[i];

		is_inside |= pinned->start >= range->start && pinned->size <= range->size &&
			     pinned->start - range->start <= range->size - pinned->size;
	}
	if (!is_inside)
		return refuse(ept, what,
			      "pinned: start 0x%" PRIx64 ", size 0x%" PRIx64
			      " is not within one range",
			      pinned->start, pinned->size);
	if (pinned->size > ept->config.host_mem)
		return refuse(ept, what, "pinned: size 0x%" PRIx64 " is above host_mem, 0x%" PRIx64,
			      pinned->size, ept->config.host_mem);
	return 0;
}

static int check_config(struct ept *ept, const char **what)
{
	const struct ept_config *config = &ept->config;
	int ret;

	if (config->host_mem == 0 || config->host_mem % HPT_PAGE_SIZE)
		return refuse(ept, what,
			      "host_mem: 0x%" PRIx64 " is not a positive multiple of 4096",
			      config->host_mem);
	if ((unsigned int)config->organisation >= HPT_ORGANISATIONS)
		return refuse(ept, what, "organisation: there is none of number %d",
			      (int)config->organisation);
	if ((unsigned int)config->host_pages > EPT_MIXED)
		return refuse(ept, what, "host_pages: there are none of number %d",
			      (int)config->host_pages);
	if (config->clones && config->dedup)
		return refuse(ept, what, "clones: not with dedup, whose frames are not copied");
	if (config->around > EPT_AROUND_MAX)
		return refuse(ept, what, "around: %u pages are above the limit of %d",
			      config->around, EPT_AROUND_MAX);
	if (config->handlers > EPT_HANDLERS_MAX)
		return refuse(ept, what, "handlers: %u threads are above the limit of %d",
			      config->handlers, EPT_HANDLERS_MAX);
	if (config->cpu_count > EPT_HANDLERS_MAX)
		return refuse(ept, what, "cpu_count: %u CPUs are above the limit of %d",
			      config->cpu_count, EPT_HANDLERS_MAX);
	ret = check_ranges(ept, what);
	return ret < 0 ? ret : check_pinned(ept, what);
}

/* The number of 2 MiB blocks that hold a byte of guest RAM. */
static uint32_t count_blocks(const struct ept_config *config)
{
	uint64_t blocks = 0;
	gpa_t counted = 0; /* the end of the last block counted */

	for (unsigned int i = 0; i < config->range_count; i++) {
		gpa_t start = BLOCK_DOWN(config->ranges[i].start);
		gpa_t end = BLOCK_UP(range_end(&config->ranges[i]));

		if (start < counted)
			start = counted;
		blocks += (end - start) >> EPT_BLOCK_SHIFT;
		counted = end;
	}
	return (uint32_t)blocks;
}

/* The pool block for a window block that has none yet. */
static int choose_block(struct ept *ept, gpa_t gpa, uint32_t *block)
{
	const struct ept_range *pinned = &ept->config.pinned;

	if (ept->config.clones && gpa == pinned->start) /* all are in order */
		ept->pinned_block = ept->pool.handed_out;
	if (ept->config.clones || !ept_is_pinned(ept, gpa >> HPT_PAGE_SHIFT))
		return ept_pool_block(&ept->pool, block);
	*block = ept->pinned_block + (uint32_t)((gpa - pinned->start) >> EPT_BLOCK_SHIFT);
	return 0;
}

/*
 * Shared frames are at most half as many as there are mappings for single pages: two pages, of two
 * mappings each, make the first.
 */
static uint32_t shared_blocks(const struct ept_config *config)
{
	uint64_t frames = (EPT_WINDOW_MAPPINGS - count_blocks(config)) / 4;

	return config->dedup ? (uint32_t)(frames / EPT_BLOCK_PAGES) + 1 : 0;
}

static uint64_t count_pages(const struct ept *ept)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < ept->config.range_count; i++)
		pages += ept->config.ranges[i].size >> HPT_PAGE_SHIFT;
	return pages;
}

static int map_range(struct ept *ept, const struct ept_range *range, const char **what)
{
	gpa_t end = range_end(range);
	gpa_t next;

	for (gpa_t gpa = range->start; gpa < end; gpa = next) {
		uint32_t block;
		int ret;

		next = BLOCK_DOWN(gpa) + EPT_BLOCK_SIZE;
		if (next > end)
			next = end;
		if (!ept_window_block(&ept->window, gpa, &block) &&
		    choose_block(ept, gpa, &block) < 0)
			return -ENOSPC; /* cannot be: count_blocks() has counted them */
		ret = ept_window_map(&ept->window, ept->pool.fd, gpa, next - gpa, block, what);
		if (ret < 0)
			return ret;
	}
	return ept_window_arm(&ept->window, range->start, range->size, what);
}

static int open_window(struct ept *ept, const char **what)
{
	const struct ept_range *ranges = ept->config.ranges;
	unsigned int count = ept->config.range_count;
	gpa_t start = BLOCK_DOWN(ranges[0].start);
	gpa_t end = BLOCK_UP(range_end(&ranges[count - 1]));
	int ret =
		ept_window_open(&ept->window, start, end - start,
				ept->config.dedup || ept->config.track || ept->config.clones, what);

	if (ret < 0)
		return ret;
	if (ept->config.pinned.size &&
	    !ept->config.clones) /* check_pinned(): there are so many blocks */
		(void)ept_pool_run(&ept->pool,
				   (uint32_t)(ept->config.pinned.size >> EPT_BLOCK_SHIFT),
				   &ept->pinned_block);
	for (unsigned int i = 0; i < count; i++) {
		ret = map_range(ept, &ranges[i], what);
		if (ret < 0) {
			ept_window_close(&ept->window);
			return ret;
		}
	}
	return 0;
}

static int create_blocks(struct ept *ept, const char **what)
{
	uint64_t shared = (uint64_t)ept->pool.behind * EPT_BLOCK_PAGES;

	*what = "stage 2: no memory for its blocks";
	if (shared && ept_dedup_create(&ept->dedup, count_pages(ept),
				       (uint64_t)ept->pool.blocks * EPT_BLOCK_PAGES, shared) < 0)
		return -ENOMEM;
	ept->blocks = calloc(ept->window.size >> EPT_BLOCK_SHIFT, sizeof(*ept->blocks));
	if (!ept->blocks)
		ept_dedup_destroy(&ept->dedup);
	return ept->blocks ? 0 : -ENOMEM;
}

static void destroy_blocks(struct ept *ept)
{
	ept_dedup_destroy(&ept->dedup);
	free(ept->blocks);
}

/*
 * More than a table of any organisation takes while it grows, a page of each line or node mapped.
 */
static uint64_t table_bytes_max(const struct ept *ept)
{
	return count_pages(ept) * 512 + (UINT64_C(256) << 20);
}

static int create_table(struct ept *ept, const char **what)
{
	struct hpt_config config = {.organisation = ept->config.organisation,
				    .pages = ept->config.pages};
	int ret = 0;

	if (config.organisation == HPT_ADAPTIVE) /* a run is a slot, however long it is */
		config.pages = 0;
	*what = "stage-2 table: no address space; raise RLIMIT_AS";
	if (!ept->config.clones)
		config.memory = ept_memory_init(&ept->memory);
	else
		ret = ept_memory_reserve(&ept->memory, table_bytes_max(ept), &config.memory);
	if (ret < 0)
		return ret;
	ret = hpt_create(&ept->table, &config);
	if (ret < 0) {
		*what = "stage-2 table: no memory";
		ept_memory_destroy(&ept->memory);
	}
	return ret;
}

/* A guest whose frames are all there at once needs no swap file. */
static int open_swap(struct ept *ept, const char **what)
{
	uint64_t pages = count_pages(ept);

	if (ept->config.no_swap || pages <= ept->pool.limit)
		return 0;
	return ept_swap_open(ept->swap, ept->config.swap,
			     ept->config.clones ? pages * EPT_MEMBERS_MAX : pages, what);
}

/* What there is once for all of the family: the last of them gives it back. */
static int create_family(struct ept *ept, const char **what)
{
	const struct ept_config *config = &ept->config;
	int ret = ept_pool_create(&ept->pool, count_blocks(config), shared_blocks(config),
				  config->clones ? EPT_LAYERS : 1, config->host_mem / HPT_PAGE_SIZE,
				  config->seed, what);

	if (ret < 0)
		return ret;
	*what = "stage 2: no memory for what counts its frames";
	ret = ept_family_create(ept, config->clones);
	if (ret < 0)
		ept_pool_destroy(&ept->pool);
	return ret;
}

static int create_window(struct ept *ept, const char **what)
{
	int ret = open_window(ept, what);

	if (ret < 0 || !ept->config.clones)
		return ret;
	*what = "window: no memory for the layers of its pages";
	ret = ept_window_layers(&ept->window, ept->family->layer_frames);
	if (ret < 0) {
		ept_window_close(&ept->window);
		return ret;
	}
	ept->window.mappings = 0;
	for (unsigned int i = 0; i < ept->config.range_count; i++)
		ept->window.mappings += ept_window_pieces(&ept->window, ept->config.ranges[i].start,
							  ept->config.ranges[i].size);
	ept->family->mappings = ept->window.mappings;
	return 0;
}

int ept_create(struct ept *ept, const struct ept_config *config, const char **what)
{
	int ret;

	memset(ept, 0, sizeof(*ept));
	ept->config = *config;
	ret = check_config(ept, what);
	if (ret < 0)
		return ret;
	ret = create_family(ept, what);
	if (ret < 0)
		return ret;
	ret = create_window(ept, what);
	if (ret < 0)
		goto no_window;
	ret = create_blocks(ept, what);
	if (ret < 0)
		goto no_blocks;
	ret = create_table(ept, what);
	if (ret < 0)
		goto no_table;
	ret = ept_pinned_fill(ept, what);
	if (ret == 0)
		ret = open_swap(ept, what);
	if (ret < 0)
		goto no_swap;
	pthread_mutex_init(&ept->lock, NULL);
	ept_transit_init(&ept->transit);
	ret = ept_handlers_start(ept, what);
	if (ret == 0)
		return 0;

	ept_transit_destroy(&ept->transit);
	pthread_mutex_destroy(&ept->lock);
no_swap:
	hpt_destroy(&ept->table);
	ept_memory_destroy(&ept->memory);
no_table:
	destroy_blocks(ept);
no_blocks:
	ept_window_close(&ept->window);
no_window:
	ept_family_leave(ept);
	return ret;
}

void ept_end(struct ept *ept)
{
	ept_window_close(&ept->window);
	ept_clone_let_go(ept);
	ept_transit_destroy(&ept->transit);
	pthread_mutex_destroy(&ept->lock);
	hpt_destroy(&ept->table);
	ept_memory_destroy(&ept->memory);
	destroy_blocks(ept);
	ept_family_leave(ept);
}

void ept_destroy(struct ept *ept)
{
	ept_handlers_stop(ept);
	ept_end(ept);
}

void *ept_window_address(const struct ept *ept, gpa_t gpa)
{
	return ept_window_place(&ept->window, gpa);
}
