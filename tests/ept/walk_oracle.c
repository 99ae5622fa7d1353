/* SPDX-License-Identifier: MIT */
/* See walk_oracle.h. */
#include "tests/ept/walk_oracle.h"

#include <stdio.h>

#include "hpt/probe.h"

/* Notes that a line was touched; `stage` is whose it is. */
static void touch(struct oracle *oracle, unsigned int stage, uint64_t address)
{
	uint64_t at = stage == 1 ? address | UINT64_C(1) << 62 : address;
	bool line = true;
	bool page = true;

	for (unsigned int i = 0; i < oracle->told; i++) {
		line = line && oracle->seen[i] / HPT_LINE_SIZE != at / HPT_LINE_SIZE;
		page = page && oracle->seen[i] / HPT_PAGE_SIZE != at / HPT_PAGE_SIZE;
	}
	oracle->lines += line;
	oracle->pages += page;
	oracle->own += stage == 1;
	if (line && oracle->told < sizeof(oracle->seen) / sizeof(oracle->seen[0]))
		oracle->seen[oracle->told++] = at;
}

static uint64_t *at(const struct hpt *table, uint64_t address)
{
	return (uint64_t *)(uintptr_t)(address + table->memory.offset);
}

static void one_more(struct oracle_cost *cost)
{
	cost->refs++;
	cost->steps++;
	cost->early++;
}

/* The lines that a search asks for next: one, or all ways of cuckoo. 0: they were asked for. */
static unsigned int next_lines(const struct hpt_desc *desc, const struct hpt_probe *probe,
			       uint64_t lines[CUCKOO_WAYS])
{
	const struct cuckoo_probe *cuckoo = &probe->cuckoo;

	lines[0] = probe->line;
	if (desc->organisation != HPT_CUCKOO || cuckoo->index >= CUCKOO_WAYS)
		return 1;
	for (unsigned int way = 0; way < CUCKOO_WAYS; way++)
		lines[way] = cuckoo_way_line(desc, cuckoo->tag, cuckoo->hash, way);
	return cuckoo->index ? 0 : CUCKOO_WAYS;
}

static void begin_search(const struct hpt_desc *desc, struct hpt_key key, struct hpt_probe *probe,
			 struct oracle_cost *cost)
{
	hpt_probe_start(desc, key, probe);
	if (probe->line && desc->organisation != HPT_RADIX)
		cost->hashes += desc->organisation == HPT_CUCKOO ? CUCKOO_WAYS : 1;
}

/* A spread region is found by one hash and its blocks by another. */
static void end_search(const struct hpt_desc *desc, const struct hpt_probe *probe,
		       struct oracle_cost *cost)
{
	if (desc->organisation == HPT_ADAPTIVE && probe->line &&
	    probe->adaptive.part == ADAPTIVE_BLOCK)
		cost->hashes++;
}

/* The search of a hashed table that is reached by an offset, for one size; true if it is there. */
static bool search(struct oracle *oracle, const struct hpt *table, struct hpt_key key,
		   unsigned int stage, struct oracle_cost *cost)
{
	enum hpt_answer answer = HPT_MISS;
	uint64_t lines[CUCKOO_WAYS];
	struct hpt_probe probe;
	uint64_t entry;

	begin_search(&table->desc, key, &probe, cost);
	while (probe.line) {
		unsigned int count = next_lines(&table->desc, &probe, lines);

		for (unsigned int i = 0; i < count; i++)
			touch(oracle, stage, lines[i]);
		cost->refs += count;
		cost->steps += !!count;
		cost->early++;
		oracle->probe += stage == 1;
		answer = hpt_probe_step(&table->desc, &probe, at(table, probe.line), &entry);
		if (answer != HPT_NEXT)
			break;
	}
	end_search(&table->desc, &probe, cost);
	return answer == HPT_HIT;
}

