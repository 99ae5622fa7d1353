/* SPDX-License-Identifier: MIT */
/*
 * Lines a miss: however the map came to be, a lookup of what is not there ends early. The last
 * slots of a table are taken, as far as its default load lets them be: growth is near.
 */
#include "tests/hpt/fixture.h"

#define BASE	(UINT64_C(0x12340) << 9)
#define FAR	(UINT64_C(1) << 33) /* pages of which none is mapped, from here on */
#define REGION	HPT_LARGE_PAGES
#define LOOKUPS 20000

/* How regions of 512 pages are filled. */
enum filling { IN_ORDER, SCATTERED_FRAMES, RUNS_OF_8, EIGHT_AT_ONCE, ONE_PAGE, FILLINGS };

struct miss_case {
	enum hpt_organisation organisation;
	enum filling filling;
};

static struct test_memory memory;
static struct hpt table;

/* Lines a miss, on the average. */
static double most_lines(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_RADIX:
		return 4; /* levels */
	case HPT_CUCKOO:
		return 3; /* ways */
	case HPT_CHAINED:
		return 2.25; /* the head, and at most one node a head */
	default:
		return 1.5;
	}
}

/* The n-th page of a dense map: region after region, or eight regions in turn. */
static uint64_t nth_page(enum filling filling, uint64_t n)
{
	uint64_t in_eight = n % (8 * REGION);

	switch (filling) {
	case ONE_PAGE:
		return n * REGION;
	case EIGHT_AT_ONCE:
		return n - in_eight + in_eight % 8 * REGION + in_eight / 8;
	default:
		return n;
	}
}

static uint64_t frame_of(enum filling filling, uint64_t page)
{
	uint64_t scattered = page;

	switch (filling) {
	case SCATTERED_FRAMES:
		return model_random(&scattered) >> 32;
	case RUNS_OF_8:
		scattered /= 8;
		return model_random(&scattered) >> 32 << 3 | page % 8;
	default:
		return page;
	}
}

/* Average lines of lookups from `first` on, `stride` pages apart; a stride of 0 is at random. */
static double lines(uint64_t first, uint64_t stride)
{
	struct hpt_ledger ledger = {0};
	uint64_t random = first;
	uint64_t entry;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		uint64_t page = i * stride;

		if (!stride)
			page = model_random(&random) >> 31;
		hpt_lookup(&table, hpt_key(1, first + page, HPT_4K), &entry, &ledger);
	}
	cr_assert_eq(ledger.hits, 0);
	return (double)ledger.lines / LOOKUPS;
}

static void expect_short(const struct miss_case *one, uint64_t pages)
{
	const double most = most_lines(one->organisation);
	const uint64_t strides[] = {0, 1, 8, REGION};

	for (unsigned int i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		double found = lines(FAR, strides[i]);

		cr_expect_leq(found, most, "%s, filling %d, %lu pages, stride %lu: %.2f lines",
			      hpt_organisation_name(one->organisation), one->filling,
			      (unsigned long)pages, (unsigned long)strides[i], found);
	}
}

/* Maps one page after the other, and asks whenever the table is nearly as full as it gets. */
static void fill(const struct miss_case *one, uint64_t end)
{
	uint64_t full = 0;

	for (uint64_t n = 0; n < end; n++) {
		uint64_t page = nth_page(one->filling, n);
		uint64_t frame = frame_of(one->filling, page);
		uint64_t used;

		cr_assert_eq(hpt_map(&table, hpt_key(1, BASE + page, HPT_4K),
				     hpt_entry(frame, HPT_PRESENT)),
			     0);
		used = table.counts.used;
		if ((n + 1) % (8 * REGION) || table.counts.lines == full || !table.grow_at ||
		    used < table.grow_at - table.grow_at / 16)
			continue;
		full = table.counts.lines;
		expect_short(one, n + 1);
	}
	expect_short(one, end);
}

ParameterizedTestParameters(miss, a_lookup_of_what_is_not_there_reads_few_lines)
{
	static struct miss_case cases[HPT_ORGANISATIONS * FILLINGS];
	size_t count = 0;

	for (int organisation = 0; organisation < HPT_ORGANISATIONS; organisation++) {
		for (int filling = 0; filling < FILLINGS; filling++)
			cases[count++] = (struct miss_case){(enum hpt_organisation)organisation,
							    (enum filling)filling};
	}
	return cr_make_param_array(struct miss_case, cases, count);
}

ParameterizedTest(struct miss_case *one, miss, a_lookup_of_what_is_not_there_reads_few_lines)
{
	struct hpt_config config = {.organisation = one->organisation};

	memory = (struct test_memory){0};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(hpt_create(&table, &config), 0);
	fill(one,
	     one->organisation == HPT_ADAPTIVE && one->filling != ONE_PAGE ? 1 << 19 : 1 << 17);
	cr_assert_null(hpt_check(&table));
	hpt_destroy(&table);
	test_memory_end(&memory);
}
