/* SPDX-License-Identifier: MIT */
/* See audit_price.h. */
#include "bench/audit_price.h"

#include <errno.h>
#include <stdlib.h>

int audit_walk_add(struct audit_walk *walk, const struct audit_reference *reference)
{
	if (walk->count == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 64;
		void *more = realloc(walk->references, room * sizeof(*reference));

		if (!more)
			return -ENOMEM;
		walk->references = more;
		walk->room = room;
	}
	walk->references[walk->count++] = *reference;
	return 0;
}

void audit_walk_clear(struct audit_walk *walk)
{
	*walk = (struct audit_walk){.references = walk->references, .room = walk->room};
}

void audit_walk_free(struct audit_walk *walk)
{
	free(walk->references);
	*walk = (struct audit_walk){.references = NULL};
}

void audit_walk_caches(struct audit_walk *walk, const struct walk_ledger *ledger,
		       const struct walk_result *result)
{
	for (unsigned int row = 0; row <= WALK_DATA; row++) {
		for (unsigned int column = 0; column < WALK_OWN; column++)
			walk->cached[row] |= ledger->cached[row][column] > 0;
		walk->guest_cached |= ledger->cached[row][WALK_OWN] > 0;
	}
	walk->guest_size = result->guest_size;
	walk->host_size = result->host_size;
}

static unsigned int cycles(const struct audit_reference *reference)
{
	return mmu_data_cycles((enum mmu_data_level)reference->level);
}

/* A row: its search of stage 2, and its own line. */
struct chain {
	const struct audit_reference *first;
	const struct audit_reference *search; /* of stage 2; maybe another way's, for one page */
	size_t searched;		      /* references of that; 0: none was needed */
	unsigned int cached;		      /* cycles of caches that answered or shortened it */
	unsigned int own;		      /* cycles of its own line */
	uintptr_t line;			      /* that line, or 0 */
};

static bool same_line(uintptr_t a, uintptr_t b)
{
	return a / HPT_LINE_SIZE == b / HPT_LINE_SIZE;
}

/* Steps one after the other, the dearest of each. The step that has `answer` costs that alone. */
static unsigned int search_cycles(const struct audit_reference *first, size_t count,
				  uintptr_t answer)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < count;) {
		unsigned int most = 0;
		size_t step = i;

		for (; i < count && first[i].step == first[step].step; i++) {
			if (answer && same_line(first[i].line, answer))
				return sum + cycles(&first[i]);
			if (cycles(&first[i]) > most)
				most = cycles(&first[i]);
		}
		sum += most;
	}
	return sum;
}

/* The row that begins with reference *next, which goes on to the row behind it. */
static struct chain next_chain(const struct audit_walk *walk, size_t *next)
{
	const struct audit_reference *first = &walk->references[*next];
	struct chain chain = {.first = first, .search = first};

	/* Behind its own line a row ends, also where the next one has the same number. */
	while (*next < walk->count && walk->references[*next].row == first->row && !chain.line) {
		const struct audit_reference *reference = &walk->references[(*next)++];

		if (reference->column != WALK_OWN) {
			chain.searched++;
			continue;
		}
		chain.line = reference->line;
		chain.own = cycles(reference);
	}
	if (walk->cached[first->row])
		chain.cached = MMU_CYCLES_WALK_CACHE;
	return chain;
}

/* Chains that run side by side, or one alone. */
struct group {
	struct chain chains[WALK_DATA];
	size_t count;
};

/* A way whose page another one translates waits for that. */
static void share_search(struct group *group, struct chain *chain)
{
	for (struct chain *other = group->chains; other < chain; other++) {
		if (chain->searched || chain->cached ||
		    other->line / HPT_PAGE_SIZE != chain->line / HPT_PAGE_SIZE)
			continue;
		chain->search = other->search;
		chain->searched = other->searched;
		chain->cached = other->cached;
	}
}

/* The group that begins with reference *next: of rows that begin at the same step. */
static void next_group(const struct audit_walk *walk, size_t *next, struct group *group)
{
	group->count = 0;
	do {
		struct chain *chain = &group->chains[group->count++];

		*chain = next_chain(walk, next);
		share_search(group, chain);
	} while (*next < walk->count && group->count < WALK_DATA &&
		 walk->references[*next].step == group->chains[0].first->step);
}

