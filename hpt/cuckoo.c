/* SPDX-License-Identifier: MIT */
/* Cuckoo: see cuckoo.h for the ways, the insertion and the invariants. */
#include "hpt/block.h"
#include "hpt/shared.h"

/* A line that the search has come to, and the line whose block could be moved there. */
struct candidate {
	uint64_t *line;
	int from; /* index of a candidate; -1: one of the block's own ways */
};

/* Below all bits that can name a line. */
#define FIXED_SHIFT 33

/*
 * hpt_spot_beside(), but the lowest bits of the line's number are XORed with two of the hash, in
 * place of themselves: so a line has the same in a table of any size. Growth needs that: else a
 * line of the new generation could be for two of the old.
 */
static struct hpt_spot beside(const struct hpt_desc *desc, struct hpt_spot spot, uint64_t tag)
{
	uint64_t number = spot.hash >> (64 - HPT_LOAD(spot.generation->lines_log2));

	return hpt_spot_beside(desc, spot, tag ^ number ^ spot.hash >> FIXED_SHIFT);
}

struct hpt_spot cuckoo_spot_slowly(const struct hpt_desc *desc, uint64_t tag, struct hpt_spot spot,
				   unsigned int way)
{
	if (HPT_LOAD(desc->hash) == HPT_REKEYING && spot.generation == &desc->current)
		spot.hash = cuckoo_way_hash(hpt_hash_next(desc, tag), way);
	return beside(desc, spot, tag);
}

static uint64_t *way_line(const struct hpt *table, uint64_t tag, unsigned int way)
{
	const struct hpt_desc *desc = &table->desc;

	return hpt_pointer(table, cuckoo_way_line(desc, tag, hpt_hash(desc, tag), way));
}

static uint64_t *find_line(const struct hpt *table, uint64_t tag)
{
	struct cuckoo_probe probe;

	cuckoo_start_tag(&table->desc, tag, &probe);
	for (;;) {
		uint64_t *line = hpt_pointer(table, cuckoo_probe_line(&table->desc, &probe));

		if (clustered_line_matches(line, tag))
			return line;
		if (!cuckoo_goes_on(&table->desc, &probe, line))
			return NULL;
		probe.index++;
	}
}

/* Moves what a line has, but for its `passed`, to a free one. */
static void shift_line(struct hpt *table, uint64_t *line, uint64_t *target)
{
	uint64_t tag = clustered_line_tag(line);

	shared_hold(table, line);
	shared_hold(table, target);
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		hpt_store(&target[i], shared_take(table, &line[i]));
	clustered_set_tag(target, tag);
	clustered_set_tag(line, 0);
	table->counts.moves++;
}

/* Whether the way from a candidate back to its root leads through a line. */
static bool on_path(const struct candidate *candidates, int at, const uint64_t *line)
{
	for (; at >= 0; at = candidates[at].from) {
		if (candidates[at].line == line)
			return true;
	}
	return false;
}

/*
 * Searches for a free line that blocks can be moved to, so that a line of `tag` becomes free.
 * Returns its number among the candidates, -1 if there is none within the bound.
 */
static int search(const struct hpt *table, uint64_t tag, struct candidate *candidates)
{
	int count = 0;

	for (unsigned int way = 0; way < CUCKOO_WAYS; way++) {
		candidates[count] = (struct candidate){way_line(table, tag, way), -1};
		if (!clustered_line_used(candidates[count++].line))
			return count - 1;
	}
	for (int at = 0; at < count; at++) {
		uint64_t here = clustered_line_tag(candidates[at].line);

		for (unsigned int way = 0; way < CUCKOO_WAYS && count < CUCKOO_SEARCH; way++) {
			uint64_t *line = way_line(table, here, way);

			if (on_path(candidates, at, line))
				continue;
			candidates[count] = (struct candidate){line, at};
			if (!clustered_line_used(candidates[count++].line))
				return count - 1;
		}
	}
	return -1;
}

/* Adds `change` to the count of spilled blocks of a tag's way 0. */
static void count_spill(struct hpt *table, uint64_t tag, int change)
{
	uint64_t *line = way_line(table, tag, 0);
	unsigned int passed = clustered_line_passed(line) + (unsigned int)change;

	shared_hold(table, line);
	HPT_STORE(*clustered_passed(line), (clustered_piece)passed);
}

