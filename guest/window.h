/* SPDX-License-Identifier: MIT */
/*
 * The stage-1 windows: the x86 tables under a CPU's CR3. Each CPU has one, a bounded cache of the
 * stage-1 table: at most `pages` entries of programs at a time, of whatever spaces, the oldest
 * evicted first, plus the kernel's pinned ones, which do not count. It is never the truth: any
 * entry may be dropped at any time.
 *
 * A space has tables of its own in each window that it was used through, from a root (space.h) on,
 * so a CPU goes from space to space without forgetting either. Only its own CPU installs pages in a
 * window; whoever holds the kernel's lock may take them out, and has the CPU forget them
 * (window_settle()) before the lock is given up and before a frame is used again.
 */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/entry.h"

struct space;

#define WINDOW_DIRECTORIES 4

struct window_slot {
	uint64_t *pte;		/* NULL: the slot is free */
	uint64_t gva_and_dirty; /* HPT_DIRTY: it was installed with D set */
	uint64_t *word;		/* of the hashed entry, unless lines were moved since: */
	uint64_t moves;
};

/* A directory, the table whose words name leaf tables, and which GiB it is for. */
struct window_directory {
	uint64_t gib; /* gva >> 30 */
	uint64_t *words;
};

struct window {
	/*
	 * The last directories of the space that were used: by the low bits of their GiB.
	 */
	struct window_directory directories[WINDOW_DIRECTORIES];
	struct space *space; /* whose tables the CPU has; NULL: the kernel's alone */
	uint64_t *root;	     /* of them */
	struct window_slot *slots, *slots_end;
	struct window_slot *hand;
	uint64_t free_tables;		 /* list through the first word of each */
	uint64_t next_table, tables_end; /* never used ones, gPA */
	uint64_t tables_size;		 /* bytes that the next such part has */
	uint64_t tables;		 /* all that there are, ... */
	uint64_t kept;			 /* ... and those that are no leaf tables, or pinned */
	uint64_t *kernel_root;		 /* without any program */
	unsigned int number;		 /* of its CPU */
	bool is_running;		 /* the CPU has it */
	bool is_stale;			 /* its CPU may hold what was taken out */
};

/* The first CPU's: the others take what is pinned over from it. */
void window_create(uint64_t pages);

/* Another CPU's, with its own area's pages (gPA) at CPU_BASE. -ENOMEM. */
int window_create_second(struct window *window, unsigned int number, uint64_t area);

/* Ends the guest at its start, for a window that leaves too little memory for anything else. */
__attribute__((noreturn)) void window_refuse(void);

/* Enters a mapping that stays: before window_start() and for no program page. */
void window_pin(struct hpt_key key, uint64_t entry);

/* Gives the CPU these tables. */
void window_start(void);

/* Installing a page of the program is window_install() of window_install.h. */

/* Gives this CPU the tables of a space. */
void window_enter(struct space *space);

/*
 * Makes what leads to the page's leaf table, so that the first fault there need not. It may go
 * again while no page needs it.
 */
void window_prepare(uint64_t vpn);

/* Takes pages [start, end) of a space out of all windows; what the CPUs have noted is lost. */
void window_drop(struct space *space, uint64_t start, uint64_t end);

/* The same; D goes to the hashed entries first. */
void window_harvest(struct space *space, uint64_t start, uint64_t end);

/* No page of the space is writable in any window any more. D goes to the hashed entries. */
void window_protect(struct space *space);

/* Other CPUs forget what was taken out; what each does when it is asked to. */
void window_settle(void);
void window_attend(void);

/* Takes the space's tables, which lead to no page any more, out of all windows. */
void window_forget(struct space *space);

#endif
