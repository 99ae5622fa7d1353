/* SPDX-License-Identifier: MIT */
/* The clustered table: see clustered.h for its line, its probe sequence and its invariants. */
#include <errno.h>

#include "hpt/generation.h"
#include "hpt/lookup.h"
#include "hpt/organisation.h"

static uint64_t *line_of(const struct hpt *table, const struct clustered_probe *probe)
{
	return hpt_pointer(table, clustered_probe_line(&table->desc, probe));
}

static bool line_empty(const uint64_t *line)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		any |= line[i];
	return !(any & HPT_ENTRY_MASK);
}

/* The line of `tag`, or NULL. *probe is left at the last line of the sequence that was read. */
static uint64_t *find_line(const struct hpt *table, uint64_t tag, struct clustered_probe *probe)
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

static uint64_t *clustered_find(struct hpt *table, struct hpt_key key)
{
	struct clustered_probe probe;
	uint64_t *line = find_line(table, clustered_tag(key), &probe);
	uint64_t *word = line ? &line[clustered_word(key)] : NULL;

	return word && *word & HPT_ENTRY_MASK ? word : NULL;
}

/* Adds `change` to `passed` of the lines of the sequence of `tag` before probe `end`. */
static void count_passing(struct hpt *table, uint64_t tag, uint32_t end, int change)
{
	struct clustered_probe probe;

	clustered_start_tag(&table->desc, tag, &probe);
	for (; probe.index < end && probe.index < HPT_GROUP_LINES; probe.index++) {
		clustered_piece *piece = (clustered_piece *)line_of(table, &probe);

		piece[CLUSTERED_PASSED_PIECE] += change;
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
	clustered_set_tag(line, tag);
	return line;
}

/* Takes the line of `tag`, whose entries are all 0, out of the table. */
static void remove_line(struct hpt *table, uint64_t tag)
{
	struct clustered_probe probe;
	uint64_t *line = find_line(table, tag, &probe);

	count_passing(table, tag, probe.index, -1);
	table->counts.spilled -= probe.index >= HPT_GROUP_LINES;
	table->counts.used--;
	clustered_set_tag(line, 0);
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
	table->counts.used--;
	table->counts.moves++;
	target = add_line(table, tag);
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		hpt_store(&target[i], entries[i]);
}

/* Moves the lines of a group, then those that it had spilled. */
static void clustered_move(struct hpt *table, const struct hpt_step *step)
{
	for (unsigned int i = 0; i < HPT_GROUP_LINES; i++) {
		if (clustered_line_used(&step->lines[i * HPT_LINE_WORDS]))
			move_line(table, &step->lines[i * HPT_LINE_WORDS]);
	}
	for (uint32_t i = 0; table->counts.spilled && i < table->desc.spill_lines; i++) {
		uint64_t *line = generation_spill_line(table, i);
		uint64_t hash = hpt_hash(&table->desc, clustered_line_tag(line));

		if (clustered_line_used(line) && hash >= step->first && hash <= step->last) {
			table->counts.spilled--;
			move_line(table, line);
		}
	}
}

static int clustered_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
			 uint64_t stride, uint64_t *done)
{
	uint64_t tag = clustered_tag(key);
	unsigned int first = clustered_word(key);
	struct clustered_probe probe;
	uint64_t *line = find_line(table, tag, &probe);

	if (count > CLUSTERED_BLOCK - first)
		count = CLUSTERED_BLOCK - first;
	for (uint64_t i = 0; line && i < count; i++) {
		if (line[first + i] & HPT_ENTRY_MASK)
			return -EEXIST;
	}
	if (!line) {
		/* A table that cannot grow now goes on with fuller groups. */
		generation_grow(table);
		line = add_line(table, tag);
		if (!line)
			return -ENOMEM;
	}
	for (uint64_t i = 0; i < count; i++)
		hpt_store(&line[first + i], entry + i * stride);
	table->counts.entries += count;
	*done = count;
	return 0;
}

static void clustered_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	uint64_t *line = word - clustered_word(key);

	table->counts.entries--;
	if (line_empty(line))
		remove_line(table, clustered_line_tag(line));
}

/* The key of the first page of the block that a tag names. */
static struct hpt_key tag_key(uint64_t tag)
{
	uint64_t page = (tag & ((UINT64_C(1) << 46) - 1)) << CLUSTERED_BLOCK_LOG2;
	enum hpt_size size = tag >> 62 & 1 ? HPT_2M : HPT_4K;

	return hpt_key((uint16_t)(tag >> 46), page * hpt_pages_in(size), size);
}

