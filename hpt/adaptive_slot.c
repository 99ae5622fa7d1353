/* SPDX-License-Identifier: MIT */
/* See adaptive_slot.h. */
#include "hpt/adaptive_slot.h"

#define LINE_SLOTS ADAPTIVE_LINE_SLOTS

/* A sequence, of which line `index` is the next to be read. */
struct sequence {
	uint64_t number;
	uint64_t home;
	uint32_t index;
};

static struct sequence sequence_of(const struct hpt *table, uint64_t tag)
{
	const struct hpt_desc *desc = &table->desc;

	uint64_t number = adaptive_number(tag);

	return (struct sequence){.number = number,
				 .home = hpt_spot_line(desc, hpt_spot(desc, number))};
}

static uint64_t *line_at(const struct hpt *table, const struct sequence *sequence)
{
	return hpt_pointer(table, adaptive_sequence_line(&table->desc, sequence->home,
							 sequence->number, sequence->index));
}

static bool slot_used(const uint64_t *slot)
{
	return HPT_LOAD(*slot) & HPT_ENTRY_MASK;
}

void adaptive_set_slot(struct hpt *table, uint64_t *slot, uint64_t tag, uint64_t word)
{
	uint64_t *line = adaptive_line_of(slot);
	unsigned int number = (unsigned int)(slot - line);
	unsigned int shift = ADAPTIVE_TOP_SHIFT + ADAPTIVE_TOP_BITS * number;
	adaptive_half *half = (adaptive_half *)line + ADAPTIVE_HALF(number);
	uint64_t *top = &line[HPT_LINE_WORDS - 1];

	shared_hold(table, slot);
	HPT_STORE(*top, (*top & ~(UINT64_C(7) << shift)) | (tag >> ADAPTIVE_WORD_SHIFT & 7)
								   << shift);
	HPT_STORE(*half, (adaptive_half)tag);
	HPT_STORE(*slot, word | tag >> ADAPTIVE_PAGES_SHIFT << ADAPTIVE_WORD_SHIFT);
}

/* Puts a slot where its first page belongs; all of one region and form. */
static void sort_in(struct adaptive_found *found, uint64_t *slot)
{
	unsigned int at = found->count++;

	for (; at && adaptive_tag_of(found->slot[at - 1]) > adaptive_tag_of(slot); at--)
		found->slot[at] = found->slot[at - 1];
	found->slot[at] = slot;
}

/* The number of a line in the order of a walk over the group and the spill. */
static uint32_t walk_order(const uint64_t *line, uint32_t index)
{
	if (index >= HPT_GROUP_LINES)
		return index;
	return (uint32_t)((uintptr_t)line >> HPT_LINE_SHIFT) & (HPT_GROUP_LINES - 1);
}

void adaptive_find(const struct hpt *table, uint64_t tag, struct adaptive_found *found)
{
	struct sequence sequence = sequence_of(table, tag);
	uint64_t ignored = ADAPTIVE_PAGES_MASK;
	uint32_t last = 0;
	uint64_t *line;

	if (tag & ADAPTIVE_BY_BLOCK)
		ignored = adaptive_pages((1u << ADAPTIVE_BLOCK_LOG2) - 1, 0);
	found->count = 0;
	found->away = false;
	do {
		unsigned int candidates;

		line = line_at(table, &sequence);
		candidates = adaptive_candidates(line, (uint32_t)tag);
		for (; candidates; candidates &= candidates - 1) {
			uint64_t *slot = &line[__builtin_ctz(candidates)];
			uint32_t order = walk_order(line, sequence.index);

			if (!slot_used(slot) || (adaptive_tag_of(slot) ^ tag) & ~ignored ||
			    found->count == ADAPTIVE_FOUND_MAX)
				continue;
			if (!found->count || order >= last) {
				last = order;
				found->last = slot;
			}
			found->away |= sequence.index != 0;
			sort_in(found, slot);
		}
	} while (adaptive_goes_on(&table->desc, sequence.index++, line));
}

/* Adds `change` to `passed` of the lines of the sequence before its index. */
static void count_passing(struct hpt *table, struct sequence sequence, uint64_t change)
{
	uint32_t end = sequence.index;

	shared_hold(table, hpt_pointer(table, sequence.home));
	for (sequence.index = 0; sequence.index < end && sequence.index < HPT_GROUP_LINES;
	     sequence.index++) {
		uint64_t *last = &line_at(table, &sequence)[HPT_LINE_WORDS - 1];

		HPT_STORE(*last, *last + (change << ADAPTIVE_WORD_SHIFT));
	}
}

static uint64_t *free_slot(uint64_t *line, unsigned int preferred)
{
	if (!slot_used(&line[preferred]))
		return &line[preferred];
	for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
		if (!slot_used(&line[slot]))
			return &line[slot];
	}
	return NULL;
}

