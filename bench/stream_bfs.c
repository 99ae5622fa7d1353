/* SPDX-License-Identifier: MIT */
/*
 * Breadth-first searches (Graph500, kernel 2), from the top down: one after the other, each from
 * another random root that has edges.
 *
 * Array 0 of the graph has the parent of each vertex, array 1 is the queue. A search takes the next
 * vertex from the queue, reads its offset, and for each of its edges the edge and the other end's
 * parent; if that has none yet, it is written, and the vertex goes to the end of the queue. Setting
 * all parents back before a search is left out.
 *
 * This is a search and not a likeness of one: which vertices have been found is kept. What that may
 * take is bounded, so a search that has found 2 M vertices ends there: up to about 1 GiB searches
 * are whole, above they are the beginning of one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/graph.h"
#include "bench/stream_kind.h"
#include "hpt/mix.h"

#define FOUND_MAX     (UINT64_C(1) << 21)
#define EDGES_IN_STEP (STREAM_STEP_MAX / 3)

struct bfs_state {
	struct graph graph;
	uint64_t found_max;
	uint32_t *queue; /* found_max vertices, in the order in which they were found */
	uint64_t head, tail;
	uint32_t *found; /* a hashed set of what is in the queue: vertex + 1, or 0 */
	uint64_t slots;	 /* of the set: a power of two, at most half of them used */
	uint64_t random;
	/* The vertex that is worked on, while edge < degree. */
	uint64_t vertex, degree, first_edge, edge;
	unsigned int class;
};

static int begin(void *state, const struct stream_config *config)
{
	struct bfs_state *bfs = state;

	graph_begin(&bfs->graph, config->pages * STREAM_PAGE_SIZE, config->seed);
	bfs->random = config->seed;
	bfs->found_max = bfs->graph.vertices < FOUND_MAX ? bfs->graph.vertices : FOUND_MAX;
	bfs->slots = 2 * bfs->found_max;
	bfs->queue = malloc(bfs->found_max * sizeof(*bfs->queue));
	bfs->found = malloc(bfs->slots * sizeof(*bfs->found));
	if (bfs->queue && bfs->found)
		return 0;
	free(bfs->queue);
	free(bfs->found);
	return -ENOMEM;
}

static void end(void *state)
{
	struct bfs_state *bfs = state;

	free(bfs->queue);
	free(bfs->found);
}

static uint32_t *home(const struct bfs_state *bfs, uint64_t vertex)
{
	return &bfs->found[mix64(vertex) & (bfs->slots - 1)];
}

/* Whether the vertex is found for the first time; then it is in the queue now. */
static bool find(struct bfs_state *bfs, uint64_t vertex)
{
	uint32_t *slot = home(bfs, vertex);

	while (*slot && *slot != vertex + 1) {
		if (++slot == bfs->found + bfs->slots)
			slot = bfs->found;
	}
	if (*slot)
		return false;
	*slot = (uint32_t)vertex + 1;
	bfs->queue[bfs->tail++] = (uint32_t)vertex;
	return true;
}

static struct stream_access parent(const struct bfs_state *bfs, uint64_t vertex, bool write)
{
	return stream_at(graph_word_at(&bfs->graph, 0, vertex), write);
}

static struct stream_access queue(const struct bfs_state *bfs, uint64_t place, bool write)
{
	return stream_at(graph_word_at(&bfs->graph, 1, place), write);
}

static size_t begin_search(struct bfs_state *bfs, struct stream_access *out)
{
	uint64_t root;

	do {
		root = stream_below(mix64_next(&bfs->random), bfs->graph.vertices);
	} while (!graph_degree(&bfs->graph, root));
	memset(bfs->found, 0, bfs->slots * sizeof(*bfs->found));
	bfs->head = bfs->tail = 0;
	bfs->edge = bfs->degree = 0;
	find(bfs, root);
	out[0] = parent(bfs, root, true);
	out[1] = queue(bfs, 0, true);
	return 2;
}

static size_t begin_vertex(struct bfs_state *bfs, struct stream_access *out)
{
	out[0] = queue(bfs, bfs->head, false);
	bfs->vertex = bfs->queue[bfs->head++];
	bfs->class = graph_class(&bfs->graph, bfs->vertex);
	bfs->degree = bfs->graph.classes[bfs->class].degree;
	bfs->first_edge = graph_offset(&bfs->graph, bfs->vertex);
	bfs->edge = 0;
	out[1] = stream_at(graph_offset_at(&bfs->graph, bfs->vertex), false);
	return 2;
}

static size_t follow_edges(struct bfs_state *bfs, struct stream_access *out)
{
	const struct graph *graph = &bfs->graph;
	uint64_t left = bfs->degree - bfs->edge;
	uint64_t edges = left < EDGES_IN_STEP ? left : EDGES_IN_STEP;
	uint64_t others[EDGES_IN_STEP];
	size_t count = 0;

	for (uint64_t i = 0; i < edges; i++) {
		others[i] = graph_neighbour(graph, bfs->vertex, bfs->class, bfs->edge + i);
		__builtin_prefetch(home(bfs, others[i]));
	}
	for (uint64_t i = 0; i < edges && bfs->tail < bfs->found_max; i++) {
		bool new = find(bfs, others[i]);

		out[count++] =
			stream_at(graph_edge_at(graph, bfs->first_edge + bfs->edge + i), false);
		out[count++] = parent(bfs, others[i], new);
		if (new)
			out[count++] = queue(bfs, bfs->tail - 1, true);
	}
	bfs->edge += edges;
	return count;
}

static size_t step(void *state, struct stream_access *out)
{
	struct bfs_state *bfs = state;

	if (bfs->tail == bfs->found_max)
		return begin_search(bfs, out);
	if (bfs->edge < bfs->degree)
		return follow_edges(bfs, out);
	if (bfs->head < bfs->tail)
		return begin_vertex(bfs, out);
	return begin_search(bfs, out);
}

const struct stream_kind stream_bfs = {
	.name = "bfs",
	.state_size = sizeof(struct bfs_state),
	.begin = begin,
	.end = end,
	.step = step,
};
