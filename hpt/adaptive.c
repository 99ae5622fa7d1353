/* SPDX-License-Identifier: MIT */
/* Mapping and unmapping in an adaptive table: see adaptive.h and adaptive_region.h. */
#include <errno.h>

#include "hpt/adaptive_region.h"

static void adaptive_destroy(struct hpt *table)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < ADAPTIVE_LINE_SLOTS; i++) {
			uint64_t word = HPT_LOAD(line[i]);
			uint64_t tag = adaptive_slot_tag(line, i);

			if (word & HPT_ENTRY_MASK && !adaptive_code(tag) &&
			    !(word & ADAPTIVE_SPREAD))
				hpt_put(table, adaptive_leaf_address(&table->desc, tag, word),
					HPT_PAGE_SIZE);
		}
	}
	while (table->spares.count)
		hpt_put(table, table->spares.page[--table->spares.count], HPT_PAGE_SIZE);
	generation_destroy(table);
}

static bool overlaps(const struct adaptive_found *found, const struct adaptive_run *run)
{
	for (unsigned int i = 0; i < found->count; i++) {
		struct adaptive_run other = adaptive_run_of(found->slot[i]);

		if (other.first < run->first + (1u << run->log2) &&
		    run->first < other.first + (1u << other.log2))
			return true;
	}
	return false;
}

/* The slot that makes one run together with *run, which becomes it; NULL if there is none such. */
static uint64_t *merge_one(struct adaptive_found *found, struct adaptive_run *run)
{
	unsigned int pages = 1u << run->log2;

	for (unsigned int i = 0; i < found->count; i++) {
		uint64_t *slot = found->slot[i];
		struct adaptive_run low, high;

		low = adaptive_run_of(slot);
		high = *run;
		if (low.log2 != run->log2 || low.first != (run->first ^ pages))
			continue;
		if (low.first > high.first) {
			high = low;
			low = *run;
		}
		if (adaptive_page_entry(low.entry, pages) != high.entry)
			continue;
		*run = low;
		run->log2++;
		found->slot[i] = found->slot[--found->count];
		return slot;
	}
	return NULL;
}

/* What was found and stands elsewhere goes to its home line, as far as there is room now. */
static void bring_home(struct hpt *table, struct adaptive_found *found)
{
	for (unsigned int i = 0; found->away && i < found->count; i++)
		found->slot[i] = adaptive_bring_home(table, found->slot[i]);
}

/*
 * Makes one run of *run and as many of the slots as fit to it, and puts it in the place of one of
 * them. False if none does: then *run has no slot.
 */
static bool merge(struct hpt *table, uint64_t tag, struct adaptive_found *found,
		  struct adaptive_run run, unsigned int log2_max)
{
	uint64_t *place = NULL;

	while (run.log2 < log2_max) {
		uint64_t *slot;

		if (!place && !adaptive_reserve(table, 0))
			break;
		slot = merge_one(found, &run);
		if (!slot)
			break;
		/* What was marked meanwhile is a mark of the run. */
		run.entry |= adaptive_take(table, slot) & ADAPTIVE_MARKS;
		if (place)
			adaptive_remove(table, slot);
		else
			place = slot;
		table->counts.moves++;
	}
	if (place)
		adaptive_replace_slot(table, place, adaptive_run_tag(tag, &run), run.entry);
	return place;
}

/* Whether some slot is the other half of a run: the reserve is made only then. */
static bool may_merge(const struct adaptive_found *found, struct adaptive_run run)
{
	struct adaptive_found copy = *found;

	return merge_one(&copy, &run);
}

static int add_run(struct hpt *table, uint64_t tag, const struct adaptive_run *run)
{
	/* A table that cannot grow now goes on with what it has. */
	generation_grow(table);
	return adaptive_add(table, adaptive_run_tag(tag, run), run->entry) ? 0 : -ENOMEM;
}

/* Maps a run in a region that becomes a leaf for it, and then what is best. */
static int map_expanding(struct hpt *table, uint64_t tag, const struct adaptive_run *run)
{
	struct adaptive_found found;
	uint64_t address, *marker, *words;
	int error;

	error = adaptive_get_leaf(table, false, &address);
	if (error)
		return error;
	generation_grow(table);
	adaptive_reserve(table, 1);
	adaptive_find(table, tag, &found);
	marker = adaptive_expand(table, tag, &found, address);
	words = adaptive_leaf(table, marker);
	for (unsigned int i = 0; i < 1u << run->log2; i++)
		HPT_STORE(words[run->first + i], adaptive_page_entry(run->entry, i));
	adaptive_set_count(table, marker, adaptive_marker_count(marker) + (1u << run->log2));
	adaptive_settle(table, tag, ADAPTIVE_LEAF_PAGES, true);
	return 0;
}

static int map_compact(struct hpt *table, uint64_t tag, struct adaptive_found *found,
		       const struct adaptive_run *run)
{
	if (overlaps(found, run))
		return -EEXIST;
	bring_home(table, found);
	if (may_merge(found, *run) && merge(table, tag, found, *run, ADAPTIVE_REGION_LOG2))
		return 0;
	if (found->count < ADAPTIVE_SLOTS)
		return add_run(table, tag, run);
	return map_expanding(table, tag, run);
}