/*
 * The search of stage 2 of a chain, which takes as long as the way `answer` if that is not 0.
 * `prediction` is paid where it reads, in the place of other caches.
 */
static unsigned int host_cycles(const struct chain *chain, uintptr_t answer,
				unsigned int prediction)
{
	unsigned int read = search_cycles(chain->search, chain->searched, answer);

	return read + (chain->searched && prediction ? prediction : chain->cached);
}

/* What no reference shows: caches that answered for the data page, and before the guest's table. */
static unsigned int unseen_cycles(const struct audit_walk *walk, unsigned int prediction)
{
	bool data_read = walk->count && walk->references[walk->count - 1].row == WALK_DATA;
	unsigned int sum = prediction;

	if (walk->cached[WALK_DATA] && !data_read)
		sum += MMU_CYCLES_WALK_CACHE;
	if (walk->guest_cached && !prediction)
		sum += MMU_CYCLES_WALK_CACHE;
	return sum;
}

static unsigned int larger(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}

static unsigned int group_cycles(const struct group *group, unsigned int prediction)
{
	unsigned int most = 0;

	for (size_t i = 0; i < group->count; i++)
		most = larger(most,
			      host_cycles(&group->chains[i], 0, prediction) + group->chains[i].own);
	return most;
}

unsigned int audit_real(const struct audit_walk *walk, unsigned int prediction)
{
	unsigned int sum = unseen_cycles(walk, prediction);
	struct group group;
	size_t next = 0;

	while (next < walk->count) {
		next_group(walk, &next, &group);
		sum += group_cycles(&group, prediction);
	}
	return sum;
}

/* The reference of a slot, or what a cache costs that made it needless. */
static unsigned int slot_cycles(const struct audit_walk *walk, unsigned int row,
				unsigned int column)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->references[i].row == row && walk->references[i].column == column)
			return cycles(&walk->references[i]);
	}
	return MMU_CYCLES_WALK_CACHE;
}

unsigned int audit_dmt(const struct audit_walk *walk)
{
	const unsigned int leaf = HPT_RADIX_LEVELS - 1;
	unsigned int guest_leaf = walk->guest_size == HPT_2M ? leaf - 1 : leaf;
	unsigned int host_leaf = walk->host_size == HPT_2M ? leaf - 1 : leaf;

	/* Pages of tables are of 4 KiB. */
	return slot_cycles(walk, guest_leaf, leaf) + slot_cycles(walk, guest_leaf, WALK_OWN) +
	       slot_cycles(walk, WALK_DATA, host_leaf) + MMU_CYCLES_NESTED_CUCKOO;
}

unsigned int audit_ways_most(const struct audit_walk *walk)
{
	unsigned int sum = unseen_cycles(walk, 0);
	struct group group;
	size_t next = 0;

	while (next < walk->count) {
		unsigned int host = 0, own = 0;

		next_group(walk, &next, &group);
		for (size_t i = 0; i < group.count; i++) {
			host = larger(host, host_cycles(&group.chains[i], 0, 0));
			own = larger(own, group.chains[i].own);
		}
		sum += host + own;
	}
	return sum;
}

/* A group of which the chain that answers counts alone, if it is in it. */
static unsigned int early_cycles(const struct group *group, const struct audit_answers *answers,
				 unsigned int prediction)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct chain *chain = &group->chains[i];

		if (chain->first->row == WALK_DATA)
			return host_cycles(chain, answers->data, prediction);
		if (same_line(chain->line, answers->guest))
			return host_cycles(chain, answers->table(answers->context, chain->line),
					   prediction) +
			       chain->own;
	}
	return group_cycles(group, prediction);
}

static unsigned int early(const struct audit_walk *walk, const struct audit_answers *answers,
			  unsigned int prediction)
{
	unsigned int sum = unseen_cycles(walk, prediction);
	struct group group;
	size_t next = 0;

	while (next < walk->count) {
		next_group(walk, &next, &group);
		sum += early_cycles(&group, answers, prediction);
	}
	return sum;
}

unsigned int audit_early(const struct audit_walk *walk, const struct audit_answers *answers)
{
	return early(walk, answers, 0);
}

unsigned int audit_cuckoo_caches(const struct audit_walk *walk, const struct audit_answers *answers)
{
	return early(walk, answers, larger(MMU_CYCLES_HASH, MMU_CYCLES_CUCKOO));
}