/* Visits the entries of one line that lie in [start, end), numbers of pages of the line's size. */
static void visit_line(struct hpt *table, uint64_t *line, uint64_t start, uint64_t end,
		       hpt_visitor visit, void *context)
{
	uint64_t tag = clustered_line_tag(line);
	struct hpt_key key = tag_key(tag);
	uint64_t step = hpt_pages_in(key.size);
	uint64_t page = key.vpn / step;

	for (unsigned int i = 0; i < CLUSTERED_BLOCK; i++, page++, key.vpn += step) {
		uint64_t entry = line[i] & HPT_ENTRY_MASK;

		if (!entry || page < start || page >= end)
			continue;
		entry = visit(context, key, entry);
		hpt_store(&line[i], entry);
		table->counts.entries -= !entry;
	}
	if (line_empty(line))
		remove_line(table, tag);
}

/* Which lines a visit is for: those whose tag, block apart, is `tag`, or all of them. */
struct clustered_visit {
	bool all;
	uint64_t tag;
	uint64_t start; /* pages of the tag's size */
	uint64_t end;
	hpt_visitor visit;
	void *context;
};

static void visit_if_meant(struct hpt *table, uint64_t *line, const struct clustered_visit *visit)
{
	uint64_t block;

	if (!clustered_line_used(line))
		return;
	block = clustered_line_tag(line) - visit->tag;
	if (visit->all || (block >= visit->start >> CLUSTERED_BLOCK_LOG2 &&
			   block <= (visit->end - 1) >> CLUSTERED_BLOCK_LOG2))
		visit_line(table, line, visit->start, visit->end, visit->visit, visit->context);
}

static void scan(struct hpt *table, const struct clustered_visit *visit)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	while ((line = generation_next_line(&walk)))
		visit_if_meant(table, line, visit);
}

static void clustered_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	struct clustered_visit all = {
		.all = true, .end = UINT64_MAX, .visit = visit, .context = context};

	scan(table, &all);
}

static void clustered_visit_range(struct hpt *table, struct hpt_key key, uint64_t count,
				  hpt_visitor visit, void *context)
{
	uint64_t start = key.vpn / hpt_pages_in(key.size);
	struct clustered_visit range = {
		.tag = clustered_tag(hpt_key(key.asid, 0, key.size)),
		.start = start,
		.end = start + count,
		.visit = visit,
		.context = context,
	};
	uint64_t first = range.start >> CLUSTERED_BLOCK_LOG2;
	uint64_t last = (range.end - 1) >> CLUSTERED_BLOCK_LOG2;

	if (last - first >= table->counts.lines) {
		scan(table, &range);
		return;
	}
	for (uint64_t block = first; block <= last; block++) {
		struct clustered_probe probe;
		uint64_t *line = find_line(table, range.tag + block, &probe);

		if (line)
			visit_line(table, line, range.start, range.end, visit, context);
	}
}

/* A block of 4 KiB pages lies in one 2 MiB page as a whole. */
static bool in_large_page(const struct hpt *table, uint64_t tag)
{
	struct hpt_key key = tag_key(tag);
	struct hpt_key large = hpt_key(key.asid, key.vpn, HPT_2M);

	return key.size == HPT_4K && clustered_find((struct hpt *)table, large);
}

static const char *check_line(const struct hpt *table, uint64_t *line, struct hpt_counts *seen)
{
	struct clustered_probe probe;
	uint64_t tag = clustered_line_tag(line);

	if (!clustered_line_used(line))
		return line_empty(line) ? NULL : "a line that is not used has no entries";
	if (line_empty(line))
		return "a used line has an entry";
	if (find_line(table, tag, &probe) != line)
		return "a used line is the one that its tag finds";
	if (in_large_page(table, tag))
		return "no 4 KiB page lies in a mapped 2 MiB page";
	seen->used++;
	seen->spilled += probe.index >= HPT_GROUP_LINES;
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		seen->entries += !!(line[i] & HPT_ENTRY_MASK);
	return NULL;
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

static const char *clustered_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct hpt_counts seen = {0};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		const char *broken = check_line(table, line, &seen);

		if (broken)
			return broken;
	}
	walk = (struct generation_walk){.table = (struct hpt *)table};
	while ((line = generation_next_line(&walk))) {
		if (!walk.in_spill && clustered_line_passed(line) != count_passed(table, line))
			return "a line's passed count is exact";
	}
	return generation_check(table, &seen, 0);
}

const struct hpt_operations hpt_clustered_operations = {
	.name = "clustered",
	.vpn_bits = HPT_VPN_BITS,
	.asid_bits = HPT_ASID_BITS,
	.place_pages = CLUSTERED_BLOCK,
	.line_places = 1,
	.load = 40,
	.step_lines = HPT_GROUP_LINES,
	.move = clustered_move,
	.create = generation_create,
	.destroy = generation_destroy,
	.find = clustered_find,
	.map = clustered_map,
	.forget = clustered_forget,
	.visit_range = clustered_visit_range,
	.visit = clustered_visit,
	.check = clustered_check,
};
