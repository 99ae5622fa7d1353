/* SPDX-License-Identifier: MIT */
/*
 * Streams: operations on a table and its model as records of 16 bytes, whatever the bytes are. So
 * random numbers are a stream, what the fuzzer tries is one, and a stream without some of its
 * records is one as well: one that fails is made shorter until each record is needed (shrink.h).
 *
 * Keys are picked so that they meet often: few address spaces, few regions, both sizes, blocks that
 * share one home line.
 */
#ifndef TESTS_HPT_STREAM_H
#define TESTS_HPT_STREAM_H

#include "tests/hpt/model.h"

struct stream_record {
	uint8_t what;	 /* the operation */
	uint8_t key;	 /* how `number` is read as a key */
	uint16_t count;	 /* pages of a range, or flags */
	uint32_t entry;	 /* frame and flags; or other flags */
	uint64_t number; /* of the page */
};

_Static_assert(sizeof(struct stream_record) == 16, "any 16 bytes are a record");

/* What the table of a stream is, beside its organisation. */
enum stream_feature {
	STREAM_SIPHASH = 1 << 0, /* the hash family, with a salt */
	STREAM_MADE_LARGE = 1 << 1,
	STREAM_OFFSET = 1 << 2,	    /* addresses are not pointers */
	STREAM_CONTIGUOUS = 1 << 3, /* frames follow pages, flags are alike */
	STREAM_FAILURES = 1 << 4,   /* memory runs out now and then */
	STREAM_SWAPPING = 1 << 5,   /* pages are swapped out and in */
	STREAM_REKEYED = 1 << 6,    /* the salt changes now and then */
	STREAM_SEALED = 1 << 7,	    /* frame numbers are sealed */
	STREAM_READERS = 1 << 8,    /* there may be readers beside the writer */
	STREAM_WATCHED = 1 << 9,    /* somebody keeps what the table has said (kept.h) */
	STREAM_LOCAL = 1 << 10,	    /* another hash family; beside siphash it has that one's salt */
	STREAM_FEATURES = 11,
};

struct stream {
	enum hpt_organisation organisation;
	unsigned int features;
	const struct stream_record *records;
	size_t count;
};

const char *stream_feature_name(unsigned int feature);

/* Runs a stream from an empty table to its end; a difference ends the process (model.h). */
void stream_run(const struct stream *stream);

#endif
