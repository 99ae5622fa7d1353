/* SPDX-License-Identifier: MIT */
/*
 * shared: pages that several address spaces have in common, as an entry for each space, or as one
 * entry with a list of who has it: a segment of hpt/space.h and its attachments.
 *
 * Then rights: two spaces have one segment, one of them to read only; whatever is done to either,
 * the reader is never let write. And identifiers: a process that ends leaves entries behind, in a
 * table that is cleaned up later and in a TLB that is not flushed. The next process that is given
 * its number finds them, one with an identifier that has not been used yet does not.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arena.h"
#include "bench/experiment.h"
#include "bench/soft_tlb.h"
#include "bench/timing.h"
#include "hpt/mix.h"
#include "hpt/space.h"

#define ARENA	   (UINT64_C(1) << 28)
#define SHARERS	   32
#define PAGES	   (UINT64_C(1) << 12) /* in common */
#define FLAGS	   (HPT_PRESENT | HPT_WRITE | HPT_USER)
#define STEPS	   (1 << 16) /* of the test of rights */
#define LIVES	   70000     /* processes, one after the other: more than there are identifiers */
#define LIFE_PAGES 4	     /* that each has */
#define TLB_LIVES  1000
#define PID	   7

enum way { ENTRIES, SEGMENT, WAYS };

static const char *const way_names[WAYS] = {"an entry for each", "one with a list"};

struct house {
	struct arena arena;
	struct hpt table;
	struct hpt_spaces spaces;
	struct hpt_space of[SHARERS];
	struct hpt_segment segment;
	struct hpt_attachment attachments[SHARERS];
};

struct experimenting {
	struct house house;
	char *before;
	uint64_t wrong;
};

static void nothing(void *context, uint64_t entry)
{
	(void)context;
	(void)entry;
}

static uint64_t entry_of(uint64_t page)
{
	return hpt_entry(page ^ 0x5555, FLAGS);
}

static int begin(struct house *house, uint64_t pages)
{
	struct hpt_config config = {.organisation = HPT_CLUSTERED, .pages = pages};
	struct hpt_spaces_config spaces = {
		.table = &house->table, .taken = nothing, .dropped = nothing};
	int error;

	arena_reset(&house->arena);
	config.memory = arena_memory(&house->arena);
	error = hpt_create(&house->table, &config);
	return error ? error : hpt_spaces_create(&house->spaces, &spaces);
}

static int map_segment(struct house *house)
{
	int error = hpt_segment_create(&house->spaces, &house->segment);

	for (uint64_t i = 0; !error && i < PAGES; i++)
		error = hpt_segment_map(&house->segment, i, HPT_4K, entry_of(i));
	return error;
}

/* So many spaces with all pages in common. */
static int build(struct house *house, enum way way, unsigned int sharers)
{
	int error = begin(house, sharers * PAGES);

	if (!error && way == SEGMENT)
		error = map_segment(house);
	for (unsigned int i = 0; !error && i < sharers; i++) {
		error = hpt_space_create(&house->spaces, &house->of[i]);
		for (uint64_t page = 0; !error && way == ENTRIES && page < PAGES; page++)
			error = hpt_space_map(&house->of[i], page, HPT_4K,
					      entry_of(page) | HPT_COMMON);
		if (!error && way == SEGMENT)
			error = hpt_space_attach(&house->of[i], &house->attachments[i],
						 &house->segment, 0, PAGES, 0,
						 HPT_WRITE | HPT_USER);
	}
	return error;
}

/* Takes the right to write from all of them. */
static int protect(struct house *house, enum way way, unsigned int sharers)
{
	int error = 0;

	if (way == SEGMENT)
		return hpt_segment_protect(&house->segment, 0, HPT_4K, PAGES, HPT_WRITE, 0);
	for (unsigned int i = 0; !error && i < sharers; i++)
		error = hpt_space_protect(&house->of[i], 0, HPT_4K, PAGES, HPT_WRITE, 0);
	return error;
}

