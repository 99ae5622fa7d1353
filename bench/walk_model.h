/* SPDX-License-Identifier: MIT */
/*
 * What theory says that a walk costs: references and dependent steps, from the organisation and the
 * load of both tables alone, to be held against what was counted.
 *
 * Probes of a search that finds its page, at load a (Knuth, The Art of Computer Programming 3,
 * section 6.4, but where said otherwise):
 *
 *   radix      levels: 4, or 3 to a page of 2 MiB
 *   chained    the head, and 1 + a/2 nodes
 *   open       (1 + 1/(1-a))/2 slots, four a line, from any of them on: 1 + (slots - 1)/4 lines
 *   bucket     1, and the share that overflows b slots: sum over k > b of (k-b) Poisson(a b; k) /
 * (a b) clustered  ln(1/(1-a))/a lines: probes of double hashing; 1 where the hash spreads
 * neighbours evenly (fibonacci over dense space) cuckoo     three lines at once: one step adaptive
 * a marker and a word of a leaf, 2; 1 in compact form (runs, or few pages)
 *
 * Composed, with d distinct pages that the guest's probes touch: refs = d p_h + p_g + p_h, and
 * steps the same, ways counted once (Hoang et al., "A Case for Alternative Nested Paging Models for
 * Virtualized Systems", CAL'10; for radix nm + n + m: Bhargava et al., ASPLOS'08).
 */
#ifndef BENCH_WALK_MODEL_H
#define BENCH_WALK_MODEL_H

#include <stdbool.h>

#include "bench/form.h"
#include "hpt/desc.h"

/* One table, as it is. */
struct walk_model_table {
	enum hpt_organisation organisation;
	double load;  /* places that are taken, of all */
	bool even;    /* fibonacci over dense space: neighbours are spread evenly */
	bool compact; /* adaptive: regions are runs, or have hardly a page */
	double large; /* share of translations that are in pages of 2 MiB */
	bool sizes_mixed;
};

struct walk_model {
	double refs;
	double steps;
};

/* Of a translation that there is, without any cache. */
struct walk_model walk_model(const struct form_kind *form, const struct walk_model_table *guest,
			     const struct walk_model_table *host);

/*
 * The share of the keys of a bucket of b slots, to which l keys belong on average, that overflow
 * it, where the hash is random: sum over k > b of (k - b) Poisson(l; k) / l. l is below 100.
 */
double walk_model_overflow(double l, unsigned int b);

/* By how much a count may differ from its model, as a share of it: the formulas are for random
 * keys. */
#define WALK_MODEL_TOLERANCE 0.15

#endif
