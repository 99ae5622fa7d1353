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
		return HPT_LOAD(*slot) & ADAPTIVE_SPREAD ? ADAPTIVE_FORM_SPREAD
							 : ADAPTIVE_FORM_LEAF;
	return HPT_LOAD(*slot) & HPT_LARGE ? ADAPTIVE_FORM_LARGE : ADAPTIVE_FORM_COMPACT;
}

struct adaptive_run adaptive_run_of(const uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot);

	return (struct adaptive_run){
		.first = adaptive_first(tag),
		.log2 = (unsigned int)__builtin_ctz(adaptive_count(tag)),
		.entry = HPT_LOAD(*slot) & HPT_ENTRY_MASK,
	};
}

bool adaptive_reserve(struct hpt *table, unsigned int coming)
{
	struct hpt_spares *spares = &table->spares;

	while (spares->count + coming < ADAPTIVE_RESERVE) {
		if (table->held || hpt_get(table, HPT_PAGE_SIZE, &spares->page[spares->count]))
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

void adaptive_put_leaf(struct hpt *table, uint64_t address, bool unseen)
{
	if (table->shared && !unseen) {
		shared_done(table);
		hpt_retire(table, address, HPT_PAGE_SIZE);
		/* What comes back otherwise goes to the reserve first. */
		adaptive_reserve(table, 0);
	} else if (table->spares.count == HPT_SPARES) {
		hpt_put(table, address, HPT_PAGE_SIZE);
	} else {
		table->spares.page[table->spares.count++] = address;
	}
}

/* Writes the pages of a run to a leaf: how many. */
static unsigned int write_run(uint64_t *words, const struct adaptive_run *run)
{
	unsigned int pages = 1u << run->log2;

	for (unsigned int i = 0; i < pages; i++)
		HPT_STORE(words[run->first + i], adaptive_page_entry(run->entry, i));
	return pages;
}

/* Takes the pages of a run out of a leaf, with what readers have marked since it was found. */
static void take_run(struct hpt *table, uint64_t *words, struct adaptive_run *run)
{
	for (unsigned int i = 0; i < 1u << run->log2; i++)
		run->entry |= shared_take(table, &words[run->first + i]) & ADAPTIVE_MARKS;
}

/* Takes the pages of a slot out of it and writes them to a leaf: how many. */
static unsigned int empty_slot(struct hpt *table, uint64_t *slot, uint64_t *words)
{
	struct adaptive_run run = adaptive_run_of(slot);

	run.entry = adaptive_take(table, slot);
	table->counts.moves++;
	return write_run(words, &run);
}

/* Removes the slots of a spread region's blocks, and writes their pages to a leaf: how many. */
static unsigned int empty_blocks(struct hpt *table, uint64_t tag, uint64_t marked, uint64_t *words)
{
	unsigned int pages = 0;

	for (unsigned int block = 0; block < ADAPTIVE_BLOCKS; block++) {
		struct adaptive_found found;

		if (!adaptive_block_marked(&marked, block))
			continue;
		adaptive_find(table, adaptive_block_tag(tag, block), &found);
		for (unsigned int i = 0; i < found.count; i++) {
			pages += empty_slot(table, found.slot[i], words);
			adaptive_remove(table, found.slot[i]);
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
		pages = empty_blocks(table, tag, HPT_LOAD(*marker), words);
	} else {
		for (unsigned int i = 0; i < found->count; i++) {
			pages += empty_slot(table, found->slot[i], words);
			if (i)
				adaptive_remove(table, found->slot[i]);
		}
	}
	adaptive_set_slot(table, marker, tag,
			  adaptive_leaf_address(&table->desc, tag, address) | ADAPTIVE_MARKER |
				  (pages - 1));
	return marker;
}

/* The next run in a leaf from page *at on, which is left behind it; as long as it can be. */
static bool next_run(const uint64_t *words, unsigned int log2_max, unsigned int *at,
		     struct adaptive_run *run)
{
	unsigned int pages = 1;

	while (*at < ADAPTIVE_PAGES && !HPT_LOAD(words[*at]))
		++*at;
	if (*at == ADAPTIVE_PAGES)
		return false;
	*run = (struct adaptive_run){.first = *at, .entry = HPT_LOAD(words[*at])};
	while (run->log2 < log2_max && !(*at & (2 * pages - 1))) {
		unsigned int i = pages;

		while (i < 2 * pages &&
		       HPT_LOAD(words[*at + i]) == adaptive_page_entry(run->entry, i))
			i++;
		if (i < 2 * pages)
			break;
		pages = i;
		run->log2++;
	}
	*at += pages;
	return true;
}

/* The runs of a leaf, if they are not more than ADAPTIVE_SLOTS: how many, or 0. */
static unsigned int few_runs(const uint64_t *words, unsigned int log2_max,
			     struct adaptive_run *runs)
{
	struct adaptive_run run;
	unsigned int count = 0;
	unsigned int at = 0;

	while (next_run(words, log2_max, &at, &run)) {
		if (count == ADAPTIVE_SLOTS)
			return 0;
		runs[count++] = run;
	}
	return count;
}

/* Makes a leaf of these runs compact: slots for all but the first, whose place is the marker's. */
static bool make_compact(struct hpt *table, uint64_t tag, uint64_t *marker,
			 struct adaptive_run *runs, unsigned int count)
{
	uint64_t *words = adaptive_leaf(table, marker);
	uint64_t *added[ADAPTIVE_SLOTS];

	shared_hold(table, marker);
	for (unsigned int i = 1; i < count; i++) {
		take_run(table, words, &runs[i]);
		added[i] = adaptive_add(table, adaptive_run_tag(tag, &runs[i]), runs[i].entry);
		if (added[i])
			continue;
		write_run(words, &runs[i]);
		while (--i) {
			adaptive_remove(table, added[i]);
			write_run(words, &runs[i]);
		}
		return false;
	}
	take_run(table, words, &runs[0]);
	adaptive_replace_slot(table, marker, adaptive_run_tag(tag, &runs[0]), runs[0].entry);
	table->counts.moves += count;
	return true;
}

static bool make_spread(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int log2_max)
{
	uint64_t *words = adaptive_leaf(table, marker);
	uint64_t value =
		ADAPTIVE_SPREAD | ADAPTIVE_MARKER | (HPT_LOAD(*marker) & ADAPTIVE_COUNT_MASK);
	struct adaptive_run run;
	unsigned int at = 0;

	if (log2_max > ADAPTIVE_BLOCK_LOG2)
		log2_max = ADAPTIVE_BLOCK_LOG2;
	shared_hold(table, marker);
	while (next_run(words, log2_max, &at, &run)) {
		value |= UINT64_C(1) << (HPT_FRAME_SHIFT + (run.first >> ADAPTIVE_PAIR_LOG2));
		take_run(table, words, &run);
		if (!adaptive_add(table, adaptive_run_tag(tag | ADAPTIVE_BY_BLOCK, &run),
				  run.entry)) {
			write_run(words, &run);
			empty_blocks(table, tag, value, words);
			return false;
		}
		table->counts.moves++;
	}
	adaptive_replace_slot(table, marker, tag, value);
	return true;
}

void adaptive_settle(struct hpt *table, uint64_t tag, unsigned int keep, bool unseen)
{
	unsigned int log2_max = adaptive_reserve(table, unseen) ? RUN_LOG2_MAX : 0;
	struct adaptive_run runs[ADAPTIVE_SLOTS];
	struct adaptive_found found;
	unsigned int count;
	uint64_t *marker;
	uint64_t address;
	bool left;

	adaptive_find(table, tag, &found);
	if (adaptive_form_of(&found) != ADAPTIVE_FORM_LEAF)
		return;
	marker = found.slot[0];
	HPT_STORE(*marker, HPT_LOAD(*marker) & ~ADAPTIVE_UNSETTLED);
	address = adaptive_leaf_address(&table->desc, tag, HPT_LOAD(*marker));
	count = few_runs(hpt_pointer(table, address), log2_max, runs);
	if (count)
		left = make_compact(table, tag, marker, runs, count);
	else
		left = adaptive_marker_count(marker) < keep &&
		       make_spread(table, tag, marker, log2_max);
	if (left)
		adaptive_put_leaf(table, address, unseen);
}

void adaptive_set_count(struct hpt *table, uint64_t *marker, unsigned int count)
{
	uint64_t word = HPT_LOAD(*marker);
	uint64_t tag = adaptive_tag_of(marker);

	if (count) {
		HPT_STORE(*marker, (word & ~ADAPTIVE_COUNT_MASK) | (count - 1));
		return;
	}
	adaptive_remove(table, marker);
	if (!(word & ADAPTIVE_SPREAD))
		adaptive_put_leaf(table, adaptive_leaf_address(&table->desc, tag, word), false);
}

void adaptive_shrink(struct hpt *table, uint64_t tag, uint64_t *marker, unsigned int count)
{
	struct adaptive_found found;
	uint64_t address;

	adaptive_set_count(table, marker, count);
	if (!count || count >= SPREAD_PAGES_MIN)
		return;
	shared_done(table);
	if (adaptive_get_leaf(table, true, &address))
		return;
	adaptive_reserve(table, 1);
	adaptive_find(table, tag, &found);
	adaptive_expand(table, tag, &found, address);
	adaptive_settle(table, tag, ADAPTIVE_LEAF_PAGES, true);
}
