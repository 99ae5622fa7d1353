/* SPDX-License-Identifier: MIT */
/*
 * See window.h.
 *
 * Every table page has a companion, the page behind it: how many of its words are in use, which
 * word of the table above names it and, for leaf tables, which slot each entry has. So a leaf table
 * whose last entry goes is freed at once, and with it the tables above: a window of 64 pages over a
 * terabyte needs no more table pages than 64 pages can.
 *
 *     slots[]   ring of the resident pages in the order of their installation
 *     hand      the next slot to be used: the oldest page is there
 *
 * An entry is installed with A set, by the access that asked for it, and with D as in the hashed
 * entry. When it goes, D differs from what was installed only if the CPU has set it: only then the
 * hashed entry is written.
 *
 * Installing is the longest part of a fault, and ring 0 may be an emulator's: the code below is
 * written to be short when compiled.
 */
#include "guest/window.h"

#include <stdbool.h>

#include "guest/abi.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/stage1.h"

#define LEVELS		 4
#define WORDS		 512
#define TABLE_FLAGS	 (HPT_PRESENT | HPT_WRITE | HPT_USER)
#define PTE_NOEXEC	 (UINT64_C(1) << 63)
#define PTE_FLAGS	 (HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY | HPT_LARGE)
#define NOEXEC_SHIFT	 (63 - 11)
#define SLOT_DIRTY	 UINT64_C(1) /* in slots[].gva_and_dirty: installed with D set */
#define SLOT_DIRTY_SHIFT 6	     /* from HPT_DIRTY */

struct slot {
	uint64_t *pte; /* NULL: the slot is free */
	uint64_t gva_and_dirty;
};

struct companion {
	uint32_t used;
	uint32_t pinned;  /* never freed: it holds pinned entries or leads to some */
	uint64_t *parent; /* the word that names the table; NULL: the root */
	uint32_t slot[WORDS];
};

static uint64_t *root;
static struct slot *slots, *slots_end;
static struct slot *hand;
static uint64_t free_tables; /* list through the first word of each */

static inline struct companion *companion_of(const uint64_t *word)
{
	return (struct companion *)(((uint64_t)word & ~(HPT_PAGE_SIZE - 1)) + HPT_PAGE_SIZE);
}

static inline uint64_t entry_to_pte(uint64_t entry)
{
	return (entry & (HPT_FRAME_MASK | PTE_FLAGS)) | (entry & HPT_NOEXEC) << NOEXEC_SHIFT;
}

static inline unsigned int index_of(uint64_t gva, int level)
{
	return gva >> (HPT_PAGE_SHIFT + 9 * level) & (WORDS - 1);
}

static inline uint64_t *table_below(uint64_t word)
{
	return direct(word & HPT_FRAME_MASK);
}

/* Hangs an empty table below `word`. A freed one is empty but for the list's link. */
static void add_table(uint64_t *word)
{
	uint64_t gpa = free_tables;

	if (gpa) {
		uint64_t *table = direct(gpa);

		free_tables = table[0];
		table[0] = 0;
	} else if (frames_get_kernel(NULL, 2 * HPT_PAGE_SIZE, &gpa)) {
		panic("no memory for the window's tables");
	}
	companion_of(direct(gpa))->parent = word;
	companion_of(word)->used++;
	*word = gpa | TABLE_FLAGS;
}

/* Walks to the word of `gva` at `level`, making the tables on the way. */
static inline uint64_t *reach(uint64_t gva, int level)
{
	uint64_t *table = root;

#pragma GCC unroll 3
	for (int at = LEVELS - 1; at > level; at--) {
		uint64_t *word = &table[index_of(gva, at)];

		if (__builtin_expect(!*word, 0))
			add_table(word);
		table = table_below(*word);
	}
	return &table[index_of(gva, level)];
}

/* The leaf word of `gva`, or NULL where the window has none. */
static uint64_t *find(uint64_t gva)
{
	uint64_t *table = root;

	for (int level = LEVELS - 1; level; level--) {
		uint64_t word = table[index_of(gva, level)];

		if (!word)
			return NULL;
		table = table_below(word);
	}
	return table[index_of(gva, 0)] ? &table[index_of(gva, 0)] : NULL;
}

