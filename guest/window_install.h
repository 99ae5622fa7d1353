/* SPDX-License-Identifier: MIT */
/*
 * How the window is built, and window_install(), inline: it is the longest part of a page fault,
 * and ring 0 may be an instruction emulator. For fault.c and window*.c only.
 *
 * Every leaf table has a companion, the page behind it: how many of its words are in use, which
 * word of the directory above names it, and which slot each entry has. So a leaf table whose last
 * entry goes is freed at once: a window of 64 pages has at most 64 of them, wherever the pages are.
 * The tables above, one for each GiB (and each 512 GiB) that was used, stay until there are so many
 * that leaf tables become scarce. Then those that lead to no page go, all at once (window.c).
 *
 *     slots[]   ring of the resident pages in the order of their installation
 *     hand      the next slot to be used: the oldest page is there
 *
 * An entry is installed with A set, by the access that asked for it, and with D as in the hashed
 * entry. When it goes, D differs from what was installed only if the CPU has set it: only then the
 * hashed entry is written.
 */
#ifndef GUEST_WINDOW_INSTALL_H
#define GUEST_WINDOW_INSTALL_H

#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/stage1.h"
#include "guest/window.h"
#include "hpt/lookup.h"

#define WINDOW_LEVELS	   4
#define WINDOW_WORDS	   512
#define WINDOW_GIB_SHIFT   30
#define WINDOW_NO_WORD	   UINT64_MAX /* of lines: never so many */
#define WINDOW_TABLE_FLAGS (HPT_PRESENT | HPT_WRITE | HPT_USER)

struct window_companion {
	uint64_t *parent; /* the word that names the leaf table */
	struct space *space;
	uint64_t used; /* words of it */
	uint32_t slot[WINDOW_WORDS];
};

/* The parts of an installation that are rare. (window.c) */
void window_enter_gib(uint64_t gva);
void window_more_tables(struct window *window);
void window_install_again(struct window_slot *slot, uint64_t *pte, uint64_t gva, uint64_t entry);
void window_find_dirty(const struct window_slot *slot);

static inline struct window_companion *window_companion(const uint64_t *word)
{
	return (struct window_companion *)(((uint64_t)word & ~(HPT_PAGE_SIZE - 1)) + HPT_PAGE_SIZE);
}

/* Bits 9 to 11 of a PTE are ignored by the CPU, so the entry's may stay there. */
static inline uint64_t window_pte(uint64_t entry)
{
	return entry | (entry / HPT_NOEXEC & 1) << 63;
}

static inline unsigned int window_index(uint64_t gva, int level)
{
	return gva >> (HPT_PAGE_SHIFT + 9 * level) & (WINDOW_WORDS - 1);
}

/* The table that a word names: words above the leaves have only the address and the low twelve. */
static inline uint64_t *window_table(uint64_t word)
{
	return direct(word & ~(HPT_PAGE_SIZE - 1));
}

/* An empty table, gPA. A freed one is empty but for the list's link. */
static inline uint64_t window_new_table(struct window *window)
{
	uint64_t gpa = window->free_tables;
	uint64_t *table;

	if (!gpa && window->next_table == window->tables_end) {
		window_more_tables(window);
		gpa = window->free_tables;
	}
	if (gpa) {
		table = direct(gpa);
		window->free_tables = *table;
		*table = 0;
	} else {
		gpa = window->next_table;
		window->next_table += 2 * HPT_PAGE_SIZE;
	}
	return gpa;
}

/* Hangs an empty table below `word`, for the space that the CPU has the tables of. */
static inline void window_add_table(struct window *window, uint64_t *word)
{
	uint64_t gpa = window_new_table(window);
	struct window_companion *companion = window_companion(direct(gpa));

	companion->parent = word;
	companion->space = window->space;
	*word = gpa | WINDOW_TABLE_FLAGS;
}

/* The index of the first word in use from `at` on, or `end`. One instruction: see string.c. */
static inline unsigned int window_next_used(const uint64_t *table, unsigned int at,
					    unsigned int end)
{
	const uint64_t *word = table + at;
	uint64_t count = end - at;
	bool none;

	/* Z is set beforehand, for a count of 0. */
	__asm__ volatile("xorl %%eax, %%eax\n\trepe scasq"
			 : "+D"(word), "+c"(count), "=@ccz"(none)
			 :
			 : "rax", "memory");
	return none ? end : (unsigned int)(word - table) - 1;
}

