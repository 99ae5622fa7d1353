/* SPDX-License-Identifier: MIT */
/* See stages.h. */
#include "bench/stages.h"

#include <errno.h>

#define GUEST_FLAGS (HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY)
#define HOST_FLAGS  (HPT_PRESENT | HPT_WRITE)

/* Room for tables: address space, of which only what is used costs memory. */
#define TABLE_SPACE ((size_t)24 << 30)

#define RUN HPT_LARGE_PAGES

/* Frames of table pages, below those of data. */
#define TABLE_FRAMES (TABLE_SPACE / HPT_PAGE_SIZE)

/* Stage 2 of pages that the guest's table gets: frames in order. */
static int map_table(struct stages *stages, uint64_t gpa, size_t size)
{
	uint64_t gfn = gpa / HPT_PAGE_SIZE;
	uint64_t frame = gfn - stages->table_gfn;

	return hpt_map_range(&stages->host, hpt_key(0, gfn, HPT_4K), size / HPT_PAGE_SIZE,
			     hpt_entry(frame, HOST_FLAGS));
}

/* Addresses that the guest's table is given are guest-physical. */
static int get(void *context, size_t size, uint64_t *address)
{
	struct stages *stages = context;
	struct hpt_memory memory = arena_memory(&stages->guest_memory);
	uint64_t fresh = stages->guest_memory.used;
	int error = memory.get(memory.context, size, address);

	if (error)
		return error;
	/* What was given back and is used again has its stage 2 already. */
	if (*address >= fresh)
		stages->error |=
			map_table(stages, stages->table_gfn * HPT_PAGE_SIZE + *address, size);
	*address += stages->table_gfn * HPT_PAGE_SIZE;
	return 0;
}

static void put(void *context, uint64_t address, size_t size)
{
	struct stages *stages = context;
	struct hpt_memory memory = arena_memory(&stages->guest_memory);

	/* The host is not told: stage 2 goes on to map what the guest has freed. */
	memory.put(memory.context, address - stages->table_gfn * HPT_PAGE_SIZE, size);
}

static int create(struct stages *stages)
{
	const struct stages_config *config = &stages->config;
	uint64_t offset = (uintptr_t)stages->guest_memory.base - stages->table_gfn * HPT_PAGE_SIZE;
	struct hpt_config table = {
		.organisation = config->host_table,
		.pages = (uint64_t)((double)config->layout.pages * config->room),
		.hash = config->hash,
		.sealed = config->sealed,
		.seal_key = {2},
		.memory = arena_memory(&stages->host_memory),
	};
	int error = hpt_create(&stages->host, &table);

	if (error)
		return error;
	table.organisation = config->guest_table;
	table.seal_key[0] = 1;
	table.memory = (struct hpt_memory){
		.get = get, .put = put, .context = stages, .offset = (uintptr_t)offset};
	return hpt_create(&stages->guest, &table);
}

/* Maps page i, or from a run's first page on all of it as one. *done: how many. */
static int map_page(struct hpt *table, enum stages_pages pages, uint16_t asid, uint64_t number,
		    uint64_t frame, uint64_t flags, uint64_t *done)
{
	*done = 1;
	if (!stages_is_large(pages, number / RUN))
		return hpt_map(table, hpt_key(asid, number, HPT_4K), hpt_entry(frame, flags));
	if (number % RUN || frame % RUN)
		return -EINVAL;
	*done = RUN;
	return hpt_map(table, hpt_key(asid, number, HPT_2M), hpt_entry(frame, flags | HPT_LARGE));
}

static int map_guest(struct stages *stages)
{
	const struct layout *layout = &stages->config.layout;
	uint64_t done;

	for (uint64_t i = 0; i < layout->pages; i += done) {
		int error =
			map_page(&stages->guest, stages->config.guest_pages, 1,
				 layout_vpn(layout, i), layout_gfn(layout, i), GUEST_FLAGS, &done);

		if (error || stages->error)
			return error ? error : stages->error;
	}
	return 0;
}

static int map_host(struct stages *stages)
{
	const struct layout *layout = &stages->config.layout;
	uint64_t done;

	for (uint64_t gfn = 0; gfn < layout->pages; gfn += done) {
		int error = map_page(&stages->host, stages->config.host_pages, 0, gfn,
				     TABLE_FRAMES + layout_hfn(layout, gfn), HOST_FLAGS, &done);

		if (error)
			return error;
	}
	return 0;
}