uint64_t *adaptive_add(struct hpt *table, uint64_t tag, uint64_t word)
{
	struct sequence sequence = sequence_of(table, tag);
	uint64_t *slot;

	for (;; sequence.index++) {
		if (sequence.index == HPT_GROUP_LINES + table->desc.spill_lines &&
		    (table->held || generation_more_spill(table)))
			return NULL;
		slot = free_slot(line_at(table, &sequence),
				 adaptive_preferred_slot(hpt_spot(&table->desc, sequence.number)));
		if (slot)
			break;
	}
	count_passing(table, sequence, 1);
	table->counts.spilled += sequence.index >= HPT_GROUP_LINES;
	table->counts.used++;
	adaptive_set_slot(table, slot, tag, word);
	return slot;
}

void adaptive_remove(struct hpt *table, uint64_t *slot)
{
	struct sequence sequence = sequence_of(table, adaptive_tag_of(slot));

	while (line_at(table, &sequence) != adaptive_line_of(slot))
		sequence.index++;
	count_passing(table, sequence, (uint64_t)-1);
	table->counts.spilled -= sequence.index >= HPT_GROUP_LINES;
	table->counts.used--;
	adaptive_set_slot(table, slot, 0, 0);
}

/* Whether a slot stands elsewhere than in its home line, and could stand there. */
static bool could_go_home(const struct hpt *table, const uint64_t *slot)
{
	struct sequence sequence = sequence_of(table, adaptive_tag_of(slot));
	uint64_t *home = line_at(table, &sequence);

	return home != adaptive_line_of(slot) && free_slot(home, 0);
}

uint64_t *adaptive_replace_slot(struct hpt *table, uint64_t *slot, uint64_t tag, uint64_t word)
{
	if (could_go_home(table, slot)) {
		adaptive_remove(table, slot);
		return adaptive_add(table, tag, word);
	}
	adaptive_set_slot(table, slot, tag, word);
	return slot;
}

uint64_t *adaptive_bring_home(struct hpt *table, uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot);
	uint64_t word;

	if (!could_go_home(table, slot))
		return slot;
	word = adaptive_take(table, slot);
	adaptive_remove(table, slot);
	table->counts.moves++;
	return adaptive_add(table, tag, word);
}

/*
 * Growth has moved the boundary: a slot of the old generation, where nobody probes any more, or of
 * the spill, whose counts stay behind there, goes to where it belongs now.
 */
static void move_slot(struct hpt *table, uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot);
	uint64_t word = adaptive_take(table, slot);

	adaptive_set_slot(table, slot, 0, 0);
	table->counts.used--;
	table->counts.moves++;
	adaptive_add(table, tag, word);
}

bool adaptive_move(struct hpt *table, const struct hpt_step *step)
{
	const struct hpt_desc *desc = &table->desc;

	for (uint32_t i = 0; table->counts.spilled && i < desc->spill_lines * LINE_SLOTS; i++) {
		uint64_t *slot = generation_spill_line(table, i / LINE_SLOTS) + i % LINE_SLOTS;
		uint64_t hash = hpt_hash(desc, adaptive_number(adaptive_tag_of(slot)));

		if (slot_used(slot) && hash >= step->first && hash <= step->last) {
			table->counts.spilled--;
			move_slot(table, slot);
		}
	}
	for (unsigned int i = 0; i < HPT_GROUP_LINES * LINE_SLOTS; i++) {
		uint64_t *slot = &step->lines[i / LINE_SLOTS * HPT_LINE_WORDS + i % LINE_SLOTS];

		if (slot_used(slot))
			move_slot(table, slot);
	}
	return true;
}

/* Whether a slot was stored past `at`, a line of a group. */
static bool has_passed(const struct hpt *table, const uint64_t *slot, const uint64_t *at)
{
	struct sequence sequence;

	if (!slot_used(slot))
		return false;
	sequence = sequence_of(table, adaptive_tag_of(slot));
	for (; sequence.index < HPT_GROUP_LINES; sequence.index++) {
		const uint64_t *line = line_at(table, &sequence);

		if (line == adaptive_line_of(slot))
			return false;
		if (line == at)
			return true;
	}
	return false;
}

static uint32_t count_passed_in(const struct hpt *table, const uint64_t *page, const uint64_t *at)
{
	uint32_t passed = 0;

	for (unsigned int i = 0; i < HPT_GROUP_LINES * LINE_SLOTS; i++)
		passed += has_passed(table, &page[i / LINE_SLOTS * HPT_LINE_WORDS + i % LINE_SLOTS],
				     at);
	return passed;
}

/* Only slots of the line's group and spilled ones can have passed it. */
uint32_t adaptive_count_passed(const struct hpt *table, const uint64_t *at)
{
	const uint64_t *group = (const uint64_t *)((uintptr_t)at & ~(uintptr_t)(HPT_PAGE_SIZE - 1));
	uint32_t passed = count_passed_in(table, group, at);

	for (uint32_t line = 0; line < table->desc.spill_lines; line += HPT_GROUP_LINES)
		passed += count_passed_in(table, generation_spill_line(table, line), at);
	return passed;
}
