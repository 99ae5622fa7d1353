/* SPDX-License-Identifier: MIT */
/*
 * Guests whose tables lie: whatever stands in the lines, and in a descriptor that is valid, a walk
 * ends, reads nothing but frames of the pool, and says the same alone, in a batch and counted.
 */
#include <string.h>

#include "hpt/mix.h"
#include "hpt/probe.h"
#include "tests/ept/walk_content.h"

/* Pages of guest memory that have what the test writes there, behind the honest table. */
#define LIES	   64
#define LIES_GFN   (MACHINE_TABLE_GFN + MACHINE_PAGES - LIES)
#define PAGE_WORDS (HPT_PAGE_SIZE / sizeof(uint64_t))

static struct machine machine;
static struct hpt liar; /* of which the walk reads nothing but the descriptor */
static struct hpt_key keys[CONTENT_KEYS];
static uint64_t entries[CONTENT_KEYS];
static size_t key_count;
static uint64_t seed;
static size_t outcomes[WALK_OUTCOMES];

static uint64_t *by_frame(uint64_t frame)
{
	return (uint64_t *)(machine.by_frame + frame * HPT_PAGE_SIZE);
}

/* An address that a table may give for one of its own, from good to impossible. */
static uint64_t address(void)
{
	uint64_t random = mix64_next(&seed);
	uint64_t at = (LIES_GFN + random % LIES) * HPT_PAGE_SIZE;

	switch (random >> 60) {
	case 0:
		return 0;
	case 1:
		return random >> 32 & 63;
	case 2:
		return random;
	case 3:
		return random >> 16;
	case 4:
		return (MACHINE_DATA_GFN + 3) * HPT_PAGE_SIZE;
	case 5:
		return (MACHINE_TABLE_GFN + random % 16) * HPT_PAGE_SIZE;
	case 6:
		return at + HPT_PAGE_SIZE - 8; /* its line is cut by the end of the page */
	case 7:
		return at + (random >> 32) % HPT_PAGE_SIZE;
	default:
		return at + (random >> 32) % HPT_PAGE_SIZE / 32 * 32;
	}
}

static uint64_t word(void)
{
	uint64_t random = mix64_next(&seed);

	switch (random >> 61) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return mix64_next(&seed);
	case 3:
		return hpt_entry(mix64_next(&seed) >> (64 - HPT_FRAME_BITS),
				 random & HPT_FLAGS_MASK);
	case 4:
		return address();
	default:
		return (address() & HPT_FRAME_MASK) | HPT_PRESENT;
	}
}

static void begin(const struct machine_pair *pair, bool sealed)
{
	struct machine_config config = {
		.pair = *pair, .guest_sealed = sealed, .host_sealed = sealed};

	machine_begin(&machine, &config);
	key_count = content_fill(&machine, keys);
	for (uint64_t i = 0; i < LIES - 1; i++)
		machine_map(&machine.host, hpt_key(0, LIES_GFN + i, HPT_4K),
			    hpt_entry(machine_frame(&machine, LIES_GFN + i), HPT_PRESENT));
	/* The last one in the last frame: there is nothing behind it. */
	machine_map(&machine.host, hpt_key(0, LIES_GFN + LIES - 1, HPT_4K),
		    hpt_entry(machine.frame_count - 1, HPT_PRESENT));
	liar = (struct hpt){.desc = machine.guest.table.desc};
}

/* Where both stages have one size, batches go another way (ept/walk_ring.h). */
static struct walk walk_of(unsigned int sizes)
{
	struct walk walk =
		machine_walk(&machine, false, sizes, sizes == WALK_BOTH ? WALK_BOTH : WALK_4K);

	walk.guest = &liar;
	cr_assert_eq(walk_prepare(&walk), 0);
	return walk;
}

