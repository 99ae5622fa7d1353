/* SPDX-License-Identifier: MIT */
/* See generation.h. */
#include "hpt/generation.h"

#include <errno.h>

#include "hpt/lines.h"
#include "hpt/organisation.h"
#include "hpt/shared.h"

/* Of that many places an organisation says how many may be taken before the table grows. */
#define LOAD_OF 64

static uint64_t places_in(const struct hpt *table, const struct hpt_generation *generation)
{
	return generation_lines(generation) * hpt_operations_of(table)->line_places;
}

static uint64_t capacity(const struct hpt *table, const struct hpt_generation *generation)
{
	return places_in(table, generation) * hpt_operations_of(table)->load / LOAD_OF;
}

/*
 * While a table grows, every place that is taken moves a step: then the limit is 0. It is always
 * where there are readers, for whom the page of a place must be held before it is taken.
 */
static void set_counts(struct hpt *table)
{
	const struct hpt_generation *current = &table->desc.current;

	table->counts.lines = generation_lines(current);
	table->counts.places = places_in(table, current);
	table->grow_at = capacity(table, current);
	if (generation_growing(&table->desc) || table->shared)
		table->grow_at = 0;
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

		hpt_retire(table, *chunk, chunk_size(generation));
		HPT_STORE(*chunk, 0);
	}
}

static int get_chunks(struct hpt *table, struct hpt_generation *generation)
{
	unsigned int count = chunk_count(generation);

	for (unsigned int i = 0; i < count; i++) {
		uint64_t chunk;
		int error = hpt_get(table, chunk_size(generation), &chunk);

		if (error) {
			put_chunks(table, generation, i);
			return error;
		}
		HPT_STORE(table->desc.directory[generation->first_chunk + i], chunk);
	}
	return 0;
}

int generation_create(struct hpt *table, uint64_t pages)
{
	struct hpt_generation *current = &table->desc.current;
	unsigned int in_place = hpt_operations_of(table)->place_pages;
	uint64_t places = pages / in_place + (pages % in_place != 0);
	int error;

	current->lines_log2 = HPT_LINES_LOG2_MIN;
	while (capacity(table, current) < places && current->lines_log2 < HPT_LINES_LOG2_MAX)
		current->lines_log2++;
	/* A reader who is late computes a line of the old generation, and must find a chunk. */
	table->desc.old = *current;
	error = get_chunks(table, current);
	if (!error)
		set_counts(table);
	return error;
}

/* Gives the pages of so many spill lines back, which nobody finds any more. */
static void put_spill(struct hpt *table, uint32_t lines)
{
	for (uint32_t page = 0; page < lines / HPT_GROUP_LINES; page++)
		hpt_retire(table, table->desc.spill[page], HPT_PAGE_SIZE);
}

static void set_generation(struct hpt_generation *generation, const struct hpt_generation *to)
{
	HPT_STORE(generation->lines_log2, to->lines_log2);
	HPT_STORE(generation->first_chunk, to->first_chunk);
}

static void set_salt(struct hpt_salt *salt, const struct hpt_salt *to)
{
	HPT_STORE(salt->value, to->value);
	for (int i = 0; i < 4; i++)
		HPT_STORE(salt->keys[i], to->keys[i]);
}

/* All that was to be moved has been. */
static void drop_old(struct hpt *table)
{
	struct hpt_desc *desc = &table->desc;
	uint32_t spill_lines = desc->spill_lines;

	shared_begin_shape(table);
	HPT_STORE(desc->split, UINT64_MAX);
	HPT_STORE(desc->growing, 0);
	if (desc->hash == HPT_REKEYING) {
		set_salt(&desc->salt, &desc->next_salt);
		set_salt(&desc->next_salt, &(struct hpt_salt){0});
		HPT_STORE(desc->hash, desc->family);
	}
	if (!table->counts.spilled)
		HPT_STORE(desc->spill_lines, 0);
	shared_end_shape(table);
	put_chunks(table, &desc->old, chunk_count(&desc->old));
	if (!table->counts.spilled)
		put_spill(table, spill_lines);
}

void generation_destroy(struct hpt *table)
{
	if (generation_growing(&table->desc))
		drop_old(table);
	put_chunks(table, &table->desc.current, chunk_count(&table->desc.current));
	put_spill(table, table->desc.spill_lines);
	table->desc.spill_lines = 0;
}

