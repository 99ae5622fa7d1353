/* SPDX-License-Identifier: MIT */
/* See demand.h. */
#include "bench/demand.h"

#include <errno.h>
#include <stdlib.h>

#define RUN	  HPT_LARGE_PAGES
#define FIRST_LOG 10

/* Seeds of the two permutations. */
#define GUEST_SEED UINT64_C(0x6775657374)
#define HOST_SEED  UINT64_C(0x686f7374)

uint64_t demand_scatter(uint64_t number, uint64_t seed)
{
	unsigned int log2 = number < DEMAND_BLOCK ? 0 : 63 - (unsigned int)__builtin_clzll(number);
	uint64_t start = log2 ? UINT64_C(1) << log2 : 0;
	uint64_t count = log2 ? start : DEMAND_BLOCK;
	struct permutation order = permutation_of(count, mix64(seed + log2));

	return start + permutation_at(&order, number - start);
}

/* The slot that has the key, or where it would go. */
static struct demand_slot *map_slot(const struct demand_map *map, uint64_t key)
{
	uint64_t mask = (UINT64_C(1) << map->log2) - 1;
	uint64_t at = mix64(key) & mask;

	while (map->slots[at].key && map->slots[at].key != key + 1)
		at = (at + 1) & mask;
	return &map->slots[at];
}

static int map_begin(struct demand_map *map, unsigned int log2)
{
	*map = (struct demand_map){.log2 = log2};
	map->slots = calloc((size_t)1 << log2, sizeof(*map->slots));
	return map->slots ? 0 : -ENOMEM;
}

/* At most half of the slots are taken. */
static int map_grow(struct demand_map *map)
{
	struct demand_map larger;

	if (2 * map->used < UINT64_C(1) << map->log2)
		return 0;
	if (map_begin(&larger, map->log2 + 1))
		return -ENOMEM;
	for (uint64_t i = 0; i < UINT64_C(1) << map->log2; i++) {
		const struct demand_slot *slot = &map->slots[i];

		if (slot->key)
			*map_slot(&larger, slot->key - 1) = *slot;
	}
	larger.used = map->used;
	free(map->slots);
	*map = larger;
	return 0;
}

/* A key that is not there yet. */
static int map_add(struct demand_map *map, uint64_t key, uint64_t value)
{
	int error = map_grow(map);

	if (error)
		return error;
	*map_slot(map, key) = (struct demand_slot){key + 1, value};
	map->used++;
	return 0;
}

int demand_begin(struct demand *demand, enum layout_frames frames, enum stages_pages guest_pages,
		 enum stages_pages host_pages, uint64_t seed)
{
	int error;

	*demand = (struct demand){
		.guest_pages = guest_pages,
		.host_pages = host_pages,
		.runs = frames != LAYOUT_SCATTERED || guest_pages != STAGES_4K,
		.seed = seed,
	};
	error = map_begin(&demand->pages, FIRST_LOG);
	if (!error)
		error = map_begin(&demand->regions, FIRST_LOG);
	if (error)
		demand_end(demand);
	return error;
}

void demand_end(struct demand *demand)
{
	free(demand->pages.slots);
	free(demand->regions.slots);
}

/* The frame of a page that is touched for the first time. */
static int new_frame(struct demand *demand, uint64_t vpn, uint64_t *gfn)
{
	uint64_t seed = demand->seed ^ GUEST_SEED;
	const struct demand_slot *region;

	if (!demand->runs) {
		*gfn = demand_scatter(demand->pages.used, seed);
		return 0;
	}
	region = map_slot(&demand->regions, vpn / RUN);
	*gfn = vpn % RUN;
	if (region->key) {
		*gfn += region->value;
		return 0;
	}
	*gfn += demand_scatter(demand->regions.used, seed) * RUN;
	return map_add(&demand->regions, vpn / RUN, *gfn - vpn % RUN);
}

static uint64_t host_frame(const struct demand *demand, uint64_t gfn)
{
	uint64_t seed = demand->seed ^ HOST_SEED;

	if (demand->host_pages == STAGES_4K)
		return demand_scatter(gfn, seed);
	return demand_scatter(gfn / RUN, seed) * RUN + gfn % RUN;
}

int demand_touch(struct demand *demand, uint64_t vpn, struct stages_page *page)
{
	const struct demand_slot *slot = map_slot(&demand->pages, vpn);
	bool is_new = !slot->key;
	uint64_t gfn = slot->value;
	int error = is_new ? new_frame(demand, vpn, &gfn) : 0;

	if (!error && gfn >= STAGES_DEMAND_FRAMES)
		error = -ENOMEM;
	if (!error && is_new)
		error = map_add(&demand->pages, vpn, gfn);
	if (error)
		return error;
	*page = (struct stages_page){
		.vpn = vpn,
		.gfn = gfn,
		.hfn = host_frame(demand, gfn),
		.guest_large = stages_is_large(demand->guest_pages, vpn / RUN),
		.host_large = stages_is_large(demand->host_pages, gfn / RUN),
	};
	return is_new;
}