/* The same of a tree, of whatever sizes: a walk for a 4 KiB page comes by one of 2 MiB. */
static void search_tree(struct oracle *oracle, const struct hpt *table, struct hpt_key key,
			unsigned int stage, struct oracle_cost *cost)
{
	struct hpt_probe probe;
	uint64_t entry;

	key.size = HPT_4K;
	hpt_probe_start(&table->desc, key, &probe);
	while (probe.line) {
		touch(oracle, stage, radix_word_address(&probe.radix));
		one_more(cost);
		oracle->probe += stage == 1;
		if (hpt_probe_step(&table->desc, &probe, at(table, probe.line), &entry) != HPT_NEXT)
			break;
	}
}

static void search_all(struct oracle *oracle, const struct hpt *table, struct hpt_key key,
		       unsigned int sizes, unsigned int stage, struct oracle_cost *cost)
{
	if (table->desc.organisation == HPT_RADIX) {
		search_tree(oracle, table, key, stage, cost);
		return;
	}
	for (unsigned int size = HPT_4K; size < HPT_SIZES; size++) {
		key.size = (uint8_t)size;
		if (sizes >> size & 1 && search(oracle, table, key, stage, cost))
			return;
	}
}

/* Stage 2 of a page of the guest's table: where it is seen by frame, or NULL and the result. */
static char *table_page(struct oracle *oracle, const struct machine *machine,
			const struct walk *walk, uint64_t gfn, struct oracle_cost *cost)
{
	struct hpt_key key = hpt_key(0, gfn, HPT_4K);
	uint64_t entry = 0;
	uint64_t frame;

	search_all(oracle, walk->host, key, walk->host_sizes, 2, cost);
	if (walk->host_sizes & WALK_4K)
		entry = model_get(&machine->host.model, key);
	key = hpt_key(0, gfn - gfn % HPT_LARGE_PAGES, HPT_2M);
	if (!entry && walk->host_sizes & WALK_2M)
		entry = model_get(&machine->host.model, key);
	frame = hpt_frame(entry) + (entry & HPT_LARGE ? gfn % HPT_LARGE_PAGES : 0);
	oracle->result = (struct walk_result){.outcome = WALK_ABSENT,
					      .stage = 2,
					      .of_table = true,
					      .entry = entry,
					      .probe = oracle->probe + 1};
	if (!entry)
		return NULL;
	oracle->result.outcome = entry & HPT_SWAPPED ? WALK_SWAPPED : WALK_NOT_PRESENT;
	if (!hpt_resident(entry))
		return NULL;
	oracle->result = (struct walk_result){
		.outcome = WALK_ASTRAY, .stage = 1, .probe = oracle->probe + 1};
	if (frame >= walk->frame_count)
		return NULL;
	oracle->result = (struct walk_result){0};
	return (char *)walk->frames + frame * HPT_PAGE_SIZE;
}

/* Stage 1 in guest memory, found or not; on a failure below it the result has an outcome. */
static bool nested_tree(struct oracle *oracle, const struct machine *machine,
			const struct walk *walk, struct hpt_key key, uint64_t *entry)
{
	const struct hpt_desc *desc = &walk->guest->desc;
	enum hpt_answer answer = HPT_MISS;
	uint64_t last = 0;
	struct hpt_probe probe;

	key.size = HPT_4K;
	hpt_probe_start(desc, key, &probe);
	while (probe.line) {
		uint64_t gpa = radix_word_address(&probe.radix);
		char *page = table_page(oracle, machine, walk, gpa / HPT_PAGE_SIZE, &oracle->cost);

		if (!page)
			return false;
		touch(oracle, 1, gpa);
		one_more(&oracle->cost);
		oracle->probe++;
		last = *(uint64_t *)(page + gpa % HPT_PAGE_SIZE);
		answer = hpt_probe_step(desc, &probe,
					(uint64_t *)(page + probe.line % HPT_PAGE_SIZE), entry);
		if (answer != HPT_NEXT)
			break;
	}
	if (answer == HPT_HIT && walk->guest_sizes & WALK_4K) {
		*entry = hpt_open(desc, key, *entry);
		return true;
	}
	key.size = HPT_2M;
	*entry = hpt_open(desc, key, last & HPT_ENTRY_MASK);
	return answer == HPT_MISS && probe.radix.level == 1 && last & HPT_LARGE &&
	       walk->guest_sizes & WALK_2M;
}

