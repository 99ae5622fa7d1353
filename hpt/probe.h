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
 * probe.line == 0 means that there is nothing (left) to read: the key has no entry. A walk of a
 * valid descriptor (hpt_desc_valid) ends after at most HPT_PROBES_MAX lines, whatever they hold;
 * the addresses are the table owner's word and must be checked by a reader who does not trust it.
 */
#ifndef HPT_PROBE_H
#define HPT_PROBE_H

#include "hpt/clustered.h"
#include "hpt/desc.h"
#include "hpt/radix.h"

enum hpt_answer { HPT_MISS, HPT_HIT, HPT_NEXT };

#define HPT_PROBES_MAX (HPT_GROUP_LINES + HPT_SPILL_PAGES * HPT_GROUP_LINES)

struct hpt_probe {
	uint64_t line;	   /* address of the line to read next, in the table's space */
	unsigned int word; /* the word of it that matters */
	union {
		struct clustered_probe clustered;
		struct radix_probe radix;
	};
};

static inline void hpt_probe_clustered_start(const struct hpt_desc *desc, struct hpt_key key,
					     struct hpt_probe *probe)
{
	bool fits = hpt_key_fits(key, HPT_VPN_BITS, HPT_ASID_BITS);

	clustered_start(desc, key, &probe->clustered);
	probe->word = probe->clustered.word;
	probe->line = fits ? clustered_probe_line(desc, &probe->clustered) : 0;
}

static inline enum hpt_answer hpt_probe_clustered_step(const struct hpt_desc *desc,
						       struct hpt_probe *probe,
						       const uint64_t *line, uint64_t *entry)
{
	if (clustered_line_matches(line, probe->clustered.tag)) {
		*entry = line[probe->word] & HPT_ENTRY_MASK;
		return *entry ? HPT_HIT : HPT_MISS;
	}
	if (!clustered_goes_on(desc, &probe->clustered, line))
		return HPT_MISS;
	probe->clustered.index++;
	probe->line = clustered_probe_line(desc, &probe->clustered);
	return HPT_NEXT;
}

/* A node's word lies in one of its 64 lines; the walk reads just that one. */
static inline void hpt_probe_radix_line(struct hpt_probe *probe)
{
	uint64_t address = radix_word_address(&probe->radix);

	probe->line = probe->radix.node ? address & ~(HPT_LINE_SIZE - 1) : 0;
	probe->word = (address / sizeof(uint64_t)) & (HPT_LINE_WORDS - 1);
}

static inline void hpt_probe_radix_start(const struct hpt_desc *desc, struct hpt_key key,
					 struct hpt_probe *probe)
{
	radix_start(desc, key, &probe->radix);
	hpt_probe_radix_line(probe);
}

static inline enum hpt_answer hpt_probe_radix_step(struct hpt_probe *probe, const uint64_t *line,
						   uint64_t *entry)
{
	uint64_t word = line[probe->word];
	int leaf = probe->radix.size == HPT_2M ? 1 : 0;

	if (probe->radix.level == leaf) {
		*entry = word & HPT_ENTRY_MASK;
		return *entry && !!(word & HPT_LARGE) == leaf ? HPT_HIT : HPT_MISS;
	}
	if (!(word & HPT_PRESENT) || word & HPT_LARGE)
		return HPT_MISS;
	probe->radix.node = radix_node(word);
	probe->radix.level--;
	hpt_probe_radix_line(probe);
	return HPT_NEXT;
}

static inline void hpt_probe_start(const struct hpt_desc *desc, struct hpt_key key,
				   struct hpt_probe *probe)
{
	if (desc->organisation == HPT_RADIX)
		hpt_probe_radix_start(desc, key, probe);
	else
		hpt_probe_clustered_start(desc, key, probe);
}

static inline enum hpt_answer hpt_probe_step(const struct hpt_desc *desc, struct hpt_probe *probe,
					     const uint64_t *line, uint64_t *entry)
{
	if (desc->organisation == HPT_RADIX)
		return hpt_probe_radix_step(probe, line, entry);
	return hpt_probe_clustered_step(desc, probe, line, entry);
}

#endif