static void check_result(const struct walk *walk, struct hpt_key key, uint64_t entry)
{
	struct walk_ledger ledger = {0};
	struct walk_result counted;
	uint64_t own = 0;

	walk_count(walk, key, &counted, &ledger);
	outcomes[counted.outcome]++;
	if (entry != (counted.outcome == WALK_TRANSLATED ? counted.entry : 0))
		machine_fail(&machine, walk, key, "a lie is told in two ways");
	if (counted.entry & ~HPT_ENTRY_MASK)
		machine_fail(&machine, walk, key, "an entry has bits that are no frame's");
	if (!counted.stage != (counted.outcome == WALK_TRANSLATED) || counted.stage > 2)
		machine_fail(&machine, walk, key, "no stage has failed");
	for (unsigned int row = 0; row <= WALK_DATA; row++)
		own += ledger.slots[row][WALK_OWN];
	if (own > HPT_PROBES_MAX + 1 + CUCKOO_WAYS)
		machine_fail(&machine, walk, key, "too many lines");
}

/* So many of the keys, alone, counted, and in one batch. */
static void check_keys(size_t first, size_t count)
{
	for (unsigned int sizes = WALK_4K; sizes <= WALK_BOTH; sizes++) {
		struct walk walk = walk_of(sizes);

		walk_batch(&walk, keys + first, entries, count);
		for (size_t i = 0; i < count; i++) {
			if (walk_one(&walk, keys[first + i]) != entries[i])
				machine_fail(&machine, &walk, keys[first + i], "a batch differs");
			check_result(&walk, keys[first + i], entries[i]);
		}
	}
}

static void fill_with_lies(void)
{
	for (uint64_t i = 0; i < LIES; i++) {
		bool last = i == LIES - 1;
		uint64_t frame =
			last ? machine.frame_count - 1 : machine_frame(&machine, LIES_GFN + i);

		for (unsigned int j = 0; j < PAGE_WORDS; j++)
			by_frame(frame)[j] = word();
	}
}

/* A valid descriptor, all of whose addresses are lies; a few spill lines, so that walks are short.
 */
static void lie_in_descriptor(void)
{
	struct hpt_desc *desc = &liar.desc;
	uint64_t random = mix64_next(&seed);

	for (unsigned int i = 0; i < 2 * HPT_CHUNKS; i++)
		desc->directory[i] = address();
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		desc->spill[i] = address();
	desc->spill_lines = (random & 3) * HPT_GROUP_LINES;
	desc->current.lines_log2 = HPT_LINES_LOG2_MIN + (random >> 2) % 21;
	desc->old.lines_log2 = HPT_LINES_LOG2_MIN + (random >> 8) % 21;
	desc->current.first_chunk = random >> 16 & 1 ? HPT_CHUNKS : 0;
	desc->old.first_chunk = random >> 17 & 1 ? HPT_CHUNKS : 0;
	desc->split = random >> 18 & 1 ? UINT64_MAX : mix64_next(&seed);
	desc->growing = desc->split != UINT64_MAX;
	desc->hash = random >> 19 & 1 ? HPT_REKEYING : desc->family;
	cr_assert(hpt_desc_valid(desc));
}

MACHINE_TEST(walk_lies, a_descriptor_of_lies_is_walked_to_an_end_in_the_pool)
{
	for (unsigned int sealed = 0; sealed < 2; sealed++) {
		begin(pair, sealed);
		for (unsigned int round = 0; round < 60; round++) {
			fill_with_lies();
			lie_in_descriptor();
			check_keys(mix64_next(&seed) % (key_count - 33), 33);
		}
		cr_assert_gt(outcomes[WALK_ABSENT], 0);
		cr_assert_gt(outcomes[WALK_ASTRAY], 0);
		machine_abandon(&machine);
	}
}

/* The honest table, bit by bit less so: most of its lines still match. */
MACHINE_TEST(walk_lies, a_table_whose_bits_flip_is_walked_to_an_end_in_the_pool)
{
	static struct hpt_key pages[4096];

	for (unsigned int sealed = 0; sealed < 2; sealed++) {
		size_t count;

		begin(pair, sealed);
		fill_with_lies();
		count = content_table_pages(&machine, pages, 4096);
		for (unsigned int round = 0; round < 30; round++) {
			for (unsigned int i = 0; i < 50 * count; i++) {
				uint64_t random = mix64_next(&seed);
				struct hpt_key page = pages[random % count];
				uint64_t frame = hpt_frame(model_get(&machine.host.model, page));

				by_frame(frame)[(random >> 32) % PAGE_WORDS] ^= UINT64_C(1)
										<< (random >> 58);
			}
			check_keys(mix64_next(&seed) % (key_count - 100), 100);
		}
		cr_assert_gt(outcomes[WALK_TRANSLATED], 0);
		machine_abandon(&machine);
	}
}

