/* SPDX-License-Identifier: MIT */
/* Walks over any pair of organisations, which are not known when this is compiled. */
#define WALK_OUT_OF_LINE

#include "ept/walk_functions.h"
#include "ept/walk_pipeline.h"
#include "ept/walk_single.h"

uint64_t walk_one_any(const struct walk *walk, struct hpt_key key)
{
	return walk_whole(walk, key, (enum hpt_organisation)walk->guest->desc.organisation,
			  (enum hpt_organisation)walk->host->desc.organisation, walk->slab, NULL);
}

void walk_batch_any(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		    size_t count)
{
	walk_pipeline(walk, keys, entries, count,
		      (enum hpt_organisation)walk->guest->desc.organisation,
		      (enum hpt_organisation)walk->host->desc.organisation, walk->slab);
}
