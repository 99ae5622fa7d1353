/* SPDX-License-Identifier: MIT */
/* Buckets of five pages: see bucket.h for the line, its probe sequence and its invariants. */
#include "hpt/shared.h"
#include "hpt/single.h"

static uint64_t *line_of(const struct hpt *table, const struct bucket_probe *probe)
{
	return hpt_pointer(table, bucket_probe_line(&table->desc, probe));
}

static bool slot_used(const uint64_t *line, unsigned int slot)
{
	return HPT_LOAD(line[slot]) & HPT_ENTRY_MASK;
}

static struct hpt_key slot_key(const uint64_t *line, unsigned int slot)
{
	enum hpt_size size = HPT_LOAD(line[slot]) & HPT_LARGE ? HPT_2M : HPT_4K;
	uint64_t tag = bucket_slot_tag(line, slot);
	uint64_t page = tag & ((UINT64_C(1) << BUCKET_VPN_BITS) - 1);

	return hpt_key((uint16_t)(tag >> BUCKET_VPN_BITS), page * hpt_pages_in(size), size);
}

/* The probe of the page that a used slot has. */
static void start_slot(const struct hpt *table, const uint64_t *line, unsigned int slot,
		       struct bucket_probe *probe)
{
	bucket_start_tag(&table->desc, bucket_slot_tag(line, slot),
			 HPT_LOAD(line[slot]) & HPT_LARGE, probe);
}

/* Adds `change` to `passed` of the lines of the sequence before `end`. */
static void count_passing(struct hpt *table, struct bucket_probe probe, uint32_t end,
			  uint32_t change)
{
	shared_hold(table, hpt_pointer(table, probe.home));
	for (probe.index = 0; probe.index < end && probe.index < HPT_GROUP_LINES; probe.index++) {
		uint64_t *line = line_of(table, &probe);

		HPT_STORE(*bucket_passed(line), bucket_line_passed(line) + change);
	}
}

static int free_slot(const uint64_t *line)
{
	for (int slot = 0; slot < BUCKET_SLOTS; slot++) {
		if (!slot_used(line, (unsigned int)slot))
			return slot;
	}
	return -1;
}

static void store_slot(struct hpt *table, uint64_t *line, unsigned int slot, uint64_t tag,
		       uint64_t entry)
{
	bucket_half *high = (bucket_half *)line + BUCKET_HIGH(slot);

	shared_hold(table, line);
	HPT_STORE(*high, (bucket_half)(tag >> BUCKET_LOW_BITS));
	HPT_STORE(line[slot], entry | tag << BUCKET_LOW_SHIFT);
}

/* Takes the first free slot of the sequence for a page that has none. */
static int add(struct hpt *table, struct bucket_probe probe, uint64_t entry)
{
	uint64_t *line;
	int slot;

	for (probe.index = 0;; probe.index++) {
		if (probe.index == HPT_GROUP_LINES + table->desc.spill_lines &&
		    generation_more_spill(table))
			return -ENOMEM;
		line = line_of(table, &probe);
		slot = free_slot(line);
		if (slot >= 0)
			break;
	}
	count_passing(table, probe, probe.index, 1);
	table->counts.spilled += probe.index >= HPT_GROUP_LINES;
	table->counts.used++;
	store_slot(table, line, (unsigned int)slot, probe.tag, entry);
	return 0;
}

static int add_page(struct hpt *table, struct hpt_key key, uint64_t entry)
{
	struct bucket_probe probe;

	bucket_start(&table->desc, key, &probe);
	return add(table, probe, entry);
}

/* The page of the probe, which stood in `slot` of `line`, has no place any more. */
static void free_place(struct hpt *table, struct bucket_probe probe, uint64_t *line,
		       unsigned int slot)
{
	while (line_of(table, &probe) != line)
		probe.index++;
	count_passing(table, probe, probe.index, (uint32_t)-1);
	table->counts.spilled -= probe.index >= HPT_GROUP_LINES;
	table->counts.used--;
	store_slot(table, line, slot, 0, 0);
}

static void bucket_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	uint64_t *line = (uint64_t *)((uintptr_t)word & ~(uintptr_t)(HPT_LINE_SIZE - 1));
	struct bucket_probe probe;

	bucket_start(&table->desc, key, &probe);
	free_place(table, probe, line, (unsigned int)(word - line));
	table->counts.entries--;
}

/*
 * Growth has moved the boundary: a page of the old generation, where nobody probes any more, or of
 * the spill, whose counts stay behind there, goes to where it belongs now.
 */
static void move_slot(struct hpt *table, uint64_t *line, unsigned int slot)
{
	struct bucket_probe probe;
	uint64_t entry;

	start_slot(table, line, slot, &probe);
	shared_hold(table, line);
	entry = shared_take(table, &line[slot]);
	store_slot(table, line, slot, 0, 0);
	table->counts.used--;
	table->counts.moves++;
	add(table, probe, entry);
}

