/* SPDX-License-Identifier: MIT */
/*
 * The windows but for their most frequent operation: see window.h, and window_install.h for how
 * they are built.
 */
#include "guest/window.h"

#include <errno.h>
#include <string.h>

#include "guest/apic.h"
#include "guest/boot.h"
#include "guest/console.h"
#include "guest/layout.h"
#include "guest/process.h"
#include "guest/space.h"
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

#define TRAP_VPN (TRAP_PAGE >> HPT_PAGE_SHIFT)

/* The directory word that leads to the trap page, the same in all spaces. */
static uint64_t trap_word;

void window_refuse(void)
{
	refuse("window: found %lu pages, which take %lu KiB of %lu KiB of memory; wanted a smaller "
	       "window or more memory",
	       boot.window_pages, boot.window_pages * sizeof(struct window_slot) / 1024,
	       boot.ram_pages * (HPT_PAGE_SIZE / 1024));
}

static __attribute__((noreturn)) void out_of_tables(const struct window *window)
{
	if (window->is_running)
		process_out_of_memory();
	window_refuse();
}

/* Evicts the oldest pages until their leaf table is free; false where there are no pages left. */
static bool evict_table(struct window *window)
{
	struct window_slot *slot = window->hand;

	while (!window->free_tables) {
		slot = slot + 1 == window->slots_end ? window->slots : slot + 1;
		if (slot == window->hand)
			return false;
		if (!slot->pte)
			continue;
		if (window_take_out(window, slot))
			window_note_dirty(slot);
		slot->pte = NULL;
		published.window_resident--;
	}
	return true;
}

/* Takes more memory for tables, in place of what was left; false where there is none. */
HPT_INLINE bool add_tables(struct window *window)
{
	uint64_t gpa;

	while (frames_get_block(window->tables_size, &gpa)) {
		if (window->tables_size <= 2 * HPT_PAGE_SIZE)
			return false;
		window->tables_size /= 2;
	}
	window->next_table = gpa;
	window->tables_end = gpa + window->tables_size;
	window->tables += window->tables_size / (2 * HPT_PAGE_SIZE);
	return true;
}

/* There are fresh tables or a free one then. */
void window_more_tables(struct window *window)
{
	if (!add_tables(window) && !evict_table(window))
		out_of_tables(window);
}

/* Takes away the tables below `table`, whose words are those of `level`, that lead to no page. */
static void prune(struct window *window, uint64_t *table, unsigned int words, int level)
{
	for (unsigned int at = window_next_used(table, 0, words); at < words;
	     at = window_next_used(table, at + 1, words)) {
		uint64_t *below = window_table(table[at]);

		if (level > 2)
			prune(window, below, WINDOW_WORDS, level - 1);
		if (window_next_used(below, 0, WINDOW_WORDS) < WINDOW_WORDS)
			continue;
		window_free_table(window, &table[at]);
		window->kept--;
	}
}

static void forget_directories(struct window *window)
{
	for (unsigned int i = 0; i < WINDOW_DIRECTORIES; i++)
		window->directories[i].gib = UINT64_MAX;
}

static void load(struct window *window)
{
	write_cr3((uint64_t)window->root - DIRECT_BASE);
}

/* Takes away what leads to no page of any program; false where there is nothing like that. */
static bool prune_all(struct window *window)
{
	uint64_t before = window->kept;

	for (struct space *space = space_first; space; space = space->next) {
		uint64_t *root = space->root[window->number];

		if (root)
			prune(window, root, WINDOW_WORDS / 2, WINDOW_LEVELS - 1);
	}
	if (window->kept == before)
		return false;
	forget_directories(window);
	/* The CPU may hold what led there. */
	load(window);
	return true;
}

/* There may be so many directories more then, and LEAF_TABLES beside them. */
static void make_room(struct window *window, uint64_t tables)
{
	while (window->tables - window->kept < tables) {
		if (prune_all(window))
			continue;
		for (; window->next_table < window->tables_end;
		     window->next_table += 2 * HPT_PAGE_SIZE)
			window_put_table(window, window->next_table);
		if (!add_tables(window))
			out_of_tables(window);
	}
}

/* Walks to the word of `gva` at `level`, making the tables on the way. */
HPT_INLINE uint64_t *reach(struct window *window, uint64_t *table, uint64_t gva, int level)
{
#pragma GCC unroll 3
	for (int at = WINDOW_LEVELS - 1; at > level; at--) {
		uint64_t *word = &table[window_index(gva, at)];

		if (!*word) {
			window_add_table(window, word);
			window->kept++;
		}
		table = window_table(*word);
	}
	return &table[window_index(gva, level)];
}

