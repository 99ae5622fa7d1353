/* SPDX-License-Identifier: MIT */
/*
 * Walks in batches: WALK_IN_FLIGHT of them side by side, each taken as far as its next line of
 * memory, which is fetched while the others go on (Kocberber et al., "Asynchronous Memory Access
 * Chaining", VLDB'15). The steps are those of walk_single.h, one at a time.
 */
#ifndef EPT_WALK_PIPELINE_H
#define EPT_WALK_PIPELINE_H

#include "ept/walk_inline.h"

#define WALK_IN_FLIGHT 16

enum walk_phase {
	WALK_GUEST_LINE, /* the line is one of the guest's table */
	WALK_TABLE_PAGE, /* of the host's: where the page of that line is */
	WALK_DATA_PAGE,	 /* of the host's: where the data page is */
};

struct walk_flight {
	struct walk_stage guest;
	struct walk_stage host;
	const uint64_t *line; /* that has been fetched; NULL: the walk has ended without one */
	uint64_t page;	      /* GFN of the page of the guest's table that was translated last */
	uintptr_t base;	      /* and where it is */
	uint64_t gfn;	      /* that the host's table is asked for */
	size_t number;	      /* of the key */
	enum walk_phase phase;
};

/* Upper levels of a tree are in the CPU's caches: waiting for them would only take turns. */
WALK_INLINE bool walk_takes_turn(const struct walk_stage *stage, enum hpt_organisation organisation)
{
	return organisation != HPT_RADIX || stage->probe.radix.level <= 1;
}

/* Goes for the line that the host's search is at. */
WALK_INLINE void walk_go_host(const struct walk *walk, struct walk_flight *flight)
{
	flight->line = NULL;
	if (flight->host.probe.line)
		flight->line = hpt_word(walk->host, flight->host.probe.line);
}

WALK_INLINE void walk_start_host(const struct walk *walk, struct walk_flight *flight, uint64_t gfn,
				 enum walk_phase phase, enum hpt_organisation host)
{
	flight->gfn = gfn;
	flight->phase = phase;
	walk_stage_start(&flight->host, walk->host, hpt_key(0, gfn, HPT_4K), walk->host_sizes,
			 host);
	walk_go_host(walk, flight);
	walk_stage_pad(&flight->host, walk->host);
}

/* Goes for the line that the guest's search is at, by stage 2 where it must. */
WALK_INLINE void walk_go_guest(const struct walk *walk, struct walk_flight *flight,
			       enum hpt_organisation guest, enum hpt_organisation host, bool slab)
{
	uint64_t gpa = flight->guest.probe.line;

	flight->phase = WALK_GUEST_LINE;
	if (!gpa)
		flight->line = NULL;
	else if (slab)
		flight->line = hpt_word(walk->guest, gpa);
	else if (gpa / HPT_PAGE_SIZE == flight->page)
		flight->line = (const uint64_t *)(flight->base + walk_in_page(gpa, guest));
	else
		walk_start_host(walk, flight, gpa / HPT_PAGE_SIZE, WALK_TABLE_PAGE, host);
}

/* The guest's line has been read. */
WALK_INLINE void walk_guest_line(const struct walk *walk, struct walk_flight *flight,
				 enum hpt_organisation guest, enum hpt_organisation host, bool slab)
{
	enum hpt_answer answer = walk_stage_step(&flight->guest, walk->guest, flight->line, guest);

	flight->line = NULL;
	if (answer == HPT_NEXT)
		walk_go_guest(walk, flight, guest, host, slab);
	else if (answer == HPT_HIT && hpt_resident(flight->guest.entry))
		walk_start_host(walk, flight,
				walk_frame(flight->guest.entry, flight->guest.key.vpn),
				WALK_DATA_PAGE, host);
}

