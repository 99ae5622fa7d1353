/* SPDX-License-Identifier: MIT */
/*
 * Visits in an adaptive table: region by region, in ascending order, or in the order of its lines
 * where that is less to read. A run whose pages all get the same answer stays one.
 *
 * Nothing is held while a visitor of the caller's is asked: readers would wait for it.
 */
#include <errno.h>

#include "hpt/adaptive_region.h"

/* What is visited. */
struct visit {
	struct hpt *table;
	bool all;
	struct hpt_key from; /* unless all: its ASID and size, ... */
	uint64_t end;	     /* ... and what lies below this vpn */
	bool in_scan;	     /* slots must not be taken, and forms are not settled */
	bool unsettled;	     /* a scan has left leaves that may be held in less */
	hpt_visitor visit;
	void *context;
};

/* A region that is visited, and pages [from, to) of it. */
struct region {
	struct visit *visit;
	uint64_t tag;
	struct hpt_key key; /* of its first page */
	unsigned int from;
	unsigned int to;
	bool unseen; /* it has become a leaf that no reader has seen */
};

static struct hpt_key key_of(uint64_t tag)
{
	uint64_t region = tag & ((UINT64_C(1) << ADAPTIVE_ASID_SHIFT) - 1);
	uint64_t low = tag >> ADAPTIVE_ASID_SHIFT & ((1u << ADAPTIVE_ASID_LOW) - 1);
	uint64_t high = tag >> ADAPTIVE_HIGH_SHIFT & 0x7f;

	return hpt_key((uint16_t)(high << ADAPTIVE_ASID_LOW | low), region << ADAPTIVE_REGION_LOG2,
		       HPT_4K);
}

static uint64_t ask(const struct region *region, unsigned int page, uint64_t entry)
{
	struct hpt_key key = region->key;

	key.vpn += page;
	return region->visit->visit(region->visit->context, key, entry);
}

/* Visits the words of a leaf from page `from` on. It is marked where they change. */
static void visit_leaf(const struct region *region, uint64_t *marker, unsigned int from)
{
	struct hpt *table = region->visit->table;
	uint64_t *words = adaptive_leaf(table, marker);
	unsigned int count = adaptive_marker_count(marker);
	bool changed = false;

	for (unsigned int page = from; page < region->to; page++) {
		struct hpt_key key = region->key;
		uint64_t entry = HPT_LOAD(words[page]);
		uint64_t answer;

		if (!entry)
			continue;
		key.vpn += page;
		answer = shared_visit(table, &words[page], key, region->visit->visit,
				      region->visit->context);
		changed |= answer != entry;
		count -= !answer;
		table->counts.entries -= !answer;
	}
	if (changed)
		HPT_STORE(*marker, HPT_LOAD(*marker) | ADAPTIVE_UNSETTLED);
	adaptive_set_count(table, marker, count);
}

/*
 * The answers of a run, while they go on as they began: all 0, or entries that are one run again.
 * What the answer for `page` would have to be.
 */
struct answers {
	unsigned int first; /* page */
	uint64_t entry;	    /* its entry, ... */
	uint64_t answer;    /* ... and what it became */
};

static uint64_t expected(const struct answers *answers, unsigned int page)
{
	if (!answers->answer)
		return 0;
	return adaptive_page_entry(answers->answer, page - answers->first);
}

/* Stores an answer in a leaf that no reader has seen: how many words it has less. */
static unsigned int store(struct hpt *table, uint64_t *word, uint64_t entry)
{
	HPT_STORE(*word, entry);
	table->counts.entries -= !entry;
	return !entry;
}

/*
 * The answer for `page` of a run is not as those before: the region becomes a leaf, they are stored
 * there, and the visit goes on in it; from the first of them on where readers have marked the run
 * since.
 */
static void visit_in_leaf(struct region *region, const struct answers *answers, unsigned int page,
			  uint64_t answer)
{
	struct hpt *table = region->visit->table;
	unsigned int next = answers->first;
	struct adaptive_found found;
	uint64_t address = 0;
	uint64_t *marker, *words;
	unsigned int gone = 0;

	adaptive_get_leaf(table, true, &address); /* visit_run() has seen to it */
	adaptive_find(table, region->tag, &found);
	marker = adaptive_expand(table, region->tag, &found, address);
	words = adaptive_leaf(table, marker);
	if (HPT_LOAD(words[next]) == answers->entry) {
		for (; next < page; next++)
			gone += store(table, &words[next], expected(answers, next));
		gone += store(table, &words[next++], answer);
	}
	/* Some page is left: answers that are all 0 are no reason to come here. */
	adaptive_set_count(table, marker, adaptive_marker_count(marker) - gone);
	HPT_STORE(*marker, HPT_LOAD(*marker) | ADAPTIVE_UNSETTLED);
	region->unseen = next >= region->to || hpt_visitor_is_own(region->visit->visit);
	if (!region->unseen)
		shared_done(table);
	visit_leaf(region, marker, next);
}

