/* SPDX-License-Identifier: MIT */
/*
 * What a walk costs where each table answers with its first line: no line is passed by, no cache
 * helps, and lines of one search lie in pages of their own. Real walks cost more by as much as
 * lines are passed by (and by a line a table where a region of adaptive is not compact), and less
 * where two lines of the guest's table share a page, or the page of a way was never touched.
 *
 * For radix this is the number of Bhargava et al. (ASPLOS'08, section 2): n x m + n + m, 24 for
 * four levels each; for ways that are read in parallel P_g P_h + P_g + P_h references in 3 steps
 * (Stojkovic et al., ASPLOS'22, section 3).
 */
#ifndef EPT_WALK_IDEAL_H
#define EPT_WALK_IDEAL_H

#include "hpt/hpt.h"

struct walk_ideal {
	unsigned int refs;
	unsigned int steps;
};

/*
 * Of a guest page of this size in a table that has pages of both sizes (4 KiB asked first), over
 * host pages of 4 KiB in a table that has no others.
 */
struct walk_ideal walk_ideal(enum hpt_organisation guest, enum hpt_organisation host,
			     enum hpt_size size);

/* The same of a walk whose guest's table is a slab: no line of it is translated. */
struct walk_ideal walk_ideal_slab(enum hpt_organisation guest, enum hpt_organisation host,
				  enum hpt_size size);

#endif
