/* SPDX-License-Identifier: MIT */
/* See adaptive_region.h. */
#include "hpt/adaptive_region.h"

#define RUN_LOG2_MAX ADAPTIVE_REGION_LOG2

/* A spread region with no more pages than that becomes compact. */
#define SPREAD_PAGES_MIN 3

enum adaptive_form adaptive_form_of(const struct adaptive_found *found)
{
	const uint64_t *slot = found->slot[0];

	if (!found->count)
		return ADAPTIVE_FORM_NONE;
	if (!adaptive_code(adaptive_tag_of(slot)))
		return *slot & ADAPTIVE_SPREAD ? ADAPTIVE_FORM_SPREAD : ADAPTIVE_FORM_LEAF;
	return *slot & HPT_LARGE ? ADAPTIVE_FORM_LARGE : ADAPTIVE_FORM_COMPACT;
}

struct adaptive_run adaptive_run_of(const uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot);

	return (struct adaptive_run){
		.first = adaptive_first(tag),
		.log2 = (unsigned int)__builtin_ctz(adaptive_count(tag)),
		.entry = *slot & HPT_ENTRY_MASK,
	};
}

bool adaptive_reserve(struct hpt *table)
{
	struct hpt_spares *spares = &table->spares;

	while (spares->count < ADAPTIVE_RESERVE) {
		if (hpt_get(table, HPT_PAGE_SIZE, &spares->page[spares->count]))
			return false;
		spares->count++;
	}
	return true;
}

int adaptive_get_leaf(struct hpt *table, bool reserve, uint64_t *address)
{
	struct hpt_spares *spares = &table->spares;

	if (spares->count <= (reserve ? 0 : ADAPTIVE_RESERVE))
		return hpt_get(table, HPT_PAGE_SIZE, address);
	*address = spares->page[--spares->count];
	return 0;
}

void adaptive_put_leaf(struct hpt *table, uint64_t address)
{
	if (table->spares.count == HPT_SPARES)
		hpt_put(table, address, HPT_PAGE_SIZE);
	else
		table->spares.page[table->spares.count++] = address;
}

/* Writes the pages of a slot to a leaf: how many. */
static unsigned int write_run(uint64_t *words, const uint64_t *slot)
{
	struct adaptive_run run = adaptive_run_of(slot);

	for (unsigned int i = 0; i < 1u << run.log2; i++)
		words[run.first + i] = adaptive_page_entry(run.entry, i);
	return 1u << run.log2;
}

/* Removes the slots of a spread region's blocks, and writes their pages to a leaf unless NULL. */
static unsigned int empty_blocks(struct hpt *table, uint64_t tag, uint64_t marked, uint64_t *words)
{
	unsigned int pages = 0;

	for (unsigned int block = 0; block < ADAPTIVE_BLOCKS; block++) {
		struct adaptive_found found;

		if (!adaptive_block_marked(&marked, block))
			continue;
		adaptive_find(table, adaptive_block_tag(tag, block), &found);
		for (unsigned int i = 0; i < found.count; i++) {
			if (words)
				pages += write_run(words, found.slot[i]);
			adaptive_remove(table, found.slot[i]);
			table->counts.moves++;
		}
	}
	return pages;
}

uint64_t *adaptive_expand(struct hpt *table, uint64_t tag, const struct adaptive_found *found,
			  uint64_t address)
{
	uint64_t *words = hpt_pointer(table, address);
	uint64_t *marker = found->slot[0];
	unsigned int pages = 0;

	if (adaptive_form_of(found) == ADAPTIVE_FORM_SPREAD) {
		pages = empty_blocks(table, tag, *marker, words);
	} else {
		for (unsigned int i = 0; i < found->count; i++) {
			pages += write_run(words, found->slot[i]);
			if (i)
				adaptive_remove(table, found->slot[i]);
			table->counts.moves++;
		}
	}
	adaptive_set_slot(marker, tag,
			  adaptive_leaf_address(&table->desc, tag, address) | ADAPTIVE_MARKER |
				  (pages - 1));
	return marker;
}

/* The next run in a leaf from page *at on, which is left behind it; as long as it can be. */
static bool next_run(const uint64_t *words, unsigned int log2_max, unsigned int *at,
		     struct adaptive_run *run)
{
	unsigned int pages = 1;

