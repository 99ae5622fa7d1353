/* SPDX-License-Identifier: MIT */
/* How a table stands: what its pages are and what finding each of them takes. */
#include "hpt/generation.h"
#include "hpt/lookup.h"

struct collecting {
	const struct hpt *table;
	struct hpt_statistics *statistics;
	uintptr_t line; /* the one that has the entries which are being counted */
	unsigned int in_line;
};

/* Visits show the entries of a line one after the other. */
static void end_line(struct collecting *collecting)
{
	if (!collecting->in_line)
		return;
	collecting->statistics->lines++;
	collecting->statistics->lines_by_entries[collecting->in_line]++;
	collecting->in_line = 0;
}

static void count_in_line(struct collecting *collecting, const uint64_t *word)
{
	uintptr_t line = (uintptr_t)word & ~(uintptr_t)(HPT_LINE_SIZE - 1);
	uint32_t organisation = collecting->table->desc.organisation;

	/* The nodes of a chain have no line in common, and visits of adaptive go by region. */
	if (!word || organisation == HPT_CHAINED || organisation == HPT_ADAPTIVE)
		return;
	if (line != collecting->line || collecting->in_line == HPT_LINE_WORDS)
		end_line(collecting);
	collecting->line = line;
	collecting->in_line++;
}

/* The visitor looks up, which hpt.h forbids to others: nothing is changed meanwhile. */
static uint64_t count_page(void *context, struct hpt_key key, uint64_t entry)
{
	struct collecting *collecting = context;
	struct hpt_statistics *statistics = collecting->statistics;
	unsigned int last = HPT_STATISTICS_PROBES - 1;
	struct hpt_found found;

	statistics->pages++;
	statistics->large += key.size == HPT_2M;
	statistics->resident += hpt_resident(entry);
	statistics->swapped += !!(entry & HPT_SWAPPED);
	if (!hpt_find(collecting->table, key, &found))
		return entry;
	statistics->probes += found.probes;
	if (found.probes > statistics->longest)
		statistics->longest = found.probes;
	statistics->pages_by_probes[found.probes > last ? last : found.probes]++;
	count_in_line(collecting, found.word);
	return entry;
}

int hpt_statistics(struct hpt *table, struct hpt_statistics *statistics)
{
	const struct hpt_desc *desc = &table->desc;
	struct collecting collecting = {.table = table, .statistics = statistics};
	int error;

	*statistics = (struct hpt_statistics){0};
	error = hpt_visit(table, count_page, &collecting);
	end_line(&collecting);
	if (generation_growing(desc))
		statistics->unmoved = generation_lines(&desc->old) - table->moved;
	return error;
}
