/* SPDX-License-Identifier: MIT */
/* See shadow_stage.h. */
#include "tests/ept/shadow_stage.h"

#include <errno.h>
#include <string.h>

#define FLAGS                                                                                    \
	(HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY | HPT_GLOBAL | HPT_SOFT | \
	 HPT_NOEXEC)

struct change {
	struct world_stage *stage;
	const uint64_t *frames;
	uint64_t *random;
	unsigned int asid; /* its number */
	struct hpt_key key;
};

static uint64_t pick(const struct change *change, uint64_t below)
{
	return model_random(change->random) % below;
}

static unsigned int region_of(const struct world_stage *stage, uint64_t vpn)
{
	unsigned int region = 0;

	while (region < WORLD_REGIONS && vpn - stage->regions[region] >= HPT_LARGE_PAGES)
		region++;
	return region;
}

/* Where the model has a page's entry; NULL for one that never has any. */
static uint64_t *cell(struct world_stage *stage, unsigned int asid, struct hpt_key key)
{
	unsigned int region = region_of(stage, key.vpn);

	if (region == WORLD_REGIONS)
		return NULL;
	if (key.size == HPT_2M)
		return &stage->large[asid][region];
	return &stage->small[asid][region * HPT_LARGE_PAGES + key.vpn - stage->regions[region]];
}

/* Whether a page of the other size lies there. */
static bool overlaps(struct world_stage *stage, unsigned int asid, struct hpt_key key)
{
	unsigned int region = region_of(stage, key.vpn);

	if (region == WORLD_REGIONS || key.size == HPT_4K)
		return region < WORLD_REGIONS && stage->large[asid][region];
	for (unsigned int i = 0; i < HPT_LARGE_PAGES; i++) {
		if (stage->small[asid][region * HPT_LARGE_PAGES + i])
			return true;
	}
	return false;
}

static void pick_key(struct change *change)
{
	struct world_stage *stage = change->stage;
	unsigned int region = (unsigned int)pick(change, WORLD_REGIONS);
	uint64_t page = pick(change, pick(change, 2) ? HPT_LARGE_PAGES : 24);
	enum hpt_size size;

	change->asid = (unsigned int)pick(change, stage->asid_count);
	/* Mostly of the size that is there. */
	size = pick(change, 25) < (stage->large[change->asid][region] ? 20 : 3) ? HPT_2M : HPT_4K;
	change->key = hpt_key(stage->asids[change->asid],
			      stage->regions[region] + (size == HPT_2M ? 0 : page), size);
}

/* A frame: one of few, or in a way that frames follow pages. */
static uint64_t pick_frame(const struct change *change)
{
	uint64_t base = change->frames ? change->frames[pick(change, WORLD_REGIONS)]
				       : pick(change, 64) * HPT_LARGE_PAGES;
	uint64_t page = change->key.vpn % HPT_LARGE_PAGES;

	if (change->key.size == HPT_2M || !pick(change, 12))
		return base;
	return base + (pick(change, 2) ? page : pick(change, 40));
}

static uint64_t pick_entry(const struct change *change)
{
	uint64_t flags = model_random(change->random) & FLAGS;

	/* Mostly pages that can be reached. */
	if (pick(change, 8))
		flags |= HPT_PRESENT;
	if (change->key.size == HPT_2M)
		flags |= HPT_LARGE;
	return hpt_entry(pick_frame(change), flags | HPT_SOFT);
}

/* What an owner does who goes from 4 KiB pages to one of 2 MiB, or back: what is there goes. */
static void make_room(struct change *change)
{
	struct world_stage *stage = change->stage;
	struct hpt_key key = change->key;
	unsigned int region = region_of(stage, key.vpn);
	uint64_t first = stage->regions[region];

	if (key.size == HPT_4K) {
		hpt_unmap(&stage->table, hpt_key(key.asid, first, HPT_2M), NULL);
		stage->large[change->asid][region] = 0;
		return;
	}
	hpt_unmap_range(&stage->table, hpt_key(key.asid, first, HPT_4K), HPT_LARGE_PAGES);
	memset(&stage->small[change->asid][region * HPT_LARGE_PAGES], 0,
	       HPT_LARGE_PAGES * sizeof(uint64_t));
}

static void map(struct change *change)
{
	uint64_t entry = pick_entry(change);

	if (overlaps(change->stage, change->asid, change->key)) {
		if (pick(change, 2))
			return;
		make_room(change);
	}
	if (!hpt_map(&change->stage->table, change->key, entry))
		*cell(change->stage, change->asid, change->key) = entry;
}

