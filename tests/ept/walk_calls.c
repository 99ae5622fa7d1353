/* SPDX-License-Identifier: MIT */
/* What the walker's calls promise beside translations: errors, predictors, ledgers, CSV. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hpt/mix.h"
#include "tests/ept/walk_content.h"
#include "tests/ept/walk_oracle.h"

static struct machine machine;
static struct hpt_key keys[CONTENT_KEYS];
static size_t key_count;

static void begin(enum hpt_organisation guest, enum hpt_organisation host)
{
	struct machine_config config = {.pair = {guest, host}};

	machine_begin(&machine, &config);
	key_count = content_fill(&machine, keys);
}

Test(walk_calls, sizes_that_are_none_are_refused)
{
	begin(HPT_CLUSTERED, HPT_BUCKET);
	for (unsigned int guest = 0; guest < 256; guest++) {
		for (unsigned int host = 0; host < 256; host++) {
			bool valid = guest && guest <= WALK_BOTH && host && host <= WALK_BOTH;
			struct walk walk = machine_walk(&machine, false, WALK_4K, WALK_4K);

			walk.guest_sizes = (uint8_t)guest;
			walk.host_sizes = (uint8_t)host;
			cr_assert_eq(walk_prepare(&walk), valid ? 0 : -EINVAL, "%u, %u", guest,
				     host);
		}
	}
	machine_end(&machine);
}

Test(walk_calls, descriptors_that_are_not_valid_are_refused)
{
	static struct hpt liar;
	struct walk walk;

	begin(HPT_CLUSTERED, HPT_BUCKET);
	for (unsigned int i = 0; i < 6; i++) {
		walk = machine_walk(&machine, false, WALK_4K, WALK_4K);
		liar = (struct hpt){.desc = machine.guest.table.desc};
		if (i % 3 == 0)
			liar.desc.organisation = HPT_ORGANISATIONS;
		else if (i % 3 == 1)
			liar.desc.current.lines_log2 = HPT_LINES_LOG2_MAX + 1;
		else
			liar.desc.magic++;
		if (i < 3)
			walk.guest = &liar;
		else
			walk.host = &liar;
		cr_assert_eq(walk_prepare(&walk), -EINVAL);
	}
	machine_end(&machine);
}

Test(walk_calls, a_predictor_is_for_slabs)
{
	struct walk_predictor predictor;
	struct walk walk;

	begin(HPT_OPEN, HPT_RADIX);
	cr_assert_eq(walk_predictor_create(&predictor, 4), 0);
	walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
	walk.predictor = &predictor;
	cr_assert_eq(walk_prepare(&walk), -EINVAL);
	walk.slab = true;
	cr_assert_eq(walk_prepare(&walk), 0);
	walk_predictor_destroy(&predictor);
	cr_assert_null(predictor.difference);
	walk_predictor_destroy(&predictor);
	machine_end(&machine);
}

Test(walk_calls, a_predictor_for_more_regions_than_there_are_is_refused)
{
	struct walk_predictor predictor;

	/* 45 bits of VPN, 9 of them in a region. 2^62 regions of 4 bytes would be 0 bytes. */
	for (unsigned int log2 = 37; log2 < 200; log2++) {
		cr_assert_eq(walk_predictor_create(&predictor, log2), -EINVAL, "2^%u", log2);
		cr_assert_null(predictor.difference);
		walk_predictor_destroy(&predictor);
	}
	for (unsigned int log2 = 0; log2 <= 20; log2++) {
		cr_assert_eq(walk_predictor_create(&predictor, log2), 0);
		for (size_t i = 0; i < (size_t)1 << log2; i++)
			cr_assert_eq(predictor.difference[i], 0);
		walk_predictor_destroy(&predictor);
	}
}

/* Predictors of one region up to many; every guess from all 32 bits. */
MACHINE_TEST(walk_calls, no_prediction_changes_an_answer_and_right_ones_are_learned)
{
	static const int32_t guesses[] = {0, 1, -1, INT32_MAX, INT32_MIN};
	struct walk_predictor predictor;
	uint64_t random = 5;
	struct walk walk;

	begin(pair->guest, pair->host);
	walk = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);
	walk.predictor = &predictor;
	for (unsigned int log2 = 0; log2 <= 10; log2 += 5) {
		cr_assert_eq(walk_predictor_create(&predictor, log2), 0);
		for (unsigned int round = 0; round < 10; round++) {
			for (size_t i = 0; i < (size_t)1 << log2; i++)
				predictor.difference[i] =
					round < 5 ? guesses[round] : (int32_t)mix64_next(&random);
			machine_check(&machine, &walk, keys, key_count);
		}
		for (size_t i = 0; i < key_count; i++) {
			struct walk_result result;

			walk_count(&walk, keys[i], &result, NULL);
			if (result.stage == 1)
				continue;
			cr_assert_eq(predictor.difference[keys[i].vpn / HPT_LARGE_PAGES %
							  (UINT64_C(1) << log2)],
				     (int32_t)(result.gfn - keys[i].vpn));
		}
		walk_predictor_destroy(&predictor);
	}
	machine_end(&machine);
}

