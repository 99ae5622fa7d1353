/* SPDX-License-Identifier: MIT */
/* The clustered table: see clustered.h for its line, its probe sequence and its invariants. */
#include "hpt/block.h"
#include "hpt/shared.h"

static uint64_t *line_of(const struct hpt *table, const struct clustered_probe *probe)
{
	return hpt_pointer(table, clustered_probe_line(&table->desc, probe));
}

/* The line of `tag`, or NULL. *probe is left at the last line of the sequence that was read. */
static uint64_t *search(const struct hpt *table, uint64_t tag, struct clustered_probe *probe)
{
	clustered_start_tag(&table->desc, tag, probe);
	for (;;) {
		uint64_t *line = line_of(table, probe);

		if (clustered_line_matches(line, tag))
			return line;
		if (!clustered_goes_on(&table->desc, probe, line))
			return NULL;
		probe->index++;
	}
}

static uint64_t *find_line(const struct hpt *table, uint64_t tag)
{
	struct clustered_probe probe;

	return search(table, tag, &probe);
}

/* Adds `change` to `passed` of the lines of the sequence of `tag` before probe `end`. */
static void count_passing(struct hpt *table, uint64_t tag, uint32_t end, int change)
{
	struct clustered_probe probe;

	clustered_start_tag(&table->desc, tag, &probe);
	shared_hold(table, line_of(table, &probe));
	for (; probe.index < end && probe.index < HPT_GROUP_LINES; probe.index++) {
		uint64_t *line = line_of(table, &probe);
		unsigned int passed = clustered_line_passed(line) + (unsigned int)change;

		HPT_STORE(*clustered_passed(line), (clustered_piece)passed);
	}
}

static uint64_t *add_line(struct hpt *table, uint64_t tag)
{
	struct clustered_probe probe;
	uint64_t *line;

	clustered_start_tag(&table->desc, tag, &probe);
	for (;; probe.index++) {
		if (probe.index == HPT_GROUP_LINES + table->desc.spill_lines &&
		    generation_more_spill(table))
			return NULL;
		line = line_of(table, &probe);
		if (!clustered_line_used(line))
			break;
	}
	count_passing(table, tag, probe.index, 1);
	table->counts.spilled += probe.index >= HPT_GROUP_LINES;
	table->counts.used++;
	shared_hold(table, line);
	clustered_set_tag(line, tag);
	return line;
}

static void remove_line(struct hpt *table, uint64_t tag, uint64_t *line)
{
	struct clustered_probe probe;

	search(table, tag, &probe);
	count_passing(table, tag, probe.index, -1);
	table->counts.spilled -= probe.index >= HPT_GROUP_LINES;
	table->counts.used--;
	shared_hold(table, line);
	clustered_set_tag(line, 0);
}

static bool clustered_move(struct hpt *table, const struct hpt_step *step)
{
	block_move_spilled(table, step);
	for (unsigned int i = 0; i < HPT_GROUP_LINES; i++) {
		uint64_t *line = &step->lines[i * HPT_LINE_WORDS];

		if (clustered_line_used(line))
			block_move_line(table, line);
	}
	return true;
}

/* Whether the used `line` was stored past `at`, a line of a group. */
static bool has_passed(const struct hpt *table, const uint64_t *line, const uint64_t *at)
{
	struct clustered_probe probe;

	if (!clustered_line_used(line))
		return false;
	clustered_start_tag(&table->desc, clustered_line_tag(line), &probe);
	for (; probe.index < HPT_GROUP_LINES && line_of(table, &probe) != line; probe.index++) {
		if (line_of(table, &probe) == at)
			return true;
	}
	return false;
}

/* What `passed` of `at` should be: only lines of its group and spill lines can have passed it. */
static unsigned int count_passed(const struct hpt *table, const uint64_t *at)
{
	const uint64_t *group = (const uint64_t *)((uintptr_t)at & ~(uintptr_t)(HPT_PAGE_SIZE - 1));
	unsigned int passed = 0;

	for (unsigned int i = 0; i < HPT_GROUP_LINES; i++)
		passed += has_passed(table, &group[i * HPT_LINE_WORDS], at);
	for (uint32_t page = 0; page < table->desc.spill_lines / HPT_GROUP_LINES; page++) {
		const uint64_t *spill = hpt_pointer(table, table->desc.spill[page]);

		for (unsigned int i = 0; i < HPT_GROUP_LINES; i++)
			passed += has_passed(table, &spill[i * HPT_LINE_WORDS], at);
	}
	return passed;
}

static const struct block_placing placing = {
	.find = find_line, .add = add_line, .remove = remove_line, .passed = count_passed};

const struct hpt_operations hpt_clustered_operations = {
	.name = "clustered",
	.place_pages = CLUSTERED_BLOCK,
	.line_places = 1,
	.load = 40,
	.spills = true,
	.step_lines = HPT_GROUP_LINES,
	.placing = &placing,
	.move = clustered_move,
	.create = generation_create,
	.destroy = generation_destroy,
	.map = block_map,
	.forget = block_forget,
	.visit_range = block_visit_range,
	.visit = block_visit,
	.check = block_check,
};
