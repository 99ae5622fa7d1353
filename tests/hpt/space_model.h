/* SPDX-License-Identifier: MIT */
/*
 * Address spaces beside a naive model: each space is an array of pages, which a fork copies, and a
 * page has an object, whose value a write changes. Frames (and swap locations) are numbers with a
 * value and a count of references. As in model.h, a difference ends the process.
 */
#ifndef TESTS_HPT_SPACE_MODEL_H
#define TESTS_HPT_SPACE_MODEL_H

#include "hpt/space.h"
#include "tests/hpt/model.h"
#include "tests/hpt/stream.h"

#define WORLD_SPACES   12
#define WORLD_SEGMENTS 2
#define WORLD_ATTACHED 4
#define WORLD_REGIONS  3
#define WORLD_SMALL    24 /* 4 KiB pages of each region that are ever mapped */
#define WORLD_PAGES    (WORLD_REGIONS * (WORLD_SMALL + 1)) /* with one of 2 MiB */

struct world_page {
	uint64_t flags; /* 0: not mapped */
	uint32_t object;
	bool common;
};

/* What an attachment is to say. */
struct world_attachment {
	uint64_t vpn, pages, offset, permissions;
	unsigned int segment;
	bool live;
};

struct world_space {
	struct hpt_space space;
	struct hpt_attachment attachments[WORLD_ATTACHED];
	struct world_attachment attached[WORLD_ATTACHED];
	struct world_page pages[WORLD_PAGES];
	bool live;
};

struct world_segment {
	struct hpt_segment segment;
	struct world_page pages[WORLD_PAGES];
	bool live;
};

struct world_frame {
	uint64_t value;
	uint64_t references;
};

struct world {
	struct test_memory memory;
	struct hpt table;
	struct hpt_spaces spaces;
	struct world_space of[WORLD_SPACES];
	struct world_segment segments[WORLD_SEGMENTS];
	uint64_t *objects; /* their values */
	size_t object_count;
	struct world_frame *frames;
	size_t frame_count;
	uint64_t written;		       /* each write has another value */
	uint64_t counts[HPT_SPACE_COPIED + 1]; /* answers of hpt_space_write() */
};

/* What a stream of spaces is, beside its records. */
struct space_stream {
	enum hpt_organisation organisation;
	unsigned int features; /* enum world_feature */
	const struct stream_record *records;
	size_t count;
};

/* Runs a stream from nothing to the end of all spaces; a difference ends the process. */
void space_stream_run(const struct space_stream *stream);

/* As stream_fails_shortened(). */
bool space_stream_fails_shortened(const struct space_stream *stream);

/* What a world is, beside its organisation. */
enum world_feature {
	WORLD_REFERENCES = 1 << 0, /* the owner answers how many a frame has */
	WORLD_SEALED = 1 << 1,	   /* the table is */
	WORLD_FAILURES = 1 << 2,   /* memory runs out now and then, where a stream says so */
	WORLD_FEATURES = 3,
};

void world_begin(struct world *world, enum hpt_organisation organisation, unsigned int features);

/* Every page of every space, the frames' references, and the invariants. */
void world_check(struct world *world);

/* Ends all spaces and segments, and sees that every frame and all memory came back. */
void world_end(struct world *world);

/* The operations: each is done to both, and does nothing where it makes no sense. */
void world_create(struct world *world, unsigned int at);
void world_fork(struct world *world, unsigned int from, unsigned int to);
void world_destroy(struct world *world, unsigned int at);
void world_map(struct world *world, unsigned int at, unsigned int page, uint64_t flags,
	       bool common);
void world_write(struct world *world, unsigned int at, unsigned int page);
void world_unmap(struct world *world, unsigned int at, unsigned int page, unsigned int last);
void world_protect(struct world *world, unsigned int at, unsigned int page, unsigned int last,
		   uint64_t clear, uint64_t set);
void world_swap(struct world *world, unsigned int at, unsigned int page);
void world_reap(struct world *world, uint64_t budget);

/* Of segments, and what is attached at a place of a space. */
void world_segment_create(struct world *world, unsigned int at);
void world_segment_destroy(struct world *world, unsigned int at);
void world_segment_map(struct world *world, unsigned int at, unsigned int page, uint64_t flags);
void world_segment_unmap(struct world *world, unsigned int at, unsigned int page,
			 unsigned int last);
void world_segment_protect(struct world *world, unsigned int at, unsigned int page,
			   unsigned int last, uint64_t clear, uint64_t set);
void world_attach(struct world *world, unsigned int at, unsigned int slot, unsigned int segment,
		  uint64_t number);
void world_detach(struct world *world, unsigned int at, unsigned int slot);
void world_attachment_protect(struct world *world, unsigned int at, unsigned int slot,
			      uint64_t permissions);

/* For the files of the model: a page's size, region and number in the table. */
enum hpt_size world_size(unsigned int page);
unsigned int world_region(unsigned int page);
uint64_t world_vpn(unsigned int page);
uint64_t world_region_vpn(unsigned int region);

uint64_t world_new_frame(struct world *world, uint64_t value);
uint32_t world_new_object(struct world *world, uint64_t value);

/* Whether an operation failed for want of memory; any other error ends the process. */
bool world_failed(const struct world *world, int error, uint64_t failures, const char *what);

/* Whether pages of the other size are there: what mapping leaves to its caller. */
bool world_overlaps(const struct world_page *pages, unsigned int page);

/* How many pages a range from `page` to `last` has; where it has none, `last` becomes `page`. */
uint64_t world_count(unsigned int page, unsigned int *last);

/* Changes flags of the pages that are mapped from `page` to `last`. */
void world_change(struct world_page *pages, unsigned int page, unsigned int last, uint64_t clear,
		  uint64_t set);

/* What a space sees of a segment at a page where it has nothing private: NULL for nothing. */
const struct world_page *world_attached_page(const struct world *world,
					     const struct world_space *of, unsigned int page,
					     uint64_t *permissions);

/* The attachments of a fork. */
void world_inherit(const struct world_space *parent, struct world_space *child);

/* Whether each segment knows who has it attached. */
void world_check_users(const struct world *world);

#endif
