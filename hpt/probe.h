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

#define HPT_PROBES_MAX (HPT_GROUP_LINES + HPT_SPILL_PAGES * HPT_GROUP_LINES)

struct hpt_probe {
	uint64_t line;	   /* address of the line to read next, in the table's space */
	unsigned int word; /* the word of it that matters */
	union {
		struct clustered_probe clustered;
		struct radix_probe radix;
	};
};

/* Where the word is that a radix probe reads next: in one of the 64 lines of its node. */
static inline void hpt_probe_radix_line(struct hpt_probe *probe)
{
	uint64_t address = radix_word_address(&probe->radix);

	probe->line = probe->radix.node ? address & ~(HPT_LINE_SIZE - 1) : 0;
	probe->word = (address / sizeof(uint64_t)) & (HPT_LINE_WORDS - 1);
}

static inline void hpt_probe_start(const struct hpt_desc *desc, struct hpt_key key,
				   struct hpt_probe *probe)
{
	*probe = (struct hpt_probe){.line = 0};
	if (desc->organisation == HPT_RADIX) {
		radix_start(desc, key, &probe->radix);
		hpt_probe_radix_line(probe);
		return;
	}
	clustered_start(desc, key, &probe->clustered);
	probe->word = probe->clustered.word;
	if (hpt_key_fits(key, HPT_VPN_BITS, HPT_ASID_BITS))
		probe->line = clustered_probe_line(desc, &probe->clustered);
}

static inline enum hpt_answer hpt_probe_step(const struct hpt_desc *desc, struct hpt_probe *probe,
					     const uint64_t *line, uint64_t *entry)
{
	enum hpt_answer answer;

	if (desc->organisation == HPT_RADIX) {
		answer = radix_step(&probe->radix, line[probe->word], entry);
		if (answer == HPT_NEXT)
			hpt_probe_radix_line(probe);
		return answer;
	}
	answer = clustered_step(desc, &probe->clustered, line, entry);
	if (answer == HPT_NEXT)
		probe->line = clustered_probe_line(desc, &probe->clustered);
	return answer;
}

#endif
