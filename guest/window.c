/* SPDX-License-Identifier: MIT */
/* The window but for its most frequent operation: see window.h, and window_install.h for its build.
 */
#include "guest/window.h"

#include <errno.h>

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

/*
 * So many tables are never given to directories: one instruction needs at most six pages at a time
 * (itself and two operands, each across a boundary), and with fewer leaf tables than that its pages
 * would drive each other out for ever.
 */
#define LEAF_TABLES 8

/* A new leaf table may need two tables above it. */
#define PATH_TABLES 2

/*
 * At the start there are so many for the program. Where directories have taken all of them but
 * LEAF_TABLES + PATH_TABLES - 1, no more than twice as many lead to a leaf table: others can go.
 */
#define TABLES_MIN (3 * (LEAF_TABLES + PATH_TABLES) + PATH_TABLES)

struct window window;

void window_refuse(void)
{
	refuse("window: found %lu pages, which take %lu KiB of %lu KiB of memory; wanted a smaller "
	       "window or more memory",
	       boot.window_pages, boot.window_pages * sizeof(struct window_slot) / 1024,
	       boot.ram_pages * (HPT_PAGE_SIZE / 1024));
}

static __attribute__((noreturn)) void out_of_tables(void)
{
	if (window.is_running)
		program_out_of_memory();
	window_refuse();
}

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

/* Takes more memory for tables, in place of what was left; false where there is none. */
HPT_INLINE bool add_tables(void)
{
	uint64_t gpa;

	while (frames_get_block(window.tables_size, &gpa)) {
		if (window.tables_size <= 2 * HPT_PAGE_SIZE)
			return false;
		window.tables_size /= 2;
	}
	window.next_table = gpa;
	window.tables_end = gpa + window.tables_size;
	window.tables += window.tables_size / (2 * HPT_PAGE_SIZE);
	return true;
}

/* There are fresh tables or a free one then. */
void window_more_tables(void)
{
	if (!add_tables() && !evict_table())
		out_of_tables();
}

/* The index of the first word in use from `at` on, or `end`. One instruction: see string.c. */
static unsigned int next_used(const uint64_t *table, unsigned int at, unsigned int end)
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

/* Takes away the tables below `table`, whose words are those of `level`, that lead to no page. */
static void prune(uint64_t *table, unsigned int words, int level)
{
	for (unsigned int at = next_used(table, 0, words); at < words;
	     at = next_used(table, at + 1, words)) {
		uint64_t *below = window_table(table[at]);

		if (level > 2)
			prune(below, WINDOW_WORDS, level - 1);
		if (next_used(below, 0, WINDOW_WORDS) < WINDOW_WORDS)
			continue;
		window_free_table(&table[at]);
		window.kept--;
	}
}

static void forget_directories(void)
{
	for (unsigned int i = 0; i < WINDOW_DIRECTORIES; i++)
		window.directories[i].gib = UINT64_MAX;
}

/* Takes away what leads to no page of the program; false where there is nothing like that. */
static bool prune_all(void)
{
	uint64_t before = window.kept;

	prune(window.root, WINDOW_WORDS / 2, WINDOW_LEVELS - 1);
	if (window.kept == before)
		return false;
	forget_directories();
	/* The CPU may hold what led there. */
	write_cr3((uint64_t)window.root - DIRECT_BASE);
	return true;
}

/* There may be a directory more then: LEAF_TABLES are left beside it. */
static void make_room(uint64_t tables)
{
	while (window.tables - window.kept < tables) {
		if (prune_all())
			continue;
		for (; window.next_table < window.tables_end;
		     window.next_table += 2 * HPT_PAGE_SIZE)
			window_put_table(window.next_table);
		if (!add_tables())
			out_of_tables();
	}
}

/* The word of `gva` at `level`, or NULL where nothing leads there. */
static uint64_t *walk(uint64_t gva, int level)
{
	uint64_t *table = window.root;

	for (int at = WINDOW_LEVELS - 1; at > level; at--) {
		uint64_t word = table[window_index(gva, at)];

		if (!word)
			return NULL;
		table = window_table(word);
	}
	return &table[window_index(gva, level)];
}

/* Walks to the word of `gva` at `level`, making the tables on the way. */
HPT_INLINE uint64_t *reach(uint64_t gva, int level)
{
	uint64_t *table = window.root;

#pragma GCC unroll 3
	for (int at = WINDOW_LEVELS - 1; at > level; at--) {
		uint64_t *word = &table[window_index(gva, at)];

		if (!*word) {
			window_add_table(word);
			window.kept++;
		}
		table = window_table(*word);
	}
	return &table[window_index(gva, level)];
}

void window_enter_gib(uint64_t gva)
{
	uint64_t *word = walk(gva, 1);

	if (!word) {
		make_room(LEAF_TABLES + PATH_TABLES);
		word = reach(gva, 1);
	}
	*window_directory(gva) = (struct window_directory){
		.gib = gva >> WINDOW_GIB_SHIFT,
		.words = word - window_index(gva, 1),
	};
}

void window_prepare(uint64_t vpn)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;

	if (window_directory(gva)->gib != gva >> WINDOW_GIB_SHIFT)
		window_enter_gib(gva);
}

void window_find_dirty(uint64_t gva)
{
	/* A run of pages may need memory to be one no more. */
	if (hpt_change(&stage1, program_key(gva >> HPT_PAGE_SHIFT), 0, HPT_DIRTY) == -ENOMEM)
		program_out_of_memory();
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

uint64_t window_drop(uint64_t vpn)
{
	uint64_t gva = vpn << HPT_PAGE_SHIFT;
	uint64_t *pte = walk(gva, 0);
	struct window_slot *slot;
	uint64_t dirty;

	if (!pte || !*pte)
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
		window_refuse();
	window.slots = window.hand = direct(gpa);
	window.slots_end = window.slots + pages;
	window.tables_size = TABLES_SIZE_MAX;
	while (window.tables_size > boot.ram_pages * HPT_PAGE_SIZE / TABLES_SHARE)
		window.tables_size /= 2;
	window_more_tables();
	forget_directories();
	window.root = direct(window.next_table);
	window.next_table += 2 * HPT_PAGE_SIZE;
	window.kept++;
	published.window_pages = pages;
}

void window_start(void)
{
	make_room(TABLES_MIN);
	window.is_running = true;
	write_cr3((uint64_t)window.root - DIRECT_BASE);
}