	while (*at < ADAPTIVE_PAGES && !words[*at])
		++*at;
	if (*at == ADAPTIVE_PAGES)
		return false;
	*run = (struct adaptive_run){.first = *at, .entry = words[*at]};
	while (run->log2 < log2_max && !(*at & (2 * pages - 1))) {
		unsigned int i = pages;

		while (i < 2 * pages && words[*at + i] == adaptive_page_entry(run->entry, i))
			i++;
		if (i < 2 * pages)
			break;
		pages = i;
		run->log2++;
	}
	*at += pages;
	return true;
}

/* Whether a leaf is not more than so many runs. */
static bool has_few_runs(const uint64_t *words, unsigned int log2_max, unsigned int few)
{
	struct adaptive_run run;
	unsigned int at = 0;

	for (unsigned int runs = 0; next_run(words, log2_max, &at, &run); runs++) {
		if (runs == few)
			return false;
	}
	return true;
}

/* Makes a leaf compact: slots for all runs but the first, whose place the marker's is. */
static bool make_compact(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int log2_max)
{
	const uint64_t *words = adaptive_leaf(table, marker);
	struct adaptive_run first, run;
	uint64_t *added[ADAPTIVE_SLOTS];
	unsigned int count = 0;
	unsigned int at = 0;

	next_run(words, log2_max, &at, &first);
	while (next_run(words, log2_max, &at, &run)) {
		added[count] = adaptive_add(table, adaptive_run_tag(tag, &run), run.entry);
		if (!added[count]) {
			while (count)
				adaptive_remove(table, added[--count]);
			return false;
		}
		count++;
	}
	adaptive_set_slot(marker, adaptive_run_tag(tag, &first), first.entry);
	table->counts.moves += count + 1;
	return true;
}

static bool make_spread(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int log2_max)
{
	const uint64_t *words = adaptive_leaf(table, marker);
	uint64_t value = ADAPTIVE_SPREAD | ADAPTIVE_MARKER | (*marker & ADAPTIVE_COUNT_MASK);
	struct adaptive_run run;
	unsigned int at = 0;

	if (log2_max > ADAPTIVE_BLOCK_LOG2)
		log2_max = ADAPTIVE_BLOCK_LOG2;
	while (next_run(words, log2_max, &at, &run)) {
		value |= UINT64_C(1) << (HPT_FRAME_SHIFT + (run.first >> ADAPTIVE_PAIR_LOG2));
		if (!adaptive_add(table, adaptive_run_tag(tag | ADAPTIVE_BY_BLOCK, &run),
				  run.entry)) {
			empty_blocks(table, tag, value, NULL);
			return false;
		}
		table->counts.moves++;
	}
	adaptive_set_slot(marker, tag, value);
	return true;
}

void adaptive_settle(struct hpt *table, uint64_t tag, unsigned int keep)
{
	unsigned int log2_max = adaptive_reserve(table) ? RUN_LOG2_MAX : 0;
	struct adaptive_found found;
	uint64_t address;
	uint64_t *words;
	bool left;

	adaptive_find(table, tag, &found);
	if (adaptive_form_of(&found) != ADAPTIVE_FORM_LEAF)
		return;
	*found.slot[0] &= ~ADAPTIVE_UNSETTLED;
	address = adaptive_leaf_address(&table->desc, tag, *found.slot[0]);
	words = adaptive_leaf(table, found.slot[0]);
	if (has_few_runs(words, log2_max, ADAPTIVE_SLOTS))
		left = make_compact(table, tag, found.slot[0], log2_max);
	else
		left = adaptive_marker_count(found.slot[0]) < keep &&
		       make_spread(table, tag, found.slot[0], log2_max);
	if (!left)
		return;
	for (unsigned int i = 0; i < ADAPTIVE_PAGES; i++)
		words[i] = 0;
	adaptive_put_leaf(table, address);
}

void adaptive_set_count(struct hpt *table, uint64_t *marker, unsigned int count)
{
	uint64_t word = *marker;
	uint64_t tag = adaptive_tag_of(marker);

	if (count) {
		*marker = (word & ~ADAPTIVE_COUNT_MASK) | (count - 1);
		return;
	}
	adaptive_remove(table, marker);
	if (!(word & ADAPTIVE_SPREAD))
		adaptive_put_leaf(table, adaptive_leaf_address(&table->desc, tag, word));
}

void adaptive_shrink(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int count)
{
	struct adaptive_found found;
	uint64_t address;

	adaptive_set_count(table, marker, count);
	if (!count || count >= SPREAD_PAGES_MIN || adaptive_get_leaf(table, true, &address))
		return;
	adaptive_find(table, tag, &found);
	adaptive_expand(table, tag, &found, address);
	adaptive_settle(table, tag, ADAPTIVE_LEAF_PAGES);
}
