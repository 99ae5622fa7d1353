/* SPDX-License-Identifier: MIT */
/* Open addressing: see open.h for its slots, its probe sequence and its invariants. */
#include "hpt/shared.h"
#include "hpt/single.h"

struct open_slot {
	uint64_t tag;
	uint64_t entry;
};

static struct open_slot *home_of(const struct hpt *table, uint64_t tag)
{
	return hpt_pointer(table, open_home(&table->desc, tag));
}

/* The group that a slot lies in: a naturally aligned page. */
static struct open_slot *group_of(const void *slot)
{
	return (struct open_slot *)((uintptr_t)slot & ~(uintptr_t)(HPT_PAGE_SIZE - 1));
}

/* The next free slot from `slot` on, round the group; NULL if it is full. */
static struct open_slot *free_from(struct open_slot *slot)
{
	struct open_slot *group = group_of(slot);
	unsigned int start = (unsigned int)(slot - group);

	for (unsigned int i = 0; i < OPEN_GROUP_SLOTS; i++) {
		slot = &group[(start + i) % OPEN_GROUP_SLOTS];
		if (!slot->tag)
			return slot;
	}
	return NULL;
}

static struct open_slot *spill_slot(const struct hpt *table, uint32_t slot)
{
	struct open_slot *line = (void *)generation_spill_line(table, slot >> OPEN_LINE_LOG2);

	return &line[slot & (OPEN_LINE_SLOTS - 1)];
}

static uint32_t spill_slots(const struct hpt *table)
{
	return table->desc.spill_lines << OPEN_LINE_LOG2;
}

static struct open_slot *free_spill(struct hpt *table)
{
	for (uint32_t i = 0;; i++) {
		if (i == spill_slots(table) && generation_more_spill(table))
			return NULL;
		if (!spill_slot(table, i)->tag)
			return spill_slot(table, i);
	}
}

static void set_slot(struct hpt *table, struct open_slot *slot, uint64_t tag, uint64_t entry)
{
	shared_hold(table, slot);
	HPT_STORE(slot->entry, entry);
	HPT_STORE(slot->tag, tag);
}

/* Empties a slot; returns the entry that it had. */
static uint64_t clear_slot(struct hpt *table, struct open_slot *slot)
{
	uint64_t entry;

	shared_hold(table, slot);
	entry = shared_take(table, &slot->entry);
	HPT_STORE(slot->tag, 0);
	return entry;
}

/* What has moved: `from` is free then, `to` was. */
static void shift_slot(struct hpt *table, struct open_slot *from, struct open_slot *to)
{
	uint64_t tag = from->tag;
	uint64_t entry = clear_slot(table, from);

	set_slot(table, to, tag, entry);
}

/* Takes a slot for a tag that has none. */
static int add(struct hpt *table, uint64_t tag, uint64_t entry)
{
	struct open_slot *slot = free_from(home_of(table, tag));

	if (!slot) {
		slot = free_spill(table);
		if (!slot)
			return -ENOMEM;
		table->counts.spilled++;
	}
	set_slot(table, slot, tag, entry);
	table->counts.used++;
	return 0;
}

static int add_page(struct hpt *table, struct hpt_key key, uint64_t entry)
{
	return add(table, hpt_tag(key), entry);
}

/*
 * Fills the gap, a free slot, with later slots of its run that may stand there; returns where it
 * ends up.
 */
static struct open_slot *close_gap(struct hpt *table, struct open_slot *gap)
{
	struct open_slot *group = group_of(gap);
	unsigned int hole = (unsigned int)(gap - group);

	for (unsigned int i = 1; i < OPEN_GROUP_SLOTS; i++) {
		unsigned int at = (unsigned int)(gap - group + i) % OPEN_GROUP_SLOTS;
		unsigned int home, from_home, from_hole;

		if (!group[at].tag)
			break;
		home = (unsigned int)(home_of(table, group[at].tag) - group);
		from_home = (at - home) % OPEN_GROUP_SLOTS;
		from_hole = (at - hole) % OPEN_GROUP_SLOTS;
		if (from_home >= from_hole) {
			shift_slot(table, &group[at], &group[hole]);
			hole = at;
		}
	}
	return &group[hole];
}

/* A spilled page of this group, or NULL. */
static struct open_slot *spilled_of(const struct hpt *table, const struct open_slot *group)
{
	for (uint32_t i = 0; table->counts.spilled && i < spill_slots(table); i++) {
		struct open_slot *slot = spill_slot(table, i);

		if (slot->tag && group_of(home_of(table, slot->tag)) == group)
			return slot;
	}
	return NULL;
}

static void remove_slot(struct hpt *table, struct open_slot *slot)
{
	struct open_slot *group = group_of(slot);
	struct open_slot *spilled;

	table->counts.used--;
	if (group_of(home_of(table, slot->tag)) != group) {
		table->counts.spilled--;
		clear_slot(table, slot);
		return;
	}
	clear_slot(table, slot);
	slot = close_gap(table, slot);
	/* The group was full if it has a page in the spill: that takes the one free slot. */
	spilled = spilled_of(table, group);
	if (spilled) {
		shift_slot(table, spilled, slot);
		table->counts.spilled--;
	}
}