/* A line of the host's has been read; true where that ends the walk with a translation. */
WALK_INLINE bool walk_host_line(const struct walk *walk, struct walk_flight *flight,
				enum hpt_organisation guest, enum hpt_organisation host,
				uint64_t *entry)
{
	enum hpt_answer answer = walk_stage_step(&flight->host, walk->host, flight->line, host);
	uint64_t frame;

	if (answer == HPT_NEXT) {
		walk_go_host(walk, flight);
		return false;
	}
	flight->line = NULL;
	if (answer == HPT_MISS || !hpt_resident(flight->host.entry))
		return false;
	frame = walk_frame(flight->host.entry, flight->gfn);
	if (flight->phase == WALK_DATA_PAGE) {
		*entry = walk_join(flight->guest.entry, flight->host.entry, frame);
		return true;
	}
	if (__builtin_expect(frame >= walk->frame_count, 0))
		return false;
	flight->page = flight->gfn;
	flight->base = walk->frames + frame * HPT_PAGE_SIZE;
	flight->phase = WALK_GUEST_LINE;
	flight->line =
		(const uint64_t *)(flight->base + walk_in_page(flight->guest.probe.line, guest));
	return false;
}

/* Goes on with a flight to its next fetch. False: it has ended; *entry is what it found, or 0. */
WALK_INLINE bool walk_go_on(const struct walk *walk, struct walk_flight *flight, uint64_t *entry,
			    enum hpt_organisation guest, enum hpt_organisation host, bool slab)
{
	*entry = 0;
	do {
		if (flight->phase == WALK_GUEST_LINE)
			walk_guest_line(walk, flight, guest, host, slab);
		else if (walk_host_line(walk, flight, guest, host, entry))
			return false;
		if (!flight->line)
			return false;
	} while (flight->phase == WALK_GUEST_LINE ? !walk_takes_turn(&flight->guest, guest)
						  : !walk_takes_turn(&flight->host, host));
	__builtin_prefetch(flight->line);
	return true;
}

/* Begins the walk of a key. False: it has ended already. */
WALK_INLINE bool walk_take_off(const struct walk *walk, struct hpt_key key,
			       struct walk_flight *flight, enum hpt_organisation guest,
			       enum hpt_organisation host, bool slab)
{
	walk_stage_start(&flight->guest, walk->guest, key, walk->guest_sizes, guest);
	flight->page = WALK_NO_PAGE;
	walk_go_guest(walk, flight, guest, host, slab);
	__builtin_prefetch(flight->line);
	walk_stage_pad(&flight->guest, walk->guest);
	return flight->line;
}

/* Begins the walk of the first key from *next on that has a line to be read at all. */
WALK_INLINE bool walk_take_next(const struct walk *walk, const struct hpt_key *keys,
				uint64_t *entries, size_t count, size_t *next,
				struct walk_flight *flight, enum hpt_organisation guest,
				enum hpt_organisation host, bool slab)
{
	while (*next < count) {
		flight->number = (*next)++;
		if (walk_take_off(walk, keys[flight->number], flight, guest, host, slab))
			return true;
		entries[flight->number] = 0;
	}
	return false;
}

/* walk_batch() */
WALK_INLINE void walk_pipeline(const struct walk *walk, const struct hpt_key *keys,
			       uint64_t *entries, size_t count, enum hpt_organisation guest,
			       enum hpt_organisation host, bool slab)
{
	struct walk_flight flights[WALK_IN_FLIGHT];
	unsigned int flying = 0;
	size_t next = 0;

	while (flying < WALK_IN_FLIGHT && walk_take_next(walk, keys, entries, count, &next,
							 &flights[flying], guest, host, slab))
		flying++;
	while (flying) {
		for (unsigned int i = 0; i < flying;) {
			struct walk_flight *flight = &flights[i];
			uint64_t entry;

			if (walk_go_on(walk, flight, &entry, guest, host, slab)) {
				i++;
				continue;
			}
			entries[flight->number] = entry;
			if (walk_take_next(walk, keys, entries, count, &next, flight, guest, host,
					   slab))
				i++;
			else
				*flight = flights[--flying];
		}
	}
}

#endif
