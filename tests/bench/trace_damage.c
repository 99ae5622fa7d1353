/* SPDX-License-Identifier: MIT */
/* Traces cut at every byte, damaged at random, and bytes that never were a trace. */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hpt/mix.h"
#include "tests/bench/trace_golden.h"
#include "tests/bench/trace_model.h"

static void expect_promises(const struct reading *found, const char *what)
{
	const char *broken = reading_broken_promise(found);

	cr_assert_null(broken, "%s: not so: %s (%s)", what, broken, found->message.text);
}

static void expect_accesses(const struct reading *found, const struct trace_access *wanted,
			    size_t count, const char *what)
{
	cr_assert_eq(found->count, count, "%s: found %zu accesses, wanted %zu (%s)", what,
		     found->count, count, found->message.text);
	for (size_t i = 0; i < count; i++) {
		const struct trace_access *access = &found->accesses[i];

		cr_assert(access->address == wanted[i].address && access->size == wanted[i].size &&
				  access->kind == wanted[i].kind,
			  "%s: access %zu is %" PRIx64 ",%u", what, i, access->address,
			  access->size);
	}
}

/* A message names its place as "line N: ", or as "byte N: " of a record that begins at `place`. */
static void expect_place(const struct reading *found, uint64_t place, const char *what)
{
	const char *text = found->message.text + strlen(TRACE_PATH ": ");
	bool bytes = !strncmp(text, "byte ", 5);
	uint64_t number = strtoull(text + 5, NULL, 10);

	cr_assert(bytes || !strncmp(text, "line ", 5), "%s: %s", what, text);
	cr_assert(bytes ? number >= place && number < place + 64 : number == place,
		  "%s: the fault is at %" PRIu64 ": %s", what, place, text);
}

/* Against the model; a trace that is not recognised has its fault in the first line or record. */
static void expect_as_model(const struct reading *found, enum trace_format format,
			    const struct bytes *bytes, const char *what)
{
	struct model model;

	expect_promises(found, what);
	model_read(format, bytes, &model);
	if (!found->opened) {
		cr_assert(!bytes->size || model.fault, "%s: %s", what, found->message.text);
		cr_assert(format == TRACE_CHAMPSIM ? !model.place : model.place <= 1);
	} else {
		cr_assert_eq(found->format, format);
		cr_assert_eq(found->error, model.fault ? -EBADMSG : 0, "%s: %s", what,
			     found->message.text);
		expect_accesses(found, model.accesses, model.count, what);
		if (model.fault)
			expect_place(found, model.place, what);
	}
	model_free(&model);
}

Test(trace_damage, the_model_reads_the_traces_as_they_are_written_down)
{
	for (int i = 0; i < GOLDEN_TRACES; i++) {
		const struct golden *golden = &golden_traces[i];
		struct bytes bytes = golden_bytes(golden, golden->count);
		struct reading wanted;
		struct model model;

		golden_reading(golden, golden->count, &wanted);
		model_read(golden->format, &bytes, &model);
		cr_expect_not(model.fault, "%s: %" PRIu64, golden->name, model.place);
		expect_accesses(&wanted, model.accesses, model.count, golden->name);
		model_free(&model);
		reading_free(&wanted);
		bytes_free(&bytes);
	}
}

Test(trace_damage, a_trace_cut_anywhere_has_the_whole_parts_before_the_cut_and_a_fault_there)
{
	for (int i = 0; i < GOLDEN_TRACES; i++) {
		const struct golden *golden = &golden_traces[i];
		struct bytes bytes = golden_bytes(golden, golden->count);
		size_t parts = 0, whole = bytes.size;

		for (bytes.size = 1; bytes.size < whole; bytes.size++) {
			struct bytes before = golden_bytes(golden, parts + 1);
			struct reading wanted, found;
			bool between;

			parts += before.size == bytes.size;
			between = before.size == bytes.size;
			golden_reading(golden, parts, &wanted);
			read_bytes(&bytes, 1000, &found);
			expect_promises(&found, golden->name);
			expect_accesses(&found, wanted.accesses, wanted.count, golden->name);
			cr_assert_eq(found.error, between ? 0 : -EBADMSG, "%s: %zu bytes: %s",
				     golden->name, bytes.size, found.message.text);
			if (found.error && found.opened)
				expect_place(&found,
					     golden->format == TRACE_CHAMPSIM ? bytes.size / 64 * 64
									      : parts + 1,
					     golden->name);
			bytes_free(&before);
			reading_free(&wanted);
			reading_free(&found);
		}
		bytes_free(&bytes);
	}
}

