/* SPDX-License-Identifier: MIT */
/* The invariants of an adaptive table: adaptive.h names them. */
#include "hpt/adaptive_region.h"

struct seen {
	struct hpt_counts counts;
	uint64_t leaves;
};

/* What is wrong with slots that are all runs of one region, or of one block; *pages are theirs. */
static const char *check_runs(const struct adaptive_found *found, unsigned int log2_max,
			      unsigned int *pages)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < found->count; i++) {
		struct adaptive_run run = adaptive_run_of(found->slot[i]);

		if (!adaptive_code(adaptive_tag_of(found->slot[i])))
			return "a region with a marker has no other slots at its home";
		if (run.first < end)
			return "no two slots have the same page";
		if (run.log2 > log2_max)
			return "a run in a block is not longer than the block";
		if (run.entry & HPT_LARGE && run.log2 != ADAPTIVE_REGION_LOG2)
			return "a page of 2 MiB is a region";
		if (adaptive_page_entry(run.entry, (1u << run.log2) - 1) & ~HPT_ENTRY_MASK &&
		    !(run.entry & HPT_LARGE))
			return "the frames of a run have 36 bits";
		end = run.first + (1u << run.log2);
		*pages += 1u << run.log2;
	}
	return NULL;
}

static const char *check_spread(const struct hpt *table, uint64_t tag, const uint64_t *marker)
{
	unsigned int pages = 0;

	for (unsigned int block = 0; block < ADAPTIVE_BLOCKS; block++) {
		struct adaptive_found found;
		const char *broken;

		adaptive_find(table, adaptive_block_tag(tag, block), &found);
		if (found.count && !adaptive_block_marked(marker, block))
			return "a marker knows the blocks that have pages";
		broken = check_runs(&found, ADAPTIVE_BLOCK_LOG2, &pages);
		if (broken)
			return broken;
	}
	return pages == adaptive_marker_count(marker) ? NULL : "a marker's count is exact";
}

static const char *check_leaf(const struct hpt *table, const uint64_t *marker)
{
	const uint64_t *words = adaptive_leaf(table, marker);
	unsigned int pages = 0;

	for (unsigned int page = 0; page < ADAPTIVE_PAGES; page++) {
		uint64_t word = HPT_LOAD(words[page]);

		if (word & (~HPT_ENTRY_MASK | HPT_LARGE))
			return "a leaf holds entries of 4 KiB pages";
		pages += !!word;
	}
	return pages == adaptive_marker_count(marker) ? NULL : "a marker's count is exact";
}

/* What is wrong with a region; its pages are added to *seen. */
static const char *check_region(const struct hpt *table, uint64_t tag,
				const struct adaptive_found *found, struct seen *seen)
{
	const char *broken = NULL;
	unsigned int pages = 0;

	switch (adaptive_form_of(found)) {
	case ADAPTIVE_FORM_NONE:
		break;
	case ADAPTIVE_FORM_LARGE:
		if (found->count > 1)
			return "no 4 KiB page lies in a mapped 2 MiB page";
		pages = 1;
		break;
	case ADAPTIVE_FORM_COMPACT:
		if (found->count > ADAPTIVE_SLOTS)
			return "a compact region has few slots";
		broken = check_runs(found, ADAPTIVE_REGION_LOG2, &pages);
		break;
	case ADAPTIVE_FORM_SPREAD:
	case ADAPTIVE_FORM_LEAF:
		if (found->count > 1)
			return "a region with a marker has no other slots at its home";
		pages = adaptive_marker_count(found->slot[0]);
		if (HPT_LOAD(*found->slot[0]) & ADAPTIVE_SPREAD) {
			broken = check_spread(table, tag, found->slot[0]);
		} else {
			broken = check_leaf(table, found->slot[0]);
			seen->leaves++;
		}
	}
	seen->counts.entries += pages;
	return broken;
}

/* Whether a search for the slot's tag comes by it. */
static bool is_found(const struct adaptive_found *found, const uint64_t *slot)
{
	for (unsigned int i = 0; i < found->count; i++) {
		if (found->slot[i] == slot)
			return true;
	}
	return false;
}

static const char *check_slot(const struct hpt *table, uint64_t *slot, struct seen *seen)
{
	uint64_t tag = adaptive_tag_of(slot);
	uint64_t region = tag & ADAPTIVE_REGION_MASK;
	uint64_t word = HPT_LOAD(*slot);
	struct adaptive_found found;

	if (!(word & HPT_ENTRY_MASK))
		return word || tag ? "a free slot is empty" : NULL;
	seen->counts.used++;
	adaptive_find(table, tag & ADAPTIVE_BY_BLOCK ? tag : region, &found);
	if (!is_found(&found, slot))
		return "a used slot is the one that its tag finds";
	if (!(tag & ADAPTIVE_BY_BLOCK))
		return slot == found.last ? check_region(table, region, &found, seen) : NULL;
	adaptive_find(table, region, &found);
	return adaptive_form_of(&found) == ADAPTIVE_FORM_SPREAD
		       ? NULL
		       : "slots of blocks have a marker of their region";
}

const char *adaptive_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct seen seen = {0};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		uint64_t before = seen.counts.used;

		for (unsigned int i = 0; i < ADAPTIVE_LINE_SLOTS; i++) {
			const char *broken = check_slot(table, &line[i], &seen);

			if (broken)
				return broken;
		}
		if (walk.in_spill)
			seen.counts.spilled += seen.counts.used - before;
		else if (adaptive_line_passed(line) != adaptive_count_passed(table, line))
			return "a line's passed count is exact";
	}
	return generation_check(table, &seen.counts,
				(seen.leaves + table->spares.count) * HPT_PAGE_SIZE);
}