/* Both tables, with nothing in them. */
static int begin(struct stages *stages, const struct stages_config *config, uint64_t table_gfn)
{
	int error;

	*stages = (struct stages){
		.config = *config, .pages = config->layout.pages, .table_gfn = table_gfn};
	error = arena_begin(&stages->guest_memory, TABLE_SPACE);
	if (error)
		return error;
	error = arena_begin(&stages->host_memory, TABLE_SPACE);
	if (!error) {
		error = create(stages);
		if (error)
			arena_end(&stages->host_memory);
	}
	if (error)
		arena_end(&stages->guest_memory);
	return error;
}

int stages_build(struct stages *stages, const struct stages_config *config)
{
	int error = begin(stages, config, (config->layout.pages + RUN - 1) / RUN * RUN);

	if (error)
		return error;
	error = map_guest(stages);
	if (!error)
		error = map_host(stages);
	if (error)
		stages_destroy(stages);
	return error;
}

int stages_begin(struct stages *stages, const struct stages_config *config)
{
	return begin(stages, config, STAGES_DEMAND_FRAMES);
}

/* Maps a page, or the page of 2 MiB that it is in unless that is there. */
static int map_once(struct hpt *table, bool large, uint16_t asid, uint64_t number, uint64_t frame,
		    uint64_t flags)
{
	int error;

	if (!large)
		return hpt_map(table, hpt_key(asid, number, HPT_4K), hpt_entry(frame, flags));
	if (number % RUN != frame % RUN)
		return -EINVAL;
	error = hpt_map(table, hpt_key(asid, number / RUN * RUN, HPT_2M),
			hpt_entry(frame / RUN * RUN, flags | HPT_LARGE));
	return error == -EEXIST ? 0 : error;
}

int stages_map(struct stages *stages, const struct stages_page *page)
{
	int error =
		map_once(&stages->guest, page->guest_large, 1, page->vpn, page->gfn, GUEST_FLAGS);

	if (!error)
		error = stages->error;
	if (!error)
		error = map_once(&stages->host, page->host_large, 0, page->gfn,
				 TABLE_FRAMES + page->hfn, HOST_FLAGS);
	stages->pages += !error;
	return error;
}

void stages_destroy(struct stages *stages)
{
	arena_end(&stages->host_memory);
	arena_end(&stages->guest_memory);
}

static uint8_t sizes_of(enum stages_pages pages)
{
	return pages == STAGES_4K ? WALK_4K : pages == STAGES_2M ? WALK_2M : WALK_4K | WALK_2M;
}

struct walk stages_walk(const struct stages *stages, bool slab)
{
	return (struct walk){
		.host = &stages->host,
		.guest = &stages->guest,
		.slab = slab,
		.guest_sizes = sizes_of(stages->config.guest_pages),
		/* The guest's table is mapped in pages of 4 KiB. */
		.host_sizes = sizes_of(stages->config.host_pages) | WALK_4K,
		.frames = (uintptr_t)stages->guest_memory.base,
		.frame_count = TABLE_FRAMES,
	};
}

uint64_t stages_page_expected(const struct stages_page *page)
{
	bool large = page->guest_large && page->host_large;

	return hpt_entry(TABLE_FRAMES + page->hfn,
			 HPT_PRESENT | HPT_WRITE | HPT_USER | (large ? HPT_LARGE : 0));
}

uint64_t stages_expected(const struct stages *stages, uint64_t i)
{
	const struct stages_config *config = &stages->config;
	uint64_t vpn = layout_vpn(&config->layout, i);
	uint64_t gfn = layout_gfn(&config->layout, i);

	return stages_page_expected(&(struct stages_page){
		.hfn = layout_hfn(&config->layout, gfn),
		.guest_large = stages_is_large(config->guest_pages, vpn / RUN),
		.host_large = stages_is_large(config->host_pages, gfn / RUN),
	});
}

/* The page of either size that has this number. */
static int find(const struct hpt *table, uint16_t asid, uint64_t number, uint64_t *entry)
{
	if (!hpt_lookup(table, hpt_key(asid, number, HPT_4K), entry, NULL))
		return 0;
	return hpt_lookup(table, hpt_key(asid, number, HPT_2M), entry, NULL);
}

int stages_entries(const struct stages *stages, uint64_t vpn, uint64_t *stage1, uint64_t *stage2)
{
	uint64_t gfn;
	int error = find(&stages->guest, 1, vpn, stage1);

	if (error)
		return error;
	gfn = hpt_frame(*stage1) + (*stage1 & HPT_LARGE ? vpn % RUN : 0);
	return find(&stages->host, 0, gfn, stage2);
}
