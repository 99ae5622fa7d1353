/* SPDX-License-Identifier: MIT */
/*
 * Generations of a clustered table (clustered.h). Growth follows gradual resizing as in
 * Skarlatos et al., "Elastic Cuckoo Page Tables" (ASPLOS'20), section 4.2: a boundary tells which
 * generation has a key, so that a lookup never asks both.
 *
 * Moving a group cannot fail: its two groups in the new generation are empty until then, so its at
 * most 64 lines fit; a line that had spilled is taken out of the spill before it is added again, so
 * a free spill line is there for it.
 */
#include <errno.h>

#include "hpt/clustered_grow.h"
#include "hpt/organisation.h"

/* A generation is full enough at 5/8 of its lines. */
#define LOAD_NUMERATOR	 5
#define LOAD_DENOMINATOR 8

static uint64_t generation_lines(const struct hpt_generation *generation)
{
	return UINT64_C(1) << generation->lines_log2;
}

static bool growing(const struct hpt_desc *desc)
{
	return desc->split != UINT64_MAX;
}

/* While a table grows, every line that is added moves a group: then the limit is 0. */
static void set_grow_at(struct hpt *table)
{
	table->grow_at = growing(&table->desc) ? 0
					       : generation_lines(&table->desc.current) *
							 LOAD_NUMERATOR / LOAD_DENOMINATOR;
}

static size_t chunk_size(const struct hpt_generation *generation)
{
	return generation->lines_log2 < HPT_CHUNK_LINES_LOG2
		       ? HPT_LINE_SIZE << generation->lines_log2
		       : (size_t)1 << HPT_CHUNK_SHIFT;
}

static unsigned int chunk_count(const struct hpt_generation *generation)
{
	return generation->lines_log2 < HPT_CHUNK_LINES_LOG2
		       ? 1
		       : 1u << (generation->lines_log2 - HPT_CHUNK_LINES_LOG2);
}

static void put_chunks(struct hpt *table, struct hpt_generation *generation, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t *chunk = &table->desc.directory[generation->first_chunk + i];

		hpt_put(table, *chunk, chunk_size(generation));
		*chunk = 0;
	}
}

static int get_chunks(struct hpt *table, struct hpt_generation *generation)
{
	unsigned int count = chunk_count(generation);

	for (unsigned int i = 0; i < count; i++) {
		int error = hpt_get(table, chunk_size(generation),
				    &table->desc.directory[generation->first_chunk + i]);
		if (error) {
			put_chunks(table, generation, i);
			return error;
		}
	}
	return 0;
}

int clustered_create(struct hpt *table, uint64_t pages)
{
	struct hpt_generation *current = &table->desc.current;
	uint64_t blocks = pages / CLUSTERED_BLOCK + (pages % CLUSTERED_BLOCK != 0);
	int error;

	current->lines_log2 = HPT_LINES_LOG2_MIN;
	while (generation_lines(current) * LOAD_NUMERATOR / LOAD_DENOMINATOR < blocks &&
	       current->lines_log2 < HPT_LINES_LOG2_MAX)
		current->lines_log2++;
	error = get_chunks(table, current);
	if (!error)
		table->counts.lines = generation_lines(current);
	set_grow_at(table);
	return error;
}

static void drop_old(struct hpt *table)
{
	put_chunks(table, &table->desc.old, chunk_count(&table->desc.old));
	table->desc.old.lines_log2 = 0;
	table->desc.split = UINT64_MAX;
}

void clustered_destroy(struct hpt *table)
{
	struct hpt_desc *desc = &table->desc;

	if (growing(desc))
		drop_old(table);
	put_chunks(table, &desc->current, chunk_count(&desc->current));
	for (uint32_t page = 0; page < desc->spill_lines / HPT_GROUP_LINES; page++)
		hpt_put(table, desc->spill[page], HPT_PAGE_SIZE);
	desc->spill_lines = 0;
}

int clustered_more_spill(struct hpt *table)
{
	uint32_t page = table->desc.spill_lines / HPT_GROUP_LINES;
	int error;

	if (page == HPT_SPILL_PAGES)
		return -ENOMEM;
	error = hpt_get(table, HPT_PAGE_SIZE, &table->desc.spill[page]);
	if (!error)
		table->desc.spill_lines += HPT_GROUP_LINES;
	return error;
}