static void clear_range(struct change *change, uint64_t count)
{
	hpt_unmap_range(&change->stage->table, change->key, count);
	memset(cell(change->stage, change->asid, change->key), 0, count * sizeof(uint64_t));
}

/* Within a region. */
static void map_range(struct change *change)
{
	struct hpt_key key = change->key;
	uint64_t room = HPT_LARGE_PAGES - key.vpn % HPT_LARGE_PAGES;
	uint64_t count = 1 + pick(change, 200);
	uint64_t entry;

	if (key.size == HPT_2M)
		return;
	if (count > room)
		count = room;
	if (pick(change, 2))
		clear_range(change, count);
	entry = pick_entry(change);
	if (overlaps(change->stage, change->asid, key) ||
	    hpt_map_range(&change->stage->table, key, count, entry))
		return;
	for (uint64_t i = 0; i < count; i++, key.vpn++)
		*cell(change->stage, change->asid, key) = entry + (i << HPT_FRAME_SHIFT);
}

static void unmap(struct change *change)
{
	uint64_t old = 0;
	uint64_t *expected = cell(change->stage, change->asid, change->key);
	int error = hpt_unmap(&change->stage->table, change->key, &old);

	MODEL_EXPECT(error == (*expected ? 0 : -ENOENT), "unmap gave %d", error);
	MODEL_EXPECT(old == *expected, "unmap gave another entry");
	*expected = 0;
}

static uint64_t changed(uint64_t entry, uint64_t clear, uint64_t set)
{
	if (entry & HPT_SWAPPED)
		set &= ~HPT_PRESENT;
	return (entry & ~clear) | set;
}

/* Mostly one right is taken or given. */
static void pick_flags(const struct change *change, uint64_t *clear, uint64_t *set)
{
	static const uint64_t one[] = {HPT_PRESENT, HPT_WRITE, HPT_USER,
				       HPT_NOEXEC,  HPT_DIRTY, HPT_ACCESSED};
	uint64_t flag = one[pick(change, 6)];

	*clear = pick(change, 4) ? flag : model_random(change->random) & FLAGS & ~HPT_SOFT;
	*set = pick(change, 2) ? one[pick(change, 6)] : 0;
}

static void change_flags(struct change *change)
{
	uint64_t *entry = cell(change->stage, change->asid, change->key);
	uint64_t clear, set;

	pick_flags(change, &clear, &set);
	if (!hpt_change(&change->stage->table, change->key, clear, set))
		*entry = changed(*entry, clear, set);
}

static void swap(struct change *change)
{
	uint64_t *entry = cell(change->stage, change->asid, change->key);
	uint64_t frame = pick_frame(change);
	uint64_t old;

	if (*entry & HPT_SWAPPED) {
		MODEL_EXPECT(!hpt_swap_in(&change->stage->table, change->key, frame), "swap_in");
		*entry = hpt_entry(frame, (*entry & HPT_SWAP_KEPT) | HPT_PRESENT);
	} else if (!hpt_swap_out(&change->stage->table, change->key, frame, &old)) {
		MODEL_EXPECT(old == *entry, "swap_out gave another entry");
		*entry = hpt_swap_entry(frame, *entry);
	}
}

/*
 * A mark in a run of an adaptive table is one of all its pages (hpt.h): which these are, the table
 * is believed, for these flags and pages of this region alone.
 */
static void mark_run(struct change *change, uint64_t flags)
{
	struct hpt_key key = change->key;

	key.vpn &= ~(uint64_t)(HPT_LARGE_PAGES - 1);
	for (unsigned int i = 0; i < HPT_LARGE_PAGES; i++, key.vpn++) {
		uint64_t entry, *known;

		if (hpt_lookup(&change->stage->table, key, &entry, NULL))
			continue;
		known = cell(change->stage, change->asid, key);
		if (!((entry ^ *known) & ~flags))
			*known |= entry & flags;
	}
}

static void mark(struct change *change)
{
	uint64_t flags = pick(change, 2) ? HPT_ACCESSED : HPT_ACCESSED | HPT_DIRTY;

	if (hpt_mark(&change->stage->table, change->key, flags))
		return;
	*cell(change->stage, change->asid, change->key) |= flags;
	if (change->stage->table.desc.organisation == HPT_ADAPTIVE && change->key.size == HPT_4K)
		mark_run(change, flags);
}

