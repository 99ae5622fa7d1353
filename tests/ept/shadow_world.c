/* SPDX-License-Identifier: MIT */
/* See shadow_world.h; the changes of a stage are in shadow_stage.c. */
#include "tests/ept/shadow_world.h"

#include <errno.h>

#include "tests/ept/shadow_stage.h"

/* Two regions that touch, one far away, and the last that 36 bits have. */
static const uint64_t regions1[] = {0x40000, 0x40200, 0x7ff00000, (UINT64_C(1) << 36) - 512};
static const uint64_t regions2[] = {0, 0x200, 0x4000, 0x12345600};

/* The last is longer than a frame's only page may have (shadow_reverse.h). */
static const uint16_t asids1[] = {0, 0x1ff, 0xffe};
static const uint16_t asids2[] = {0};

uint64_t world_pick(struct world *world, uint64_t below)
{
	return model_random(&world->random) % below;
}

static void begin_stage(struct world_stage *stage, enum hpt_organisation organisation,
			hpt_changed changed, struct shadow *shadow)
{
	struct hpt_config config = {.organisation = organisation,
				    .memory = test_memory_of(&stage->memory),
				    .changed = changed,
				    .changed_context = shadow};

	MODEL_EXPECT(!hpt_create(&stage->table, &config), "a stage cannot be made");
}

void world_begin(struct world *world, const struct world_config *config, uint64_t seed)
{
	struct shadow_config shadow = config->shadow;

	*world = (struct world){.random = seed, .deaf = config->deaf1 || config->deaf2};
	world->stage1.regions = regions1;
	world->stage1.asids = asids1;
	world->stage1.asid_count = WORLD_ASIDS;
	world->stage2.regions = regions2;
	world->stage2.asids = asids2;
	world->stage2.asid_count = 1;
	begin_stage(&world->stage1, config->stage1, config->deaf1 ? NULL : shadow_stage1_changed,
		    &world->shadow);
	begin_stage(&world->stage2, config->stage2, config->deaf2 ? NULL : shadow_stage2_changed,
		    &world->shadow);
	world->memory.offset = 0x9000;
	shadow.memory = test_memory_of(&world->memory);
	MODEL_EXPECT(!shadow_create(&world->shadow, &shadow), "a shadow cannot be made");
}

void world_end(struct world *world)
{
	world_compare_lookups(world);
	world_check(world);
	shadow_destroy(&world->shadow);
	test_memory_end(&world->memory);
	hpt_destroy(&world->stage1.table);
	test_memory_end(&world->stage1.memory);
	hpt_destroy(&world->stage2.table);
	test_memory_end(&world->stage2.memory);
}

/* The stage's entry for a page, and where in it that lies; 0: none. */
static uint64_t said(const struct world_stage *stage, unsigned int asid, uint64_t vpn,
		     uint64_t *inside)
{
	for (unsigned int region = 0; region < WORLD_REGIONS; region++) {
		uint64_t page = vpn - stage->regions[region];

		if (page >= HPT_LARGE_PAGES)
			continue;
		*inside = page;
		if (stage->large[asid][region])
			return stage->large[asid][region];
		*inside = 0;
		return stage->small[asid][region * HPT_LARGE_PAGES + page];
	}
	return 0;
}

/* What the model has for a page of 4 KiB: host frame and permissions, or 0. */
static uint64_t composed(const struct world *world, unsigned int asid, uint64_t vpn, bool *large)
{
	uint64_t inside1 = 0, inside2 = 0;
	uint64_t one = said(&world->stage1, asid, vpn, &inside1);
	uint64_t two = said(&world->stage2, 0, (one >> 12) + inside1, &inside2);
	uint64_t result = ((two >> 12) + inside2) << 12;

	if (!(one & HPT_PRESENT) || !(two & HPT_PRESENT))
		return 0;
	result |= HPT_PRESENT;
	if (one & HPT_WRITE && two & HPT_WRITE)
		result |= HPT_WRITE;
	if (one & HPT_USER)
		result |= HPT_USER;
	if (one & HPT_NOEXEC || two & HPT_NOEXEC)
		result |= HPT_NOEXEC;
	if (one & HPT_ACCESSED && two & HPT_ACCESSED)
		result |= HPT_ACCESSED;
	if (one & HPT_DIRTY && two & HPT_DIRTY)
		result |= HPT_DIRTY;
	*large = one & HPT_LARGE && two & HPT_LARGE;
	return result;
}

/* A and D of the stages may have been set since; all else is the same. */
static void compare(struct world *world, unsigned int asid, uint64_t vpn, uint64_t entry,
		    bool as_large)
{
	bool large = false;
	uint64_t now = composed(world, asid, vpn, &large);
	uint64_t since = now & ~entry & (HPT_ACCESSED | HPT_DIRTY);

	world->hits++;
	world->large += as_large;
	if (entry == (now & ~since) && (large || !as_large))
		return;
	world->stale++;
	MODEL_EXPECT(world->deaf,
		     "vpn %llx, asid %u is %llx in the shadow, and the stages say %llx",
		     (unsigned long long)vpn, world->stage1.asids[asid], (unsigned long long)entry,
		     (unsigned long long)now);
}

static unsigned int asid_number(const struct world *world, uint16_t asid)
{
	for (unsigned int i = 0; i < WORLD_ASIDS; i++) {
		if (world->stage1.asids[i] == asid)
			return i;
	}
	MODEL_SAY("the shadow has asid %u, which nobody has filled", asid);
}

