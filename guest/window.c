/* SPDX-License-Identifier: MIT */
/* The window but for its most frequent operation: see window.h, and window_install.h for its build.
 */
#include "guest/window.h"

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/trap.h"
#include "guest/window_install.h"

/*
 * Tables, with their companions, are taken from the kernel's memory so many bytes at a time: the
 * fault that takes the next part is longer than others, so it should be one in many.
 */
#define TABLES_SIZE_MAX (UINT64_C(2) << 20)
#define TABLES_SHARE	64 /* of RAM, at the most */

struct window window;

/* Evicts the oldest pages until their leaf table is free; false where there are no pages left. */
static bool evict_table(void)
{
	struct window_slot *slot = window.hand;

	while (!window.free_tables) {
		slot = slot + 1 == window.slots_end ? window.slots : slot + 1;
		if (slot == window.hand)
			return false;
		if (!slot->pte)
			continue;
		if (window_take_out(slot))
			window_note_dirty(slot);
		slot->pte = NULL;
		published.window_resident--;
	}
	return true;
}

/* There are fresh tables or a free one then. */
void window_more_tables(void)
{
	while (frames_get_block(window.tables_size, &window.next_table)) {
		if (window.tables_size > 2 * HPT_PAGE_SIZE) {
			window.tables_size /= 2;
			continue;
		}
		window.next_table = window.tables_end;
		if (!evict_table())
			program_out_of_memory();
		return;
	}
	window.tables_end = window.next_table + window.tables_size;
}

/* Walks to the word of `gva` at `level`, making the tables on the way. */
HPT_INLINE uint64_t *reach(uint64_t gva, int level)
{
	uint64_t *table = window.root;

#pragma GCC unroll 3
	for (int at = WINDOW_LEVELS - 1; at > level; at--) {
		uint64_t *word = &table[window_index(gva, at)];

		if (!*word)
			window_add_table(word);
		table = window_table(*word);
	}
	return &table[window_index(gva, level)];
}

void window_enter_gib(uint64_t gva)
{
	*window_directory(gva) = (struct window_directory){
		.gib = gva >> WINDOW_GIB_SHIFT,
		.words = reach(gva, 1) - window_index(gva, 1),
	};
}

void window_prepare(uint64_t vpn)
{
	window_enter_gib(vpn << HPT_PAGE_SHIFT);
}

void window_find_dirty(uint64_t gva)
{
	struct hpt_found found;

	if (hpt_find(&stage1, program_key(gva >> HPT_PAGE_SHIFT), &found))
		hpt_set_found(&found, HPT_DIRTY);
}

static struct window_slot *slot_of(const uint64_t *pte, uint64_t gva)
{
	uint32_t offset = window_companion(pte)->slot[window_index(gva, 0)];

	return (struct window_slot *)((uint64_t)window.slots + offset);
}

/*
 * The page is in the window already: the CPU did not see its entry. What it has noted there is
 * kept, to be told when the page goes. The slot at the hand stays free.
 */
void window_install_again(struct window_slot *slot, uint64_t *pte, uint64_t gva, uint64_t entry)
{
	slot->pte = NULL;
	published.window_resident--;
	published.drops++;
	exchange(pte, window_pte(entry) | (*pte & HPT_DIRTY));
	slot_of(pte, gva)->gva_and_dirty = gva | (entry & HPT_DIRTY);
	invlpg(gva);
}

/* The leaf word of `gva`, or NULL where the window has none. */
static uint64_t *find(uint64_t gva)
{
	uint64_t *table = window.root;

	for (int level = WINDOW_LEVELS - 1; level; level--) {
		uint64_t word = table[window_index(gva, level)];

		if (!word)
			return NULL;
		table = window_table(word);
	}
	return table[window_index(gva, 0)] ? &table[window_index(gva, 0)] : NULL;
}

uint64_t window_drop(uint64_t vpn)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	uint64_t *pte = find(gva);
	struct window_slot *slot;
	uint64_t dirty;

	if (!pte)
		return 0;
	slot = slot_of(pte, gva);
	dirty = window_take_out(slot);
	slot->pte = NULL;
	published.window_resident--;
	published.drops++;
	return dirty;
}

void window_pin(struct hpt_key key, uint64_t entry)
{
	uint64_t gva = key.vpn << HPT_PAGE_SHIFT;

	*reach(gva, key.size == HPT_2M ? 1 : 0) = window_pte(entry);
	published.pinned++;
}

void window_create(uint64_t pages)
{
	uint64_t size = HPT_PAGE_SIZE;
	uint64_t gpa;

	while (size < pages * sizeof(struct window_slot))
		size *= 2;
	if (frames_get_block(size, &gpa))
		panic("no memory for a window of %lu pages", pages);
	window.slots = window.hand = direct(gpa);
	window.slots_end = window.slots + pages;
	window.tables_size = TABLES_SIZE_MAX;
	while (window.tables_size > boot.ram_pages * HPT_PAGE_SIZE / TABLES_SHARE)
		window.tables_size /= 2;
	window_more_tables();
	for (unsigned int i = 0; i < WINDOW_DIRECTORIES; i++)
		window.directories[i].gib = UINT64_MAX;
	window.root = direct(window.next_table);
	window.next_table += 2 * HPT_PAGE_SIZE;
	published.window_pages = pages;
}

void window_start(void)
{
	write_cr3((uint64_t)window.root - DIRECT_BASE);
}
