/* SPDX-License-Identifier: MIT */
/* Streams that are begun and asked without errors. */
#ifndef TESTS_BENCH_FIXTURE_H
#define TESTS_BENCH_FIXTURE_H

#include <criterion/criterion.h>

#include "bench/stream.h"

#define PAGE_BYTES 4096

static inline struct stream begin_stream(enum stream_workload workload, uint64_t pages,
					 uint64_t seed)
{
	struct stream stream;
	struct stream_config config = {.workload = workload, .pages = pages, .seed = seed};

	cr_assert_eq(stream_create(&stream, &config), 0);
	return stream;
}

static inline struct stream_access next_access(struct stream *stream)
{
	struct stream_access access;

	stream_next(stream, &access, 1);
	return access;
}

/* The byte of the footprint that an access begins at. */
static inline uint64_t byte_of(struct stream_access access)
{
	return access.page * PAGE_BYTES + access.offset;
}

static inline bool same_access(struct stream_access a, struct stream_access b)
{
	return a.page == b.page && a.offset == b.offset && a.write == b.write;
}

#endif