/* Probes a lookup, over all spaces and pages; and that all see what they should. */
static double look_up_all(struct experimenting *own, unsigned int sharers, uint64_t rights)
{
	struct hpt_ledger ledger = {0};

	for (unsigned int i = 0; i < sharers; i++) {
		for (uint64_t page = 0; page < PAGES; page++) {
			struct hpt_space_found found = {.entry = 0};

			hpt_space_lookup(&own->house.of[i], page, HPT_4K, &found, &ledger);
			own->wrong += found.entry != (entry_of(page) & ~(HPT_WRITE & ~rights));
		}
	}
	return (double)ledger.probes / (double)(sharers * PAGES);
}

static unsigned int listed(const struct house *house)
{
	struct hpt_attachment *user = NULL;
	unsigned int count = 0;

	while ((user = hpt_segment_user(&house->segment, user)))
		count++;
	return count;
}

/* The numbers of one way and one number of sharers. */
struct cost {
	double entries, lines, probes, changed;
	double load; /* of the table */
};

static int measure_sharers(struct experimenting *own, enum way way, unsigned int sharers,
			   struct cost *cost)
{
	struct house *house = &own->house;
	int error = build(house, way, sharers);
	size_t bytes = arena_bytes(&house->arena);

	if (error)
		return error;
	cost->entries = (double)house->table.counts.entries;
	cost->lines = (double)house->table.counts.used;
	cost->load = cost->lines / (double)house->table.counts.places;
	cost->probes = look_up_all(own, sharers, HPT_WRITE);
	memcpy(own->before, arena_start(&house->arena), bytes);
	error = protect(house, way, sharers);
	cost->changed = (double)arena_changed(&house->arena, own->before, bytes);
	look_up_all(own, sharers, 0);
	if (way == SEGMENT)
		own->wrong += listed(house) != sharers;
	return error;
}

static void claim_sharers(struct experiment_result *result, enum way way, unsigned int sharers,
			  const struct cost *cost)
{
	double times = way == ENTRIES ? sharers : 1;
	const char *name = way_names[way];

	experiment_equal(result, "entries", times * PAGES, cost->entries, 0,
			 "%s, %u spaces: entries", name, sharers);
	experiment_equal(result, "lines", times * PAGES / 8, cost->lines, 0,
			 "%s, %u spaces: lines in use", name, sharers);
	/* Many spaces at once lie as at random in the table; one segment lies evenly. */
	experiment_equal(result, "probes",
			 way == ENTRIES ? log(1 / (1 - cost->load)) / cost->load : 2, cost->probes,
			 0.2, "%s, %u spaces: probes a lookup", name, sharers);
	experiment_equal(result, "lines", times * PAGES / 8, cost->changed, 0,
			 "%s, %u spaces: lines that a change for all changes", name, sharers);
}

static int measure_memory(struct experimenting *own, struct experiment_result *result)
{
	struct experiment_chart *lines = experiment_chart(
		result, "16 MiB in common: memory, and a change for all", "spaces", "lines");
	struct experiment_chart *probes =
		experiment_chart(result, "16 MiB in common: a lookup", "spaces", "probes");
	struct experiment_series *used[WAYS], *probed[WAYS];

	lines->log_x = lines->log_y = probes->log_x = true;
	for (int way = 0; way < WAYS; way++) {
		used[way] = experiment_series(lines, way_names[way], false);
		probed[way] = experiment_series(probes, way_names[way], false);
		for (unsigned int sharers = 1; sharers <= SHARERS; sharers *= 2) {
			struct cost cost;
			int error = measure_sharers(own, (enum way)way, sharers, &cost);

			if (error)
				return error;
			experiment_point(used[way], sharers, cost.lines);
			experiment_point(probed[way], sharers, cost.probes);
			if (sharers == 2 || sharers == SHARERS)
				claim_sharers(result, (enum way)way, sharers, &cost);
		}
	}
	return 0;
}