Test(trace_damage, a_compressed_trace_cut_anywhere_is_refused)
{
	for (int i = 0; i < GOLDEN_TRACES * (TRACE_COMPRESSIONS - 1); i++) {
		const struct golden *golden = &golden_traces[i / 2];
		struct bytes plain = golden_bytes(golden, golden->count);
		struct bytes bytes =
			bytes_compressed(&plain, (enum trace_compression)(TRACE_XZ + i % 2));
		size_t whole = bytes.size;
		struct reading wanted, found;

		golden_reading(golden, golden->count, &wanted);
		for (bytes.size = 1; bytes.size < whole; bytes.size++) {
			read_bytes(&bytes, 1000, &found);
			expect_promises(&found, golden->name);
			cr_assert_eq(found.error, -EBADMSG);
			cr_assert_leq(found.count, wanted.count);
			expect_accesses(&found, wanted.accesses, found.count, golden->name);
			reading_free(&found);
		}
		reading_free(&wanted);
		bytes_free(&bytes);
		bytes_free(&plain);
	}
}

/* Every bit of the file: a damage that is found by no check at all must leave the trace as it is.
 */
Test(trace_damage, a_flipped_bit_of_a_compressed_trace_gives_no_other_trace)
{
	for (int k = TRACE_XZ; k < TRACE_COMPRESSIONS; k++) {
		const struct golden *golden = &golden_traces[0];
		struct bytes plain = golden_bytes(golden, golden->count);
		struct bytes bytes = bytes_compressed(&plain, (enum trace_compression)k);
		struct reading wanted, found;

		golden_reading(golden, golden->count, &wanted);
		for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
			bytes.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
			read_bytes(&bytes, 1000, &found);
			expect_promises(&found, golden->name);
			if (!found.error)
				expect_accesses(&found, wanted.accesses, wanted.count,
						golden->name);
			reading_free(&found);
			bytes.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		reading_free(&wanted);
		bytes_free(&bytes);
		bytes_free(&plain);
	}
}

static void damage(struct bytes *bytes, uint64_t *state)
{
	static const char likely[] = "\n  ,:0189afx-<ILSM=@";
	uint64_t random = mix64_next(state);
	size_t place = mix64_next(state) % bytes->size;

	switch (random % 4) {
	case 0: /* any byte */
		bytes->bytes[place] = (unsigned char)(random >> 8);
		break;
	case 1: /* one that means something */
		bytes->bytes[place] = (unsigned char)likely[(random >> 8) % (sizeof(likely) - 1)];
		break;
	case 2: /* one less */
		memmove(bytes->bytes + place, bytes->bytes + place + 1, bytes->size - place - 1);
		bytes->size--;
		break;
	default: /* one twice */
		bytes_append(bytes, "", 1);
		memmove(bytes->bytes + place + 1, bytes->bytes + place, bytes->size - place - 1);
	}
}

/* From a file, and piece by piece just so. */
Test(trace_damage, a_damaged_trace_is_read_as_by_the_model)
{
	uint64_t state = 4;

	for (int round = 0; round < 12000; round++) {
		const struct golden *golden = &golden_traces[round % GOLDEN_TRACES];
		struct bytes bytes = golden_bytes(golden, golden->count);
		struct reading found, other;

		for (uint64_t i = mix64_next(&state) % 3; i < 3; i++)
			damage(&bytes, &state);
		read_bytes(&bytes, 1000, &found);
		/* The first line or record may have become that of another kind, or of none. */
		if (!found.opened || found.format == golden->format)
			expect_as_model(&found, golden->format, &bytes, golden->name);
		read_pieces(&bytes, 1 + mix64_next(&state) % 100, 1 + mix64_next(&state) % 9,
			    &other);
		cr_assert(reading_same(&found, &other), "%s: \"%s\" and \"%s\"", golden->name,
			  found.message.text, other.message.text);
		reading_free(&other);
		reading_free(&found);
		bytes_free(&bytes);
	}
}

Test(trace_damage, random_bytes_are_refused_or_are_a_trace)
{
	static const unsigned char magics[][6] = {"", "\3757zXZ", "\x1f\x8b\x08",
						  "==1== ", "I  04"};
	uint64_t state = 5;

	for (int round = 0; round < 5000; round++) {
		unsigned char noise[300];
		struct bytes bytes = {0};
		struct reading found;

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (unsigned char)mix64_next(&state);
		memcpy(noise, magics[round % 5], strlen((const char *)magics[round % 5]));
		bytes_append(&bytes, noise, mix64_next(&state) % sizeof(noise));
		read_bytes(&bytes, 1000, &found);
		expect_promises(&found, "noise");
		reading_free(&found);
		bytes_free(&bytes);
	}
}