/* Takes a line out of where it is and puts it where its tag belongs now. */
static void move_line(struct hpt *table, uint64_t *line)
{
	uint64_t tag = clustered_line_tag(line);
	uint64_t entries[HPT_LINE_WORDS];
	uint64_t *target;

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++) {
		entries[i] = line[i] & HPT_ENTRY_MASK;
		line[i] = 0;
	}
	table->counts.lines_used--;
	table->counts.moves++;
	target = clustered_add_line(table, tag);
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		hpt_store(&target[i], entries[i]);
}

/* Moves the lines of one group of the old generation, then those that it had spilled. */
static void move_group(struct hpt *table, uint64_t group)
{
	struct hpt_desc *desc = &table->desc;
	unsigned int shift = 64 - desc->old.lines_log2;
	uint64_t first = group << HPT_GROUP_LOG2;
	uint64_t last = first + HPT_GROUP_LINES - 1;
	bool is_last = last + 1 == generation_lines(&desc->old);
	uint64_t *lines = hpt_pointer(table, clustered_line_address(desc, &desc->old, first));

	desc->split = is_last ? UINT64_MAX : ((last + 1) << shift) - 1;
	for (unsigned int i = 0; i < HPT_GROUP_LINES; i++) {
		if (clustered_line_used(&lines[i * HPT_LINE_WORDS]))
			move_line(table, &lines[i * HPT_LINE_WORDS]);
	}
	for (uint32_t i = 0; table->counts.spilled && i < desc->spill_lines; i++) {
		uint64_t *line = hpt_pointer(table, desc->spill[i >> HPT_GROUP_LOG2]);
		uint64_t home;

		line += (uint64_t)(i & (HPT_GROUP_LINES - 1)) * HPT_LINE_WORDS;
		home = clustered_hash(desc, clustered_line_tag(line)) >> shift;
		if (clustered_line_used(line) && home >= first && home <= last) {
			table->counts.spilled--;
			move_line(table, line);
		}
	}
	if (is_last)
		drop_old(table);
	set_grow_at(table);
}

static void begin_growth(struct hpt *table)
{
	struct hpt_desc *desc = &table->desc;
	struct hpt_generation next = {
		.lines_log2 = desc->current.lines_log2 + 1,
		.first_chunk = desc->current.first_chunk ? 0 : HPT_CHUNKS,
	};

	if (next.lines_log2 > HPT_LINES_LOG2_MAX || get_chunks(table, &next))
		return;
	desc->old = desc->current;
	desc->current = next;
	table->counts.lines = generation_lines(&next);
	move_group(table, 0);
}

void clustered_grow(struct hpt *table)
{
	struct hpt_desc *desc = &table->desc;

	if (growing(desc)) {
		unsigned int shift = 64 - desc->old.lines_log2 + HPT_GROUP_LOG2;

		move_group(table, (desc->split + 1) >> shift);
	} else if (table->counts.lines_used >= table->grow_at) {
		begin_growth(table);
	}
}

/* The first line and the end of a part of the walk; the old generation from `split` on. */
static void enter_part(struct clustered_line_walk *walk)
{
	const struct hpt_desc *desc = &walk->table->desc;

	walk->next = 0;
	walk->end = desc->spill_lines;
	if (walk->part == 0)
		walk->end = generation_lines(&desc->current);
	if (walk->part == 1) {
		walk->end = growing(desc) ? generation_lines(&desc->old) : 0;
		walk->next = walk->end ? (desc->split + 1) >> (64 - desc->old.lines_log2) : 0;
	}
	walk->in_spill = walk->part == 2;
}

uint64_t *clustered_next_line(struct clustered_line_walk *walk)
{
	const struct hpt_desc *desc = &walk->table->desc;
	uint64_t address;
	uint64_t line;

	if (!walk->end)
		enter_part(walk);
	while (walk->next == walk->end) {
		if (walk->part == 2)
			return NULL;
		walk->part++;
		enter_part(walk);
	}
	line = walk->next++;
	if (walk->in_spill)
		address = desc->spill[line >> HPT_GROUP_LOG2] +
			  ((line & (HPT_GROUP_LINES - 1)) << HPT_LINE_SHIFT);
	else
		address = clustered_line_address(desc, walk->part ? &desc->old : &desc->current,
						 line);
	return hpt_pointer(walk->table, address);
}
