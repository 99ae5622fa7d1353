/* SPDX-License-Identifier: MIT */
/* The B-tree: its size, its depth, and that each lookup goes from a node to one of its children. */
#include <stdlib.h>

#include "tests/bench/chi_square.h"
#include "tests/bench/fixture.h"

#define FAN_OUT 256
#define DEPTHS	8

struct shape {
	unsigned int depth;
	uint64_t first[DEPTHS], width[DEPTHS]; /* of each level, the root's first */
};

/* Nodes of the tree with so many leaves; and its shape. */
static uint64_t measure_tree(uint64_t leaves, struct shape *shape)
{
	uint64_t widths[DEPTHS] = {leaves};
	uint64_t first = 0;

	for (shape->depth = 1; widths[shape->depth - 1] > 1; shape->depth++)
		widths[shape->depth] = (widths[shape->depth - 1] + FAN_OUT - 1) / FAN_OUT;
	for (unsigned int i = 0; i < shape->depth; i++) {
		shape->width[i] = widths[shape->depth - 1 - i];
		shape->first[i] = first;
		first += shape->width[i];
	}
	return first;
}

/* The largest tree that fits, by trying from the top. */
static struct shape shape_of(uint64_t pages)
{
	struct shape shape;
	uint64_t leaves = pages;

	while (measure_tree(leaves, &shape) > pages)
		leaves--;
	return shape;
}

/* One lookup; returns the record that it ended at. */
static uint64_t follow(struct stream *stream, const struct shape *shape)
{
	uint64_t node = 0;

	for (unsigned int level = 0; level < shape->depth; level++) {
		struct stream_access access = next_access(stream);

		cr_assert_lt(node, shape->width[level]);
		cr_assert_eq(access.page, shape->first[level] + node);
		cr_assert_not(access.write);
		cr_assert_eq(access.offset % (PAGE_BYTES / FAN_OUT), 0);
		node = node * FAN_OUT + access.offset / (PAGE_BYTES / FAN_OUT);
	}
	return node;
}

Test(stream_btree, a_lookup_goes_from_the_root_to_a_leaf_of_the_largest_tree_that_fits)
{
	static const struct {
		uint64_t pages;
		unsigned int depth;
	} trees[] = {
		{16384, 3}, {16385, 3}, {20011, 3},   {65793, 3},
		{65796, 3}, {65797, 4}, {1000003, 4}, {STREAM_PAGES_MAX, 5},
	};

	for (size_t n = 0; n < sizeof(trees) / sizeof(trees[0]); n++) {
		struct shape shape = shape_of(trees[n].pages);
		struct stream stream = begin_stream(STREAM_BTREE, trees[n].pages, n);

		cr_assert_eq(shape.depth, trees[n].depth);
		for (int i = 0; i < 100000; i++)
			follow(&stream, &shape);
		stream_destroy(&stream);
	}
}

Test(stream_btree, every_leaf_is_reached_and_every_record_is_as_likely)
{
	struct shape shape = shape_of(16384);
	uint64_t leaves = shape.width[shape.depth - 1];
	uint64_t *reached = calloc(leaves, sizeof(*reached));
	uint64_t ranges[64] = {0};
	uint64_t slots[FAN_OUT] = {0};
	struct stream stream = begin_stream(STREAM_BTREE, 16384, 1);

	cr_assert_not_null(reached);
	for (int i = 0; i < 1000000; i++) {
		uint64_t record = follow(&stream, &shape);

		reached[record / FAN_OUT]++;
		slots[record % FAN_OUT]++;
		ranges[record * 64 / (leaves * FAN_OUT)]++;
	}
	for (uint64_t i = 0; i < leaves; i++)
		cr_assert_neq(reached[i], 0, "leaf %lu of %lu", i, leaves);
	cr_assert_lt(chi_square_excess_even(slots, FAN_OUT), 6);
	cr_assert_lt(chi_square_excess_even(ranges, 64), 6);
	stream_destroy(&stream);
	free(reached);
}