int generation_more_spill(struct hpt *table)
{
	uint32_t page = table->desc.spill_lines / HPT_GROUP_LINES;
	uint32_t most = hpt_operations_of(table)->spill_pages;
	uint64_t address;
	int error;

	if (page == (most ? most : HPT_SPILL_PAGES))
		return -ENOMEM;
	error = hpt_get(table, HPT_PAGE_SIZE, &address);
	if (error)
		return error;
	shared_begin_shape(table);
	HPT_STORE(table->desc.spill[page], address);
	HPT_STORE(table->desc.spill_lines, table->desc.spill_lines + HPT_GROUP_LINES);
	shared_end_shape(table);
	return 0;
}

uint64_t *generation_spill_line(const struct hpt *table, uint32_t line)
{
	return hpt_pointer(table, hpt_spill_address(&table->desc, line));
}

static uint64_t *new_line(const struct hpt *table, uint64_t line)
{
	return hpt_pointer(table, hpt_line_address(&table->desc, &table->desc.current, line));
}

/* Moves the next step of the old generation. */
static void move_step(struct hpt *table)
{
	const struct hpt_operations *operations = hpt_operations_of(table);
	struct hpt_desc *desc = &table->desc;
	unsigned int shift = 64 - desc->old.lines_log2;
	uint64_t first = table->moved;
	uint64_t end = first + operations->step_lines;
	bool is_last = end == generation_lines(&desc->old);
	struct hpt_step step = {
		.lines = hpt_pointer(table, hpt_line_address(desc, &desc->old, first)),
		.first = first << shift,
		.last = is_last ? UINT64_MAX : (end << shift) - 1,
	};
	bool rekeying = desc->hash == HPT_REKEYING;
	bool is_moved;

	/* Nobody is to miss what has not arrived yet: growth knows to which pages it goes. */
	shared_hold(table, step.lines);
	if (!rekeying) {
		shared_hold(table, new_line(table, 2 * first));
		shared_hold(table, new_line(table, 2 * end - 1));
	}
	shared_begin_shape(table);
	HPT_STORE(desc->split, step.last);
	if (!rekeying)
		shared_end_shape(table);
	is_moved = operations->move(table, &step);
	if (rekeying)
		shared_end_shape(table);
	shared_done(table);
	if (is_moved)
		table->moved = end;
	if (is_moved && is_last)
		drop_old(table);
	set_counts(table);
}

/* Makes the spill have a free place for each place of a step: one page more is enough for that. */
static int reserve_spill(struct hpt *table)
{
	const struct hpt_operations *operations = hpt_operations_of(table);
	uint64_t places = (uint64_t)table->desc.spill_lines * operations->line_places;
	uint64_t needed = operations->step_lines * operations->line_places;

	if (!operations->spills || places - table->counts.spilled >= needed)
		return 0;
	return generation_more_spill(table);
}

/* Moves the next step of what is under way; without memory that it may need it does nothing. */
static int go_on(struct hpt *table)
{
	int error = table->desc.hash == HPT_REKEYING ? reserve_spill(table) : 0;

	if (!error)
		move_step(table);
	return error;
}

/* The generation that would follow the current one. */
static struct hpt_generation next_generation(const struct hpt_desc *desc, uint32_t lines_log2)
{
	return (struct hpt_generation){
		.lines_log2 = lines_log2,
		.first_chunk = desc->current.first_chunk ? 0 : HPT_CHUNKS,
	};
}

/* Makes it the current one and moves the first step. */
static void begin(struct hpt *table, const struct hpt_generation *next)
{
	struct hpt_desc *desc = &table->desc;

	shared_begin_shape(table);
	set_generation(&desc->old, &desc->current);
	set_generation(&desc->current, next);
	HPT_STORE(desc->growing, 1);
	/* Readers wait until the first step has moved the boundary. */
	table->moved = 0;
	move_step(table);
}

static void begin_growth(struct hpt *table)
{
	struct hpt_desc *desc = &table->desc;
	struct hpt_generation next = next_generation(desc, desc->current.lines_log2 + 1);

	if (next.lines_log2 <= HPT_LINES_LOG2_MAX && !get_chunks(table, &next))
		begin(table, &next);
}

uint64_t generation_spill_places(const struct hpt *table)
{
	const struct hpt_operations *operations = hpt_operations_of(table);

	return operations->spills ? HPT_GROUP_LINES * operations->line_places : 0;
}