/* What somebody may do to the two of them; the reader's attachment is never given W. */
static int change_something(struct house *house, uint64_t *random)
{
	uint64_t choice = mix64_next(random);
	uint64_t page = choice >> 8 & (PAGES - 1);
	uint64_t rights = choice >> 32;

	switch (choice & 3) {
	case 0:
		return hpt_segment_protect(&house->segment, page, HPT_4K, 1, HPT_WRITE,
					   rights & HPT_WRITE);
	case 1:
		return hpt_attachment_protect(&house->attachments[1],
					      rights & (HPT_USER | HPT_NOEXEC));
	case 2:
		return hpt_attachment_protect(&house->attachments[0],
					      rights & (HPT_WRITE | HPT_USER | HPT_NOEXEC));
	default:
		return hpt_segment_protect(&house->segment, page / 64 * 64, HPT_4K, 64, 0,
					   HPT_WRITE);
	}
}

/* Whether a space's lookup, or its write fault, lets it write. */
static bool may_write(const struct hpt_space *space, uint64_t page)
{
	struct hpt_space_found found = {.entry = 0};

	return !hpt_space_lookup(space, page, HPT_4K, &found, NULL) && found.entry & HPT_WRITE;
}

/* A writer, a reader, and a child of the reader's. */
static int measure_rights(struct experimenting *own, struct experiment_result *result)
{
	struct house *house = &own->house;
	uint64_t reader = 0, writer = 0, random = 1;
	int error = build(house, SEGMENT, 2);

	if (!error)
		error = hpt_attachment_protect(&house->attachments[1], HPT_USER);
	if (!error)
		error = hpt_space_fork(&house->of[1], &house->of[2], &house->attachments[2]);
	for (int i = 0; !error && i < STEPS; i++) {
		uint64_t page = mix64_next(&random) & (PAGES - 1);

		error = change_something(house, &random);
		writer += may_write(&house->of[0], page);
		for (int space = 1; space <= 2; space++) {
			reader += may_write(&house->of[space], page);
			reader += hpt_space_write(&house->of[space], page, HPT_4K,
						  HPT_SPACE_NO_FRAME) >= 0;
		}
	}
	if (error)
		return error;
	experiment_equal(result, "writes", 0, (double)reader, 0,
			 "rights: writes that the reader or its child was let, of %d", 4 * STEPS);
	experiment_at_least(result, "writes", STEPS / 8, (double)writer, 0,
			    "rights: writes that the writer was let, of %d", STEPS);
	return 0;
}

/* In the table of processes that end without cleaning up, what a new one finds: nothing is his. */
static int count_stale_by_pid(struct house *house, uint64_t *stale)
{
	int error = begin(house, LIFE_PAGES);
	uint64_t entry;

	*stale = 0;
	for (int life = 0; !error && life < TLB_LIVES; life++) {
		for (uint64_t page = 0; !error && page < LIFE_PAGES; page++) {
			struct hpt_key key = hpt_key(PID, page, HPT_4K);

			if (!hpt_lookup(&house->table, key, &entry, NULL)) {
				++*stale;
				hpt_unmap(&house->table, key, NULL);
			}
			error = hpt_map(&house->table, key, entry_of((uint64_t)life));
		}
	}
	return error;
}

/* The same by spaces: their entries stay behind as well, until identifiers run out. */
static int count_stale_by_space(struct house *house, uint64_t *stale)
{
	int error = begin(house, LIFE_PAGES);

	*stale = 0;
	for (int life = 0; !error && life < LIVES; life++) {
		struct hpt_space *space = &house->of[0];

		error = hpt_space_create(&house->spaces, space);
		for (uint64_t page = 0; !error && page < LIFE_PAGES; page++) {
			struct hpt_space_found found;

			*stale += !hpt_space_lookup(space, page, HPT_4K, &found, NULL);
			error = hpt_space_map(space, page, HPT_4K, entry_of((uint64_t)life));
		}
		if (!error)
			hpt_space_destroy(space);
	}
	return error;
}

