/* SPDX-License-Identifier: MIT */
/*
 * Slabs whose bounds are kept (struct walk's slab_end): an honest table is walked as without them,
 * one that lies is walked to an end, and nothing outside of the slab is read.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hpt/mix.h"
#include "hpt/probe.h"
#include "tests/ept/walk_content.h"

#define SLAB_PAGES UINT64_C(16)
#define SLAB_SIZE  (SLAB_PAGES * HPT_PAGE_SIZE)
#define SLAB_START UINT64_C(0x40200000)
#define SLAB_WORDS (SLAB_SIZE / sizeof(uint64_t))

static struct machine machine;
static struct hpt_key keys[CONTENT_KEYS];
static uint64_t entries[CONTENT_KEYS];
static size_t key_count;
static uint64_t seed;

static void begin(const struct machine_pair *pair, bool sealed)
{
	struct machine_config config = {
		.pair = *pair, .guest_sealed = sealed, .host_sealed = sealed};

	machine_begin(&machine, &config);
	key_count = content_fill(&machine, keys);
}

MACHINE_TEST(walk_slab, within_its_bounds_a_table_is_walked_as_without_them)
{
	for (unsigned int sealed = 0; sealed < 2; sealed++) {
		struct walk walk;

		begin(pair, sealed);
		for (unsigned int sizes = WALK_4K; sizes <= WALK_BOTH; sizes++) {
			walk = machine_walk(&machine, true, sizes, sizes);
			walk.slab_start = MACHINE_TABLE_GFN * HPT_PAGE_SIZE;
			walk.slab_end = walk.slab_start + MACHINE_PAGES * HPT_PAGE_SIZE;
			cr_assert_eq(walk_prepare(&walk), 0);
			machine_check(&machine, &walk, keys, key_count);
		}
		machine_end(&machine);
	}
}

/* The bounds end within the table: what lies behind them is unmapped while walks go on. */
MACHINE_TEST(walk_slab, what_lies_behind_its_bounds_is_not_read)
{
	uint64_t start = MACHINE_TABLE_GFN * HPT_PAGE_SIZE;
	size_t astray = 0;

	begin(pair, false);
	for (uint64_t pages = 1; pages < machine.used / HPT_PAGE_SIZE; pages = 2 * pages + 1) {
		struct walk whole = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);
		struct walk walk = whole;
		struct walk_result wanted[CONTENT_KEYS];

		for (size_t i = 0; i < key_count; i++)
			walk_count(&whole, keys[i], &wanted[i], NULL);
		walk.slab_start = start;
		walk.slab_end = start + pages * HPT_PAGE_SIZE;
		cr_assert_eq(walk_prepare(&walk), 0);
		cr_assert_eq(mprotect(machine.by_gpa + pages * HPT_PAGE_SIZE,
				      machine.used - pages * HPT_PAGE_SIZE, PROT_NONE),
			     0);
		for (size_t i = 0; i < key_count; i++) {
			struct walk_result result;

			walk_count(&walk, keys[i], &result, NULL);
			astray += result.outcome == WALK_ASTRAY;
			if (result.outcome == WALK_ASTRAY
				    ? result.stage != 1 || result.of_table
				    : !machine_same(&result, &wanted[i], true))
				machine_fail(&machine, &walk, keys[i], "the bounds change a walk");
		}
		cr_assert_eq(mprotect(machine.by_gpa, machine.used, PROT_READ | PROT_WRITE), 0);
	}
	cr_assert_gt(astray, 0);
	machine_end(&machine);
}

/* An address that a table may give for one of its own, from good to impossible. */
static uint64_t address(void)
{
	uint64_t random = mix64_next(&seed);
	uint64_t at = SLAB_START + random % SLAB_SIZE;

	switch (random >> 60) {
	case 0:
		return 0;
	case 1:
		return random;
	case 2:
		return SLAB_START - HPT_LINE_SIZE;
	case 3:
		return SLAB_START + SLAB_SIZE;
	case 4:
		return SLAB_START + SLAB_SIZE - 1 - random % 64;
	case 5:
		return at;
	default:
		return at & ~(uint64_t)31;
	}
}

