/* SPDX-License-Identifier: MIT */
/* See walk_model.h. */
#include "bench/walk_model.h"

#include <math.h>

#include "hpt/bucket.h"
#include "hpt/cuckoo.h"

/* Of the sum: what is left beyond them is nothing where l is below 100. */
#define OVERFLOW_TERMS 256

/* A search that finds its page. */
struct search {
	double refs;
	double steps;
	double pages; /* distinct ones that its lines are in */
};

static struct search sequential(double probes, double pages)
{
	return (struct search){.refs = probes, .steps = probes, .pages = pages};
}

double walk_model_overflow(double l, unsigned int b)
{
	double term = exp(-l);
	double over = 0;

	for (unsigned int k = 1; k < OVERFLOW_TERMS; k++) {
		term *= l / k;
		if (k > b)
			over += (k - b) * term;
	}
	return l > 0 ? over / l : 0;
}

static double clustered_probes(const struct walk_model_table *table)
{
	double a = table->load;

	return table->even || a <= 0 ? 1 : log(1 / (1 - a)) / a;
}

/* In the pages of one size. */
static struct search search_size(const struct walk_model_table *table, bool large)
{
	double a = table->load;
	double levels = large ? HPT_RADIX_LEVELS - 1 : HPT_RADIX_LEVELS;
	double slots;

	switch (table->organisation) {
	case HPT_RADIX:
		return sequential(levels, levels);
	case HPT_CHAINED:
		return sequential(2 + a / 2, 2 + a / 2);
	case HPT_OPEN:
		slots = table->even ? 1 : (1 + 1 / (1 - a)) / 2;
		return sequential(1 + (slots - 1) / 4, 1);
	case HPT_BUCKET:
		return sequential(
			1 + (table->even ? 0 : walk_model_overflow(a * BUCKET_SLOTS, BUCKET_SLOTS)),
			1);
	case HPT_CUCKOO:
		return (struct search){.refs = CUCKOO_WAYS, .steps = 1, .pages = CUCKOO_WAYS};
	case HPT_ADAPTIVE:
		return table->compact || large ? sequential(1, 1) : sequential(2, 2);
	default:
		return sequential(clustered_probes(table), 1);
	}
}

/* Where both sizes are in use, the smaller is asked first: a page of 2 MiB costs both searches. */
static struct search search(const struct walk_model_table *table)
{
	struct search small = search_size(table, false);
	struct search large = search_size(table, true);

	if (table->sizes_mixed && table->organisation != HPT_RADIX) {
		large.refs += 1;
		large.steps += 1;
		large.pages += 1;
	}
	return (struct search){
		.refs = small.refs + table->large * (large.refs - small.refs),
		.steps = small.steps + table->large * (large.steps - small.steps),
		.pages = small.pages + table->large * (large.pages - small.pages),
	};
}

struct walk_model walk_model(const struct form_kind *form, const struct walk_model_table *guest,
			     const struct walk_model_table *host)
{
	struct search g = search(guest);
	struct search h = search(host);

	if (form->combined)
		return (struct walk_model){g.refs, g.steps};
	if (form->slab)
		return (struct walk_model){g.refs + h.refs, g.steps + h.steps};
	/* The ways' pages are translated side by side. */
	return (struct walk_model){
		.refs = g.pages * h.refs + g.refs + h.refs,
		.steps = (guest->organisation == HPT_CUCKOO ? 1 : g.pages) * h.steps + g.steps +
			 h.steps,
	};
}