Test(walk_calls, outcomes_have_names_of_their_own)
{
	for (unsigned int i = 0; i < WALK_OUTCOMES; i++) {
		const char *name = walk_outcome_name((enum walk_outcome)i);

		cr_assert(name && *name);
		for (unsigned int j = 0; j < i; j++)
			cr_assert_str_neq(name, walk_outcome_name((enum walk_outcome)j));
	}
}

Test(walk_calls, a_batch_of_none_writes_nothing)
{
	uint64_t entry = 17;

	for (unsigned int sizes = WALK_4K; sizes <= WALK_BOTH; sizes++) {
		struct walk walk;

		begin(HPT_CLUSTERED, HPT_CUCKOO);
		walk = machine_walk(&machine, false, sizes, WALK_4K);
		walk_batch(&walk, keys, &entry, 0);
		cr_assert_eq(entry, 17);
		machine_end(&machine);
	}
}

/* Adds up what the callback is told. */
struct told {
	uint64_t slots[WALK_STAGE1_SLOTS + 1][WALK_STAGE2_SLOTS + 1];
	uint64_t refs;
	uintptr_t frames;
	bool in_frames; /* whether every line of the guest's table was read in a frame */
};

static void tell(void *context, unsigned int row, unsigned int column, const void *line)
{
	struct told *told = context;

	cr_assert(row <= WALK_DATA && column <= WALK_OWN && line);
	told->slots[row][column]++;
	told->refs++;
	if (column == WALK_OWN && (uintptr_t)line - told->frames >= MACHINE_PAGES * HPT_PAGE_SIZE)
		told->in_frames = false;
}

MACHINE_TEST(walk_calls, a_ledger_adds_up_and_tells_of_each_reference)
{
	struct told told = {.in_frames = true};
	struct walk_ledger ledger = {.reference = tell, .context = &told};
	uint64_t outcomes[WALK_OUTCOMES] = {0};
	uint64_t splintered = 0;
	struct walk walk;

	begin(pair->guest, pair->host);
	walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
	told.frames = walk.frames;
	for (size_t i = 0; i < key_count; i++) {
		struct walk_result result;

		walk_count(&walk, keys[i], &result, &ledger);
		outcomes[result.outcome]++;
		splintered += result.outcome == WALK_TRANSLATED && result.guest_size == HPT_2M &&
			      result.host_size == HPT_4K;
	}
	cr_assert_eq(ledger.translations, key_count);
	cr_assert_eq(memcmp(ledger.outcomes, outcomes, sizeof(outcomes)), 0);
	cr_assert_gt(outcomes[WALK_TRANSLATED], 100);
	cr_assert_gt(outcomes[WALK_ABSENT], 100);
	cr_assert_eq(ledger.splintered, splintered);
	cr_assert_gt(splintered, 0);
	cr_assert_eq(told.refs, ledger.refs);
	cr_assert_eq(memcmp(ledger.slots, told.slots, sizeof(told.slots)), 0);
	cr_assert(told.in_frames);
	cr_assert_leq(ledger.steps, ledger.refs);
	cr_assert_leq(ledger.early, ledger.refs);
	cr_assert_leq(ledger.pages, ledger.lines);
	cr_assert_leq(ledger.lines, ledger.refs);
	machine_end(&machine);
}

Test(walk_calls, slots_are_printed_a_line_each_that_has_any)
{
	struct walk_ledger ledger = {.translations = 3};
	char text[256] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	cr_assert_not_null(stream);
	ledger.slots[0][0] = 3;
	ledger.slots[0][WALK_OWN] = 4;
	ledger.slots[WALK_STAGE1_SLOTS - 1][WALK_STAGE2_SLOTS - 1] = 1;
	ledger.slots[WALK_DATA][2] = UINT64_C(10000000000000000);
	cr_assert_eq(walk_ledger_csv(&ledger, "HH,x,", stream), 0);
	fclose(stream);
	cr_assert_str_eq(text, "HH,x,1,1,3,1.000000,0\n"
			       "HH,x,1,own,4,1.333333,0\n"
			       "HH,x,8,8,1,0.333333,0\n"
			       "HH,x,data,3,10000000000000000,3333333333333333.500000,0\n");
}

Test(walk_calls, a_ledger_without_references_prints_nothing)
{
	const struct walk_ledger ledger = {0};
	char text[16] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	cr_assert_not_null(stream);
	cr_assert_eq(walk_ledger_csv(&ledger, "", stream), 0);
	fclose(stream);
	cr_assert_str_eq(text, "");
}

/* The stream holds back what it is given, so that only flushing it shows the error. */
Test(walk_calls, a_stream_that_fails_is_an_error)
{
	struct walk_ledger ledger = {.translations = 1, .slots = {{1}}};
	FILE *stream = fopen("/dev/full", "w");

	cr_assert_not_null(stream);
	cr_assert_eq(walk_ledger_csv(&ledger, "", stream), -EIO);
	fclose(stream);
}
