/* SPDX-License-Identifier: MIT */
/* Spots by any hash: what lines.h has inline for fibonacci. */
#include "hpt/lines.h"

#include "hpt/chained.h"
#include "hpt/open.h"

static uint64_t hash_by(const struct hpt_desc *desc, const struct hpt_salt *salt, uint64_t tag)
{
	uint64_t copy[sizeof(*salt) / sizeof(uint64_t)];

	salt = HPT_LOAD_WORDS(copy, salt);
	if (desc->family == HPT_FIBONACCI)
		return (tag ^ salt->value) * HPT_MULTIPLIER;
	return hpt_hash_tag((enum hpt_hash_family)desc->family, salt, tag);
}

uint64_t hpt_hash_slowly(const struct hpt_desc *desc, uint64_t tag)
{
	return hash_by(desc, &desc->salt, tag);
}

uint64_t hpt_hash_next(const struct hpt_desc *desc, uint64_t tag)
{
	return hash_by(desc, &desc->next_salt, tag);
}

/* How many bits name a place of a line. */
static unsigned int place_log2(const struct hpt_desc *desc)
{
	return desc->organisation == HPT_CHAINED ? CHAINED_HEADS_LOG2
	       : desc->organisation == HPT_OPEN	 ? OPEN_LINE_LOG2
						 : 0;
}

struct hpt_spot hpt_spot_beside(const struct hpt_desc *desc, struct hpt_spot spot, uint64_t tag)
{
	unsigned int place_bits = HPT_LOAD(spot.generation->lines_log2) + place_log2(desc);

	if (desc->family == HPT_LOCAL)
		spot.hash ^= (tag & (HPT_NEIGHBOURS - 1)) << (64 - place_bits);
	return spot;
}

struct hpt_spot hpt_spot_slowly(const struct hpt_desc *desc, uint64_t tag)
{
	struct hpt_spot spot = hpt_spot_hashed(desc, hpt_hash_slowly(desc, tag));

	if (HPT_LOAD(desc->hash) == HPT_REKEYING && spot.generation == &desc->current)
		spot.hash = hpt_hash_next(desc, tag);
	return hpt_spot_beside(desc, spot, tag);
}