/* Pages of the guest's table that a search has come by: the last one, or those of the ways. */
struct pages {
	unsigned int count;
	uint64_t gfn[CUCKOO_WAYS];
	char *page[CUCKOO_WAYS];
};

static char *known(const struct pages *pages, uint64_t gfn)
{
	for (unsigned int i = 0; i < pages->count; i++) {
		if (pages->gfn[i] == gfn)
			return pages->page[i];
	}
	return NULL;
}

static char *know(struct pages *pages, unsigned int most, uint64_t gfn, char *page)
{
	unsigned int at = pages->count < most ? pages->count++ : 0;

	pages->gfn[at] = gfn;
	pages->page[at] = page;
	return page;
}

/*
 * Ways, side by side: what stage 2 says of their pages, where that is not known, and the lines.
 * early[way]: what is read if no way after this one is.
 */
static void nested_ways(struct oracle *oracle, const struct machine *machine,
			const struct walk *walk, const uint64_t *lines, struct pages *pages,
			uint64_t early[CUCKOO_WAYS])
{
	struct oracle_cost *cost = &oracle->cost;
	uint64_t before = cost->steps;
	uint64_t longest = before;

	pages->count = 0;
	for (unsigned int way = 0; way < CUCKOO_WAYS; way++) {
		uint64_t gfn = lines[way] / HPT_PAGE_SIZE;
		char *page = known(pages, gfn);

		cost->steps = before;
		if (!page) {
			page = table_page(oracle, machine, walk, gfn, cost);
			if (page)
				know(pages, CUCKOO_WAYS, gfn, page);
		}
		if (page) {
			touch(oracle, 1, lines[way]);
			one_more(cost);
		} else {
			oracle->cost_unknown = true;
		}
		longest = cost->steps > longest ? cost->steps : longest;
		early[way] = cost->early;
	}
	cost->steps = longest;
}

static bool nested_search(struct oracle *oracle, const struct machine *machine,
			  const struct walk *walk, struct hpt_key key, struct pages *pages,
			  uint64_t *entry)
{
	const struct hpt_desc *desc = &walk->guest->desc;
	bool cuckoo = desc->organisation == HPT_CUCKOO;
	enum hpt_answer answer = HPT_MISS;
	uint64_t lines[CUCKOO_WAYS];
	uint64_t early[CUCKOO_WAYS];
	struct hpt_probe probe;

	begin_search(desc, key, &probe, &oracle->cost);
	while (probe.line) {
		uint64_t gfn = probe.line / HPT_PAGE_SIZE;
		unsigned int count = next_lines(desc, &probe, lines);
		char *page;

		if (count > 1)
			nested_ways(oracle, machine, walk, lines, pages, early);
		page = known(pages, gfn);
		if (!page) {
			page = table_page(oracle, machine, walk, gfn, &oracle->cost);
			if (!page) {
				end_search(desc, &probe, &oracle->cost);
				return false;
			}
			know(pages, cuckoo ? CUCKOO_WAYS : 1, gfn, page);
		}
		oracle->result = (struct walk_result){0};
		if (count == 1) {
			touch(oracle, 1, probe.line);
			one_more(&oracle->cost);
		}
		oracle->probe++;
		answer = hpt_probe_step(desc, &probe,
					(uint64_t *)(page + probe.line % HPT_PAGE_SIZE), entry);
		if (answer != HPT_NEXT)
			break;
	}
	end_search(desc, &probe, &oracle->cost);
	if (cuckoo && probe.line && probe.cuckoo.index < CUCKOO_WAYS)
		oracle->cost.early = early[probe.cuckoo.index];
	if (answer == HPT_HIT)
		*entry = hpt_open(desc, key, *entry);
	return answer == HPT_HIT;
}

static bool nested(struct oracle *oracle, const struct machine *machine, const struct walk *walk,
		   struct hpt_key key, uint64_t *entry)
{
	struct pages pages = {0};