static bool bucket_move(struct hpt *table, const struct hpt_step *step)
{
	const struct hpt_desc *desc = &table->desc;

	for (uint32_t i = 0; table->counts.spilled && i < desc->spill_lines * BUCKET_SLOTS; i++) {
		uint64_t *line = generation_spill_line(table, i / BUCKET_SLOTS);
		unsigned int slot = i % BUCKET_SLOTS;
		uint64_t hash = hpt_hash(desc, bucket_hashed(bucket_slot_tag(line, slot),
							     HPT_LOAD(line[slot]) & HPT_LARGE));

		if (slot_used(line, slot) && hash >= step->first && hash <= step->last) {
			table->counts.spilled--;
			move_slot(table, line, slot);
		}
	}
	for (unsigned int i = 0; i < HPT_GROUP_LINES * BUCKET_SLOTS; i++) {
		uint64_t *line = &step->lines[i / BUCKET_SLOTS * HPT_LINE_WORDS];

		if (slot_used(line, i % BUCKET_SLOTS))
			move_slot(table, line, i % BUCKET_SLOTS);
	}
	return true;
}

static void bucket_scan(struct hpt *table, const struct single_scan *scan)
{
	struct generation_walk walk = {.table = table};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		for (unsigned int slot = 0; slot < BUCKET_SLOTS; slot++) {
			struct bucket_probe probe;

			if (!slot_used(line, slot))
				continue;
			start_slot(table, line, slot, &probe);
			if (!single_scanned(table, &line[slot], slot_key(line, slot), scan)) {
				free_place(table, probe, line, slot);
				table->counts.entries--;
				shared_done(table);
			}
		}
	}
}

/* Whether the page in a slot was stored past `at`, a line of a group. */
static bool has_passed(const struct hpt *table, const uint64_t *line, unsigned int slot,
		       const uint64_t *at)
{
	struct bucket_probe probe;

	if (!slot_used(line, slot))
		return false;
	start_slot(table, line, slot, &probe);
	for (; probe.index < HPT_GROUP_LINES && line_of(table, &probe) != line; probe.index++) {
		if (line_of(table, &probe) == at)
			return true;
	}
	return false;
}

static uint32_t count_passed_in(const struct hpt *table, const uint64_t *page, const uint64_t *at)
{
	uint32_t passed = 0;

	for (unsigned int i = 0; i < HPT_GROUP_LINES * BUCKET_SLOTS; i++)
		passed += has_passed(table, &page[i / BUCKET_SLOTS * HPT_LINE_WORDS],
				     i % BUCKET_SLOTS, at);
	return passed;
}

/* What `passed` of `at` should be: only pages of its group and spilled ones can have passed it. */
static uint32_t count_passed(const struct hpt *table, const uint64_t *at)
{
	const uint64_t *group = (const uint64_t *)((uintptr_t)at & ~(uintptr_t)(HPT_PAGE_SIZE - 1));
	uint32_t passed = count_passed_in(table, group, at);

	for (uint32_t line = 0; line < table->desc.spill_lines; line += HPT_GROUP_LINES)
		passed += count_passed_in(table, generation_spill_line(table, line), at);
	return passed;
}

static const char *check_slot(const struct hpt *table, uint64_t *line, unsigned int slot,
			      struct hpt_counts *seen)
{
	struct hpt_key key = slot_key(line, slot);
	struct hpt_found found;

	if (!slot_used(line, slot))
		return HPT_LOAD(line[slot]) ? "a free slot is empty" : NULL;
	if (!hpt_find(table, key, &found) || found.word != &line[slot])
		return "a used slot is the one that its tag finds";
	seen->used++;
	seen->entries++;
	return hpt_check_overlap(table, key);
}

static const char *bucket_check(const struct hpt *table)
{
	struct generation_walk walk = {.table = (struct hpt *)table};
	struct hpt_counts seen = {0};
	uint64_t *line;

	while ((line = generation_next_line(&walk))) {
		uint64_t before = seen.used;

		for (unsigned int slot = 0; slot < BUCKET_SLOTS; slot++) {
			const char *broken = check_slot(table, line, slot, &seen);

			if (broken)
				return broken;
		}
		if (walk.in_spill)
			seen.spilled += seen.used - before;
		else if (bucket_line_passed(line) != count_passed(table, line))
			return "a line's passed count is exact";
	}
	return generation_check(table, &seen, 0);
}

static const struct single_places places = {.add = add_page, .scan = bucket_scan};

const struct hpt_operations hpt_bucket_operations = {
	.name = "bucket",
	.place_pages = 1,
	.line_places = BUCKET_SLOTS,
	.load = 52,
	.spills = true,
	.step_lines = HPT_GROUP_LINES,
	.places = &places,
	.move = bucket_move,
	.create = generation_create,
	.destroy = generation_destroy,
	.map = single_map,
	.forget = bucket_forget,
	.visit_range = single_visit_range,
	.visit = single_visit,
	.check = bucket_check,
};