/* A page for visit_in_leaf(), before the visitor is asked; `whole`: for all pages of the run. */
static bool leaf_at_hand(struct hpt *table, hpt_visitor visit, bool whole)
{
	if (whole && hpt_answers_alike(visit))
		return true;

	return adaptive_reserve(table, 0) || table->spares.count;
}

/*
 * Asks for the pages [answers->first, to) of a run. Where they all answer alike: `to`; otherwise
 * the first that does not, whose answer is *other. A part of a run must stay as it is for that.
 */
static unsigned int ask_run(const struct region *region, const struct adaptive_run *run,
			    struct answers *answers, unsigned int to, uint64_t *other)
{
	unsigned int page = answers->first;
	unsigned int end = run->first + (1u << run->log2);
	bool whole = page == run->first && to == end;
	uint64_t wanted;

	answers->entry = adaptive_page_entry(run->entry, page - run->first);
	*other = answers->answer = ask(region, page, answers->entry);
	wanted = whole ? *other : answers->entry;
	while (*other == wanted && ++page < to) {
		*other = ask(region, page, adaptive_page_entry(run->entry, page - run->first));
		wanted = expected(answers, page);
	}
	return page;
}

enum visited { VISITED, VISITED_TO_END };

/*
 * Visits the pages of a slot that lie in the range; *gone is how many it has less. VISITED_TO_END
 * where the region has become a leaf, which has been visited to its end; or -ENOMEM.
 */
static int visit_run(struct region *region, uint64_t *slot, unsigned int *gone)
{
	struct hpt *table = region->visit->table;
	struct adaptive_run run = adaptive_run_of(slot);
	unsigned int pages = 1u << run.log2;
	unsigned int end = run.first + pages;
	unsigned int to = end < region->to ? end : region->to;
	struct answers answers = {.first = run.first};
	uint64_t seen = HPT_LOAD(*slot);

	*gone = 0;
	if (answers.first < region->from)
		answers.first = region->from;
	if (answers.first >= to)
		return VISITED;
	if (run.log2 && !leaf_at_hand(table, region->visit->visit, to - answers.first == pages))
		return -ENOMEM;
	do {
		unsigned int page;
		uint64_t other;

		run.entry = seen & HPT_ENTRY_MASK;
		page = ask_run(region, &run, &answers, to, &other);
		if (page < to) {
			visit_in_leaf(region, &answers, page, other);
			return VISITED_TO_END;
		}
		if (answers.answer == answers.entry)
			return VISITED;
	} while (!shared_replace(table, slot, &seen, (seen & ~HPT_ENTRY_MASK) | answers.answer));
	if (!answers.answer) {
		*gone = pages;
		table->counts.entries -= pages;
		adaptive_remove(table, slot);
		shared_done(table);
	}
	return VISITED;
}

static int visit_spread(struct region *region, uint64_t *marker)
{
	struct hpt *table = region->visit->table;
	unsigned int count = adaptive_marker_count(marker);
	unsigned int before = count;
	int visited = VISITED;

	for (unsigned int page = region->from & ~((1u << ADAPTIVE_BLOCK_LOG2) - 1);
	     page < region->to && visited == VISITED; page += 1u << ADAPTIVE_BLOCK_LOG2) {
		unsigned int block = page >> ADAPTIVE_BLOCK_LOG2;
		struct adaptive_found found;

		if (!adaptive_block_marked(marker, block))
			continue;
		adaptive_find(table, adaptive_block_tag(region->tag, block), &found);
		for (unsigned int i = 0; i < found.count && visited == VISITED; i++) {
			unsigned int gone;

			visited = visit_run(region, found.slot[i], &gone);
			count -= gone;
		}
	}
	if (visited == VISITED_TO_END || count == before)
		return visited;
	if (region->visit->in_scan)
		adaptive_set_count(table, marker, count);
	else
		adaptive_shrink(table, region->tag, marker, count);
	return visited;
}

static int visit_compact(struct region *region, const struct adaptive_found *found)
{
	int visited = VISITED;

	for (unsigned int i = 0; i < found->count && visited == VISITED; i++) {
		unsigned int gone;

		visited = visit_run(region, found->slot[i], &gone);
	}
	return visited;
}

static void visit_large(const struct region *region, uint64_t *slot)
{
	struct visit *visit = region->visit;
	struct hpt_key key = region->key;
	uint64_t answer;

	key.size = HPT_2M;
	answer = shared_visit(visit->table, slot, key, visit->visit, visit->context);
	if (!answer) {
		visit->table->counts.entries--;
		adaptive_remove(visit->table, slot);
	}
}