/* One group, or one node of a tree, and all spill, at this address. */
static void point_at(uint64_t at)
{
	struct hpt_desc *desc = &liar.desc;

	for (unsigned int i = 0; i < 2 * HPT_CHUNKS; i++)
		desc->directory[i] = at;
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		desc->spill[i] = at;
	desc->spill_lines = HPT_GROUP_LINES;
	desc->current = (struct hpt_generation){.lines_log2 = HPT_LINES_LOG2_MIN};
	desc->split = UINT64_MAX;
	desc->growing = 0;
	cr_assert(hpt_desc_valid(desc));
}

/* A head of the guest's that leads to a node that leads to itself, over all hosts. */
static void expect_circle(enum hpt_organisation host)
{
	const struct machine_pair pair = {HPT_CHAINED, host};
	const uint64_t node = LIES_GFN * HPT_PAGE_SIZE + 32;
	uint64_t *line;
	struct walk_ledger ledger = {0};
	struct walk_result counted;
	struct walk walk;

	begin(&pair, false);
	line = by_frame(machine_frame(&machine, LIES_GFN));
	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		line[i] = node;
	point_at(LIES_GFN * HPT_PAGE_SIZE);
	check_keys(0, 8);
	walk = walk_of(WALK_4K);
	walk_count(&walk, keys[0], &counted, &ledger);
	cr_assert_eq(counted.outcome, WALK_ABSENT);
	cr_assert_eq(counted.stage, 1);
	cr_assert_eq(counted.probe, HPT_PROBES_MAX + 1, "%u", counted.probe);
	cr_assert_eq(ledger.slots[WALK_STAGE1_SLOTS - 1][WALK_OWN],
		     HPT_PROBES_MAX + 1 - (WALK_STAGE1_SLOTS - 1));
	machine_abandon(&machine);
}

Test(walk_lies, a_chain_that_is_a_circle_ends_after_as_many_lines_as_there_can_be)
{
	for (unsigned int host = 0; host < HPT_ORGANISATIONS; host++)
		expect_circle((enum hpt_organisation)host);
}

/* Address 0 is none, even where guest memory begins there and has the very node. */
Test(walk_lies, a_link_to_the_line_at_address_0_leads_nowhere)
{
	const struct machine_pair pair = {HPT_CHAINED, HPT_CLUSTERED};
	const uint64_t entry = hpt_entry(MACHINE_DATA_GFN + 3, HPT_PRESENT);
	uint64_t *node;
	struct walk walk;

	begin(&pair, false);
	machine_map(&machine.host, hpt_key(0, 0, HPT_4K),
		    hpt_entry(machine_frame(&machine, LIES_GFN), HPT_PRESENT));
	node = by_frame(machine_frame(&machine, LIES_GFN)) + CHAINED_WORDS;
	node[CHAINED_TAG] = hpt_tag(keys[0]);
	node[CHAINED_ENTRY] = entry;
	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		by_frame(machine_frame(&machine, LIES_GFN + 1))[i] = CHAINED_NODE_SIZE;
	point_at((LIES_GFN + 1) * HPT_PAGE_SIZE);
	check_keys(0, 1);
	walk = walk_of(WALK_4K);
	cr_assert_eq(walk_one(&walk, keys[0]), 0);
	cr_assert_eq(outcomes[WALK_ABSENT], 3);
	machine_abandon(&machine);
}