/* A TLB that nobody flushes, before a table that is cleaned: what it says to the next process. */
static int count_stale_in_tlb(bool recycled, uint64_t *stale)
{
	const struct soft_tlb_config config = {.window = {.sets = 1, .ways = 2},
					       .buckets_log2 = 8,
					       .slots = BUCKET_SLOTS,
					       .hash = HPT_AES};
	struct soft_tlb tlb;
	int error = soft_tlb_create(&tlb, &config);

	*stale = 0;
	if (error)
		return error;
	for (uint64_t life = 0; life < TLB_LIVES; life++) {
		uint16_t asid = (uint16_t)(recycled ? PID : life + 1);

		for (uint64_t page = 0; page < LIFE_PAGES; page++) {
			struct hpt_key key = hpt_key(asid, page, HPT_4K);
			uint64_t entry;

			if (soft_tlb_lookup(&tlb, key, &entry) == SOFT_TLB_MISS)
				soft_tlb_fill(&tlb, key, entry_of(life));
			else
				*stale += entry != entry_of(life);
		}
	}
	soft_tlb_destroy(&tlb);
	return 0;
}

static int measure_identifiers(struct experimenting *own, struct experiment_result *result)
{
	uint64_t stale;
	int error = count_stale_by_pid(&own->house, &stale);

	if (error)
		return error;
	experiment_equal(result, "entries", (double)(TLB_LIVES - 1) * LIFE_PAGES, (double)stale, 0,
			 "a recycled process id, table: stale entries found by %d processes",
			 TLB_LIVES);
	error = count_stale_by_space(&own->house, &stale);
	if (error)
		return error;
	experiment_equal(result, "entries", 0, (double)stale, 0,
			 "ASIDs, used again only without entries: stale ones, %d processes", LIVES);
	error = count_stale_in_tlb(true, &stale);
	if (error)
		return error;
	experiment_equal(result, "answers", (double)(TLB_LIVES - 1) * LIFE_PAGES, (double)stale, 0,
			 "a recycled process id, TLB: stale answers to %d processes", TLB_LIVES);
	error = count_stale_in_tlb(false, &stale);
	if (error)
		return error;
	experiment_equal(result, "answers", 0, (double)stale, 0,
			 "ASIDs that are never used again, TLB: stale answers to %d processes",
			 TLB_LIVES);
	return 0;
}

static int measure(struct experimenting *own, struct experiment_result *result)
{
	int error = measure_memory(own, result);

	if (!error)
		error = measure_rights(own, result);
	return error ? error : measure_identifiers(own, result);
}

static int run(struct experiment_result *result, struct message *message)
{
	struct experimenting own = {.wrong = 0};
	int error = arena_begin(&own.house.arena, ARENA);

	if (error)
		return experiment_no_memory(message);
	own.before = malloc(ARENA);
	error = own.before ? measure(&own, result) : -ENOMEM;
	arena_end(&own.house.arena);
	free(own.before);
	if (error == -ENOMEM)
		return experiment_no_memory(message);
	if (error || own.wrong)
		return experiment_wrong(message, "a space does not see the page that it shares");
	return 0;
}

const struct experiment shared_experiment = {
	.name = "shared",
	.question = "What do k spaces pay for pages in common, as entries of their own or as one "
		    "entry with a list; and can one of them get what is another's?",
	.model =
		"an entry for each: kN entries, one search a lookup, of ln(1/(1-a))/a probes, kN/8 "
		"lines to change; one with a "
		"list: N, two searches whatever k, N/8; a reader of a writer's page writes 0 times; "
		"who gets a dead process's number finds all of its entries, with a fresh one none",
	.run = run,
};