/* Frees a table that has become empty, and those above that become empty by that. */
static void free_table(struct companion *companion)
{
	while (companion->parent && !companion->pinned) {
		uint64_t *word = companion->parent;
		uint64_t gpa = *word & HPT_FRAME_MASK;

		*word = 0;
		*(uint64_t *)direct(gpa) = free_tables;
		free_tables = gpa;
		companion = companion_of(word);
		if (--companion->used)
			return;
	}
}

/*
 * Empties the slot's leaf word; HPT_DIRTY if the CPU has made the page dirty. The tables above go
 * first and INVLPG last: it forgets them too.
 */
static inline uint64_t take_out(struct slot *slot)
{
	uint64_t gva = slot->gva_and_dirty;
	struct companion *companion = companion_of(slot->pte);
	uint64_t pte = exchange(slot->pte, 0);

	if (__builtin_expect(!--companion->used, 0))
		free_table(companion);
	invlpg(gva);
	return gva & SLOT_DIRTY ? 0 : pte & HPT_DIRTY;
}

static inline void evict(struct slot *slot)
{
	published.evictions++;
	if (take_out(slot))
		hpt_change(&stage1, program_key(slot->gva_and_dirty >> HPT_PAGE_SHIFT), 0,
			   HPT_DIRTY);
}

/* The page is in the window already: with other rights, or the CPU did not see the entry. */
static __attribute__((noinline)) void install_again(uint64_t *pte, uint64_t gva, uint64_t entry)
{
	struct slot *slot = &slots[companion_of(pte)->slot[index_of(gva, 0)]];

	/* What the CPU noted is kept, to be told when the page goes. */
	exchange(pte, entry_to_pte(entry) | (*pte & HPT_DIRTY));
	slot->gva_and_dirty = gva | (entry & HPT_DIRTY ? SLOT_DIRTY : 0);
	invlpg(gva);
}

void window_install(uint64_t vpn, uint64_t entry)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	struct slot *slot = hand;
	struct companion *companion;
	uint64_t *pte;

	/* Before anything is made: eviction may free the very tables that lead to the new page. */
	if (slot->pte) {
		evict(slot);
		slot->pte = NULL;
	} else {
		published.window_resident++;
	}
	pte = reach(gva, 0);
	if (__builtin_expect(*pte != 0, 0)) {
		published.window_resident--;
		install_again(pte, gva, entry);
		return;
	}
	companion = companion_of(pte);
	companion->used++;
	companion->slot[index_of(gva, 0)] = (uint32_t)(slot - slots);
	*pte = entry_to_pte(entry);
	slot->pte = pte;
	slot->gva_and_dirty = gva | (entry & HPT_DIRTY) >> SLOT_DIRTY_SHIFT;
	hand = slot + 1 == slots_end ? slots : slot + 1;
	/* The CPU may hold the page's absence. */
	invlpg(gva);
}

uint64_t window_drop(uint64_t vpn)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	uint64_t *pte = find(gva);
	struct slot *slot;
	uint64_t dirty;

	if (!pte)
		return 0;
	slot = &slots[companion_of(pte)->slot[index_of(gva, 0)]];
	dirty = take_out(slot);
	slot->pte = NULL;
	published.window_resident--;
	return dirty;
}

void window_pin(struct hpt_key key, uint64_t entry)
{
	uint64_t gva = key.vpn << HPT_PAGE_SHIFT;
	uint64_t *word = reach(gva, key.size == HPT_2M ? 1 : 0);

	*word = entry_to_pte(entry);
	published.pinned++;
	do {
		companion_of(word)->pinned = 1;
		word = companion_of(word)->parent;
	} while (word);
}

void window_create(uint64_t pages)
{
	uint64_t size = HPT_PAGE_SIZE;
	uint64_t gpa;

	while (size < pages * sizeof(struct slot))
		size *= 2;
	if (frames_get_kernel(NULL, size, &gpa))
		panic("no memory for a window of %lu pages", pages);
	slots = hand = direct(gpa);
	slots_end = slots + pages;
	if (frames_get_kernel(NULL, 2 * HPT_PAGE_SIZE, &gpa))
		panic("no memory for the window's root");
	root = direct(gpa);
	published.window_pages = pages;
}

void window_start(void)
{
	write_cr3((uint64_t)root - DIRECT_BASE);
}
