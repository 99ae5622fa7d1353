/* SPDX-License-Identifier: MIT */
/*
 * The walk of a table, for those who reach its lines in their own way.
 *
 * Which line to read next and whether a line answers are pure functions of descriptor, key and
 * line. The guest's lookup, the host's lookup and a walker that reads the guest's lines through
 * stage 2 differ only in how they turn a line's address into its eight words:
 *
 *	hpt_probe_start(desc, key, &probe);
 *	while (probe.line) {
 *		line = however_you_read(probe.line);
 *		answer = hpt_probe_step(desc, &probe, line, &entry);
 *		if (answer != HPT_NEXT)
 *			break;
 *	}
 *
 * An entry that is found is as it is stored: hpt_open(desc, key, entry) is the caller's (seal.h).
 *
 * probe.line == 0 means that there is nothing (left) to read: the key has no entry. A walk of a
 * valid descriptor (hpt_desc_valid) ends after at most HPT_PROBES_MAX lines, whatever they hold;
 * the addresses are the table owner's word and must be checked by a reader who does not trust it.
 */
#ifndef HPT_PROBE_H
#define HPT_PROBE_H

#include "hpt/adaptive.h"
#include "hpt/bucket.h"
#include "hpt/chained.h"
#include "hpt/clustered.h"
#include "hpt/cuckoo.h"
#include "hpt/desc.h"
#include "hpt/open.h"
#include "hpt/radix.h"

#define HPT_INLINE static inline __attribute__((always_inline))

/* A group and all spill lines, which adaptive may read twice; open may read one line twice. */
#define HPT_SEQUENCE_MAX (HPT_GROUP_LINES + HPT_SPILL_PAGES * HPT_GROUP_LINES)
#define HPT_PROBES_MAX	 (2 * HPT_SEQUENCE_MAX + 1)

struct hpt_probe {
	uint64_t line;	   /* address of the line to read next, in the table's space */
	unsigned int word; /* of the line that was read last: the one that says it */
	union {
		struct radix_probe radix;
		struct chained_probe chained;
		struct open_probe open;
		struct bucket_probe bucket;
		struct clustered_probe clustered;
		struct cuckoo_probe cuckoo;
		struct adaptive_probe adaptive;
	};
};

/* How many bits keys have, by organisation. */
HPT_INLINE unsigned int hpt_vpn_bits(enum hpt_organisation organisation)
{
	return organisation == HPT_RADIX      ? RADIX_VPN_BITS
	       : organisation == HPT_BUCKET   ? BUCKET_VPN_BITS
	       : organisation == HPT_ADAPTIVE ? ADAPTIVE_VPN_BITS
					      : HPT_VPN_BITS;
}

HPT_INLINE unsigned int hpt_asid_bits(enum hpt_organisation organisation)
{
	return organisation == HPT_RADIX      ? RADIX_ASID_BITS
	       : organisation == HPT_BUCKET   ? BUCKET_ASID_BITS
	       : organisation == HPT_ADAPTIVE ? ADAPTIVE_ASID_BITS
					      : HPT_ASID_BITS;
}

/* Where the probe reads next. */
HPT_INLINE uint64_t hpt_probe_line(const struct hpt_desc *desc, const struct hpt_probe *probe,
				   enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_RADIX:
		return radix_word_address(&probe->radix) & ~(HPT_LINE_SIZE - 1);
	case HPT_CHAINED:
		return chained_probe_line(&probe->chained);
	case HPT_OPEN:
		return open_probe_line(desc, &probe->open);
	case HPT_BUCKET:
		return bucket_probe_line(desc, &probe->bucket);
	case HPT_CUCKOO:
		return cuckoo_probe_line(desc, &probe->cuckoo);
	case HPT_ADAPTIVE:
		return adaptive_probe_line(desc, &probe->adaptive);
	default:
		return clustered_probe_line(desc, &probe->clustered);
	}
}

/* The two halves of a walk, for one organisation: what is inlined where it is known beforehand. */
HPT_INLINE void hpt_probe_start_as(const struct hpt_desc *desc, struct hpt_key key,
				   struct hpt_probe *probe, enum hpt_organisation organisation)
{
	probe->line = 0;
	probe->word = 0;
	if (!hpt_key_fits(key, hpt_vpn_bits(organisation), hpt_asid_bits(organisation)))
		return;
	switch (organisation) {
	case HPT_RADIX:
		radix_start(desc, key, &probe->radix);
		if (!probe->radix.node)
			return;
		break;
	case HPT_CHAINED:
		chained_start(desc, key, &probe->chained);
		break;
	case HPT_OPEN:
		open_start(desc, key, &probe->open);
		break;
	case HPT_BUCKET:
		bucket_start(desc, key, &probe->bucket);
		break;
	case HPT_CUCKOO:
		cuckoo_start(desc, key, &probe->cuckoo);
		break;
	case HPT_ADAPTIVE:
		adaptive_start(desc, key, &probe->adaptive);
		break;
	default:
		clustered_start(desc, key, &probe->clustered);
	}
	probe->line = hpt_probe_line(desc, probe, organisation);
}

