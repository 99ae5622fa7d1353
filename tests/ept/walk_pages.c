/* SPDX-License-Identifier: MIT */
/*
 * Pages of the guest's table in every state that stage 2 can have them in: the walk fails at the
 * first line that it cannot reach, and says which that is and why.
 */
#include "hpt/mix.h"
#include "tests/ept/walk_content.h"
#include "tests/ept/walk_oracle.h"

/* States of a page of the table. */
enum page_state {
	PAGE_WRITABLE,
	PAGE_READ_ONLY,
	PAGE_ABSENT,
	PAGE_SWAPPED,
	PAGE_MARK,	/* an entry that is neither present nor swapped out */
	PAGE_ASTRAY,	/* in the first frame behind the pool */
	PAGE_FAR_ASTRAY /* in the last frame that there is */
};

#define PAGE_STATES (PAGE_FAR_ASTRAY + 1)
#define MOST	    4096
#define LAST_FRAME  ((UINT64_C(1) << HPT_FRAME_BITS) - 1)

static struct machine machine;
static struct hpt_key keys[CONTENT_KEYS];
static struct walk_result results[CONTENT_KEYS];
static struct hpt_key pages[MOST];
static size_t key_count, page_count;

static uint64_t entry_in(enum page_state state, struct hpt_key page)
{
	uint64_t large = page.size == HPT_2M ? HPT_LARGE : 0;
	uint64_t frame = machine_frame(&machine, page.vpn);

	switch (state) {
	case PAGE_WRITABLE:
		return hpt_entry(frame, HPT_PRESENT | HPT_WRITE | large);
	case PAGE_READ_ONLY:
		return hpt_entry(frame, HPT_PRESENT | HPT_NOEXEC | large);
	case PAGE_SWAPPED:
		return hpt_entry(frame, HPT_SWAPPED | large);
	case PAGE_MARK:
		return hpt_entry(frame, HPT_SOFT | large);
	case PAGE_ASTRAY:
		return hpt_entry(machine.frame_count, HPT_PRESENT | large);
	case PAGE_FAR_ASTRAY:
		return hpt_entry(large ? LAST_FRAME - 511 : LAST_FRAME, HPT_PRESENT | large);
	default:
		return 0;
	}
}

static void set_page(struct hpt_key page, enum page_state state)
{
	uint64_t entry = entry_in(state, page);

	if (model_get(&machine.host.model, page))
		cr_assert_eq(pair_unmap(&machine.host, page), 0);
	if (entry)
		machine_map(&machine.host, page, entry);
}

/* All walks of all keys, by the oracle; how many fail at the table in this way. */
static size_t check_walks(enum walk_outcome outcome)
{
	struct walk walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
	size_t failures = 0;

	for (size_t i = 0; i < key_count; i++) {
		struct oracle oracle;

		oracle_walk(&machine, &walk, keys[i], &oracle);
		results[i] = oracle.result;
		failures += oracle.result.outcome == outcome &&
			    (oracle.result.of_table || outcome == WALK_ASTRAY);
		oracle_check(&machine, &walk, keys[i]);
	}
	machine_check_all(&machine, &walk, keys, results, key_count);
	return failures;
}

/* The slab form does not ask stage 2 for the table. */
static void check_slab(void)
{
	struct walk walk = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);

	machine_check(&machine, &walk, keys, key_count);
}

static void all_pages_alike(void)
{
	static const enum walk_outcome outcomes[PAGE_STATES] = {[PAGE_ABSENT] = WALK_ABSENT,
								[PAGE_SWAPPED] = WALK_SWAPPED,
								[PAGE_MARK] = WALK_NOT_PRESENT,
								[PAGE_ASTRAY] = WALK_ASTRAY,
								[PAGE_FAR_ASTRAY] = WALK_ASTRAY};

	for (unsigned int state = 0; state < PAGE_STATES; state++) {
		size_t failures;

		for (size_t i = 0; i < page_count; i++)
			set_page(pages[i], (enum page_state)state);
		failures = check_walks(outcomes[state]);
		if (outcomes[state] != WALK_TRANSLATED)
			cr_assert_gt(failures, key_count / 2);
		check_slab();
	}
}

/* Most of them are there, so that walks come far before they fail. */
static void each_page_on_its_own(uint64_t seed)
{
	for (unsigned int round = 0; round < 16; round++) {
		for (size_t i = 0; i < page_count; i++) {
			uint64_t random = mix64(seed + i * 64 + round);

			set_page(pages[i], random % 4
						   ? PAGE_WRITABLE
						   : (enum page_state)(random / 4 % PAGE_STATES));
		}
		check_walks(WALK_TRANSLATED);
	}
}

MACHINE_TEST(walk_pages, a_walk_fails_at_the_first_page_of_the_table_that_is_not_there)
{
	for (unsigned int kind = 0; kind < 4; kind++) {
		struct machine_config config = {.pair = *pair,
						.guest_sealed = kind & 1,
						.host_sealed = kind & 1,
						.large = kind & 2,
						.guest_pages = 40000,
						.hash = HPT_SIPHASH,
						.salt = 7};

		machine_begin(&machine, &config);
		key_count = content_fill(&machine, keys);
		page_count = content_table_pages(&machine, pages, MOST);
		all_pages_alike();
		each_page_on_its_own(kind * 1000003);
		machine_end(&machine);
	}
}