void window_enter_gib(uint64_t gva)
{
	struct window *window = &cpu.window;
	uint64_t *word = window_walk(window->root, gva, 1);

	if (!word) {
		make_room(window, LEAF_TABLES + PATH_TABLES);
		word = reach(window, window->root, gva, 1);
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

void window_find_dirty(const struct window_slot *slot)
{
	struct space *space = window_companion(slot->pte)->space;

	space_note_dirty(space, slot->gva_and_dirty >> HPT_PAGE_SHIFT);
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
	slot = window_slot_of(&cpu.window, pte, window_index(gva, 0));
	slot->gva_and_dirty = gva | (entry & HPT_DIRTY);
	invlpg(gva);
}

void window_settle(void)
{
	for (unsigned int i = 0; i < cpu_count; i++) {
		struct window *window = &cpus[i]->window;

		if (i == cpu.number || !window->is_stale)
			continue;
		window->is_stale = false;
		cpus[i]->flush = 1;
		apic_send(i, VECTOR_ATTEND);
		while (cpus[i]->flush)
			__asm__ volatile("pause");
	}
}

void window_attend(void)
{
	load(&cpu.window);
	cpu.flush = 0;
}

/* Gives all tables below `table` back, which have no words but those that lead to tables. */
static void free_below(struct window *window, uint64_t *table, unsigned int words, int level)
{
	for (unsigned int at = window_next_used(table, 0, words); at < words;
	     at = window_next_used(table, at + 1, words)) {
		/* The CPU sets A in it. */
		if (window_table(table[at]) == window_table(trap_word)) {
			table[at] = 0;
			continue;
		}
		free_below(window, window_table(table[at]), WINDOW_WORDS, level - 1);
		window_free_table(window, &table[at]);
		window->kept--;
	}
}

static void leave(struct window *window)
{
	window->space = NULL;
	window->root = window->kernel_root;
	forget_directories(window);
	if (window->number == cpu.number)
		load(window);
	else
		window->is_stale = true;
}

void window_forget(struct space *space)
{
	for (unsigned int i = 0; i < cpu_count; i++) {
		struct window *window = i == cpu.number ? &cpu.window : &cpus[i]->window;

		if (window->space == space)
			leave(window);
	}
	window_settle();
	for (unsigned int i = 0; i < cpu_count; i++) {
		struct window *window = i == cpu.number ? &cpu.window : &cpus[i]->window;
		uint64_t *root = space->root[i];

		if (!root)
			continue;
		free_below(window, root, WINDOW_WORDS / 2, WINDOW_LEVELS - 1);
		memset(root + WINDOW_WORDS / 2, 0, HPT_PAGE_SIZE / 2);
		window_put_table(window, (uint64_t)root - DIRECT_BASE);
		window->kept--;
		space->root[i] = NULL;
	}
}

/* Fills what all roots of a window have: the kernel, and the way to the trap page. */
static void fill_root(struct window *window, uint64_t *root)
{
	memcpy(root + WINDOW_WORDS / 2, window->kernel_root + WINDOW_WORDS / 2, HPT_PAGE_SIZE / 2);
	*reach(window, root, TRAP_PAGE, 1) = trap_word;
}

void window_enter(struct space *space)
{
	struct window *window = &cpu.window;
	uint64_t **root = &space->root[window->number];

	if (window->space == space)
		return;
	if (!*root) {
		make_room(window, LEAF_TABLES + PATH_TABLES + 1);
		*root = direct(window_new_table(window));
		window->kept++;
		fill_root(window, *root);
	}
	window->space = space;
	window->root = *root;
	forget_directories(window);
	load(window);
}

void window_pin(struct hpt_key key, uint64_t entry)
{
	uint64_t gva = key.vpn << HPT_PAGE_SHIFT;
	struct window *window = &cpu.window;

	*reach(window, window->kernel_root, gva, key.size == HPT_2M ? 1 : 0) = window_pte(entry);
	published.pinned++;
}

static int create(struct window *window, uint64_t pages)
{
	uint64_t size = HPT_PAGE_SIZE;
	uint64_t gpa;

	while (size < pages * sizeof(struct window_slot))
		size *= 2;
	if (frames_get_block(size, &gpa))
		return -ENOMEM;
	window->slots = window->hand = direct(gpa);
	window->slots_end = window->slots + pages;
	window->tables_size = TABLES_SIZE_MAX;
	while (window->tables_size > boot.ram_pages * HPT_PAGE_SIZE / TABLES_SHARE)
		window->tables_size /= 2;
	if (!add_tables(window))
		return -ENOMEM;
	forget_directories(window);
	window->root = window->kernel_root = direct(window_new_table(window));
	window->kept++;
	published.window_pages += pages;
	return 0;
}

void window_create(uint64_t pages)
{
	if (create(&cpu.window, pages))
		window_refuse();
}

void window_start(void)
{
	struct window *window = &cpu.window;

	make_room(window, TABLES_MIN);
	trap_word = *window_walk(window->kernel_root, TRAP_PAGE, 1);
	window->is_running = true;
	load(window);
}

/* A copy of the table that `word` names, in its place. */
static uint64_t *own_table(struct window *window, uint64_t *word)
{
	uint64_t gpa = window_new_table(window);

	if (*word)
		memcpy(direct(gpa), window_table(*word), HPT_PAGE_SIZE);
	*word = gpa | WINDOW_TABLE_FLAGS;
	window->kept++;
	return direct(gpa);
}

int window_create_second(struct window *window, unsigned int number, uint64_t area)
{
	const struct window *first = &cpus[0]->window;
	uint64_t *table, *leaf;

	window->number = number;
	if (create(window, (uint64_t)(first->slots_end - first->slots)))
		return -ENOMEM;
	memcpy(window->root, first->kernel_root, HPT_PAGE_SIZE);
	/* The kernel's image and the area are in one GiB-table; the area has a way of its own. */
	table = own_table(window, &window->root[window_index(CPU_BASE, 3)]);
	table = own_table(window, &table[window_index(CPU_BASE, 2)]);
	leaf = own_table(window, &table[window_index(CPU_BASE, 1)]);
	for (unsigned int i = 0; i < CPU_AREA_SIZE / HPT_PAGE_SIZE; i++) {
		uint64_t *word = &leaf[window_index(CPU_BASE, 0) + i];

		if (*word)
			*word = (*word & ~HPT_FRAME_MASK) | (area + i * HPT_PAGE_SIZE);
	}
	window->is_running = true;
	return 0;
}