/*
 * A probe that is at its first line, without where that is, which is not computed: for who has read
 * the line already and asks what it says of the key. HPT_NEXT then is all that there is to know.
 * The key fits. Of chained and adaptive, which read more than a line, there is none.
 */
HPT_INLINE void hpt_probe_name_as(const struct hpt_desc *desc, struct hpt_key key,
				  struct hpt_probe *probe, enum hpt_organisation organisation)
{
	*probe = (struct hpt_probe){.line = 0};
	switch (organisation) {
	case HPT_OPEN:
		open_start(desc, key, &probe->open); /* the home slot is a part of the answer */
		break;
	case HPT_BUCKET:
		probe->bucket.tag = bucket_tag(key);
		probe->bucket.large = key.size == HPT_2M ? HPT_LARGE : 0;
		break;
	case HPT_CUCKOO:
		probe->cuckoo.tag = clustered_tag(key);
		probe->cuckoo.word = clustered_word(key);
		break;
	default:
		probe->clustered.tag = clustered_tag(key);
		probe->clustered.word = clustered_word(key);
	}
}

HPT_INLINE enum hpt_answer hpt_probe_ask(const struct hpt_desc *desc, struct hpt_probe *probe,
					 const uint64_t *line, uint64_t *entry,
					 enum hpt_organisation organisation)
{
	enum hpt_answer answer;
	uint64_t link;

	switch (organisation) {
	case HPT_RADIX:
		probe->word = (radix_word_address(&probe->radix) / sizeof(uint64_t)) &
			      (HPT_LINE_WORDS - 1);
		answer = radix_step(&probe->radix, HPT_LOAD(line[probe->word]), entry);
		if (__builtin_expect(desc->sealed, 0) && answer == HPT_NEXT)
			probe->radix.node ^= radix_probe_pad(desc, &probe->radix);
		/* A node at address 0 is none: only a table that lies names it. */
		return answer == HPT_NEXT && !probe->radix.node ? HPT_MISS : answer;
	case HPT_CHAINED:
		link = chained_link(&probe->chained);
		answer = chained_step(&probe->chained, line, entry);
		/* A head that is read after the chain comes from no link. */
		if (answer == HPT_NEXT && probe->chained.in_chain)
			probe->chained.at = hpt_open_link(desc, link, probe->chained.at);
		probe->word = probe->chained.word;
		return answer;
	case HPT_OPEN:
		answer = open_step(desc, &probe->open, line, entry);
		probe->word = probe->open.word;
		return answer;
	case HPT_BUCKET:
		answer = bucket_step(desc, &probe->bucket, line, entry);
		probe->word = probe->bucket.word;
		return answer;
	case HPT_CUCKOO:
		probe->word = probe->cuckoo.word;
		return cuckoo_step(desc, &probe->cuckoo, line, entry);
	case HPT_ADAPTIVE:
		answer = adaptive_step(desc, &probe->adaptive, line, entry);
		probe->word = probe->adaptive.word;
		return answer;
	default:
		probe->word = probe->clustered.word;
		return clustered_step(desc, &probe->clustered, line, entry);
	}
}

HPT_INLINE enum hpt_answer hpt_probe_step_as(const struct hpt_desc *desc, struct hpt_probe *probe,
					     const uint64_t *line, uint64_t *entry,
					     enum hpt_organisation organisation)
{
	enum hpt_answer answer = hpt_probe_ask(desc, probe, line, entry, organisation);

	if (answer == HPT_NEXT)
		probe->line = hpt_probe_line(desc, probe, organisation);
	return answer;
}

static inline void hpt_probe_start(const struct hpt_desc *desc, struct hpt_key key,
				   struct hpt_probe *probe)
{
	*probe = (struct hpt_probe){.line = 0};
	hpt_probe_start_as(desc, key, probe, (enum hpt_organisation)desc->organisation);
}

static inline enum hpt_answer hpt_probe_step(const struct hpt_desc *desc, struct hpt_probe *probe,
					     const uint64_t *line, uint64_t *entry)
{
	enum hpt_answer answer = hpt_probe_step_as(desc, probe, line, entry,
						   (enum hpt_organisation)desc->organisation);

	/* Only chains that lie are longer, with their two heads, than any other sequence: circles.
	 */
	if (desc->organisation == HPT_CHAINED && probe->chained.followed >= HPT_SEQUENCE_MAX)
		return answer == HPT_HIT ? HPT_HIT : HPT_MISS;
	return answer;
}

#endif