static int map_spread(struct hpt *table, uint64_t tag, const uint64_t *marker,
		      const struct adaptive_run *run)
{
	uint64_t block = tag | ADAPTIVE_BY_BLOCK;
	unsigned int count = adaptive_marker_count(marker) + (1u << run->log2);
	unsigned int bit = HPT_FRAME_SHIFT + (run->first >> ADAPTIVE_PAIR_LOG2);
	struct adaptive_found found;
	int error = 0;

	adaptive_find(table, block | adaptive_pages(run->first, 0), &found);
	if (overlaps(&found, run))
		return -EEXIST;
	/* Without a page for the leaf it goes on as it is. */
	if (count >= ADAPTIVE_LEAF_PAGES && !map_expanding(table, tag, run))
		return 0;
	bring_home(table, &found);
	if (!may_merge(&found, *run) || !merge(table, block, &found, *run, ADAPTIVE_BLOCK_LOG2))
		error = add_run(table, block, run);
	if (error)
		return error;
	adaptive_find(table, tag, &found); /* growth may have moved the marker */
	bring_home(table, &found);
	HPT_STORE(*found.slot[0], *found.slot[0] | UINT64_C(1) << bit);
	adaptive_set_count(table, found.slot[0], count);
	return 0;
}

static int map_leaf(struct hpt *table, struct hpt_key key, struct adaptive_found *found,
		    unsigned int count, uint64_t entry)
{
	unsigned int first = adaptive_page(key);
	uint64_t *words = adaptive_leaf(table, found->slot[0]) + first;
	uint64_t *marker;

	for (unsigned int i = 0; i < count; i++) {
		if (HPT_LOAD(words[i]))
			return -EEXIST;
	}
	bring_home(table, found);
	marker = found->slot[0];
	for (unsigned int i = 0; i < count; i++)
		HPT_STORE(words[i], hpt_stored(table, key, i, adaptive_page_entry(entry, i)));
	adaptive_set_count(table, marker, adaptive_marker_count(marker) + count);
	if (adaptive_marker_count(marker) == ADAPTIVE_PAGES)
		adaptive_settle(table, adaptive_region_tag(key), 0, false);
	return 0;
}

/* The longest run that begins at page `first`, has no more than `count` pages, and can be made. */
static struct adaptive_run longest_run(struct hpt *table, enum adaptive_form form,
				       unsigned int first, uint64_t count, uint64_t entry)
{
	unsigned int log2_max =
		form == ADAPTIVE_FORM_SPREAD ? ADAPTIVE_BLOCK_LOG2 : ADAPTIVE_REGION_LOG2;
	struct adaptive_run run = {.first = first, .entry = entry};

	if (count > 1 && !(first & 1) && !adaptive_reserve(table, 0))
		return run;
	while (run.log2 < log2_max && 2u << run.log2 <= count && !(first >> run.log2 & 1))
		run.log2++;
	return run;
}

static int adaptive_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
			uint64_t stride, uint64_t *done)
{
	uint64_t tag = adaptive_region_tag(key);
	unsigned int first = adaptive_page(key);
	uint64_t stored = hpt_stored(table, key, 0, entry);
	struct adaptive_run run = {.log2 = ADAPTIVE_REGION_LOG2, .entry = stored};
	struct adaptive_found found;
	enum adaptive_form form;
	int error;

	(void)stride; /* contiguous frames, or one page */
	adaptive_find(table, tag, &found);
	form = adaptive_form_of(&found);
	if (form == ADAPTIVE_FORM_LARGE || (key.size == HPT_2M && form != ADAPTIVE_FORM_NONE))
		return -EEXIST;
	*done = 1;
	if (key.size == HPT_2M) {
		error = add_run(table, tag, &run);
	} else if (form == ADAPTIVE_FORM_LEAF) {
		*done = count < ADAPTIVE_PAGES - first ? count : ADAPTIVE_PAGES - first;
		error = map_leaf(table, key, &found, (unsigned int)*done, entry);
	} else {
		run = longest_run(table, form, first, table->desc.sealed ? 1 : count, stored);
		*done = UINT64_C(1) << run.log2;
		if (form == ADAPTIVE_FORM_SPREAD)
			error = map_spread(table, tag, found.slot[0], &run);
		else
			error = map_compact(table, tag, &found, &run);
	}
	if (!error)
		table->counts.entries += *done;
	return error;
}

static void adaptive_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	uint64_t tag = adaptive_region_tag(key);
	struct adaptive_found found;
	unsigned int count;

	table->counts.entries--;
	adaptive_find(table, tag, &found);
	if (adaptive_form_of(&found) == ADAPTIVE_FORM_LEAF) {
		count = adaptive_marker_count(found.slot[0]) - 1;
		adaptive_set_count(table, found.slot[0], count);
		if (count && count < ADAPTIVE_LEAF_KEPT)
			adaptive_settle(table, tag, ADAPTIVE_LEAF_KEPT, false);
		return;
	}
	adaptive_remove(table, word);
	if (adaptive_form_of(&found) == ADAPTIVE_FORM_SPREAD)
		adaptive_shrink(table, tag, found.slot[0],
				adaptive_marker_count(found.slot[0]) - 1);
}

const struct hpt_operations hpt_adaptive_operations = {
	.name = "adaptive",
	.place_pages = ADAPTIVE_PAGES,
	.line_places = ADAPTIVE_LINE_SLOTS,
	.load = 52,
	.spills = true,
	.spill_pages = ADAPTIVE_SPILL_PAGES,
	.step_lines = HPT_GROUP_LINES,
	.move = adaptive_move,
	.create = generation_create,
	.destroy = adaptive_destroy,
	.map = adaptive_map,
	.forget = adaptive_forget,
	.visit_range = adaptive_visit_range,
	.visit = adaptive_visit,
	.check = adaptive_check,
};