static void lie(struct hpt_desc *desc, uint64_t *words)
{
	uint64_t random = mix64_next(&seed);

	for (unsigned int i = 0; i < SLAB_WORDS; i++) {
		uint64_t word = mix64_next(&seed);

		words[i] = word & 1 ? address() | HPT_PRESENT : word & 6 ? word : address();
	}
	for (unsigned int i = 0; i < 2 * HPT_CHUNKS; i++)
		desc->directory[i] = address();
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		desc->spill[i] = address();
	desc->spill_lines = (random & 3) * HPT_GROUP_LINES;
	desc->current.lines_log2 = HPT_LINES_LOG2_MIN + (random >> 2) % 21;
	desc->old.lines_log2 = HPT_LINES_LOG2_MIN + (random >> 8) % 21;
	desc->split = random >> 18 & 1 ? UINT64_MAX : mix64_next(&seed);
	desc->growing = desc->split != UINT64_MAX;
	cr_assert(hpt_desc_valid(desc));
}

/* On both sides of the slab there is nothing: who reads there dies. */
MACHINE_TEST(walk_slab, a_slab_of_lies_is_walked_to_an_end_within_its_bounds)
{
	char *room = mmap(NULL, 3 * SLAB_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t outcomes[WALK_OUTCOMES] = {0};
	static struct hpt liar;
	struct walk walk;

	cr_assert_neq(room, MAP_FAILED);
	cr_assert_eq(mprotect(room + SLAB_SIZE, SLAB_SIZE, PROT_READ | PROT_WRITE), 0);
	for (unsigned int sealed = 0; sealed < 2; sealed++) {
		begin(pair, sealed);
		liar = (struct hpt){.desc = machine.guest.table.desc};
		liar.memory.offset = (uintptr_t)room + SLAB_SIZE - SLAB_START;
		for (unsigned int round = 0; round < 60; round++) {
			lie(&liar.desc, (uint64_t *)(room + SLAB_SIZE));
			walk = machine_walk(&machine, true, WALK_4K + round % 3,
					    WALK_4K + round / 3 % 3);
			walk.guest = &liar;
			walk.slab_start = SLAB_START;
			walk.slab_end = SLAB_START + SLAB_SIZE;
			cr_assert_eq(walk_prepare(&walk), 0);
			walk_batch(&walk, keys, entries, key_count);
			for (size_t i = 0; i < key_count; i++) {
				struct walk_result result;

				walk_count(&walk, keys[i], &result, NULL);
				outcomes[result.outcome]++;
				if (walk_one(&walk, keys[i]) != entries[i] ||
				    entries[i] !=
					    (result.outcome == WALK_TRANSLATED ? result.entry : 0))
					machine_fail(&machine, &walk, keys[i], "two answers");
			}
		}
		machine_abandon(&machine);
	}
	cr_assert_gt(outcomes[WALK_ABSENT], 0);
	cr_assert_gt(outcomes[WALK_ASTRAY], 0);
	munmap(room, 3 * SLAB_SIZE);
}

Test(walk_slab, bounds_are_refused_without_a_slab_and_with_caches)
{
	const struct machine_pair pair = {HPT_CLUSTERED, HPT_CLUSTERED};
	struct walk walk;

	begin(&pair, false);
	walk = machine_walk(&machine, true, WALK_4K, WALK_4K);
	walk.slab_end = HPT_PAGE_SIZE;
	cr_assert_eq(walk_prepare(&walk), 0);
	walk.caches = (struct mmu_caches *)&walk; /* not asked: it is refused before */
	cr_assert_eq(walk_prepare(&walk), -EINVAL);
	walk.caches = NULL;
	walk.slab = false;
	cr_assert_eq(walk_prepare(&walk), -EINVAL);
	machine_end(&machine);
}
