/* SPDX-License-Identifier: MIT */
/*
 * The walk itself, to be inlined with the organisations of both stages as constants (walk_pair.h)
 * or not (walk_count.c): the only place where a walk is written down.
 *
 * `count` is NULL, as a constant, where a walk is timed: then nothing of the counting is compiled.
 */
#ifndef EPT_WALK_INLINE_H
#define EPT_WALK_INLINE_H

#include "ept/walk.h"
#include "ept/walk_ledger.h"
#include "hpt/lookup.h"

/* Where organisations are no constants, inlining would multiply all of them by each other. */
#ifdef WALK_OUT_OF_LINE
#define WALK_INLINE static __attribute__((unused))
#else
#define WALK_INLINE HPT_INLINE
#endif

#define WALK_NO_PAGE UINT64_MAX

/* Lines that are told apart in one translation; a walk that touches more counts those as distinct.
 */
#define WALK_LINES_TOLD 64

/* What is noted during one translation. */
struct walk_count {
	struct walk_ledger *ledger;
	struct walk_result *result;
	unsigned int row;   /* of what is read now: a stage-1 probe, or WALK_DATA */
	unsigned int probe; /* the stage-1 probe, from 0 */
	uint64_t steps;	    /* of this translation */
	/* ledger->early behind each way of the search that is going on, of the host's and guest's
	 */
	uint64_t early[2][CUCKOO_WAYS];
	unsigned int told;
	uint64_t lines[WALK_LINES_TOLD];
};

/* A reference, of the stage-2 probe `column` or WALK_OWN; ways behind the first are no step. */
void walk_note(struct walk_count *count, unsigned int column, const void *line, bool is_step);

/* A slot whose reference a cache made unnecessary: probe `number` of a stage. */
static inline void walk_note_cached(struct walk_count *count, unsigned int stage,
				    unsigned int number)
{
	if (stage == 0)
		count->ledger->cached[number][WALK_OWN]++;
	else
		count->ledger->cached[count->row][number]++;
}

/* One stage's search for a page: which line is next, and what it says. */
struct walk_stage {
	struct hpt_probe probe;
	struct hpt_key key;
	uint64_t pad;
	uint64_t entry;	     /* that was found */
	unsigned int probes; /* lines that were read */
	bool large;	     /* 2 MiB pages are still to be asked for */
};

WALK_INLINE void walk_stage_begin(struct walk_stage *stage, const struct hpt *table,
				  enum hpt_organisation organisation)
{
	hpt_probe_start_as(&table->desc, stage->key, &stage->probe, organisation);
}

/* `sizes`: of the pages that the table has, smaller ones first. */
WALK_INLINE void walk_stage_start(struct walk_stage *stage, const struct hpt *table,
				  struct hpt_key key, unsigned int sizes,
				  enum hpt_organisation organisation)
{
	stage->key = key;
	stage->key.size = sizes & WALK_4K ? HPT_4K : HPT_2M;
	stage->large = sizes == (WALK_4K | WALK_2M);
	stage->probes = 0;
	walk_stage_begin(stage, table, organisation);
}

/* The pad of the entry, where the table is sealed: to be made when the line is on its way. */
WALK_INLINE void walk_stage_pad(struct walk_stage *stage, const struct hpt *table)
{
	stage->pad = 0;
	if (__builtin_expect(table->desc.sealed, 0))
		stage->pad = hpt_pad(&table->desc, hpt_entry_place(stage->key));
}

/*
 * Whether a tree that is asked for a page of 4 KiB has one of 2 MiB in its place: then the word
 * that ended the walk is its entry.
 */
WALK_INLINE bool walk_radix_large(const struct walk_stage *stage, const uint64_t *line)
{
	return stage->probe.radix.level == 1 && HPT_LOAD(line[stage->probe.word]) & HPT_LARGE;
}

/* What the line at stage->probe.line says. HPT_NEXT: there is another one to be read. */
WALK_INLINE enum hpt_answer walk_stage_step(struct walk_stage *stage, const struct hpt *table,
					    const uint64_t *line,
					    enum hpt_organisation organisation)
{
	enum hpt_answer answer =
		hpt_probe_step_as(&table->desc, &stage->probe, line, &stage->entry, organisation);

	/* A table that lies may lead in a circle. */
	if (__builtin_expect(++stage->probes > HPT_PROBES_MAX, 0))
		return answer == HPT_HIT ? HPT_HIT : HPT_MISS;
	if (answer != HPT_MISS || !stage->large) {
		stage->entry ^= answer == HPT_HIT ? stage->pad : 0;
		return answer;
	}
	stage->large = false;
	stage->key.size = HPT_2M;
	if (organisation == HPT_RADIX) {
		if (!walk_radix_large(stage, line))
			return HPT_MISS;
		stage->entry = HPT_LOAD(line[stage->probe.word]) & HPT_ENTRY_MASK;
		walk_stage_pad(stage, table);
		stage->entry ^= stage->pad;
		return HPT_HIT;
	}
	walk_stage_begin(stage, table, organisation);
	walk_stage_pad(stage, table);
	return stage->probe.line ? HPT_NEXT : HPT_MISS;
}

/*
 * The frame of the 4 KiB page with this number, in the page that an entry is of. A frame has 36
 * bits, wherever a page of 2 MiB begins.
 */
WALK_INLINE uint64_t walk_frame(uint64_t entry, uint64_t number)
{
	uint64_t frame = hpt_frame(entry);

	if (!(entry & HPT_LARGE))
		return frame;
	return (frame + (number & (HPT_LARGE_PAGES - 1))) & (HPT_FRAME_MASK >> HPT_FRAME_SHIFT);
}

/*
 * Where in its page a line, or word of a tree, of the guest's table lies. Words are aligned; a line
 * is where the table says, which may lie: none reaches into the next page.
 */
WALK_INLINE uint64_t walk_in_page(uint64_t gpa, enum hpt_organisation guest)
{
	uint64_t offset = gpa & (HPT_PAGE_SIZE - 1);

	return guest == HPT_RADIX ? offset : offset & ~(HPT_LINE_SIZE - 1);
}

/* Where the difference of a page's region stands. */
WALK_INLINE int32_t *walk_predicted(const struct walk_predictor *predictor, uint64_t vpn)
{
	uint64_t region = vpn / HPT_LARGE_PAGES;

	return &predictor->difference[region & ((UINT64_C(1) << predictor->log2) - 1)];
}

#endif
