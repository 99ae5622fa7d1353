/* SPDX-License-Identifier: MIT */
/*
 * Lookups in a B-tree of nodes of 4 KiB, from the root to a leaf, of keys that are all as likely.
 *
 * The tree is implicit: its levels stand one behind the other, the root first, and child c of node
 * n of a level is node n * 256 + c of the next. A node has 256 slots of 16 bytes, key and child or
 * key and record; all are full but for the last node of a level. There are as many leaves as fit
 * with the nodes above them; the at most 4 pages that remain are not accessed. A lookup accesses
 * one slot of each node on its way, the one that it goes on with (stream.h).
 */
#include "bench/stream_kind.h"
#include "hpt/mix.h"

#define FAN_OUT	   256
#define SLOT	   (STREAM_PAGE_SIZE / FAN_OUT)
#define LEVELS_MAX 5

struct level {
	uint64_t first; /* page of its node 0 */
	uint64_t span;	/* records below a slot: 256 to the power of the levels below */
};

struct btree_state {
	struct level levels[LEVELS_MAX]; /* the root's first */
	unsigned int depth;
	uint64_t leaves;
	uint64_t random;
};

_Static_assert(STREAM_PAGES_MAX <= UINT64_C(1) << 32, "a tree of five levels has as many leaves");

static uint64_t nodes_above(uint64_t nodes)
{
	return (nodes + FAN_OUT - 1) / FAN_OUT;
}

/* Nodes of a whole tree. */
static uint64_t tree_nodes(uint64_t leaves)
{
	uint64_t sum = leaves;

	while (leaves > 1) {
		leaves = nodes_above(leaves);
		sum += leaves;
	}
	return sum;
}

static int begin(void *state, const struct stream_config *config)
{
	struct btree_state *tree = state;
	uint64_t widths[LEVELS_MAX]; /* nodes of a level, the leaves' first */
	uint64_t leaves = config->pages;
	uint64_t first = 0;
	uint64_t span = 1;

	/* Each leaf less is a node less, and maybe some above it. */
	while (tree_nodes(leaves) > config->pages)
		leaves -= (tree_nodes(leaves) - config->pages + LEVELS_MAX - 1) / LEVELS_MAX;
	tree->leaves = leaves;
	tree->random = config->seed;
	widths[0] = leaves;
	for (tree->depth = 1; widths[tree->depth - 1] > 1; tree->depth++)
		widths[tree->depth] = nodes_above(widths[tree->depth - 1]);
	for (unsigned int i = 0; i < tree->depth; i++) {
		tree->levels[i].first = first;
		first += widths[tree->depth - 1 - i];
		tree->levels[tree->depth - 1 - i].span = span;
		span *= FAN_OUT;
	}
	return 0;
}

static size_t step(void *state, struct stream_access *out)
{
	struct btree_state *tree = state;
	uint64_t random = mix64_next(&tree->random);
	uint64_t record = stream_below(random, tree->leaves * FAN_OUT);

	for (unsigned int i = 0; i < tree->depth; i++) {
		uint64_t slot = record / tree->levels[i].span;
		uint64_t page = tree->levels[i].first + slot / FAN_OUT;

		out[i] = stream_at(page * STREAM_PAGE_SIZE + slot % FAN_OUT * SLOT, false);
	}
	return tree->depth;
}

const struct stream_kind stream_btree = {
	.name = "btree",
	.state_size = sizeof(struct btree_state),
	.begin = begin,
	.step = step,
};
