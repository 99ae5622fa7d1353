/* SPDX-License-Identifier: MIT */
/* Batches of lookups: the pipeline of walks, and who takes which (batch.h). */
#include "hpt/batch.h"

#include "hpt/shared.h"

/* Starts the walk of the first key from *next on that has a line to be read at all. */
HPT_INLINE bool take_off(const struct batch *batch, size_t *next, struct flight *flight,
			 enum hpt_organisation organisation)
{
	while (*next < batch->count) {
		size_t number = (*next)++;

		batch->entries[number] = 0;
		hpt_probe_start_as(&batch->table->desc, batch->keys[number], &flight->probe,
				   organisation);
		if (flight->probe.line) {
			flight->number = number;
			__builtin_prefetch(hpt_word(batch->table, flight->probe.line));
			return true;
		}
	}
	return false;
}

/* Reads the line that a walk waits for: whether there is another one, which is fetched. */
HPT_INLINE bool fly_on(const struct batch *batch, struct flight *flight,
		       enum hpt_organisation organisation)
{
	const struct hpt *table = batch->table;
	struct hpt_probe *probe = &flight->probe;
	uint64_t entry;

	switch (hpt_probe_step_as(&table->desc, probe, hpt_word(table, probe->line), &entry,
				  organisation)) {
	case HPT_NEXT:
		__builtin_prefetch(hpt_word(table, probe->line));
		return true;
	case HPT_HIT:
		batch->entries[flight->number] = entry;
		return false;
	default:
		return false;
	}
}

HPT_INLINE void walk_all(const struct batch *batch, enum hpt_organisation organisation)
{
	struct flight flights[BATCH_AHEAD];
	unsigned int flying = 0;
	size_t next = 0;

	while (flying < BATCH_AHEAD && take_off(batch, &next, &flights[flying], organisation))
		flying++;
	while (flying) {
		for (unsigned int i = 0; i < flying;) {
			struct flight *flight = &flights[i];

			if (fly_on(batch, flight, organisation) ||
			    take_off(batch, &next, flight, organisation))
				i++;
			else
				flights[i] = flights[--flying];
		}
	}
}

/* The oldest one reads its line, and is done or goes to the end. */
static void late_step(const struct batch *batch, struct late *late)
{
	struct flight *flight = &late->flights[late->first++ % BATCH_AHEAD];

	if (fly_on(batch, flight, batch_organisation(batch)))
		late->flights[late->end++ % BATCH_AHEAD] = *flight;
}

void batch_late_add(const struct batch *batch, struct late *late, size_t number)
{
	struct flight *flight;

	while (late->end - late->first == BATCH_AHEAD)
		late_step(batch, late);
	flight = &late->flights[late->end % BATCH_AHEAD];
	flight->number = number;
	hpt_probe_start_as(&batch->table->desc, batch->keys[number], &flight->probe,
			   batch_organisation(batch));
	if (flight->probe.line && fly_on(batch, flight, batch_organisation(batch)))
		late->end++;
}

void batch_late_finish(const struct batch *batch, struct late *late)
{
	while (late->end != late->first)
		late_step(batch, late);
}

static void find_by_walks(const struct batch *batch)
{
	switch (batch_organisation(batch)) {
	case HPT_RADIX:
		walk_all(batch, HPT_RADIX);
		return;
	case HPT_CHAINED:
		walk_all(batch, HPT_CHAINED);
		return;
	case HPT_OPEN:
		walk_all(batch, HPT_OPEN);
		return;
	case HPT_BUCKET:
		walk_all(batch, HPT_BUCKET);
		return;
	case HPT_CUCKOO:
		walk_all(batch, HPT_CUCKOO);
		return;
	case HPT_ADAPTIVE:
		walk_all(batch, HPT_ADAPTIVE);
		return;
	default:
		walk_all(batch, HPT_CLUSTERED);
	}
}

void hpt_lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
		      size_t count)
{
	const struct batch batch = {table, keys, entries, count};

	if (table->shared) {
		shared_lookup_batch(table, keys, entries, count);
		return;
	}
	if (!batch_find_ahead(&batch))
		find_by_walks(&batch);
	for (size_t i = 0; table->desc.sealed && i < count; i++) {
		if (entries[i])
			entries[i] = hpt_open(&table->desc, keys[i], entries[i]);
	}
}