	if (walk->guest->desc.organisation == HPT_RADIX)
		return nested_tree(oracle, machine, walk, key, entry);
	for (unsigned int size = HPT_4K; size < HPT_SIZES; size++) {
		key.size = (uint8_t)size;
		if (!(walk->guest_sizes >> size & 1))
			continue;
		if (nested_search(oracle, machine, walk, key, &pages, entry))
			return true;
		if (oracle->result.outcome != WALK_TRANSLATED)
			return false;
	}
	return false;
}

/* What the naive maps say, and the probe at which it fails if it does. */
static void conclude(struct oracle *oracle, const struct machine *machine, const struct walk *walk,
		     struct hpt_key key)
{
	machine_expect(machine, walk, key, &oracle->result);
	if (oracle->result.outcome != WALK_TRANSLATED)
		oracle->result.probe = oracle->probe ? oracle->probe : 1;
}

void oracle_walk(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		 struct oracle *oracle)
{
	uint64_t entry = 0;
	bool found = true;

	*oracle = (struct oracle){0};
	if (walk->slab)
		search_all(oracle, walk->guest, key, walk->guest_sizes, 1, &oracle->cost);
	else
		found = nested(oracle, machine, walk, key, &entry);
	if (oracle->result.outcome != WALK_TRANSLATED)
		return;
	conclude(oracle, machine, walk, key);
	cr_assert(oracle->result.stage == 1 || found, "the oracle does not find what is mapped");
	if (oracle->result.stage != 1)
		search_all(oracle, walk->host, hpt_key(0, oracle->result.gfn, HPT_4K),
			   walk->host_sizes, 2, &oracle->cost);
}

static uint64_t slots_of(const struct walk_ledger *ledger)
{
	uint64_t sum = 0;

	for (unsigned int row = 0; row <= WALK_DATA; row++) {
		for (unsigned int column = 0; column <= WALK_OWN; column++)
			sum += ledger->slots[row][column];
	}
	return sum;
}

static void check_cost(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		       const struct oracle *oracle, const struct walk_ledger *ledger)
{
	const struct oracle_cost *cost = &oracle->cost;
	uint64_t own = 0;

	for (unsigned int row = 0; row <= WALK_DATA; row++)
		own += ledger->slots[row][WALK_OWN];
	if (ledger->refs != cost->refs || ledger->steps != cost->steps ||
	    ledger->early != cost->early || ledger->hashes != cost->hashes ||
	    ledger->lines != oracle->lines || ledger->pages != oracle->pages ||
	    own != oracle->own) {
		cr_log_error("refs %llu, steps %llu, early %llu, hashes %llu, lines %llu, "
			     "pages %llu, own %llu",
			     (unsigned long long)ledger->refs, (unsigned long long)ledger->steps,
			     (unsigned long long)ledger->early, (unsigned long long)ledger->hashes,
			     (unsigned long long)ledger->lines, (unsigned long long)ledger->pages,
			     (unsigned long long)own);
		cr_log_error("not %llu, %llu, %llu, %llu, %llu, %llu, %llu",
			     (unsigned long long)cost->refs, (unsigned long long)cost->steps,
			     (unsigned long long)cost->early, (unsigned long long)cost->hashes,
			     (unsigned long long)oracle->lines, (unsigned long long)oracle->pages,
			     (unsigned long long)oracle->own);
		machine_fail(machine, walk, key, "the costs are others");
	}
}

void oracle_check(const struct machine *machine, const struct walk *walk, struct hpt_key key)
{
	struct walk_ledger ledger = {0};
	struct walk_result counted;
	struct oracle oracle;
	uint64_t entry = walk_one(walk, key);

	oracle_walk(machine, walk, key, &oracle);
	walk_count(walk, key, &counted, &ledger);
	if (!machine_same(&counted, &oracle.result, true))
		machine_fail(machine, walk, key, "not what the oracle says");
	if (entry != (counted.outcome == WALK_TRANSLATED ? counted.entry : 0))
		machine_fail(machine, walk, key, "walk_one() and walk_count() differ");
	if (ledger.refs != slots_of(&ledger))
		machine_fail(machine, walk, key, "slots have other references");
	if (!oracle.cost_unknown)
		check_cost(machine, walk, key, &oracle, &ledger);
}
