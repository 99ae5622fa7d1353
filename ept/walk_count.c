/* SPDX-License-Identifier: MIT */
/* The walk of any pair of organisations, with what it costs: see walk.h and walk_ledger.h. */
#define WALK_OUT_OF_LINE

#include <errno.h>

#include "ept/walk_functions.h"
#include "ept/walk_single.h"

/* Whether this line, or one of its page, was touched before in this translation. */
static bool seen_before(const struct walk_count *count, uintptr_t line, uintptr_t size)
{
	for (unsigned int i = 0; i < count->told; i++) {
		if (count->lines[i] / size == line / size)
			return true;
	}
	return false;
}

void walk_note(struct walk_count *count, unsigned int column, const void *line, bool is_step)
{
	struct walk_ledger *ledger = count->ledger;
	uintptr_t at = (uintptr_t)line;

	count->steps += is_step;
	ledger->refs++;
	ledger->early++;
	ledger->slots[count->row][column]++;
	ledger->step = count->steps;
	if (ledger->reference)
		ledger->reference(ledger->context, count->row, column, line);
	ledger->pages += !seen_before(count, at, HPT_PAGE_SIZE);
	if (seen_before(count, at, HPT_LINE_SIZE))
		return;
	ledger->lines++;
	if (count->told < WALK_LINES_TOLD)
		count->lines[count->told++] = at;
}

void walk_count(const struct walk *walk, struct hpt_key key, struct walk_result *result,
		struct walk_ledger *ledger)
{
	static const struct walk_result none;
	struct walk_ledger unused = {0};
	struct walk_count count = {.ledger = ledger ? ledger : &unused, .result = result};
	uint64_t entry;

	*result = none;
	entry = walk_whole(walk, key, (enum hpt_organisation)walk->guest->desc.organisation,
			   (enum hpt_organisation)walk->host->desc.organisation, walk->slab,
			   &count);
	if (result->outcome == WALK_TRANSLATED)
		result->entry = entry;
	if (!ledger)
		return;
	ledger->translations++;
	ledger->outcomes[result->outcome]++;
	ledger->steps += count.steps;
	ledger->splintered += result->outcome == WALK_TRANSLATED && result->guest_size == HPT_2M &&
			      result->host_size == HPT_4K;
}

uint64_t walk_one_bounded(const struct walk *walk, struct hpt_key key)
{
	struct walk_result result;

	walk_count(walk, key, &result, NULL);
	return result.outcome == WALK_TRANSLATED ? result.entry : 0;
}

void walk_batch_bounded(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		entries[i] = walk_one_bounded(walk, keys[i]);
}

int walk_ledger_csv(const struct walk_ledger *ledger, const char *prefix, FILE *stream)
{
	for (unsigned int row = 0; row <= WALK_DATA; row++) {
		for (unsigned int column = 0; column <= WALK_OWN; column++) {
			uint64_t refs = ledger->slots[row][column];
			uint64_t cached = ledger->cached[row][column];

			if (!refs && !cached)
				continue;
			fputs(prefix, stream);
			if (row == WALK_DATA)
				fputs("data,", stream);
			else
				fprintf(stream, "%u,", row + 1);
			if (column == WALK_OWN)
				fputs("own,", stream);
			else
				fprintf(stream, "%u,", column + 1);
			fprintf(stream, "%llu,%.6f,%llu\n", (unsigned long long)refs,
				(double)refs / (double)ledger->translations,
				(unsigned long long)cached);
		}
	}
	/* What the stream still holds may fail to be written. */
	return fflush(stream) || ferror(stream) ? -EIO : 0;
}