static uint64_t *spill(struct hpt *table, uint64_t tag)
{
	for (uint32_t i = 0;; i++) {
		uint64_t *line;

		if (i == table->desc.spill_lines && generation_more_spill(table))
			return NULL;
		line = generation_spill_line(table, i);
		if (clustered_line_used(line))
			continue;
		count_spill(table, tag, 1);
		table->counts.spilled++;
		return line;
	}
}

static uint64_t *add_line(struct hpt *table, uint64_t tag)
{
	struct candidate candidates[CUCKOO_SEARCH];
	int at = search(table, tag, candidates);
	uint64_t *line;

	if (at < 0) {
		line = spill(table, tag);
		if (!line)
			return NULL;
	} else {
		for (; candidates[at].from >= 0; at = candidates[at].from)
			shift_line(table, candidates[candidates[at].from].line,
				   candidates[at].line);
		line = candidates[at].line;
	}
	shared_hold(table, line);
	clustered_set_tag(line, tag);
	table->counts.used++;
	return line;
}

static void remove_line(struct hpt *table, uint64_t tag, uint64_t *line)
{
	bool spilled = true;

	for (unsigned int way = 0; way < CUCKOO_WAYS; way++)
		spilled &= way_line(table, tag, way) != line;
	if (spilled) {
		count_spill(table, tag, -1);
		table->counts.spilled--;
	}
	table->counts.used--;
	shared_hold(table, line);
	clustered_set_tag(line, 0);
}

/* The number of a way's line in the old generation. */
static uint64_t old_number(const struct hpt_desc *desc, uint64_t tag, uint64_t hash,
			   unsigned int way)
{
	struct hpt_spot spot = {&desc->old, cuckoo_way_hash(hash, way)};

	return beside(desc, spot, tag).hash >> (64 - desc->old.lines_log2);
}

/*
 * A line of the old generation goes to one of its two lines of the new, by any way that named it:
 * both are free, since only it and what it had can come to them before.
 */
static void move_line(struct hpt *table, const struct hpt_step *step, uint64_t *line)
{
	const struct hpt_desc *desc = &table->desc;
	uint64_t tag = clustered_line_tag(line);
	uint64_t hash = hpt_hash(desc, tag);
	uint64_t first = step->first >> (64 - desc->old.lines_log2);
	uint64_t number = first + (uint64_t)(line - step->lines) / HPT_LINE_WORDS;
	unsigned int way = 0;

	while (old_number(desc, tag, hash, way) != number)
		way++;
	shift_line(table, line, hpt_pointer(table, cuckoo_way_line(desc, tag, hash, way)));
}

static bool cuckoo_move(struct hpt *table, const struct hpt_step *step)
{
	bool rekeying = table->desc.hash == HPT_REKEYING;

	/* What is inserted may take any line: in growth it comes after those that are moved. */
	if (rekeying)
		block_move_spilled(table, step);
	for (unsigned int i = 0; i < HPT_GROUP_LINES; i++) {
		uint64_t *line = &step->lines[i * HPT_LINE_WORDS];

		if (!clustered_line_used(line))
			continue;
		if (rekeying)
			block_move_line(table, line);
		else
			move_line(table, step, line);
	}
	if (!rekeying)
		block_move_spilled(table, step);
	return true;
}

/* How many spilled blocks have `line` as way 0. */
static unsigned int count_spilled(const struct hpt *table, const uint64_t *line)
{
	unsigned int spilled = 0;

	for (uint32_t i = 0; table->counts.spilled && i < table->desc.spill_lines; i++) {
		uint64_t *other = generation_spill_line(table, i);

		spilled += clustered_line_used(other) &&
			   way_line(table, clustered_line_tag(other), 0) == line;
	}
	return spilled;
}

static const struct block_placing placing = {
	.find = find_line, .add = add_line, .remove = remove_line, .passed = count_spilled};

const struct hpt_operations hpt_cuckoo_operations = {
	.name = "cuckoo",
	.place_pages = CLUSTERED_BLOCK,
	.line_places = 1,
	.load = 54,
	.spills = true,
	.step_lines = HPT_GROUP_LINES,
	.placing = &placing,
	.move = cuckoo_move,
	.create = generation_create,
	.destroy = generation_destroy,
	.map = block_map,
	.forget = block_forget,
	.visit_range = block_visit_range,
	.visit = block_visit,
	.check = block_check,
};