/* Of 2 MiB the first page, the last, and some. */
static uint64_t compare_entry(void *context, struct hpt_key key, uint64_t entry)
{
	struct world *world = context;
	unsigned int asid = asid_number(world, key.asid);

	if (key.size == HPT_4K) {
		compare(world, asid, key.vpn, entry, false);
		return entry;
	}
	MODEL_EXPECT(entry & HPT_LARGE, "a page of 2 MiB says so");
	for (uint64_t page = 0; page < HPT_LARGE_PAGES; page += 73)
		compare(world, asid, key.vpn + page,
			(entry & ~HPT_LARGE) + (page << HPT_FRAME_SHIFT), true);
	return entry;
}

void world_compare(struct world *world)
{
	/* The visit of an adaptive table may need memory. */
	uint64_t last_failure = world->memory.last_failure;

	world->memory.last_failure = 0;
	MODEL_EXPECT(!hpt_visit(&world->shadow.table, compare_entry, world),
		     "the shadow cannot be visited");
	world->memory.last_failure = last_failure;
}

#define BATCH 64

static void compare_batch(struct world *world, unsigned int asid, uint64_t first)
{
	struct hpt_key keys[2 * BATCH];
	uint64_t batch[2 * BATCH];

	for (unsigned int i = 0; i < BATCH; i++) {
		keys[i] = hpt_key(world->stage1.asids[asid], first + i, HPT_4K);
		keys[BATCH + i] = hpt_key(world->stage1.asids[asid], first + i, HPT_2M);
	}
	hpt_lookup_batch(&world->shadow.table, keys, batch, 2 * BATCH);
	for (unsigned int i = 0; i < 2 * BATCH; i++) {
		uint64_t inside = i < BATCH ? 0 : (first + i - BATCH) % HPT_LARGE_PAGES;
		uint64_t entry = 0;

		hpt_lookup(&world->shadow.table, keys[i], &entry, NULL);
		MODEL_EXPECT(entry == batch[i], "a lookup and a batch differ");
		MODEL_EXPECT(!entry || !batch[i ^ BATCH], "a page lies in another one");
		if (entry)
			compare(world, asid, first + i % BATCH,
				(entry & ~HPT_LARGE) + (inside << HPT_FRAME_SHIFT), i >= BATCH);
	}
}

void world_compare_lookups(struct world *world)
{
	for (unsigned int asid = 0; asid < WORLD_ASIDS; asid++) {
		for (unsigned int page = 0; page < WORLD_PAGES; page += BATCH)
			compare_batch(world, asid,
				      world->stage1.regions[page / HPT_LARGE_PAGES] +
					      page % HPT_LARGE_PAGES);
	}
}

void world_check(struct world *world)
{
	const char *broken = shadow_check(&world->shadow);

	MODEL_EXPECT(!broken, "broken: %s", broken);
	stage_compare(&world->stage1);
	stage_compare(&world->stage2);
}

/* As walkers do: the 4 KiB page, or else the one of 2 MiB around it. */
static uint64_t walk_stage(const struct world_stage *stage, uint16_t asid, uint64_t vpn)
{
	uint64_t entry;

	if (!hpt_lookup(&stage->table, hpt_key(asid, vpn, HPT_4K), &entry, NULL) ||
	    !hpt_lookup(&stage->table, hpt_key(asid, vpn, HPT_2M), &entry, NULL))
		return entry;
	return 0;
}

static void fill_page(struct world *world, unsigned int asid, unsigned int region, uint64_t page)
{
	uint64_t vpn = world->stage1.regions[region] + page;
	uint64_t stage1 = walk_stage(&world->stage1, world->stage1.asids[asid], vpn);
	uint64_t gfn = hpt_frame(stage1) + (stage1 & HPT_LARGE ? page : 0);
	uint64_t stage2 = walk_stage(&world->stage2, 0, gfn);
	uint64_t failures = world->memory.failures;
	uint64_t nodes = world->shadow.reverse.nodes;
	struct shadow_page joined;
	uint64_t entry;
	int error;

	if (!shadow_join(world->stage1.asids[asid], vpn, stage1, stage2, &joined))
		return;
	error = shadow_fill(&world->shadow, joined.key, joined.gfn, joined.entry);
	if (error) {
		MODEL_EXPECT(error == -ENOMEM && world->memory.failures > failures,
			     "a fill gave %d", error);
		MODEL_EXPECT(hpt_lookup(&world->shadow.table, joined.key, &entry, NULL),
			     "a refused fill leaves something");
		world->refused++;
		return;
	}
	MODEL_EXPECT(!hpt_lookup(&world->shadow.table, joined.key, &entry, NULL) &&
			     entry == joined.entry,
		     "what was filled is not found");
	world->shared += world->shadow.reverse.nodes > nodes;
}

/* Half of them where somebody was before, so that entries meet; some with their neighbours. */
void world_fill(struct world *world, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		unsigned int asid = (unsigned int)world_pick(world, WORLD_ASIDS);
		unsigned int region = (unsigned int)world_pick(world, WORLD_REGIONS);
		uint64_t page = world_pick(world, world_pick(world, 2) ? HPT_LARGE_PAGES : 24);
		uint64_t end = world_pick(world, 40) ? page + 1 : page + 64;

		for (; page < end && page < HPT_LARGE_PAGES; page++)
			fill_page(world, asid, region, page);
	}
}

void world_change(struct world *world)
{
	struct world_stage *stage = world_pick(world, 2) ? &world->stage1 : &world->stage2;
	const uint64_t *frames = stage == &world->stage1 ? world->stage2.regions : NULL;

	stage_change(stage, frames, &world->random);
}