/*
 * Whether a page of spill is full, which every lookup that passes its group reads. Not in a table
 * that is less than half as full as it may be: in twice the lines it would be the same again. Where
 * neighbours stay together, groups are filled less evenly: there a quarter is enough.
 */
static bool spills_too_much(const struct hpt *table)
{
	uint64_t part = table->desc.family == HPT_LOCAL ? 4 : 2;

	return hpt_operations_of(table)->spills &&
	       table->counts.spilled >= generation_spill_places(table) &&
	       table->counts.used >= capacity(table, &table->desc.current) / part;
}

void generation_grow(struct hpt *table)
{
	if (generation_growing(&table->desc))
		go_on(table);
	else if (table->counts.used >= capacity(table, &table->desc.current) ||
		 spills_too_much(table))
		begin_growth(table);
}

/* As many lines as there are, unless they would be too full before each step has been made. */
static uint32_t rekeyed_lines_log2(const struct hpt *table)
{
	const struct hpt_generation *current = &table->desc.current;
	uint64_t steps = generation_lines(current) / hpt_operations_of(table)->step_lines;

	if (table->counts.used + steps > capacity(table, current) &&
	    current->lines_log2 < HPT_LINES_LOG2_MAX)
		return current->lines_log2 + 1;
	return current->lines_log2;
}

int generation_rekey(struct hpt *table, uint64_t salt)
{
	struct hpt_desc *desc = &table->desc;
	struct hpt_generation next;
	struct hpt_salt next_salt;
	int error;

	if (generation_growing(desc))
		return -EBUSY;
	next = next_generation(desc, rekeyed_lines_log2(table));
	error = get_chunks(table, &next);
	if (error)
		return error;
	error = reserve_spill(table);
	if (error) {
		put_chunks(table, &next, chunk_count(&next));
		return error;
	}
	hpt_salt_set(&next_salt, (enum hpt_hash_family)desc->family, salt);
	shared_begin_shape(table);
	HPT_STORE(desc->hash, HPT_REKEYING);
	set_salt(&desc->next_salt, &next_salt);
	begin(table, &next);
	return 0;
}

int generation_settle(struct hpt *table, uint64_t steps)
{
	for (; steps && generation_growing(&table->desc); steps--) {
		int error = go_on(table);

		if (error)
			return error;
	}
	return generation_growing(&table->desc) ? -EAGAIN : 0;
}

/* The first line and the end of a part of the walk; the old generation from `moved` on. */
static void enter_part(struct generation_walk *walk)
{
	const struct hpt_desc *desc = &walk->table->desc;

	walk->next = 0;
	walk->end = desc->spill_lines;
	if (walk->part == 0)
		walk->end = generation_lines(&desc->current);
	if (walk->part == 1) {
		walk->end = generation_growing(desc) ? generation_lines(&desc->old) : 0;
		walk->next = walk->end ? walk->table->moved : 0;
	}
	walk->in_spill = walk->part == 2;
}

uint64_t *generation_next_line(struct generation_walk *walk)
{
	const struct hpt_desc *desc = &walk->table->desc;
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
		return generation_spill_line(walk->table, (uint32_t)line);
	return hpt_pointer(walk->table,
			   hpt_line_address(desc, walk->part ? &desc->old : &desc->current, line));
}

uint64_t generation_bytes(const struct hpt_desc *desc)
{
	uint64_t lines = generation_lines(&desc->current) + desc->spill_lines;

	if (generation_growing(desc))
		lines += generation_lines(&desc->old);
	return lines << HPT_LINE_SHIFT;
}

const char *generation_check(const struct hpt *table, const struct hpt_counts *seen,
			     uint64_t more_bytes)
{
	const struct hpt_counts *counts = &table->counts;

	if (seen->entries != counts->entries)
		return "counts.entries is the number of entries";
	if (seen->used != counts->used)
		return "counts.used is the number of places that are taken";
	if (seen->spilled != counts->spilled)
		return "counts.spilled is the number of places taken in spill lines";
	if (counts->lines != generation_lines(&table->desc.current))
		return "counts.lines is the number of lines of the current generation";
	if (counts->places != places_in(table, &table->desc.current))
		return "counts.places is the number of places of the current generation";
	if (counts->bytes != generation_bytes(&table->desc) + shared_bytes(table) + more_bytes)
		return "counts.bytes is the memory of generations and spill";
	return NULL;
}