/* A root that is its own child, as the self-mapping of a guest is: no lie, but a loop. */
Test(walk_lies, a_tree_that_maps_itself_gives_its_own_pages)
{
	const struct machine_pair pair = {HPT_RADIX, HPT_CLUSTERED};
	const uint64_t root = LIES_GFN * HPT_PAGE_SIZE;
	struct walk_result counted;
	struct walk walk;

	begin(&pair, false);
	by_frame(machine_frame(&machine, LIES_GFN))[5] = root | HPT_PRESENT;
	liar.desc.directory[CONTENT_ASID] = root;
	walk = walk_of(WALK_BOTH);
	walk_count(&walk, hpt_key(CONTENT_ASID, UINT64_C(0x28140a05), HPT_4K), &counted, NULL);
	cr_assert_eq(counted.outcome, WALK_TRANSLATED);
	cr_assert_eq(counted.gfn, LIES_GFN);
	cr_assert_eq(hpt_frame(counted.entry), machine_frame(&machine, LIES_GFN));
	machine_abandon(&machine);
}

/* A word that says that it is a page of 2 MiB, at each level: at one of them it is. */
static void expect_one_level(enum hpt_organisation host)
{
	const struct machine_pair pair = {HPT_RADIX, host};
	const uint64_t root = LIES_GFN * HPT_PAGE_SIZE;
	const uint64_t page = hpt_entry(MACHINE_DATA_GFN, HPT_PRESENT | HPT_LARGE);

	begin(&pair, false);
	for (uint64_t i = 0; i < HPT_LARGE_PAGES; i++)
		pair_map(&machine.host, hpt_key(0, MACHINE_DATA_GFN + i, HPT_4K), HPT_PRESENT);
	for (unsigned int level = 0; level < HPT_RADIX_LEVELS; level++) {
		uint64_t *word = by_frame(machine_frame(&machine, LIES_GFN));

		/* Above the level, the root is its own child. */
		word[5] = root | HPT_PRESENT;
		word[6] = page;
		liar.desc.directory[CONTENT_ASID] = root;
		keys[0] = hpt_key(CONTENT_ASID, UINT64_C(0x28140a05) + (UINT64_C(1) << 9 * level),
				  HPT_4K);
		memset(outcomes, 0, sizeof(outcomes));
		check_keys(0, 1);
		/* Of three walks those that know such pages, in frames that the host has. */
		cr_assert_eq(outcomes[WALK_TRANSLATED], level == 1 ? 2 : 0, "level %u", level);
	}
	machine_abandon(&machine);
}

Test(walk_lies, only_one_level_of_a_tree_has_2_mib_pages)
{
	for (unsigned int host = 0; host < HPT_ORGANISATIONS; host++)
		expect_one_level((enum hpt_organisation)host);
}

/* Every line begins in the last bytes of the last frame. */
MACHINE_TEST(walk_lies, a_line_that_is_not_aligned_does_not_reach_into_the_next_frame)
{
	/* A tree's addresses are those of frames. */
	if (pair->guest == HPT_RADIX)
		return;
	begin(pair, false);
	memset(by_frame(machine.frame_count - 1), 0, HPT_PAGE_SIZE);
	for (unsigned int off = 1; off < 64; off += 21) {
		point_at((LIES_GFN + LIES) * HPT_PAGE_SIZE - off);
		/* Of all keys those of the group's first line are read there. */
		check_keys(0, key_count);
	}
	cr_assert_gt(outcomes[WALK_ABSENT], 0);
	machine_abandon(&machine);
}

/* A page of 2 MiB that begins at the last frame there can be, at both stages. */
MACHINE_TEST(walk_lies, a_large_page_at_the_end_of_all_frames_gives_no_other_bits)
{
	const uint64_t last = (UINT64_C(1) << HPT_FRAME_BITS) - 1;
	const uint64_t flags = HPT_PRESENT | HPT_LARGE;
	struct machine_config config = {.pair = *pair};
	const struct hpt_key key = hpt_key(CONTENT_ASID, 0x400005, HPT_4K);
	struct walk_result counted;
	struct walk walk;

	machine_begin(&machine, &config);
	machine_map(&machine.guest, hpt_key(CONTENT_ASID, 0x400000, HPT_2M),
		    hpt_entry(last, flags));
	machine_map(&machine.host, hpt_key(0, 0, HPT_2M), hpt_entry(last - 1, flags));
	walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
	machine_check(&machine, &walk, &key, 1);
	walk_count(&walk, key, &counted, NULL);
	cr_assert_eq(counted.gfn, 4);
	cr_assert_eq(hpt_frame(counted.entry), 2);
	machine_end(&machine);
}
