/* SPDX-License-Identifier: MIT */
/*
 * See window.h.
 *
 * Every table page has a companion, the page behind it, which says how many of its words are in use
 * and, for leaf tables, which slot each entry has. So a leaf table whose last entry goes is freed
 * at once, and with it the tables above: a window of 64 pages over a terabyte needs no more table
 * pages than 64 pages can.
 *
 *     slots[]   ring of the resident pages in the order of their installation
 *     hand      the next slot to be used: the oldest page is there
 *
 * An entry is installed with A set, by the access that asked for it, and with D as in the hashed
 * entry. When it goes, D differs from what was installed only if the CPU has set it: only then the
 * hashed entry is written.
 */
#include "guest/window.h"

#include <stdbool.h>

#include "guest/abi.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/stage1.h"

#define LEVELS	     4
#define WORDS	     512
#define TABLE_FLAGS  (HPT_PRESENT | HPT_WRITE | HPT_USER)
#define PTE_NOEXEC   (UINT64_C(1) << 63)
#define PTE_FLAGS    (HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY | HPT_LARGE)
#define NOEXEC_SHIFT (63 - 11)
#define SLOT_DIRTY   UINT64_C(1) /* in slots[].gva_and_dirty: installed with D set */

struct slot {
	uint64_t *pte; /* NULL: the slot is free */
	uint64_t gva_and_dirty;
};

struct companion {
	uint32_t used;
	uint32_t pinned; /* never freed: it holds pinned entries or leads to some */
	uint32_t slot[WORDS];
};

static uint64_t *root;
static struct slot *slots;
static uint64_t slot_count;
static uint64_t hand;
static uint64_t free_tables; /* list through the first word of each */

static struct companion *companion_of(const uint64_t *word)
{
	return (struct companion *)(((uint64_t)word & ~(HPT_PAGE_SIZE - 1)) + HPT_PAGE_SIZE);
}

static uint64_t entry_to_pte(uint64_t entry)
{
	return (entry & (HPT_FRAME_MASK | PTE_FLAGS)) | (entry & HPT_NOEXEC) << NOEXEC_SHIFT;
}

static unsigned int index_of(uint64_t gva, int level)
{
	return gva >> (HPT_PAGE_SHIFT + 9 * level) & (WORDS - 1);
}

static uint64_t *table_below(uint64_t word)
{
	return direct(word & HPT_FRAME_MASK);
}

/* A freed table is empty but for the list's link, so it needs no clearing. */
static uint64_t get_table(void)
{
	uint64_t gpa = free_tables;

	if (gpa) {
		uint64_t *table = direct(gpa);

		free_tables = table[0];
		table[0] = 0;
		return gpa;
	}
	if (frames_get_kernel(NULL, 2 * HPT_PAGE_SIZE, &gpa))
		panic("no memory for the window's tables");
	return gpa;
}

/* Walks to the word of `gva` at `level`, making the tables on the way. */
static uint64_t *reach(uint64_t gva, int level)
{
	uint64_t *table = root;

	for (int at = LEVELS - 1; at > level; at--) {
		uint64_t *word = &table[index_of(gva, at)];

		if (!*word) {
			*word = get_table() | TABLE_FLAGS;
			companion_of(word)->used++;
		}
		table = table_below(*word);
	}
	return &table[index_of(gva, level)];
}

/* The words passed on the way to a leaf word, root first; false where there is none. */
static bool find_path(uint64_t gva, uint64_t *path[LEVELS])
{
	uint64_t *table = root;

	for (int level = LEVELS - 1;; level--) {
		path[level] = &table[index_of(gva, level)];
		if (!*path[level])
			return false;
		if (!level)
			return true;
		table = table_below(*path[level]);
	}
}

/* Frees the tables on the way to `gva` that have become empty; the leaf table has. */
static __attribute__((noinline)) void free_tables_of(uint64_t gva)
{
	uint64_t *path[LEVELS];
	uint64_t *table = root;

	for (int level = LEVELS - 1; level; level--) {
		path[level] = &table[index_of(gva, level)];
		table = table_below(*path[level]);
	}
	for (int level = 1; level < LEVELS; level++) {
		uint64_t gpa = *path[level] & HPT_FRAME_MASK;

		*path[level] = 0;
		*(uint64_t *)direct(gpa) = free_tables;
		free_tables = gpa;
		if (--companion_of(path[level])->used || companion_of(path[level])->pinned)
			return;
	}
}

/*
 * Empties a leaf word and says whether the CPU has made it dirty. The tables above go first and
 * INVLPG last: it forgets them too.
 */
static inline uint64_t take_out(struct slot *slot)
{
	uint64_t gva = slot->gva_and_dirty & ~SLOT_DIRTY;
	uint64_t dirty = slot->gva_and_dirty & SLOT_DIRTY;
	uint64_t pte = exchange(slot->pte, 0);

	if (!--companion_of(slot->pte)->used)
		free_tables_of(gva);
	slot->pte = NULL;
	invlpg(gva);
	published.window_resident--;
	return pte & HPT_DIRTY && !dirty ? HPT_DIRTY : 0;
}

static inline void evict(struct slot *slot)
{
	uint64_t vpn = slot->gva_and_dirty >> HPT_PAGE_SHIFT;

	published.evictions++;
	if (take_out(slot))
		hpt_change(&stage1, program_key(vpn), 0, HPT_DIRTY);
}

void window_install(uint64_t vpn, uint64_t entry)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	struct slot *slot = &slots[hand];
	struct companion *companion;
	uint64_t *pte;

	/* Before anything is made: eviction may free the very tables that lead to the new page. */
	if (slot->pte)
		evict(slot);
	pte = reach(gva, 0);
	companion = companion_of(pte);
	if (*pte) {
		slot = &slots[companion->slot[index_of(gva, 0)]];
	} else {
		companion->used++;
		companion->slot[index_of(gva, 0)] = (uint32_t)hand;
		published.window_resident++;
		if (++hand == slot_count)
			hand = 0;
	}
	/* A page that is installed anew keeps what the CPU noted, to be told when it goes. */
	exchange(pte, entry_to_pte(entry) | (*pte & HPT_DIRTY));
	slot->pte = pte;
	slot->gva_and_dirty = gva | (entry & HPT_DIRTY ? SLOT_DIRTY : 0);
	invlpg(gva);
}

uint64_t window_drop(uint64_t vpn)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	uint64_t *path[LEVELS];

	if (!find_path(gva, path))
		return 0;
	return take_out(&slots[companion_of(path[0])->slot[index_of(gva, 0)]]);
}

void window_pin(struct hpt_key key, uint64_t entry)
{
	uint64_t gva = key.vpn << HPT_PAGE_SHIFT;
	int level = key.size == HPT_2M ? 1 : 0;
	uint64_t *word = reach(gva, level);
	uint64_t *path = root;

	*word = entry_to_pte(entry);
	for (int at = LEVELS - 1; at >= level; at--) {
		companion_of(path)->pinned = 1;
		if (at > level)
			path = table_below(path[index_of(gva, at)]);
	}
	published.pinned++;
}

void window_create(uint64_t pages)
{
	uint64_t bytes = pages * sizeof(struct slot);
	uint64_t gpa;

	for (slot_count = HPT_PAGE_SIZE; slot_count < bytes; slot_count *= 2)
		continue;
	if (frames_get_kernel(NULL, slot_count, &gpa))
		panic("no memory for a window of %lu pages", pages);
	slots = direct(gpa);
	slot_count = pages;
	root = direct(get_table());
	published.window_pages = pages;
}

void window_start(void)
{
	write_cr3((uint64_t)root - DIRECT_BASE);
}
