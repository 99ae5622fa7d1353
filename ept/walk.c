/* SPDX-License-Identifier: MIT */
/* See walk.h: the choice of a pair's walk, and predictors. */
#include "ept/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "ept/walk_functions.h"

/* So many regions there are. */
#define WALK_REGIONS_LOG2 (HPT_VPN_BITS - 9)

static const walk_host_table *const hosts[HPT_ORGANISATIONS] = {
	[HPT_RADIX] = &walk_over_radix,		[HPT_CHAINED] = &walk_over_chained,
	[HPT_OPEN] = &walk_over_open,		[HPT_BUCKET] = &walk_over_bucket,
	[HPT_CLUSTERED] = &walk_over_clustered, [HPT_CUCKOO] = &walk_over_cuckoo,
	[HPT_ADAPTIVE] = &walk_over_adaptive,
};

const char *walk_outcome_name(enum walk_outcome outcome)
{
	static const char *const names[WALK_OUTCOMES] = {
		[WALK_TRANSLATED] = "translated",   [WALK_ABSENT] = "absent",
		[WALK_NOT_PRESENT] = "not present", [WALK_SWAPPED] = "swapped out",
		[WALK_ASTRAY] = "astray",
	};

	return names[outcome];
}

static bool sizes_valid(unsigned int sizes)
{
	return sizes && !(sizes & ~(WALK_4K | WALK_2M));
}

static bool both_sizes(unsigned int sizes)
{
	return sizes == (WALK_4K | WALK_2M);
}

static bool is_nested_radix(const struct walk *walk)
{
	return walk->guest->desc.organisation == HPT_RADIX &&
	       walk->host->desc.organisation == HPT_RADIX && !walk->slab;
}

bool walk_lines_aligned(const struct hpt_desc *desc)
{
	uint64_t bits = 0;

	if (desc->organisation == HPT_RADIX)
		return true;
	for (unsigned int i = 0; i < 2 * HPT_CHUNKS; i++)
		bits |= desc->directory[i];
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		bits |= desc->spill[i];
	return !(bits & (HPT_LINE_SIZE - 1));
}

int walk_prepare(struct walk *walk)
{
	const struct walk_functions *functions;

	if (!sizes_valid(walk->guest_sizes) || !sizes_valid(walk->host_sizes))
		return -EINVAL;
	if (!hpt_desc_valid(&walk->guest->desc) || !hpt_desc_valid(&walk->host->desc))
		return -EINVAL;
	if (walk->predictor && !walk->slab)
		return -EINVAL;
	if (walk->slab_end && (!walk->slab || walk->caches))
		return -EINVAL;
	functions = &(
		*hosts[walk->host->desc.organisation])[walk->guest->desc.organisation][walk->slab];
	walk->one = functions->one;
	walk->batch = functions->batch;
	if (both_sizes(walk->guest_sizes) || both_sizes(walk->host_sizes))
		walk->batch = walk_batch_any;
	if (walk->slab_end) {
		walk->one = walk_one_bounded;
		walk->batch = walk_batch_bounded;
	}
	if (walk->caches)
		walk->one = is_nested_radix(walk) ? walk_radix_cached : walk_one_any;
	return 0;
}

uint64_t walk_one(const struct walk *walk, struct hpt_key key)
{
	return walk->one(walk, key);
}

void walk_batch(const struct walk *walk, const struct hpt_key *keys, uint64_t *entries,
		size_t count)
{
	walk->batch(walk, keys, entries, count);
}

int walk_predictor_create(struct walk_predictor *predictor, unsigned int log2)
{
	predictor->log2 = log2;
	predictor->difference = NULL;
	if (log2 > WALK_REGIONS_LOG2)
		return -EINVAL;
	predictor->difference = calloc((size_t)1 << log2, sizeof(*predictor->difference));
	return predictor->difference ? 0 : -ENOMEM;
}

void walk_predictor_destroy(struct walk_predictor *predictor)
{
	free(predictor->difference);
	predictor->difference = NULL;
}