static inline struct window_slot *window_slot_of(const struct window *window, const uint64_t *pte,
						 unsigned int index)
{
	uint32_t offset = window_companion(pte)->slot[index];

	return (struct window_slot *)((uint64_t)window->slots + offset);
}

/* The word of `gva` at `level`, or NULL where nothing leads there. */
static inline uint64_t *window_walk(uint64_t *table, uint64_t gva, int level)
{
	for (int at = WINDOW_LEVELS - 1; at > level; at--) {
		uint64_t word = table[window_index(gva, at)];

		if (!word)
			return NULL;
		table = window_table(word);
	}
	return &table[window_index(gva, level)];
}

/* Where the directory of `gva` is kept once it was used. */
static inline struct window_directory *window_directory(uint64_t gva)
{
	return &cpu.window.directories[gva >> WINDOW_GIB_SHIFT & (WINDOW_DIRECTORIES - 1)];
}

/* The leaf word of `gva`. */
HPT_INLINE uint64_t *window_leaf(uint64_t gva)
{
	struct window_directory *directory = window_directory(gva);
	uint64_t *word;

	if (__builtin_expect(gva >> WINDOW_GIB_SHIFT != directory->gib, 0))
		window_enter_gib(gva);
	word = &directory->words[window_index(gva, 1)];
	if (!*word)
		window_add_table(&cpu.window, word);
	return &window_table(*word)[window_index(gva, 0)];
}

static inline void window_put_table(struct window *window, uint64_t gpa)
{
	*window_table(gpa) = window->free_tables;
	window->free_tables = gpa;
}

/* Takes the empty leaf table that `word` names away. */
static inline void window_free_table(struct window *window, uint64_t *word)
{
	uint64_t gpa = *word & ~(HPT_PAGE_SIZE - 1);

	*word = 0;
	window_put_table(window, gpa);
}

/*
 * Empties the slot's leaf word; HPT_DIRTY if the CPU has made the page dirty. The leaf table goes
 * first and INVLPG last: it forgets that too.
 */
HPT_INLINE uint64_t window_take_out(struct window *window, struct window_slot *slot)
{
	uint64_t gva = slot->gva_and_dirty;
	struct window_companion *companion = window_companion(slot->pte);
	uint64_t pte = exchange(slot->pte, 0);

	if (!--companion->used)
		window_free_table(window, companion->parent);
	invlpg(gva);
	return pte & ~gva & HPT_DIRTY;
}

/* The CPU has made the page of the slot dirty: into the hashed entry, which is still there. */
static inline void window_note_dirty(const struct window_slot *slot)
{
	if (__builtin_expect(slot->moves == stage1_moves(), 1))
		*slot->word |= HPT_DIRTY;
	else
		window_find_dirty(slot);
}

/*
 * Enters a page of the program, whose hashed entry is `entry` and stands at `word`. Evicts the
 * oldest page where the window is full; what the CPU noted there (dirty) goes into the hashed entry
 * of that page first. `runs`, known at compile time: where the page is one of a run, word is NULL.
 */
HPT_INLINE void window_install(uint64_t vpn, uint64_t entry, uint64_t *word, bool runs)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	struct window_slot *slot = cpu.window.hand;
	struct window_companion *companion;
	uint64_t *pte;

	/* Before anything is made: eviction may free the very tables that lead to the new page. */
	if (slot->pte) {
		if (window_take_out(&cpu.window, slot))
			window_note_dirty(slot);
	} else {
		published.window_resident++;
	}
	pte = window_leaf(gva);
	if (__builtin_expect(*pte != 0, 0)) {
		window_install_again(slot, pte, gva, entry);
		return;
	}
	companion = window_companion(pte);
	companion->used++;
	companion->slot[window_index(gva, 0)] =
		(uint32_t)((uint64_t)slot - (uint64_t)cpu.window.slots);
	*pte = window_pte(entry);
	slot->pte = pte;
	slot->gva_and_dirty = gva | (entry & HPT_DIRTY);
	slot->word = word;
	slot->moves = runs && !word ? WINDOW_NO_WORD : stage1_moves();
	cpu.window.hand = slot + 1 == cpu.window.slots_end ? cpu.window.slots : slot + 1;
	/* The CPU may hold the page's absence. */
	invlpg(gva);
}

#endif