/* After a visit: its leaf may be given up, and the reserve be filled again. */
static void settle(const struct region *region, unsigned int keep)
{
	struct hpt *table = region->visit->table;
	struct adaptive_found found;

	adaptive_find(table, region->tag, &found);
	if (adaptive_form_of(&found) != ADAPTIVE_FORM_LEAF ||
	    !(HPT_LOAD(*found.slot[0]) & ADAPTIVE_UNSETTLED))
		return;
	if (region->visit->in_scan)
		region->visit->unsettled = true;
	else
		adaptive_settle(table, region->tag, keep, region->unseen);
}

static int visit_region(struct visit *visit, uint64_t tag, const struct adaptive_found *found)
{
	struct region region = {
		.visit = visit, .tag = tag, .key = key_of(tag), .to = ADAPTIVE_PAGES};
	enum adaptive_form form = adaptive_form_of(found);
	unsigned int keep = ADAPTIVE_LEAF_PAGES;
	int visited = VISITED;

	if (!visit->all) {
		uint64_t below = visit->end - region.key.vpn;

		if (visit->from.size != (form == ADAPTIVE_FORM_LARGE ? HPT_2M : HPT_4K))
			return 0;
		if (visit->from.vpn > region.key.vpn)
			region.from = (unsigned int)(visit->from.vpn - region.key.vpn);
		if (below < region.to)
			region.to = (unsigned int)below;
	}
	switch (form) {
	case ADAPTIVE_FORM_NONE:
		return 0;
	case ADAPTIVE_FORM_LARGE:
		visit_large(&region, found->slot[0]);
		break;
	case ADAPTIVE_FORM_LEAF:
		visit_leaf(&region, found->slot[0], region.from);
		keep = ADAPTIVE_LEAF_KEPT;
		break;
	case ADAPTIVE_FORM_SPREAD:
		visited = visit_spread(&region, found->slot[0]);
		break;
	case ADAPTIVE_FORM_COMPACT:
		visited = visit_compact(&region, found);
	}
	settle(&region, keep);
	shared_done(visit->table);
	return visited < 0 ? visited : 0;
}

/* Visits the region of a slot by which a scan has come, if that is the last of the region. */
static int visit_slot(struct visit *visit, const uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot) & ~ADAPTIVE_PAGES_MASK;
	struct hpt_key key = key_of(tag);
	struct adaptive_found found;

	if (!(HPT_LOAD(*slot) & HPT_ENTRY_MASK) || tag & ADAPTIVE_BY_BLOCK)
		return 0;
	if (!visit->all && (key.asid != visit->from.asid || key.vpn >= visit->end ||
			    key.vpn + ADAPTIVE_PAGES <= visit->from.vpn))
		return 0;
	adaptive_find(visit->table, tag, &found);
	return found.last == slot ? visit_region(visit, tag, &found) : 0;
}

static void settle_slot(struct hpt *table, const uint64_t *slot)
{
	uint64_t tag = adaptive_tag_of(slot);
	uint64_t word = HPT_LOAD(*slot);

	if (word & HPT_ENTRY_MASK && !adaptive_code(tag) && !(word & ADAPTIVE_SPREAD) &&
	    word & ADAPTIVE_UNSETTLED) {
		adaptive_settle(table, tag, ADAPTIVE_LEAF_PAGES, false);
		shared_done(table);
	}
}

/* Forms are settled afterwards: slots that are taken on the way would be visited again. */
static int scan(struct visit *visit)
{
	struct generation_walk walk = {.table = visit->table};
	uint64_t *line;
	int error = 0;

	visit->in_scan = true;
	while (!error && (line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < ADAPTIVE_LINE_SLOTS && !error; i++)
			error = visit_slot(visit, &line[i]);
	}
	walk = (struct generation_walk){.table = visit->table};
	while (visit->unsettled && (line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < ADAPTIVE_LINE_SLOTS; i++)
			settle_slot(visit->table, &line[i]);
	}
	return error;
}

int adaptive_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	struct visit all = {.table = table, .all = true, .visit = visit, .context = context};

	return scan(&all);
}

int adaptive_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
			 void *context)
{
	struct visit range = {
		.table = table,
		.from = key,
		.end = key.vpn + count * hpt_pages_in(key.size),
		.visit = visit,
		.context = context,
	};
	int error = 0;

	if (hpt_range_scanned(table, key, count))
		return scan(&range);
	key.vpn &= ~(uint64_t)(ADAPTIVE_PAGES - 1);
	for (; key.vpn < range.end && !error; key.vpn += ADAPTIVE_PAGES) {
		uint64_t tag = adaptive_region_tag(key);
		struct adaptive_found found;

		adaptive_find(table, tag, &found);
		error = visit_region(&range, tag, &found);
	}
	return error;
}
