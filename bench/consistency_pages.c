/* SPDX-License-Identifier: MIT */
/*
 * See consistency.h: pages, whose translations both stages change. Thing i is the page i of one
 * address space; what it is at the moment is its host frame, which no other version of it ever has.
 * A change is one of stage 1 (the page has another guest frame) or of stage 2 (its guest frame is
 * another host frame), by chance.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/arena.h"
#include "bench/consistency.h"
#include "ept/shadow.h"
#include "hpt/mix.h"

#define ARENA ((size_t)1 << 28)
#define FLAGS (HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY)
#define ASID  1

struct pages {
	struct consistency world;
	struct arena arena;
	struct hpt stage1, stage2;
	struct shadow shadow;
	uint64_t *guest_frames; /* by thing */
	int error;
};

/* Of a version of a thing; as guest frame, of the version that first had it. */
static uint64_t frame_of(const struct pages *pages, uint32_t thing, uint64_t version)
{
	return 1 + thing + version * pages->world.setting.things;
}

static uint64_t replace(void *entry, struct hpt_key key, uint64_t old)
{
	(void)key;
	(void)old;
	return *(uint64_t *)entry;
}

/* Gives a page that is mapped another frame, by one store. */
static int remap(struct hpt *table, struct hpt_key key, uint64_t frame)
{
	uint64_t entry = hpt_entry(frame, FLAGS);

	return hpt_visit_range(table, key, 1, replace, &entry);
}

static int map_guest_frame(struct pages *pages, uint32_t thing)
{
	uint64_t frame = frame_of(pages, thing, pages->world.things[thing].version);

	pages->guest_frames[thing] = frame;
	return hpt_map(&pages->stage2, hpt_key(0, frame, HPT_4K), hpt_entry(frame, FLAGS));
}

/* The guest frame that it had keeps its host frame: stage 2 is not the one that changes. */
static int change_stage1(struct pages *pages, uint32_t thing)
{
	int error = map_guest_frame(pages, thing);

	return error ? error
		     : remap(&pages->stage1, hpt_key(ASID, thing, HPT_4K),
			     pages->guest_frames[thing]);
}

static void change(void *context, uint32_t thing)
{
	struct pages *pages = context;
	uint64_t version = pages->world.things[thing].version;
	int error;

	if (mix64(mix64(thing + 1) ^ version) & 1)
		error = change_stage1(pages, thing);
	else
		error = remap(&pages->stage2, hpt_key(0, pages->guest_frames[thing], HPT_4K),
			      frame_of(pages, thing, version));
	if (error)
		pages->error = error;
}

/* The host frame of a page; where the combined table has none, by a walk of both stages. */
static uint64_t access_page(struct pages *pages, uint32_t thing, bool *walked)
{
	struct hpt_key key = hpt_key(ASID, thing, HPT_4K);
	uint64_t stage1 = 0, stage2 = 0, entry = 0;
	struct shadow_page page;

	*walked = hpt_lookup(&pages->shadow.table, key, &entry, NULL) != 0;
	if (!*walked)
		return hpt_frame(entry);
	if (hpt_lookup(&pages->stage1, key, &stage1, NULL) ||
	    hpt_lookup(&pages->stage2, hpt_key(0, hpt_frame(stage1), HPT_4K), &stage2, NULL) ||
	    !shadow_join(ASID, thing, stage1, stage2, &page)) {
		pages->error = -ENOENT;
		return 0;
	}
	if (shadow_fill(&pages->shadow, page.key, page.gfn, page.entry))
		pages->error = -ENOMEM;
	return hpt_frame(page.entry);
}

static int run(struct pages *pages, struct consistency_outcome *outcome)
{
	const struct consistency_setting *setting = &pages->world.setting;
	uint64_t changes = 0;
	double began = 0;

	while (!pages->error && outcome->asks < setting->asks) {
		uint32_t thing = consistency_next(&pages->world);
		bool walked;
		uint64_t frame = access_page(pages, thing, &walked);
		uint64_t version = pages->world.things[thing].version;

		if (pages->world.now < setting->warm) {
			changes = pages->world.changes;
			began = pages->world.now;
			continue;
		}
		outcome->asks++;
		outcome->fetches += walked;
		outcome->stale += frame != frame_of(pages, thing, version);
	}
	outcome->changes = pages->world.changes - changes;
	outcome->seconds = pages->world.now - began;
	return pages->error;
}

static int map_all(struct pages *pages)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < pages->world.setting.things; i++) {
		error = map_guest_frame(pages, i);
		if (!error)
			error = hpt_map(&pages->stage1, hpt_key(ASID, i, HPT_4K),
					hpt_entry(pages->guest_frames[i], FLAGS));
	}
	return error;
}

/* All memory is the arena's, with which it goes. */
static int create(struct pages *pages, int told)
{
	const struct hpt_config stage = {.organisation = HPT_CLUSTERED,
					 .memory = arena_memory(&pages->arena)};
	const struct shadow_config shadow = {.organisation = HPT_CLUSTERED,
					     .reverse = HPT_BUCKET,
					     .memory = arena_memory(&pages->arena)};
	int error = hpt_create(&pages->stage1, &stage);

	if (!error)
		error = hpt_create(&pages->stage2, &stage);
	if (!error)
		error = shadow_create(&pages->shadow, &shadow);
	if (error)
		return error;
	if (told & CONSISTENCY_STAGE1)
		hpt_watch(&pages->stage1, shadow_stage1_changed, &pages->shadow);
	if (told & CONSISTENCY_STAGE2)
		hpt_watch(&pages->stage2, shadow_stage2_changed, &pages->shadow);
	pages->world.tell = change;
	pages->world.context = pages;
	return map_all(pages);
}

int consistency_pages(const struct consistency_setting *setting, int told,
		      struct consistency_outcome *outcome)
{
	struct pages *pages = calloc(1, sizeof(*pages));
	int error = -ENOMEM;

	*outcome = (struct consistency_outcome){.asks = 0};
	if (!pages)
		return error;
	pages->guest_frames = calloc(setting->things, sizeof(*pages->guest_frames));
	if (!pages->guest_frames)
		goto no_frames;
	error = consistency_begin(&pages->world, setting);
	if (error)
		goto no_world;
	error = arena_begin(&pages->arena, ARENA);
	if (error)
		goto no_arena;
	error = create(pages, told);
	if (!error)
		error = run(pages, outcome);
	arena_end(&pages->arena);
no_arena:
	consistency_end(&pages->world);
no_world:
	free(pages->guest_frames);
no_frames:
	free(pages);
	return error;
}
