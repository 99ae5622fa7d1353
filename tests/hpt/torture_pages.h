/* SPDX-License-Identifier: MIT */
/*
 * The pages that the torture maps and looks up, and what is known of each (torture.c).
 *
 * Pages come and go, or stay, in runs of four. An entry's frame names its page and a version. The
 * writer publishes which version of a page it is about to begin, and which is done, so that what a
 * reader finds must lie between what was done before and what was begun after. A page is mapped
 * where its version is odd. Two flags are changed together, so that a mixture of two entries shows.
 *
 * Marks. The writer takes D out now and then, and with the page; it counts `taken` before and after
 * that, so that the count is odd meanwhile. A reader who has marked a page while it was even, and
 * is the same as before, says so by that count: whoever finds the page while it still stands, or
 * takes it out next, must see D.
 */
#ifndef TESTS_HPT_TORTURE_PAGES_H
#define TESTS_HPT_TORTURE_PAGES_H

#include <stdatomic.h>

#include "hpt/hpt.h"

#define RUN 4

/*
 * Segments of 512 pages, each a region of an adaptive table. In each fourth of them every other run
 * stays, in the next but one a few, in the one after that two, and in the others none.
 */
#define SEGMENTS     16
#define SEGMENT_RUNS (512 / RUN)
#define SEGMENT_STEP 32768 /* pages from one to the next */
/* Runs whose first pages have one group for home, and more of them than it takes. */
#define COLLIDING 384
#define RUNS	  (SEGMENTS * SEGMENT_RUNS + COLLIDING)
#define PAGES	  (RUNS * RUN)

/* The frame: the page's id, in pages of its size, below the low bits of the version. */
#define ID_BITS	     24
#define VERSION_MASK ((1u << (HPT_FRAME_BITS - ID_BITS)) - 1)
#define BOTH	     (HPT_WRITE | HPT_SOFT) /* flags that are changed together */

/* The kind of table that they are for. */
struct page_kind {
	enum hpt_organisation organisation;
	enum hpt_size size;
};

struct page {
	uint64_t number;
	_Atomic uint32_t begun;
	_Atomic uint32_t done;
	_Atomic uint32_t taken;	 /* D */
	_Atomic uint32_t marked; /* at this count, and one more: 0 is none */
	bool owed;		 /* what begin_taking() said */
};

extern struct page_kind kind;
extern struct page pages[PAGES];

/* Gives the pages of the kind of table their numbers; none is mapped. */
void number_pages(const struct hpt_desc *desc);

bool run_stays(unsigned int run);
bool none_stays(unsigned int segment);

/* Whether the table holds segments in forms: adaptive, pages of 4 KiB. */
bool has_forms(void);

/* Whether readers mark a page, and whether it may show a mark: its own, or one of its run. */
bool is_marked(unsigned int id);
bool may_show_mark(unsigned int id);

struct hpt_key key_of(unsigned int id);
uint64_t entry_of(unsigned int id, uint32_t version);

/* What an entry names. The id may be out of range where a table is wrong. */
unsigned int id_of(uint64_t entry);
uint32_t version_of(uint64_t entry);

/* Whether an entry is one of this page, of some version. */
bool entry_right(unsigned int id, uint64_t entry);

/*
 * Whether a reader may be told this, 0 for nothing, who has seen that version `least` was done
 * before and that `most` was begun after.
 */
bool answer_right(unsigned int id, uint64_t entry, uint32_t least, uint32_t most);

/* Whether D must be seen by who looks up a page until the count changes from *taken, which is set.
 */
bool owes_mark(unsigned int id, uint32_t *taken);

/* The writer is about to take D out of a page, which must be there if it is `owed`. It has. */
void begin_taking(unsigned int id);
void end_taking(unsigned int id);

/* The writer is about to bring the pages of a run so many versions further. It has: to `begun`. */
void begin_run(unsigned int run, uint32_t more);
void end_run(unsigned int run);

static inline bool stays(unsigned int id)
{
	return run_stays(id / RUN);
}

static inline bool mapped(unsigned int run)
{
	return atomic_load(&pages[run * RUN].done) & 1;
}

#endif