static void open_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	(void)key;
	table->counts.entries--;
	remove_slot(table, (struct open_slot *)(word - 1));
}

static void move_slot(struct hpt *table, struct open_slot *slot)
{
	uint64_t tag = slot->tag;
	uint64_t entry = clear_slot(table, slot);

	table->counts.used--;
	table->counts.moves++;
	add(table, tag, entry);
}

/* Moves what a group had spilled, then its slots. */
static bool open_move(struct hpt *table, const struct hpt_step *step)
{
	struct open_slot *group = (void *)step->lines;

	for (uint32_t i = 0; table->counts.spilled && i < spill_slots(table); i++) {
		struct open_slot *slot = spill_slot(table, i);
		uint64_t hash = hpt_hash(&table->desc, slot->tag);

		if (slot->tag && hash >= step->first && hash <= step->last) {
			table->counts.spilled--;
			move_slot(table, slot);
		}
	}
	for (unsigned int i = 0; i < OPEN_GROUP_SLOTS; i++) {
		if (group[i].tag)
			move_slot(table, &group[i]);
	}
	return true;
}

/* Visits; what goes keeps its slot for now, with entry 0. Returns how many those are. */
static uint64_t scan_slots(struct hpt *table, const struct single_scan *scan)
{
	struct generation_walk walk = {.table = table};
	struct open_slot *line;
	uint64_t gone = 0;

	while ((line = (void *)generation_next_line(&walk))) {
		for (unsigned int i = 0; i < OPEN_LINE_SLOTS; i++) {
			if (!line[i].tag)
				continue;
			gone += !single_scanned(table, &line[i].entry, hpt_tag_key(line[i].tag),
						scan);
		}
	}
	return gone;
}

/*
 * The visits come first and the removals then, since a removal moves other slots: into the gap,
 * from later slots of the run or from the spill. The spill goes first, where nothing moves; then
 * a slot is looked at again as long as what moves into it is to go as well. What moves past the
 * walk, round the end of the group, has been looked at.
 */
static void open_scan(struct hpt *table, const struct single_scan *scan)
{
	uint64_t gone = scan_slots(table, scan);
	struct generation_walk walk = {.table = table};
	struct open_slot *line;

	table->counts.entries -= gone;
	for (uint32_t i = 0; gone && i < spill_slots(table); i++) {
		struct open_slot *slot = spill_slot(table, i);

		if (slot->tag && !HPT_LOAD(slot->entry)) {
			remove_slot(table, slot);
			shared_done(table);
			gone--;
		}
	}
	while (gone && (line = (void *)generation_next_line(&walk))) {
		for (unsigned int i = 0; i < OPEN_LINE_SLOTS; i++) {
			for (; line[i].tag && !HPT_LOAD(line[i].entry); gone--) {
				remove_slot(table, &line[i]);
				shared_done(table);
			}
		}
	}
}

static const char *check_slot(const struct hpt *table, const struct open_slot *slot, bool in_spill)
{
	struct hpt_found found;

	if (!(slot->tag & HPT_TAG_USED))
		return "a tag says that it is used";
	if (!HPT_LOAD(slot->entry) || HPT_LOAD(slot->entry) & ~HPT_ENTRY_MASK)
		return "a used slot has an entry";
	if (!hpt_find(table, hpt_tag_key(slot->tag), &found) || found.word != &slot->entry)
		return "a used slot is the one that its tag finds";
	if (in_spill && free_from(home_of(table, slot->tag)))
		return "a page is spilled only where its group is full";
	return hpt_check_overlap(table, hpt_tag_key(slot->tag));
}

static const char *open_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct hpt_counts seen = {0};
	struct open_slot *line;

	while ((line = (void *)generation_next_line(&walk))) {
		for (unsigned int i = 0; i < OPEN_LINE_SLOTS; i++) {
			const char *broken;

			if (!line[i].tag)
				continue;
			broken = check_slot(table, &line[i], walk.in_spill);
			if (broken)
				return broken;
			seen.used++;
			seen.entries++;
			seen.spilled += walk.in_spill;
		}
	}
	return generation_check(table, &seen, 0);
}

static const struct single_places places = {.add = add_page, .scan = open_scan};

const struct hpt_operations hpt_open_operations = {
	.name = "open",
	.place_pages = 1,
	.line_places = OPEN_LINE_SLOTS,
	.load = 32,
	.spills = true,
	.step_lines = HPT_GROUP_LINES,
	.places = &places,
	.move = open_move,
	.create = generation_create,
	.destroy = generation_destroy,
	.map = single_map,
	.forget = open_forget,
	.visit_range = single_visit_range,
	.visit = single_visit,
	.check = open_check,
};
