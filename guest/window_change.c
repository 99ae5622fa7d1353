/* SPDX-License-Identifier: MIT */
/* What whoever holds the kernel's lock does to pages that are in windows: see window.h. */
#include <stddef.h>

#include "guest/layout.h"
#include "guest/space.h"
#include "guest/window_install.h"

/* What is done to the pages of a range that are in a window. */
enum change { CHANGE_DROP, CHANGE_HARVEST, CHANGE_PROTECT };

struct changes {
	struct window *window;
	enum change change;
	uint64_t start, end; /* pages */
};

static void take_write(const struct window *window, struct window_slot *slot)
{
	uint64_t gva = slot->gva_and_dirty & ~HPT_DIRTY;
	uint64_t pte = *slot->pte;

	if (!(pte & HPT_WRITE))
		return;
	pte = exchange(slot->pte, pte & ~HPT_WRITE);
	if (pte & ~slot->gva_and_dirty & HPT_DIRTY)
		window_note_dirty(slot);
	slot->gva_and_dirty |= HPT_DIRTY;
	if (window == &cpu.window)
		invlpg(gva);
}

static void change_page(const struct changes *changes, struct window_slot *slot)
{
	if (changes->change == CHANGE_PROTECT) {
		take_write(changes->window, slot);
		return;
	}
	if (window_take_out(changes->window, slot) && changes->change == CHANGE_HARVEST)
		window_note_dirty(slot);
	slot->pte = NULL;
	published.window_resident--;
	published.drops++;
}

/* `first` is the first page that the table is for. */
static void change_below(const struct changes *changes, uint64_t *table, int level, uint64_t first)
{
	const unsigned int shift = 9 * (unsigned int)level;
	uint64_t from = changes->start > first ? (changes->start - first) >> shift : 0;
	uint64_t pages = changes->end - first;
	uint64_t to = pages > (UINT64_C(512) << shift) ? WINDOW_WORDS
						       : (pages + (1ul << shift) - 1) >> shift;

	for (unsigned int at = window_next_used(table, (unsigned int)from, (unsigned int)to);
	     at < to; at = window_next_used(table, at + 1, (unsigned int)to)) {
		if (level)
			change_below(changes, window_table(table[at]), level - 1,
				     first + ((uint64_t)at << shift));
		else
			change_page(changes, window_slot_of(changes->window, table, at));
	}
}

/* One page, as most are: without a search for words in use. */
static void change_one(const struct changes *changes, uint64_t *root)
{
	uint64_t gva = changes->start << HPT_PAGE_SHIFT;
	uint64_t *word = window_walk(root, gva, 0);

	if (word && *word)
		change_page(changes, window_slot_of(changes->window, word, window_index(gva, 0)));
}

static void change(struct space *space, uint64_t start, uint64_t end, enum change change)
{
	for (unsigned int i = 0; i < cpu_count; i++) {
		struct window *window = i == cpu.number ? &cpu.window : &cpus[i]->window;
		const struct changes changes = {window, change, start, end};

		if (!space->root[i] || start >= end)
			continue;
		if (end - start == 1)
			change_one(&changes, space->root[i]);
		else
			change_below(&changes, space->root[i], WINDOW_LEVELS - 1, 0);
		if (i != cpu.number && window->space == space)
			window->is_stale = true;
	}
}

void window_drop(struct space *space, uint64_t start, uint64_t end)
{
	change(space, start, end, CHANGE_DROP);
}

void window_harvest(struct space *space, uint64_t start, uint64_t end)
{
	change(space, start, end, CHANGE_HARVEST);
}

void window_protect(struct space *space)
{
	change(space, 0, USER_END >> HPT_PAGE_SHIFT, CHANGE_PROTECT);
}
