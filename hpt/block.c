/* SPDX-License-Identifier: MIT */
/* See block.h. */
#include "hpt/block.h"

#include <errno.h>

#include "hpt/ahead.h"
#include "hpt/shared.h"

static const struct block_placing *placing_of(const struct hpt *table)
{
	return hpt_operations_of(table)->placing;
}

static bool line_empty(const uint64_t *line)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		any |= HPT_LOAD(line[i]);
	return !(any & HPT_ENTRY_MASK);
}

int block_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
	      uint64_t stride, uint64_t *done)
{
	uint64_t tag = clustered_tag(key);
	unsigned int first = clustered_word(key);
	uint64_t *line = placing_of(table)->find(table, tag);

	if (count > CLUSTERED_BLOCK - first)
		count = CLUSTERED_BLOCK - first;
	for (uint64_t i = 0; line && i < count; i++) {
		if (HPT_LOAD(line[first + i]) & HPT_ENTRY_MASK)
			return -EEXIST;
	}
	if (!line) {
		/* A table that cannot grow now goes on with fuller groups. */
		generation_grow(table);
		line = placing_of(table)->add(table, tag);
		if (!line)
			return -ENOMEM;
	}
	for (uint64_t i = 0; i < count; i++)
		hpt_store(&line[first + i], hpt_stored(table, key, i, entry + i * stride));
	table->counts.entries += count;
	*done = count;
	return 0;
}

void block_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	uint64_t *line = word - clustered_word(key);

	table->counts.entries--;
	if (line_empty(line))
		placing_of(table)->remove(table, clustered_line_tag(line), line);
}

/* The key of the first page of the block that a tag names. */
static struct hpt_key tag_key(uint64_t tag)
{
	struct hpt_key key = hpt_tag_key(tag); /* as if blocks were pages */

	key.vpn <<= CLUSTERED_BLOCK_LOG2;
	return key;
}

/* Which lines a visit is for: those whose tag, block apart, is `tag`, or all of them. */
struct block_visit {
	bool all;
	uint64_t tag;
	uint64_t start; /* pages of the tag's size */
	uint64_t end;
	hpt_visitor visit;
	void *context;
};

/* Visits the entries of one line that lie in the range. */
static void visit_line(struct hpt *table, uint64_t *line, const struct block_visit *visit)
{
	uint64_t tag = clustered_line_tag(line);
	struct hpt_key key = tag_key(tag);
	uint64_t step = hpt_pages_in(key.size);
	uint64_t page = key.vpn / step;

	for (unsigned int i = 0; i < CLUSTERED_BLOCK; i++, page++, key.vpn += step) {
		if (!(HPT_LOAD(line[i]) & HPT_ENTRY_MASK) || page < visit->start ||
		    page >= visit->end)
			continue;
		if (!shared_visit(table, &line[i], key, visit->visit, visit->context))
			table->counts.entries--;
	}
	if (line_empty(line))
		placing_of(table)->remove(table, tag, line);
	shared_done(table);
}

static void visit_if_meant(struct hpt *table, uint64_t *line, const struct block_visit *visit)
{
	uint64_t block;

	if (!clustered_line_used(line))
		return;
	block = clustered_line_tag(line) - visit->tag;
	if (visit->all || (block >= visit->start >> CLUSTERED_BLOCK_LOG2 &&
			   block <= (visit->end - 1) >> CLUSTERED_BLOCK_LOG2))
		visit_line(table, line, visit);
}

static void scan(struct hpt *table, const struct block_visit *visit)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	while ((line = generation_next_line(&walk)))
		visit_if_meant(table, line, visit);
}

int block_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	const struct block_visit all = {
		.all = true, .end = UINT64_MAX, .visit = visit, .context = context};

	scan(table, &all);
	return 0;
}

int block_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		      void *context)
{
	uint64_t start = hpt_page(key);
	const struct block_visit range = {
		.tag = clustered_tag(hpt_key(key.asid, 0, key.size)),
		.start = start,
		.end = start + count,
		.visit = visit,
		.context = context,
	};
	uint64_t first = range.start >> CLUSTERED_BLOCK_LOG2;
	uint64_t last = (range.end - 1) >> CLUSTERED_BLOCK_LOG2;

	if (hpt_range_scanned(table, key, count)) {
		scan(table, &range);
		return 0;
	}
	for (uint64_t block = first; block <= last; block++) {
		uint64_t *line;

		hpt_fetch_ahead(table, tag_key(range.tag + block),
				(last + 1 - block) << CLUSTERED_BLOCK_LOG2, block == first);
		line = placing_of(table)->find(table, range.tag + block);
		if (line)
			visit_line(table, line, &range);
	}
	return 0;
}

/* Takes a line out of where it is and puts it where its tag belongs now. */
void block_move_line(struct hpt *table, uint64_t *line)
{
	uint64_t tag = clustered_line_tag(line);
	uint64_t entries[HPT_LINE_WORDS];
	uint64_t *target;

	shared_hold(table, line);
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++) {
		entries[i] = shared_take(table, &line[i]);
		HPT_STORE(line[i], 0);
	}
	table->counts.used--;
	table->counts.moves++;
	target = placing_of(table)->add(table, tag);
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		hpt_store(&target[i], entries[i]);
}

void block_move_spilled(struct hpt *table, const struct hpt_step *step)
{
	for (uint32_t i = 0; table->counts.spilled && i < table->desc.spill_lines; i++) {
		uint64_t *line = generation_spill_line(table, i);
		uint64_t hash = hpt_hash(&table->desc, clustered_line_tag(line));

		if (clustered_line_used(line) && hash >= step->first && hash <= step->last) {
			table->counts.spilled--;
			block_move_line(table, line);
		}
	}
}

/* What is wrong with a line, but for its `passed`; a used one is added to *seen. */
static const char *check_line(const struct hpt *table, uint64_t *line, bool in_spill,
			      struct hpt_counts *seen)
{
	uint64_t tag = clustered_line_tag(line);

	if (!clustered_line_used(line))
		return line_empty(line) ? NULL : "a line that is not used has no entries";
	if (line_empty(line))
		return "a used line has an entry";
	if (placing_of(table)->find(table, tag) != line)
		return "a used line is the one that its tag finds";
	seen->used++;
	seen->spilled += in_spill;
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		seen->entries += !!(HPT_LOAD(line[i]) & HPT_ENTRY_MASK);
	return hpt_check_overlap(table, tag_key(tag));
}

const char *block_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct hpt_counts seen = {0};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		const char *broken = check_line(table, line, walk.in_spill, &seen);

		if (broken)
			return broken;
	}
	walk = (struct generation_walk){.table = (struct hpt *)table};
	while ((line = generation_next_line(&walk))) {
		if (!walk.in_spill &&
		    clustered_line_passed(line) != placing_of(table)->passed(table, line))
			return "a line's passed count is exact";
	}
	return generation_check(table, &seen, 0);
}
