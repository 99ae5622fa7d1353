/* SPDX-License-Identifier: MIT */
#include "ept/walk_ideal.h"

#include "hpt/cuckoo.h"

/* A search that succeeds: lines, the longest chain of them, and the pages that they lie in. */
struct search {
	unsigned int lines;
	unsigned int steps;
	unsigned int pages;
};

static struct search small_page(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_RADIX:
		return (struct search){HPT_RADIX_LEVELS, HPT_RADIX_LEVELS, HPT_RADIX_LEVELS};
	case HPT_CHAINED: /* the head, and a node */
		return (struct search){2, 2, 2};
	case HPT_CUCKOO:
		return (struct search){CUCKOO_WAYS, 1, CUCKOO_WAYS};
	default: /* adaptive: of a region that is compact */
		return (struct search){1, 1, 1};
	}
}

/* The search for 4 KiB comes first and finds nothing. */
static struct search large_page(enum hpt_organisation organisation)
{
	struct search found = small_page(organisation);

	switch (organisation) {
	case HPT_RADIX: /* one walk, which ends a level higher */
		return (struct search){found.lines - 1, found.steps - 1, found.pages - 1};
	case HPT_CHAINED: /* an empty head */
		return (struct search){found.lines + 1, found.steps + 1, found.pages + 1};
	case HPT_ADAPTIVE: /* the same line, which is of both sizes' region */
		return (struct search){2, 2, 1};
	default:
		return (struct search){2 * found.lines, 2 * found.steps, 2 * found.pages};
	}
}

/*
 * Each page of the guest's lines is translated before the first of its lines is read, at once for
 * lines of one step.
 */
struct walk_ideal walk_ideal(enum hpt_organisation guest, enum hpt_organisation host,
			     enum hpt_size size)
{
	struct search one = size == HPT_2M ? large_page(guest) : small_page(guest);
	struct search two = small_page(host);
	unsigned int translated = one.pages < one.steps ? one.pages : one.steps;

	return (struct walk_ideal){
		.refs = one.lines + one.pages * two.lines + two.lines,
		.steps = one.steps + translated * two.steps + two.steps,
	};
}

struct walk_ideal walk_ideal_slab(enum hpt_organisation guest, enum hpt_organisation host,
				  enum hpt_size size)
{
	struct search one = size == HPT_2M ? large_page(guest) : small_page(guest);
	struct search two = small_page(host);

	return (struct walk_ideal){
		.refs = one.lines + two.lines,
		.steps = one.steps + two.steps,
	};
}
