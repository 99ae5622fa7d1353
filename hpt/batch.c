/* SPDX-License-Identifier: MIT */
/*
 * Lookups in batches, with about IN_FLIGHT lines on their way. Two pipelines:
 *
 *  - of walks, where one takes several lines: each is taken as far as its next line, which is
 *    fetched while the others go on (Kocberber et al., "Asynchronous Memory Access Chaining",
 *    VLDB'15). A walk that ends leaves its place to the next key, whatever the others are at.
 *  - of first lines, where these answer nearly always: the line of the key IN_FLIGHT further on is
 *    fetched, then the key whose turn it is is looked up (software prefetching at a distance, as in
 *    Chen et al., "Improving Hash Join Performance through Prefetching", ICDE'04). No state is kept
 *    for a key, which is half of the instructions; a walk that must go on waits for its line.
 */
#include "hpt/lookup.h"
#include "hpt/shared.h"

#define IN_FLIGHT 16

struct flight {
	struct hpt_probe probe;
	size_t number; /* of the key */
};

/* Starts the walk of the first key from *next on that has a line to be read at all. */
HPT_INLINE bool take_off(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
			 size_t count, size_t *next, struct flight *flight,
			 enum hpt_organisation organisation)
{
	while (*next < count) {
		size_t number = (*next)++;

		entries[number] = 0;
		hpt_probe_start_as(&table->desc, keys[number], &flight->probe, organisation);
		if (flight->probe.line) {
			flight->number = number;
			__builtin_prefetch(hpt_word(table, flight->probe.line));
			return true;
		}
	}
	return false;
}

HPT_INLINE void lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
			     size_t count, enum hpt_organisation organisation)
{
	struct flight flights[IN_FLIGHT];
	unsigned int flying = 0;
	size_t next = 0;

	while (flying < IN_FLIGHT &&
	       take_off(table, keys, entries, count, &next, &flights[flying], organisation))
		flying++;
	while (flying) {
		for (unsigned int i = 0; i < flying;) {
			struct flight *flight = &flights[i];
			struct hpt_probe *probe = &flight->probe;
			uint64_t entry;
			enum hpt_answer answer =
				hpt_probe_step_as(&table->desc, probe, hpt_word(table, probe->line),
						  &entry, organisation);

			if (answer == HPT_NEXT) {
				__builtin_prefetch(hpt_word(table, probe->line));
				i++;
				continue;
			}
			if (answer == HPT_HIT)
				entries[flight->number] = entry;
			if (take_off(table, keys, entries, count, &next, flight, organisation))
				i++;
			else
				flights[i] = flights[--flying];
		}
	}
}

HPT_INLINE void fetch_first(const struct hpt *table, struct hpt_key key,
			    enum hpt_organisation organisation)
{
	struct hpt_probe probe;

	hpt_probe_start_as(&table->desc, key, &probe, organisation);
	if (probe.line)
		__builtin_prefetch(hpt_word(table, probe.line));
}

HPT_INLINE void lookup_ahead(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
			     size_t count, enum hpt_organisation organisation)
{
	size_t first = count < IN_FLIGHT ? count : IN_FLIGHT;

	for (size_t i = 0; i < first; i++)
		fetch_first(table, keys[i], organisation);
	for (size_t i = 0; i < count; i++) {
		struct hpt_found found;

		if (i + IN_FLIGHT < count)
			fetch_first(table, keys[i + IN_FLIGHT], organisation);
		entries[i] = hpt_find_by_line(table, keys[i], &found, organisation, false)
				     ? found.entry
				     : 0;
	}
}

static void find_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
		       size_t count)
{
	switch ((enum hpt_organisation)table->desc.organisation) {
	case HPT_RADIX:
		lookup_batch(table, keys, entries, count, HPT_RADIX);
		return;
	case HPT_CHAINED:
		lookup_batch(table, keys, entries, count, HPT_CHAINED);
		return;
	case HPT_OPEN:
		lookup_ahead(table, keys, entries, count, HPT_OPEN);
		return;
	case HPT_BUCKET:
		lookup_ahead(table, keys, entries, count, HPT_BUCKET);
		return;
	case HPT_CUCKOO:
		lookup_batch(table, keys, entries, count, HPT_CUCKOO);
		return;
	case HPT_ADAPTIVE:
		lookup_batch(table, keys, entries, count, HPT_ADAPTIVE);
		return;
	default:
		lookup_ahead(table, keys, entries, count, HPT_CLUSTERED);
	}
}

void hpt_lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
		      size_t count)
{
	if (table->shared) {
		shared_lookup_batch(table, keys, entries, count);
		return;
	}
	find_batch(table, keys, entries, count);
	for (size_t i = 0; table->desc.sealed && i < count; i++) {
		if (entries[i])
			entries[i] = hpt_open(&table->desc, keys[i], entries[i]);
	}
}