/* A range: within a region, over two, or over all that 36 bits have. */
static uint64_t pick_count(const struct change *change)
{
	uint64_t step = hpt_pages_in((enum hpt_size)change->key.size);
	uint64_t room = ((UINT64_C(1) << 36) - change->key.vpn) / step;
	uint64_t count = 1 + pick(change, change->key.size == HPT_2M ? 2 : 40);

	if (!pick(change, 40))
		count = UINT64_C(1) << pick(change, 36);
	return count < room ? count : room;
}

static uint64_t odd_pages(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	return key.vpn & 1 ? 0 : entry;
}

static uint64_t other_frames(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	(void)key;
	return entry ^ HPT_LARGE_PAGES << HPT_FRAME_SHIFT;
}

/* What a range operation does, 0 to 3, to one entry. */
static uint64_t result(unsigned int what, struct hpt_key key, uint64_t entry, uint64_t clear,
		       uint64_t set)
{
	switch (what) {
	case 0:
		return 0;
	case 1:
		return changed(entry, clear, set);
	case 2:
		return odd_pages(NULL, key, entry);
	default:
		return other_frames(NULL, key, entry);
	}
}

static void change_range(struct change *change)
{
	struct hpt *table = &change->stage->table;
	unsigned int what = (unsigned int)pick(change, 4);
	struct hpt_key from = change->key;
	uint64_t count = pick_count(change);
	uint64_t step = hpt_pages_in((enum hpt_size)from.size);
	uint64_t clear, set;
	int error;

	pick_flags(change, &clear, &set);
	if (what == 0)
		error = hpt_unmap_range(table, from, count);
	else if (what == 1)
		error = hpt_change_range(table, from, count, clear, set);
	else
		error = hpt_visit_range(table, from, count, what == 2 ? odd_pages : other_frames,
					NULL);
	MODEL_EXPECT(!error, "a range gave %d", error);
	for (unsigned int page = 0; page < WORLD_PAGES; page += (unsigned int)step) {
		struct hpt_key key = from;
		uint64_t *entry;

		key.vpn = change->stage->regions[page / HPT_LARGE_PAGES] + page % HPT_LARGE_PAGES;
		entry = cell(change->stage, change->asid, key);
		if (*entry && key.vpn >= from.vpn && (key.vpn - from.vpn) / step < count)
			*entry = result(what, key, *entry, clear, set);
	}
}

/* Changes no answer. */
static void rekey(struct change *change)
{
	if (pick(change, 2))
		hpt_rekey(&change->stage->table, model_random(change->random));
	else
		hpt_settle(&change->stage->table, pick(change, 3));
}

static void unmap_all(struct change *change)
{
	struct world_stage *stage = change->stage;

	hpt_unmap_all(&stage->table);
	memset(stage->small, 0, sizeof(stage->small));
	memset(stage->large, 0, sizeof(stage->large));
}

void stage_change(struct world_stage *stage, const uint64_t *frames, uint64_t *random)
{
	struct change change = {.stage = stage, .frames = frames, .random = random};
	uint64_t what = pick(&change, 1000) ? pick(&change, 99) : 99;

	pick_key(&change);
	if (what < 30)
		map(&change);
	else if (what < 40)
		map_range(&change);
	else if (what < 52)
		unmap(&change);
	else if (what < 67)
		change_flags(&change);
	else if (what < 77)
		swap(&change);
	else if (what < 82)
		mark(&change);
	else if (what < 95)
		change_range(&change);
	else if (what < 99)
		rekey(&change);
	else
		unmap_all(&change);
}

struct comparing {
	struct world_stage *stage;
	uint64_t seen;
};

static uint64_t compare_entry(void *context, struct hpt_key key, uint64_t entry)
{
	struct comparing *comparing = context;
	unsigned int asid = 0;

	while (comparing->stage->asids[asid] != key.asid)
		asid++;
	MODEL_EXPECT(*cell(comparing->stage, asid, key) == entry,
		     "a stage is not what the model has");
	comparing->seen++;
	return entry;
}

void stage_compare(struct world_stage *stage)
{
	struct comparing comparing = {.stage = stage};
	const char *broken = hpt_check(&stage->table);
	uint64_t entries = 0;

	MODEL_EXPECT(!broken, "broken: %s", broken);
	MODEL_EXPECT(!hpt_visit(&stage->table, compare_entry, &comparing), "visit");
	for (unsigned int asid = 0; asid < stage->asid_count; asid++) {
		for (unsigned int page = 0; page < WORLD_PAGES; page++)
			entries += !!stage->small[asid][page];
		for (unsigned int region = 0; region < WORLD_REGIONS; region++)
			entries += !!stage->large[asid][region];
	}
	MODEL_EXPECT(comparing.seen == entries, "a stage lacks what the model has");
}
